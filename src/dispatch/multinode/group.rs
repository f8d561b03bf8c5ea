//! The state of a group: its members, what they have sent, and who waits for what. No I/O.
//!
//! Messages stay for as long as the group does, so that a wait for one that is there is over at once.
//! A wait that can not come to an end any more, since who would have ended it is gone, fails at once
//! with the reason.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// The most members of a group.
pub const MAX_MEMBERS: usize = 64;
/// So many message IDs are kept for a group.
pub const MAX_MESSAGES: usize = 4096;
/// The longest message with its ID, in bytes: the board says it on its console in one line.
pub const MAX_MESSAGE: usize = 3 * 1024;

/// What a member wants of its group.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "call", rename_all = "kebab-case")]
pub enum Ask {
    /// Tells all others; there is nothing to wait for.
    Send { id: String, data: BTreeMap<String, String> },
    /// Waits until any other member has sent this.
    Wait { id: String },
    /// Waits until all others have sent this, or all that have a role.
    WaitAll { id: String, role: Option<String> },
    /// Sends, and waits for all others to do the same.
    Sync { id: String },
}

/// A value that a member has sent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    pub member: String,
    pub key: String,
    pub value: String,
}

/// How a member has left.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum End {
    Done,
    Failed(String),
}

/// What comes of an [`Ask`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    Data(Vec<Entry>),
    /// It can not come any more, and why.
    Never(String),
}

/// A member as the others know it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Who {
    pub name: String,
    pub role: String,
}

#[derive(Debug)]
struct Member {
    role: String,
    /// When it fails, the whole group ends.
    essential: bool,
    waits: Option<Ask>,
    end: Option<End>,
}

#[derive(Debug)]
pub struct Group {
    size: usize,
    members: BTreeMap<String, Member>,
    /// By the ID of the message, and who has sent it.
    sent: BTreeMap<String, BTreeMap<String, BTreeMap<String, String>>>,
}

impl Group {
    /// A group that is complete when `size` members have joined.
    pub fn new(size: usize) -> Self {
        Self { size, members: BTreeMap::new(), sent: BTreeMap::new() }
    }

    pub fn size(&self) -> usize {
        self.size
    }

    /// # Errors
    /// Why there is no place for it.
    pub fn join(&mut self, who: Who, essential: bool) -> Result<(), String> {
        let Who { name, role } = who;
        if self.is_complete() {
            return Err(format!("the group has all of its {} members already", self.size));
        }
        if self.members.contains_key(&name) {
            return Err(format!(
                "the group has a {name:?} already: its boards need names of their own"
            ));
        }
        self.members.insert(name, Member { role, essential, waits: None, end: None });
        Ok(())
    }

    pub fn is_complete(&self) -> bool {
        self.members.len() >= self.size
    }

    /// Whether nobody is left.
    pub fn is_over(&self) -> bool {
        self.is_complete() && self.members.values().all(|member| member.end.is_some())
    }

    /// All members, by name.
    pub fn members(&self) -> Vec<Who> {
        let who = |(name, member): (&String, &Member)| Who {
            name: name.clone(),
            role: member.role.clone(),
        };
        self.members.iter().map(who).collect()
    }

    /// Takes what a member asks for; [`Group::answers`] has what comes of it. What it has asked for
    /// before, and was not answered, is forgotten.
    ///
    /// # Errors
    /// Why it makes no sense.
    pub fn ask(&mut self, name: &str, ask: Ask) -> Result<(), String> {
        let roles = || self.members.values().map(|member| member.role.as_str());
        if let Ask::WaitAll { role: Some(role), .. } = &ask
            && self.is_complete()
            && !roles().any(|known| known == role)
        {
            return Err(format!("nobody in the group has the role {role:?}"));
        }
        let Some(member) = self.members.get_mut(name) else {
            return Err(format!("{name:?} is not in the group"));
        };
        if member.end.is_some() {
            return Err(format!("{name:?} has left the group"));
        }
        let id = ask.id().to_owned();
        let data = match &ask {
            Ask::Send { data, .. } => Some(data.clone()),
            Ask::Sync { .. } => Some(BTreeMap::new()),
            Ask::Wait { .. } | Ask::WaitAll { .. } => None,
        };
        if let Some(data) = data {
            let pairs = data.iter().map(|(key, value)| key.len() + value.len() + 2);
            if id.len() + pairs.sum::<usize>() > MAX_MESSAGE {
                return Err(format!("the message is longer than {MAX_MESSAGE} bytes"));
            }
            if self.sent.len() >= MAX_MESSAGES && !self.sent.contains_key(&id) {
                return Err(format!(
                    "the group has sent {MAX_MESSAGES} different messages already"
                ));
            }
            self.sent.entry(id).or_default().entry(name.to_owned()).or_default().extend(data);
        }
        member.waits = Some(ask);
        Ok(())
    }

