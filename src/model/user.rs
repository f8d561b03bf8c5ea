//! The users of a lab, as its server keeps them.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{Name, Right, Rights};

/// What somebody may, and of which groups they are, whose rights they have, too.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct UserDescription {
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schema(value_type = Vec<String>)]
    pub groups: Vec<Name>,
    /// Pairs of a pattern of boards and a right: `[["panda*", "write"]]`.
    #[serde(default)]
    #[schema(value_type = Vec<(String, String)>)]
    pub rights: Rights,
}

/// What has come of a user's being added or changed.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct UserChange {
    /// A new user's first token.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token: Option<NewToken>,
    /// With the first user: the daemons that announce themselves, which from now on need a token, too.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub announcing: Vec<String>,
}

/// A user as a server tells of them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct UserInfo {
    #[schema(value_type = String)]
    pub name: Name,
    #[serde(flatten)]
    pub user: UserDescription,
    pub tokens: Vec<TokenInfo>,
}

/// A group as a server tells of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct GroupInfo {
    #[schema(value_type = String)]
    pub name: Name,
    #[schema(value_type = Vec<(String, String)>)]
    pub rights: Rights,
}

/// A token as a server tells of it: what it is cannot be told again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct TokenInfo {
    /// The beginning of its hash.
    pub id: String,
    /// The most that can be done with it, of what its user may.
    #[schema(value_type = String)]
    pub scope: Right,
    /// It is the token of the worker of this name, and for nothing else.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub worker: Option<Name>,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub note: String,
    /// In microseconds since the Unix epoch, as is its end.
    pub made_us: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until_us: Option<u64>,
}

/// What a new token is to be.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct TokenRequest {
    /// `see`, `spy`, `write` or `control`: the most that can be done with it, of what its user may.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub scope: Option<Right>,
    /// The worker of which it is to be the token: it can do what that one does, and nothing else.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub worker: Option<Name>,
    /// How long it lets in, as `90d`; for ever when left out.
    #[serde(default, rename = "for", skip_serializing_if = "Option::is_none")]
    pub length: Option<String>,
    /// What it is for.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub note: String,
}

/// A new token, which is told only now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct NewToken {
    pub token: String,
    #[serde(flatten)]
    pub info: TokenInfo,
}
