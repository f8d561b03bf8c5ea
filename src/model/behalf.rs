//! Somebody for whom somebody else asks.

use serde::{Deserialize, Serialize};

use super::{Name, Rights};

/// Who a request is made for, and the most that they may. A program that lets people in by itself, as
/// `lava-ssh` does, sends it with each request (`Lava-For`); the daemon then acts for that user, who may
/// what both of them may.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Behalf {
    pub user: Name,
    /// Where they are, for others to see: `192.0.2.7:50022`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    /// By the names that the daemon has for its consoles and outlets.
    pub rights: Rights,
}

impl Behalf {
    /// The header that tells it, as JSON.
    pub const HEADER: &str = "lava-for";
    /// The longest that is sent and read, in bytes.
    pub const MAX_LENGTH: usize = 8192;

    /// The same for one thing alone, on which they may as much as on a board of another name.
    pub fn as_on(&self, board: &Name, thing: &str) -> Self {
        if board.as_str() == thing {
            return self.clone();
        }
        let right = self.rights.on(board.as_str());
        let only = right.zip(thing.parse().ok());
        let rights = only.map(|(right, pattern)| Rights::of(pattern, right)).unwrap_or_default();
        Self { rights, ..self.clone() }
    }
}

#[cfg(test)]
mod tests {
    use super::super::Right;
    use super::*;

    #[test]
    fn what_one_may_on_a_board_one_may_on_its_console_of_another_name() {
        let mut rights = Rights::default();
        rights.grant("panda*".parse().unwrap(), Right::Write);
        rights.grant("tty*".parse().unwrap(), Right::Control);
        let alice = Behalf { user: "alice".parse().unwrap(), from: None, rights };
        let board = "panda01".parse().unwrap();
        assert_eq!(alice.as_on(&board, "panda01"), alice);
        let there = alice.as_on(&board, "ttyUSB0").rights;
        assert_eq!((there.on("ttyUSB0"), there.on("ttyUSB1")), (Some(Right::Write), None));
        let nowhere = alice.as_on(&"beagle".parse().unwrap(), "ttyUSB0").rights;
        assert_eq!(nowhere.on("ttyUSB0"), None);
    }

    #[test]
    fn it_is_written_as_json_and_read_again() {
        let text = r#"{"user":"alice","from":"192.0.2.7:5","rights":[["panda*","write"]]}"#;
        let alice: Behalf = serde_json::from_str(text).unwrap();
        assert_eq!(serde_json::to_string(&alice).unwrap(), text);
        for wrong in [
            r#"{"user":"alice"}"#,
            r#"{"user":"a b","rights":[]}"#,
            r#"{"user":"alice","rights":[["a/b","write"]]}"#,
            r#"{"user":"alice","rights":[["a","all"]]}"#,
            r#"{"user":"alice","rights":[],"more":1}"#,
        ] {
            assert!(serde_json::from_str::<Behalf>(wrong).is_err(), "{wrong}");
        }
    }
}