    /// A member leaves.
    pub fn end(&mut self, name: &str, end: End) {
        if let Some(member) = self.members.get_mut(name) {
            member.waits = None;
            member.end.get_or_insert(end);
        }
    }

    /// Why the whole group has to end: a member that it cannot do without has failed.
    pub fn lost(&self) -> Option<String> {
        let mut failed = self.members.iter().filter(|(_, member)| member.essential);
        failed.find_map(|(name, member)| match &member.end {
            Some(End::Failed(why)) => Some(format!(
                "{name} ({}), which is essential to the group, has failed: {why}",
                member.role
            )),
            _ => None,
        })
    }

    /// Who can be answered now. Each ask is answered once.
    pub fn answers(&mut self) -> Vec<(String, Answer)> {
        let waiting = self.members.iter().filter_map(|(name, member)| {
            let answer = self.answer(name, member.waits.as_ref()?)?;
            Some((name.clone(), answer))
        });
        let answers: Vec<_> = waiting.collect();
        for (name, _) in &answers {
            if let Some(member) = self.members.get_mut(name) {
                member.waits = None;
            }
        }
        answers
    }

    fn answer(&self, name: &str, ask: &Ask) -> Option<Answer> {
        let id = ask.id();
        let nobody = BTreeMap::new();
        let sent = self.sent.get(id).unwrap_or(&nobody);
        match ask {
            Ask::Send { .. } => Some(Answer::Data(Vec::new())),
            Ask::Wait { .. } => {
                let others = sent.iter().filter(|(member, _)| *member != name);
                let entries: Vec<_> = others.collect();
                match entries.is_empty() {
                    false => Some(Answer::Data(flat(entries))),
                    true => self.never_by_anyone(name, id),
                }
            }
            Ask::WaitAll { .. } | Ask::Sync { .. } => {
                if !self.is_complete() {
                    return None;
                }
                let role = match ask {
                    Ask::WaitAll { role, .. } => role.as_deref(),
                    _ => None,
                };
                let needed = self.members.iter().filter(|(other, member)| {
                    *other != name && role.is_none_or(|role| member.role == role)
                });
                let missing: Vec<_> =
                    needed.filter(|(other, _)| !sent.contains_key(*other)).collect();
                let gone = missing.iter().find(|(_, member)| member.end.is_some());
                match (missing.is_empty(), gone) {
                    (true, _) => Some(Answer::Data(flat(sent.iter().collect()))),
                    (false, Some((other, member))) => {
                        Some(Answer::Never(without(other, member, id)))
                    }
                    (false, None) => None,
                }
            }
        }
    }

    /// Whether nobody can send this any more: somebody is gone, and who is left waits.
    fn never_by_anyone(&self, name: &str, id: &str) -> Option<Answer> {
        if !self.is_complete() {
            return None;
        }
        let others = || self.members.iter().filter(|(other, _)| *other != name);
        let failed = |member: &Member| matches!(member.end, Some(End::Failed(_)));
        let gone = others().find(|(_, member)| failed(member));
        let gone = gone.or_else(|| others().find(|(_, member)| member.end.is_some()));
        let (other, member) = gone?;
        let stuck = |member: &Member| member.end.is_some() || member.waits.is_some();
        others().all(|(_, member)| stuck(member)).then(|| Answer::Never(without(other, member, id)))
    }
}

impl Ask {
    pub fn id(&self) -> &str {
        match self {
            Self::Send { id, .. }
            | Self::Wait { id }
            | Self::WaitAll { id, .. }
            | Self::Sync { id } => id,
        }
    }

    /// As it is called on the board: `lava-wait-all ready server`.
    pub fn called(&self) -> String {
        match self {
            Self::Send { id, .. } => format!("lava-send {id}"),
            Self::Wait { id } => format!("lava-wait {id}"),
            Self::WaitAll { id, role: None } => format!("lava-wait-all {id}"),
            Self::WaitAll { id, role: Some(role) } => format!("lava-wait-all {id} {role}"),
            Self::Sync { id } => format!("lava-sync {id}"),
        }
    }
}

/// Why a message will not come: the member that has left without it.
fn without(name: &str, member: &Member, id: &str) -> String {
    let role = &member.role;
    match &member.end {
        Some(End::Failed(why)) => format!("{name} ({role}) has failed without {id:?}: {why}"),
        _ => format!("{name} ({role}) has ended without {id:?}"),
    }
}

