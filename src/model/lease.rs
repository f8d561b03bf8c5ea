//! Leases: who has a board for themselves, and until when.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// A board that somebody holds for a time, whether they are at its console or not.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Lease {
    pub holder: String,
    /// Who else may use it as its holder may.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub shared_with: Vec<String>,
    /// Since when, in microseconds since the Unix epoch.
    pub since_us: u64,
    /// When it ends by itself, in microseconds since the Unix epoch.
    pub until_us: u64,
    /// What for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// Who asks for a lease, and for how long.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct LeaseRequest {
    /// Who the client says it is; may be left out by who has shown a token or a certificate.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// From now on, as `2h`.
    #[serde(rename = "for")]
    pub length: String,
    /// Who else may use it so.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub shared_with: Vec<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}
