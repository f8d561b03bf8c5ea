//! What a board asks of the other boards of its group while its tests run.
//!
//! `<LAVA_MULTI_NODE 3 1a2b3c4d> <LAVA_WAIT ready>` is answered by typing `LAVA_ANSWER 3 5e6f7a8b 2`:
//! two values came, which the board then asks for one by one (`<LAVA_DATA 3 1>`), so that no line gets
//! too long for a terminal. What is damaged on its way is asked or answered again.

use tokio::time::Instant;

use crate::dispatch::error::Error;
use crate::dispatch::expect::Found;
use crate::dispatch::log::Log;
use crate::dispatch::multinode::member::timed_out;
use crate::dispatch::multinode::{Ask, Entry, Member};
use crate::dispatch::signals;

/// The calls of one test shell.
#[derive(Debug, Default)]
pub(super) struct Calls {
    member: Option<Member>,
    under_way: Option<UnderWay>,
    /// The last call that was answered, and what came with it.
    answered: Option<(u64, Vec<String>)>,
}

#[derive(Debug)]
struct UnderWay {
    number: u64,
    ask: Ask,
    until: Instant,
}

impl Calls {
    pub(super) fn new(member: Option<Member>) -> Self {
        Self { member, ..Self::default() }
    }

    /// A board has asked for something. Gives the line to type, where it is answered at once.
    ///
    /// # Errors
    /// When it makes no sense, or there is nobody to ask.
    pub(super) async fn heard(
        &mut self,
        found: &Found,
        log: &Log,
    ) -> Result<Option<String>, Error> {
        let word = |i: usize| found.groups.get(i).map_or("", String::as_str);
        let [number, sum, name, arguments] = [1, 2, 3, 4].map(word);
        let text = format!("<LAVA_{name} {arguments}>");
        let number: u64 = number.parse().unwrap_or_default();
        if sum != "-" && sum != signals::check(number, &text) {
            log.warning("a request to the group came damaged; the board will say it again");
            return Ok(None);
        }
        if name == "DATA" {
            return Ok(self.value(number, arguments));
        }
        if let Some((answered, values)) = &self.answered
            && *answered == number
        {
            return Ok(Some(answer(number, &values.len().to_string())));
        }
        if self.under_way.as_ref().is_some_and(|asked| asked.number == number) {
            return Ok(None);
        }
        let Some(member) = &self.member else {
            let what = format!("the board asks a group for {text:?}, and the job has none");
            return Err(Error::Test(what));
        };
        let ask = understood(name, arguments).map_err(Error::Test)?;
        log.info(format!("the board calls {}", ask.called()));
        member.ask(ask.clone()).await?;
        self.under_way = Some(UnderWay { number, ask, until: Instant::now() + member.limit() });
        Ok(None)
    }

    /// Waits for the answer to what is under way; for ever, if nothing is. Cancel safe.
    ///
    /// # Errors
    /// When the others do not answer in time, or can not any more.
    pub(super) async fn came(&self) -> Result<Vec<Entry>, Error> {
        let (Some(member), Some(asked)) = (&self.member, &self.under_way) else {
            return std::future::pending().await;
        };
        let came = tokio::time::timeout_at(asked.until, member.answer()).await;
        came.unwrap_or_else(|_| Err(timed_out(&asked.ask.called(), member.limit())))
    }

    /// What was asked for has come: gives the line to type.
    pub(super) fn settle(&mut self, entries: &[Entry], log: &Log) -> Option<String> {
        let UnderWay { number, ask, .. } = self.under_way.take()?;
        let count = entries.len();
        log.info(format!("{} is answered: {count} values came", ask.called()));
        let value = |entry: &Entry| match &ask {
            Ask::Wait { .. } => format!("{}={}", entry.key, entry.value),
            _ => format!("{}:{}={}", entry.member, entry.key, entry.value),
        };
        self.answered = Some((number, entries.iter().map(value).collect()));
        Some(answer(number, &count.to_string()))
    }

    /// What the board waits for, for messages.
    pub(super) fn waiting_for(&self) -> Option<String> {
        self.under_way.as_ref().map(|asked| format!("the group to answer {}", asked.ask.called()))
    }

    /// The answer to `DATA CALL INDEX`.
    fn value(&self, number: u64, arguments: &str) -> Option<String> {
        let (call, index) = arguments.split_once(' ')?;
        let (answered, values) = self.answered.as_ref()?;
        let index: usize = index.trim().parse().ok()?;
        if call.parse() != Ok(*answered) {
            return None;
        }
        Some(answer(number, values.get(index.checked_sub(1)?)?))
    }
}

fn answer(number: u64, text: &str) -> String {
    format!("LAVA_ANSWER {number} {} {text}", signals::check(number, text))
}

fn understood(name: &str, arguments: &str) -> Result<Ask, String> {
    let mut words = arguments.split_whitespace().map(ToOwned::to_owned);
    let id = words.next().ok_or_else(|| format!("{name} without a message"))?;
    let rest: Vec<String> = words.collect();
    match (name, rest.as_slice()) {
        ("SEND", pairs) => {
            let pair = |text: &String| {
                let pair = text.split_once('=').filter(|(key, _)| !key.is_empty());
                let pair = pair.map(|(key, value)| (key.to_owned(), value.to_owned()));
                pair.ok_or_else(|| format!("{text:?} in the message {id:?} is no key=value"))
            };
            let data = pairs.iter().map(pair).collect::<Result<_, _>>()?;
            Ok(Ask::Send { id, data })
        }
        ("WAIT", []) => Ok(Ask::Wait { id }),
        ("WAIT_ALL", []) => Ok(Ask::WaitAll { id, role: None }),
        ("WAIT_ALL", [role]) => Ok(Ask::WaitAll { id, role: Some(role.clone()) }),
        ("SYNC", []) => Ok(Ask::Sync { id }),
        _ => {
            Err(format!("the board asks its group for LAVA_{name} {arguments:?}, which is nothing"))
        }
    }
}
