//! Leases: who has a board for themselves, and until when.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::name::calls_oneself;

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

impl Lease {
    /// Whether it goes on at this time, in microseconds since the Unix epoch.
    pub fn is_on(&self, now_us: u64) -> bool {
        now_us < self.until_us
    }

    /// Whether who asks may use what is leased as the holder may.
    pub fn may_use(&self, asking: &str) -> bool {
        let mut users = std::iter::once(&self.holder).chain(&self.shared_with);
        users.any(|user| is_holder(user, asking)) || self.is_for(asking)
    }

    /// Whether who has taken the lease asks in the name of somebody whom they have shared it with: a server has
    /// leased a board as `lab (alice)`, and its job comes as `lab (job:7)`.
    fn is_for(&self, asking: &str) -> bool {
        let taker = self.holder.split_once(" (").map_or(&*self.holder, |(proved, _)| proved);
        let said = asking.strip_suffix(')').and_then(|asking| asking.split_once(" ("));
        let said = said.filter(|(proved, _)| *proved == taker);
        said.is_some_and(|(_, said)| self.shared_with.iter().any(|user| is_same(user, said)))
    }
}

/// Whether who asks is who has the lease, as far as both are known: `alice (job:7)` has shown alice's
/// token, so what alice has leased is theirs; and what they have leased is `job:7`'s, as the same
/// person may be written where nobody shows a token.
pub fn is_holder(holder: &str, asking: &str) -> bool {
    let proved = asking.split_once(" (").map_or(asking, |(proved, _)| proved);
    is_same(holder, asking) || is_same(holder, proved)
}

/// Whether who holds a board is who asks: a person may be written `alice` or, as conmux does,
/// `user:alice`. Who is `alice (job:7)` there, having shown a token, may be `job:7` here, where nobody
/// shows one; not the reverse, for then anybody with a token could say so.
pub fn is_same(holder: &str, asking: &str) -> bool {
    let plain = |user| str::strip_prefix(user, "user:").unwrap_or(user).to_owned();
    plain(holder) == plain(asking) || calls_oneself(holder, asking)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_took_a_lease_speaks_for_those_who_share_it() {
        let lease = Lease {
            holder: "lab (alice)".into(),
            shared_with: vec!["job:7".into()],
            since_us: 0,
            until_us: 1,
            reason: None,
        };
        for (asking, may) in [
            ("lab (alice)", true),
            ("lab (job:7)", true),
            ("job:7", true),
            ("lab (job:8)", false),
            ("bob (job:7)", false),
            ("lab (bob)", false),
        ] {
            assert_eq!(lease.may_use(asking), may, "{asking}");
        }
    }
}
