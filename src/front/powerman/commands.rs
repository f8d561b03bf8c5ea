//! What powerman's commands do.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use futures_util::future::join_all;

use crate::front::cli::report;
use crate::model::{Failure, Name, Report, State, Verb};
use crate::power::{Asked, Power};
use crate::wire::hostlist;
use crate::wire::powerman::{Command, HELP, Reply};

/// One client, and what it has set.
#[derive(Debug)]
pub(super) struct Session {
    power: Arc<Power>,
    /// Who it is in the record.
    who: String,
    telemetry: bool,
    expand: bool,
}

/// What came of an operation on one outlet; `None` when its PDU was not asked, for it was silent
/// just before.
type Outcome = (Name, Option<Result<Report, Failure>>);

impl Session {
    pub(super) fn new(power: Arc<Power>, who: String) -> Self {
        Self { power, who, telemetry: false, expand: false }
    }

    /// Who it is in the record.
    pub(super) fn who(&self) -> &str {
        &self.who
    }

    /// Carries out a command, and gives the answer to it. `quit` is not for here.
    pub(super) async fn carry_out(&mut self, command: Command) -> Vec<Reply> {
        match command {
            Command::Quit => vec![Reply::Goodbye],
            Command::Help => {
                HELP.iter().map(|line| Reply::Help(line)).chain([Reply::Answered]).collect()
            }
            Command::Telemetry => {
                self.telemetry = !self.telemetry;
                vec![Reply::Telemetry(self.telemetry)]
            }
            Command::Exprange => {
                self.expand = !self.expand;
                vec![Reply::Exprange(self.expand)]
            }
            Command::Unsupported => vec![Reply::Unsupported],
            Command::Nodes => self.nodes(),
            Command::Device(nodes) => self.devices(nodes.as_deref()),
            Command::Status(nodes) => match self.find(nodes.as_deref()) {
                Ok(nodes) => self.status(&nodes).await,
                Err(refused) => vec![refused],
            },
            Command::On(nodes) => self.switch(Verb::On, &nodes).await,
            Command::Off(nodes) => self.switch(Verb::Off, &nodes).await,
            Command::Cycle(nodes) => self.switch(Verb::Cycle, &nodes).await,
        }
    }

    fn nodes(&self) -> Vec<Reply> {
        let names = self.power.outlets().map(|outlet| outlet.name.as_str());
        let mut replies: Vec<Reply> = if self.expand {
            names.map(|name| Reply::Node(name.to_owned())).collect()
        } else {
            vec![Reply::Nodes(hostlist::compress(names))]
        };
        replies.push(Reply::Answered);
        replies
    }

    /// The PDUs with their outlets; all, or those of some nodes.
    fn devices(&self, nodes: Option<&[String]>) -> Vec<Reply> {
        let figures = self.power.tally();
        let mut devices: BTreeMap<&Name, Vec<&Name>> = BTreeMap::new();
        for outlet in self.power.outlets() {
            devices.entry(&outlet.pdu).or_default().push(&outlet.name);
        }
        let meant = |outlets: &[&Name]| {
            nodes.is_none_or(|nodes| {
                nodes.iter().any(|node| outlets.iter().any(|outlet| outlet.as_str() == node))
            })
        };
        let mut replies = Vec::new();
        for (pdu, outlets) in devices.into_iter().filter(|(_, outlets)| meant(outlets)) {
            let state = match figures.reachable.get(pdu) {
                Some(true) => "connected",
                Some(false) => "disconnected",
                // Nobody has wanted anything of it yet.
                None => "unknown",
            };
            let of_pdu = figures.operations.iter().filter(|(op, _)| outlets.contains(&&op.outlet));
            let actions: u64 = of_pdu.map(|(_, count)| count).sum();
            let hosts = hostlist::compress(outlets.iter().map(|outlet| outlet.as_str()));
            replies.push(Reply::Device(format!(
                "{pdu}: state={state} reconnects=000 actions={actions:03} type=lava hosts={hosts}"
            )));
        }
        replies.push(Reply::Answered);
        replies
    }

