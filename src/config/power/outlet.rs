//! `[[outlet]]`: a board, and the sockets of PDUs that feed it.

use std::path::PathBuf;
use std::time::Duration;

use super::common::{Word, duration, one_of};
use super::{Driver, PduConfig};
use crate::config::Table;
use crate::config::url::resource_url;
use crate::model::Name;

/// One socket of a PDU, as its driver sees it.
#[derive(Debug, Clone)]
pub struct OutletConfig {
    /// The name of the board that it feeds; of several the one that is named first.
    pub name: Name,
    /// Which outlet of the PDU, in the PDU's own words; for SNMP the end of an OID.
    pub port: String,
    /// The control socket of a virtual board, for the sim driver.
    pub board: Option<PathBuf>,
}

/// A board, and where its power comes from.
#[derive(Debug, Clone)]
pub struct BoardConfig {
    pub name: Name,
    /// The URL of the board's console, which is told what happens.
    pub console: Option<String>,
    /// How long a cycle keeps the board without power.
    pub off_time: Duration,
    /// In the order in which they are switched on. Not empty, and no socket twice.
    pub feeds: Vec<FeedConfig>,
    pub off_order: OffOrder,
    /// Other boards may be on the same sockets. They say so, too.
    pub shared: bool,
}

/// One socket that feeds a board.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FeedConfig {
    pub pdu: Name,
    /// As the [`OutletConfig`] of the PDU has it.
    pub port: String,
    /// How long it waits, once the feed that is switched before it has been.
    pub delay: Duration,
}

/// In which order a board's feeds are switched off.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum OffOrder {
    /// What came on last goes first.
    #[default]
    Reverse,
    /// As they are switched on.
    Same,
}

const OFF_TIME: Duration = Duration::from_secs(2);
const LONGEST_OFF_TIME: Duration = Duration::from_secs(600);
const LONGEST_DELAY: Duration = Duration::from_secs(60);
/// A board has at most so many sockets.
const MAX_FEEDS: usize = 16;

/// Reads the boards of all files, and gives each of their sockets to its PDU.
pub(super) fn read_into(
    pdus: &mut [(Name, Option<PduConfig>)],
    tops: &[Table<'_>],
) -> Vec<BoardConfig> {
    let mut names: Vec<Name> = Vec::new();
    let mut boards: Vec<BoardConfig> = Vec::new();
    for table in tops.iter().flat_map(|top| top.tables("outlet")) {
        let name = table.required::<Name>("name");
        if let Some(name) = name.as_ref().filter(|name| names.contains(name)) {
            table.problem("name", format!("there is another outlet {name:?}"));
        }
        names.extend(name.clone());
        boards.extend(read_one(&table, name, pdus, &boards));
        table.finish();
    }
    boards
}

fn read_one(
    table: &Table<'_>,
    name: Option<Name>,
    pdus: &mut [(Name, Option<PduConfig>)],
    others: &[BoardConfig],
) -> Option<BoardConfig> {
    let console = table.parsed("console", |url| resource_url(url, "console"));
    let off_time = duration(table, "off_time", OFF_TIME, Duration::ZERO..=LONGEST_OFF_TIME);
    let orders = [("reverse", OffOrder::Reverse), ("same", OffOrder::Same)];
    let off_order = table.parsed("off_order", |word| one_of(word, &orders)).unwrap_or_default();
    let shared = table.optional("shared").unwrap_or(false);
    let several = table.node("feeds").is_some();
    let sockets = table.tables("feeds");
    let mut feeds = Vec::new();
    let mut read = |table: &Table<'_>, delay| {
        let feed = read_feed(table, name.as_ref(), delay, pdus)?;
        if feeds.contains(&(feed.pdu.clone(), feed.port.clone())) {
            table.problem("port", "this board is on it already");
        }
        feeds.push((feed.pdu.clone(), feed.port.clone()));
        check_shared(table, &feed, shared, others);
        Some(feed)
    };
    let feeds: Vec<Option<FeedConfig>> = if several {
        for key in ["pdu", "port", "board"].into_iter().filter(|key| table.node(key).is_some()) {
            table.problem(key, "it is said of each of the \"feeds\"");
        }
        if !(1..=MAX_FEEDS).contains(&sockets.len()) {
            table.problem("feeds", format!("a board has 1 to {MAX_FEEDS} feeds"));
        }
        let feed = |table: Table<'_>| {
            let delay = duration(&table, "delay", Duration::ZERO, Duration::ZERO..=LONGEST_DELAY);
            let feed = read(&table, delay);
            table.finish();
            feed
        };
        sockets.into_iter().map(feed).collect()
    } else {
        vec![read(table, Duration::ZERO)]
    };
    let feeds = feeds.into_iter().collect::<Option<Vec<_>>>()?;
    Some(BoardConfig { name: name?, console, off_time, feeds, off_order, shared })
}

/// The keys that say which socket it is. The PDU knows it afterwards.
fn read_feed(
    table: &Table<'_>,
    name: Option<&Name>,
    delay: Duration,
    pdus: &mut [(Name, Option<PduConfig>)],
) -> Option<FeedConfig> {
    let pdu = table.required::<Name>("pdu");
    let port = table.required::<Word>("port");
    let board = table.parsed("board", |text| match text.strip_prefix("unix:") {
        Some(path) if !path.is_empty() => Ok(PathBuf::from(path)),
        _ => Err(format!(
            "{text:?} is no board's socket; write it like unix:/run/lava/panda01.power"
        )),
    });
    let pdu = find(table, pdus, &pdu?)?;
    let outlet = OutletConfig { name: name?.clone(), port: port?.0, board };
    check_driver(table, &outlet, &pdu.driver);
    let place = pdu.driver.place_of(&outlet);
    let known = pdu.outlets.iter().find(|known| pdu.driver.place_of(known) == place);
    let port = known.map_or(&outlet.port, |known| &known.port).clone();
    if known.is_none() {
        pdu.outlets.push(outlet);
    }
    Some(FeedConfig { pdu: pdu.name.clone(), port, delay })
}

