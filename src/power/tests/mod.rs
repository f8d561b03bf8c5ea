//! Whole lives of operations, with PDUs that do as they are told, or not. Time is virtual.

mod late;
mod owed;
mod turns;

use std::collections::BTreeMap;
use std::path::Path;

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use tokio::time::{Instant, sleep};

use super::operation::fake::{Does, Fake, Reads, TIMEOUT};
use super::pdu::Pdu;
use super::*;
use crate::model::{Failure, Kind, Lease, PowerResult, State, Verified};

const OFF: Does = Does::SwitchesAfter(Duration::ZERO);
const MINUTE: Duration = Duration::from_secs(60);

/// A lava-power whose PDUs are fakes: `p0` and so on, with one outlet each.
struct Lab {
    power: Arc<Power>,
    leases: Arc<Held>,
    ending: CancellationToken,
}

/// Nobody is at any console, and one lease may be held.
#[derive(Debug, Default)]
struct Held(Mutex<Option<Lease>>);

impl Consoles for Held {
    fn record<'a>(&'a self, _: &'a str, _: &'a Note) -> BoxFuture<'a, ()> {
        async {}.boxed()
    }

    fn usage<'a>(&'a self, _: &'a str) -> BoxFuture<'a, Result<Usage, Failure>> {
        async { Ok(Usage::default()) }.boxed()
    }
}

impl Leases for Held {
    fn lease<'a>(&'a self, _: &'a Name) -> BoxFuture<'a, Result<Option<Lease>, Failure>> {
        async { Ok(self.0.lock().unwrap().clone()) }.boxed()
    }

    fn all(&self) -> BoxFuture<'_, Result<BTreeMap<Name, Lease>, Failure>> {
        let all = self.0.lock().unwrap().clone();
        async { Ok(all.map(|lease| ("a".parse().unwrap(), lease)).into_iter().collect()) }.boxed()
    }

    fn take<'a>(&'a self, _: &'a Name, _: Lease) -> BoxFuture<'a, Result<Lease, LeaseError>> {
        async { Err(LeaseError::Failed(Failure::new(Kind::Lab, "no"))) }.boxed()
    }

    fn release<'a>(
        &'a self,
        _: &'a Name,
        _: Option<&'a str>,
    ) -> BoxFuture<'a, Result<Option<Lease>, LeaseError>> {
        async { Ok(None) }.boxed()
    }
}

/// One board, `a`, on `p0`.
const ONE: &str = "[[outlet]]\nname = \"a\"\npdu = \"p0\"\nport = 1\noff_time = \"2s\"\n";

impl Lab {
    /// With these boards on these outlets, and what an earlier process has left in the folder.
    fn start(folder: &Path, fakes: &[&Arc<Fake>], boards: &str) -> Self {
        let pdu = |at| {
            format!(
                "[[pdu]]\nname = \"p{at}\"\ndriver = \"sim\"\ntimeout = \"3s\"\nverify = \"10s\"\n"
            )
        };
        let pdus: String = (0..fakes.len()).map(pdu).collect();
        let mut config = PowerConfig::parse("p", &(pdus + boards)).unwrap();
        config.folders.state = folder.to_owned();
        let (leases, ending) = (Arc::new(Held::default()), CancellationToken::new());
        let surroundings = Surroundings {
            consoles: leases.clone(),
            leases: leases.clone(),
            tasks: TaskTracker::new(),
            ending: ending.clone(),
        };
        let open = |config: &PduConfig, tally: &Arc<Tally>| {
            let at: usize = config.name.as_str()[1..].parse().unwrap();
            let pdu = Arc::new(Pdu::new(config, tally.clone()));
            let fake = || Box::new(fakes[at].clone());
            let seat = |o| Arc::new(Seat::new(pdu.clone(), o, fake()));
            config.outlets.iter().map(seat).collect()
        };
        let power = Arc::new(Power::start_with(&config, surroundings, open));
        Self { power, leases, ending }
    }

    async fn ask(&self, board: &str, verb: Verb) -> Result<(State, Verified), PowerError> {
        let report = self.power.request(board, verb, Asked::by("alice")).await;
        report.map(|report| (report.state, report.verified))
    }

    async fn fails(&self, board: &str, verb: Verb) -> String {
        self.ask(board, verb).await.unwrap_err().to_string()
    }

    fn left_off(&self, board: &str) -> Option<LeftOff> {
        self.power.left_off(&board.parse().unwrap())
    }

    fn last(&self, board: &str) -> (Verb, PowerResult, Option<State>) {
        let record = self.power.history(board).unwrap().pop().unwrap();
        (record.verb, record.result, record.state)
    }

    fn is_over(&self, board: &str) -> bool {
        self.power.0.find(board).unwrap().journal.pending().is_none()
    }
}

fn is_on(does: impl IntoIterator<Item = Does>) -> Arc<Fake> {
    Arc::new(Fake::new(does).starts(State::On))
}

/// What an outlet refuses from now on, or does again.
fn refuses(outlet: &Fake, so: bool) {
    let mut does = outlet.does.lock().unwrap();
    does.clear();
    if so {
        does.extend([Does::Refuses; 999]);
    }
}

/// A process that was killed in the middle of a cycle of `a`.
fn killed_in_a_cycle(folder: &Path) {
    journal(folder).begin(Verb::Cycle, &Asked::by("bob"), true);
}

fn journal(folder: &Path) -> Journal {
    Journal::open(folder, &"a".parse().unwrap(), Arc::default())
}