    async fn status(&self, nodes: &[Name]) -> Vec<Reply> {
        let mut replies = Vec::new();
        let mut states: BTreeMap<&'static str, Vec<Name>> = BTreeMap::new();
        let mut failed = false;
        let mut each = Vec::new();
        for (node, outcome) in self.ask_all(nodes, Verb::Status).await {
            let state = match outcome {
                Some(Ok(Report { state: State::Partly, .. })) => {
                    failed = true;
                    let what = format!("of the outlets of {node} some are on and some are off");
                    replies.push(Reply::Error(what));
                    // Clients know of no more.
                    State::Unknown
                }
                Some(Ok(report)) => report.state,
                Some(Err(failure)) => {
                    failed = true;
                    replies.push(Reply::Error(failure.message));
                    State::Unknown
                }
                None => State::Unknown,
            };
            states.entry(state.as_str()).or_default().push(node.clone());
            each.push(Reply::NodeState(node.to_string(), state.as_str()));
        }
        if self.expand {
            replies.extend(each);
        } else {
            for state in [State::On, State::Off, State::Unknown] {
                let names = states.get(state.as_str()).into_iter().flatten();
                let list = hostlist::compress(names.map(Name::as_str));
                replies.push(Reply::State(state.as_str(), list));
            }
        }
        replies.push(if failed { Reply::AnsweredWithErrors } else { Reply::Answered });
        replies
    }

    async fn switch(&self, verb: Verb, nodes: &[String]) -> Vec<Reply> {
        let nodes = match self.find(Some(nodes)) {
            Ok(nodes) => nodes,
            Err(refused) => return vec![refused],
        };
        let (mut replies, mut failed) = (Vec::new(), false);
        for (_, outcome) in self.ask_all(&nodes, verb).await {
            match outcome {
                Some(Err(failure)) => {
                    failed = true;
                    replies.push(Reply::Error(failure.message));
                }
                Some(Ok(report)) if self.telemetry => {
                    replies.push(Reply::Happened(report::text(&report)));
                }
                Some(Ok(_)) | None => {}
            }
        }
        replies.push(if failed { Reply::DoneWithErrors } else { Reply::Done });
        replies
    }

    /// The outlets that are meant, each once; all without a list.
    fn find(&self, nodes: Option<&[String]>) -> Result<Vec<Name>, Reply> {
        let known = || self.power.outlets().map(|outlet| &outlet.name);
        let Some(nodes) = nodes else { return Ok(known().cloned().collect()) };
        let known: BTreeSet<&str> = known().map(Name::as_str).collect();
        let unknown = nodes.iter().map(String::as_str).filter(|node| !known.contains(node));
        let unknown = hostlist::compress(unknown);
        if !unknown.is_empty() {
            return Err(Reply::NoSuchNodes(unknown));
        }
        let nodes: BTreeSet<Name> = nodes.iter().filter_map(|node| node.parse().ok()).collect();
        Ok(nodes.into_iter().collect())
    }

    /// Asks each outlet: PDUs at the same time, and the outlets of one, too, unless it is to look only.
    async fn ask_all(&self, nodes: &[Name], verb: Verb) -> Vec<Outcome> {
        let mut pdus: BTreeMap<&Name, Vec<&Name>> = BTreeMap::new();
        let meant: BTreeSet<&Name> = nodes.iter().collect();
        for outlet in self.power.outlets().filter(|outlet| meant.contains(&outlet.name)) {
            pdus.entry(&outlet.pdu).or_default().push(&outlet.name);
        }
        let asked = pdus.into_iter().map(|(pdu, outlets)| self.ask_pdu(pdu, outlets, verb));
        join_all(asked).await.into_iter().flatten().collect()
    }

    async fn ask_pdu(&self, pdu: &Name, outlets: Vec<&Name>, verb: Verb) -> Vec<Outcome> {
        let ask = async |outlet: &Name| {
            let asked = Asked::by(self.who.clone());
            self.power.request(outlet.as_str(), verb, asked).await
        };
        if verb != Verb::Status {
            // Of one PDU the cycles overlap, all but its requests.
            let switch = async |outlet: &Name| {
                (outlet.clone(), Some(ask(outlet).await.map_err(Failure::from)))
            };
            return join_all(outlets.into_iter().map(switch)).await;
        }
        let mut outcomes = Vec::new();
        let mut silent = false;
        for outlet in outlets {
            // To look at an outlet of a PDU that has just been silent tells nothing but takes time.
            if silent {
                outcomes.push((outlet.clone(), None));
                continue;
            }
            let result = ask(outlet).await;
            silent = result.is_err() && self.power.tally().reachable.get(pdu) == Some(&false);
            outcomes.push((outlet.clone(), Some(result.map_err(Failure::from))));
        }
        outcomes
    }
}
