//! CI jobs: scripts of a repository that use boards by themselves.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::Name;

/// A script, and where it is.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CiJob {
    /// The URL of the git repository.
    pub git: String,
    /// A branch, a tag or a commit; the repository's own branch when left out.
    #[serde(default, rename = "ref", skip_serializing_if = "Option::is_none")]
    pub reference: Option<String>,
    /// The script's path in the repository. Python is run by python3, others have to be executable.
    pub script: String,
    /// How long a run may take, as `2h`; an hour when left out.
    #[serde(default, rename = "for", skip_serializing_if = "Option::is_none")]
    pub length: Option<String>,
    /// The worker that is to run it; any that runs scripts when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub worker: Option<Name>,
}

/// A CI job as a server tells of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct CiInfo {
    #[schema(value_type = String)]
    pub name: Name,
    /// Whose it is: they may change it.
    pub user: String,
    #[serde(flatten)]
    pub job: CiJob,
}

/// What a run is to be.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CiRun {
    /// What the script is given.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub args: Vec<String>,
    /// Who asks, where nobody logs in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
}

/// A script for a worker to run; also what is kept of a run as its definition.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct WorkScript {
    /// Of which CI job it is a run.
    #[schema(value_type = String)]
    pub ci: Name,
    pub git: String,
    #[serde(default, rename = "ref", skip_serializing_if = "Option::is_none")]
    pub reference: Option<String>,
    pub script: String,
    #[serde(default)]
    pub args: Vec<String>,
    /// In whose name it asks for boards.
    pub user: String,
    /// How long it may take, in seconds.
    pub limit_s: u64,
}

/// A result that a script tells: a line of JSON in the file `$LAVA_RESULTS`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct ScriptResult {
    pub case: String,
    /// `pass`, `fail`, `skip` or `unknown`.
    pub result: String,
    #[serde(default)]
    pub measurement: Option<f64>,
    #[serde(default)]
    pub units: Option<String>,
    /// What else there is to know, by its name.
    #[serde(default)]
    pub extra: BTreeMap<String, String>,
}