/// Several boards on one socket lose their power together, which all of them have to want.
fn check_shared(table: &Table<'_>, feed: &FeedConfig, shared: bool, others: &[BoardConfig]) {
    let same = |other: &FeedConfig| (&other.pdu, &other.port) == (&feed.pdu, &feed.port);
    let other = others.iter().find(|other| other.feeds.iter().any(same));
    if let Some(other) = other.filter(|other| !(shared && other.shared)) {
        let FeedConfig { pdu, port, .. } = feed;
        let name = &other.name;
        let what = format!(
            "outlet {name:?} is on {pdu} port {port} already; boards that lose their power together \
             all say shared = true"
        );
        table.problem("port", what);
    }
}

fn find<'a>(
    table: &Table<'_>,
    pdus: &'a mut [(Name, Option<PduConfig>)],
    name: &Name,
) -> Option<&'a mut PduConfig> {
    let near = Name::nearest(name.as_str(), pdus.iter().map(|(known, _)| known.as_str()));
    let near = near.map(|near| format!("; did you mean {near:?}?")).unwrap_or_default();
    match pdus.iter_mut().find(|(known, _)| known == name) {
        Some((_, pdu)) => pdu.as_mut(),
        None => {
            table.problem("pdu", format!("there is no PDU {name:?}{near}"));
            None
        }
    }
}

fn check_driver(table: &Table<'_>, outlet: &OutletConfig, driver: &Driver) {
    if let Err(why) = driver.check_port(&outlet.port) {
        table.problem("port", why);
    }
    if outlet.board.is_some() && !matches!(driver, Driver::Sim) {
        table.problem("board", "only outlets of a PDU with driver \"sim\" have virtual boards");
    }
}

#[cfg(test)]
mod tests {
    use super::super::PowerConfig;
    use super::*;

    const RACKS: &str = "[[pdu]]\nname = \"r\"\ndriver = \"sim\"\n\
                         [[pdu]]\nname = \"s\"\ndriver = \"sim\"\n";

    fn read(outlets: &str) -> Result<PowerConfig, String> {
        let text = format!("{RACKS}{outlets}");
        PowerConfig::parse("power.toml", &text).map_err(|failure| failure.to_string())
    }

    #[test]
    fn a_board_may_have_several_feeds_in_order() {
        let config = read(
            "[[outlet]]\nname = \"a\"\noff_order = \"same\"\n\
             feeds = [{ pdu = \"s\", port = 4 }, { pdu = \"r\", port = 1, delay = \"1s\" }]\n",
        );
        let config = config.unwrap();
        let board = &config.boards[0];
        let feed = |pdu: &str, port: &str, seconds| FeedConfig {
            pdu: pdu.parse().unwrap(),
            port: port.into(),
            delay: Duration::from_secs(seconds),
        };
        assert_eq!(board.feeds, [feed("s", "4", 0), feed("r", "1", 1)]);
        assert_eq!(board.off_order, OffOrder::Same);
        assert_eq!(config.pdus[0].outlets[0].port, "1");
    }

    #[test]
    fn what_is_wrong_with_feeds_is_told_with_its_place() {
        let told = |outlets: &str| read(outlets).unwrap_err();
        let none = told("[[outlet]]\nname = \"a\"\nfeeds = []\n");
        assert_eq!(none, "power.toml:9:9: outlet[0].feeds: a board has 1 to 16 feeds");
        let both = told(
            "[[outlet]]\nname = \"a\"\npdu = \"r\"\nfeeds = [{ pdu = \"r\", port = 1, dealy = \"1s\" }]\n",
        );
        assert!(both.contains("outlet[0].pdu: it is said of each of the \"feeds\""), "{both}");
        assert!(both.contains("unknown key \"dealy\"; did you mean \"delay\"?"), "{both}");
        let twice = told(
            "[[outlet]]\nname = \"a\"\n\
             feeds = [{ pdu = \"r\", port = 1 }, { pdu = \"r\", port = \"01\" }]\n",
        );
        assert_eq!(twice, "power.toml:9:55: outlet[0].feeds[1].port: this board is on it already");
    }

    #[test]
    fn boards_share_an_outlet_when_all_of_them_say_so() {
        let outlets = |first: &str, second: &str| {
            read(&format!(
                "[[outlet]]\nname = \"a\"\npdu = \"r\"\nport = 1\n{first}\
                 [[outlet]]\nname = \"b\"\npdu = \"r\"\nport = \"01\"\n{second}"
            ))
        };
        let shared = outlets("shared = true\n", "shared = true\n").unwrap();
        assert_eq!(shared.pdus[0].outlets.len(), 1);
        assert_eq!(shared.boards[0].feeds, shared.boards[1].feeds);
        for (first, second) in [("", ""), ("shared = true\n", ""), ("", "shared = true\n")] {
            let told = outlets(first, second).unwrap_err();
            assert!(told.contains("outlet[1].port: outlet \"a\" is on r port 1 already"), "{told}");
            assert!(told.ends_with("all say shared = true"), "{told}");
        }
    }
}
