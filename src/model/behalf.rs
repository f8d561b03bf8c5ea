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

    /// The same for a thing of a daemon, on which they may as much as on the board that it belongs to, and
    /// no more: the daemon may have another name for it. `others` are things of the same daemon and their
    /// boards, for it may ask for rights on several, as of boards on one outlet; they are told as far as
    /// there is room.
    pub fn as_on<'a>(
        &self,
        (board, thing): (&'a Name, &'a str),
        others: impl IntoIterator<Item = (&'a Name, &'a str)>,
    ) -> Self {
        let same = board.as_str() == thing;
        let mut rights = if same { self.rights.clone() } else { Rights::default() };
        // Whoever may something on all boards may it on all things, whatever they are called.
        let on_all = self.rights.on_all();
        if let (Some(right), Ok(all)) = (on_all.filter(|_| !same), "*".parse()) {
            rights.grant(all, right);
        }
        let mut room = Self::MAX_LENGTH / 2;
        let own = (!same).then_some((board, thing));
        for (board, thing) in own.into_iter().chain(others) {
            // As `["thing","control"],`
            let length = thing.len() + 16;
            let right = self.rights.on(board.as_str()).filter(|right| Some(*right) > on_all);
            if let (Some(right), Ok(pattern)) = (right, thing.parse())
                && length <= room
            {
                rights.grant(pattern, right);
                room -= length;
            }
        }
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
        let alone = |board: &Name, thing| alice.as_on((board, thing), []);
        assert_eq!(alone(&board, "panda01"), alice);
        let there = alone(&board, "ttyUSB0").rights;
        assert_eq!((there.on("ttyUSB0"), there.on("ttyUSB1")), (Some(Right::Write), None));
        let nowhere = alone(&"beagle".parse().unwrap(), "ttyUSB0").rights;
        assert_eq!(nowhere.on("ttyUSB0"), None);
    }

    #[test]
    fn what_one_may_on_other_boards_counts_on_what_is_theirs_at_the_same_daemon() {
        let mut rights = Rights::default();
        rights.grant("panda*".parse().unwrap(), Right::Write);
        rights.grant("*".parse().unwrap(), Right::See);
        let alice = Behalf { user: "alice".parse().unwrap(), from: None, rights };
        let name = |text: &str| text.parse::<Name>().unwrap();
        let (panda01, panda02, beagle) = (name("panda01"), name("panda02"), name("beagle"));
        let others = [(&panda02, "pdu1-4"), (&beagle, "pdu1-5")];
        let there = alice.as_on((&panda01, "pdu1-3"), others).rights;
        let on = ["pdu1-3", "pdu1-4", "pdu1-5", "pdu1-6"].map(|thing| there.on(thing));
        let (write, see) = (Some(Right::Write), Some(Right::See));
        assert_eq!(on, [write, write, see, see]);
        let same = alice.as_on((&panda01, "panda01"), others).rights;
        assert_eq!((same.on("panda01"), same.on("pdu1-4")), (write, write));
        // However many there are, a daemon reads it.
        let many: Vec<(Name, String)> =
            (0..9999).map(|at| (name(&format!("panda{at}")), format!("outlet-{at}"))).collect();
        let many = many.iter().map(|(board, thing)| (board, thing.as_str()));
        let told = serde_json::to_string(&alice.as_on((&panda01, "pdu1-3"), many)).unwrap();
        assert!(told.len() < Behalf::MAX_LENGTH, "{}", told.len());
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