fn flat(sent: Vec<(&String, &BTreeMap<String, String>)>) -> Vec<Entry> {
    let entry = |member: &String, (key, value): (&String, &String)| Entry {
        member: member.clone(),
        key: key.clone(),
        value: value.clone(),
    };
    let of = sent.into_iter();
    of.flat_map(|(member, data)| data.iter().map(move |pair| entry(member, pair))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn group(members: &[(&str, &str)]) -> Group {
        let mut group = Group::new(members.len());
        for (name, role) in members {
            let who = Who { name: (*name).into(), role: (*role).into() };
            group.join(who, *role == "host").unwrap();
        }
        group
    }

    fn sync(id: &str) -> Ask {
        Ask::Sync { id: id.into() }
    }

    fn wait(id: &str) -> Ask {
        Ask::Wait { id: id.into() }
    }

    fn send(id: &str, data: &[(&str, &str)]) -> Ask {
        let data = data.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
        Ask::Send { id: id.into(), data }
    }

    fn all(id: &str, role: Option<&str>) -> Ask {
        Ask::WaitAll { id: id.into(), role: role.map(ToOwned::to_owned) }
    }

    /// What an ask comes to at once; `None` while it waits.
    fn asked(group: &mut Group, name: &str, ask: Ask) -> Option<Answer> {
        group.ask(name, ask).unwrap();
        group.answers().into_iter().find(|(who, _)| who == name).map(|(_, answer)| answer)
    }

    fn entries(answer: Option<Answer>) -> Vec<String> {
        let Some(Answer::Data(entries)) = answer else { panic!("{answer:?}") };
        entries.into_iter().map(|e| format!("{}:{}={}", e.member, e.key, e.value)).collect()
    }

    #[test]
    fn messages_stay_and_say_who_has_sent_them() {
        let mut group = group(&[("a", "client"), ("b", "server"), ("c", "server")]);
        assert_eq!(asked(&mut group, "a", all("ready", Some("server"))), None);
        asked(&mut group, "b", send("ready", &[("ip", "1"), ("port", "2")]));
        group.ask("c", send("ready", &[("ip", "3")])).unwrap();
        let answers: BTreeMap<_, _> = group.answers().into_iter().collect();
        assert_eq!(entries(answers.get("a").cloned()), ["b:ip=1", "b:port=2", "c:ip=3"]);
        // What comes later is added.
        asked(&mut group, "c", send("ready", &[("mac", "x")]));
        let again = asked(&mut group, "a", wait("ready"));
        assert_eq!(entries(again), ["b:ip=1", "b:port=2", "c:ip=3", "c:mac=x"]);
        // One's own message is none that one could have waited for.
        asked(&mut group, "a", send("mine", &[]));
        assert_eq!(asked(&mut group, "a", wait("mine")), None);
    }

    #[test]
    fn who_waits_for_a_member_that_is_gone_learns_why_at_once() {
        let mut group = group(&[("a", "client"), ("b", "server"), ("c", "other")]);
        assert_eq!(asked(&mut group, "a", sync("start")), None);
        group.end("b", End::Failed("the kernel panicked".into()));
        let answers = group.answers();
        let never = "b (server) has failed without \"start\": the kernel panicked";
        assert_eq!(answers, [("a".into(), Answer::Never(never.into()))]);
        // `c` may still send it, until it waits itself.
        assert_eq!(asked(&mut group, "a", wait("go")), None);
        group.ask("c", wait("other")).unwrap();
        assert_eq!(group.answers().len(), 2);
        assert_eq!(group.lost(), None);
    }

    #[test]
    fn without_an_essential_member_there_is_no_group() {
        let mut group = group(&[("a", "host"), ("b", "guest")]);
        group.end("a", End::Failed("no power".into()));
        assert!(group.lost().unwrap().starts_with("a (host), which is essential"));
        group.end("b", End::Done);
        assert!(group.is_over());
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        let mut group = group(&[("a", "client"), ("b", "server")]);
        assert!(group.ask("a", all("x", Some("sever"))).unwrap_err().contains("\"sever\""));
        assert!(group.ask("z", sync("x")).is_err());
        let long = "x".repeat(MAX_MESSAGE);
        assert!(group.ask("a", send("x", &[("k", &long)])).unwrap_err().contains("longer"));
        let full = Who { name: "c".into(), role: "client".into() };
        assert!(group.join(full, false).unwrap_err().contains("all of its 2 members"));
    }

    proptest! {
        /// Whatever order they come in, all of a group pass each of their common points together.
        #[test]
        fn nobody_passes_a_sync_before_all_have_come(order in proptest::collection::vec(0_usize..4, 0..200)) {
            let names = ["a", "b", "c", "d"];
            let mut group = group(&names.map(|name| (name, "peer")));
            let mut passed = [0_u32; 4];
            let mut waits = [false; 4];
            for who in order {
                if !waits[who] {
                    group.ask(names[who], sync(&format!("s{}", passed[who]))).unwrap();
                    waits[who] = true;
                }
                for (name, answer) in group.answers() {
                    let at = names.iter().position(|n| *n == name).unwrap();
                    prop_assert_eq!(answer, Answer::Data(Vec::new()));
                    (passed[at], waits[at]) = (passed[at] + 1, false);
                }
                let (least, most) = (passed.iter().min().unwrap(), passed.iter().max().unwrap());
                prop_assert_eq!(least, most);
            }
        }
    }
}
