//! What people ask for: boards, more time, to be done.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::audience::Audience;
use super::state::{Record, State};
use super::{Asker, JobError, Server, ServerError};
use crate::model::{
    BoardRequest, Ending, Name, RequestInfo, RequestState, Right, calls_oneself, units,
};
use crate::sched::{MAX_BOARDS, Seconds, Spec};

/// LAVA's in the middle.
const PRIORITY: u8 = 50;
const MAX_PRIORITY: u8 = 100;
/// Boards are booked so long in advance at most, in seconds: 60 days.
const HORIZON: Seconds = 60 * 24 * 3600;
/// A user has booked so much in advance at most, in board seconds: 1,000 hours.
const MAX_BOOKED: Seconds = 1000 * 3600;
/// The longest text of a request, in bytes.
const MAX_TEXT: usize = 500;
/// So many requests of a user may wait at a time.
const MAX_WAITING: usize = 1000;
/// The shortest time, in seconds, within which something has to be heard of somebody.
const SHORTEST_HEARTBEAT: Seconds = 5;
/// So many of those that have ended are told.
const MAX_ENDED: u32 = 2000;
/// The shortest time, in seconds, after which boards count as not used: it is told that exactly.
const SHORTEST_IDLE: Seconds = 30;

impl Server {
    /// Puts a request into the queue.
    ///
    /// # Errors
    /// When it is not understood, or asks for what nobody can have.
    pub async fn submit(
        &self,
        asked: BoardRequest,
        asker: &Asker,
    ) -> Result<RequestInfo, ServerError> {
        let now_us = units::now_us();
        let mut info = read(asked, asker.user.clone(), now_us)?;
        info.job = asker.job;
        let account = self.account(&info.user).await?;
        let mut state = self.looked().await;
        if let Some(job) = asker.job.filter(|job| !state.jobs.live.contains_key(job)) {
            return Err(JobError::Ended(job).into());
        }
        let theirs = state.requests.values().filter(|record| {
            record.info.user == info.user && record.info.state != RequestState::Leased
        });
        if theirs.count() >= MAX_WAITING {
            let what = format!("{} has {MAX_WAITING} requests that wait already", info.user);
            return Err(ServerError::Wrong(what));
        }
        if info.start_us.is_some() {
            state.check_booked(&info)?;
        }
        let audience = audience(&state, asker, info.priority)?;
        let claim = state.claim(asker, audience.as_ref(), needed(info.priority));
        let audience = audience.map(|audience| state.admit(audience));
        let record = Record { info, audience, claim, dispatched: false, account };
        let id = self.enqueue(&mut state, record).await?;
        drop(state);
        self.request(id).await
    }

    /// Puts a request into the queue and gives it its number.
    pub(super) async fn enqueue(
        &self,
        state: &mut State,
        mut record: Record,
    ) -> Result<u64, ServerError> {
        record.info.id = state.last_id + 1;
        if let Err(error) = self.write_new(state, &record).await {
            record.audience.iter().for_each(|audience| state.dismiss(audience));
            return Err(error);
        }
        let id = record.info.id;
        state.last_id = id;
        self.0.holders.say(id, ());
        state.requests.insert(id, Arc::new(record));
        self.changed();
        Ok(id)
    }

    async fn write_new(&self, state: &mut State, record: &Record) -> Result<(), ServerError> {
        let request = state.scheduled(record)?;
        // The scheduler's own limits, before anything is written.
        state.lab.submit(request)?;
        if let Err(error) = self.0.store.add_request(&record.row()).await {
            let _ = state.lab.end(record.info.id, record.info.submitted_us / 1_000_000);
            return Err(error.into());
        }
        Ok(())
    }

    /// The group whose share of the lab a user's requests count for: the first of those that they are of.
    pub(super) async fn account(&self, user: &str) -> Result<Option<String>, ServerError> {
        let proved = user.split_once(" (").map_or(user, |(proved, _)| proved);
        Ok(self.0.store.groups_of(proved).await?.into_iter().next())
    }

    /// Those that wait, who comes first first, then the leases; or, too, the newest of those that have ended within
    /// a week.
    pub async fn requests(&self, ended: bool) -> Result<Vec<RequestInfo>, ServerError> {
        let mut all = self.present().await.list();
        if ended {
            let week_us = 7 * 24 * 3600 * 1_000_000;
            let after_us = units::now_us().saturating_sub(week_us);
            let rows = self.0.store.ended_requests(after_us, MAX_ENDED).await?;
            let records =
                rows.iter().rev().map(super::load::record).collect::<Result<Vec<_>, _>>()?;
            all.extend(records.into_iter().map(|record| record.info));
        }
        Ok(all)
    }

    /// # Errors
    /// When there never was one of that number.
    pub async fn request(&self, id: u64) -> Result<RequestInfo, ServerError> {
        let present = self.present().await;
        if present.plain(id).is_some() {
            self.0.interest.of(id);
        }
        if let Some(info) = present.whole(id) {
            return Ok(info);
        }
        // Of interest only since now, or over.
        if let Some(info) = self.looked().await.standing(id) {
            return Ok(info);
        }
        let row = self.0.store.request(id).await?.ok_or(ServerError::NoRequest(id))?;
        Ok(super::load::record(&row)?.info)
    }

    /// Gives boards back, or stops waiting for them; by force, and with a reason, also somebody else's. What a job
    /// runs on is given back when the job has ended, which it is told to.
    ///
    /// # Errors
    /// When it is somebody else's, and it is not to be by force, or the asker has not control of all of its
    /// boards.
    pub async fn release(
        &self,
        id: u64,
        force: Option<&str>,
        asker: &Asker,
    ) -> Result<RequestInfo, ServerError> {
        let mut state = self.0.state.lock().await;
        let record = state.requests.get(&id).ok_or(ServerError::NoRequest(id))?;
        let (ending, who) = match (record.is_own(asker), record.info.state) {
            (true, RequestState::Leased) => (Ending::Released, asker.user.clone()),
            (true, _) => (Ending::Cancelled, asker.user.clone()),
            (false, _) => {
                let reason = record.permit(asker, force)?;
                (Ending::Taken, format!("{} ({reason})", asker.user))
            }
        };
        if let Some(job) = state.in_hand(id) {
            self.wind_up(
                &mut state,
                job,
                Some(&asker.user),
                &format!("{who} gives its boards back"),
            )
            .await?;
            return state.standing(id).ok_or(ServerError::NoRequest(id));
        }
        if self.end_after_boot(&mut state, id, ending, &who).await? {
            return state.standing(id).ok_or(ServerError::NoRequest(id));
        }
        Ok(self.end(&mut state, id, ending, &who).await?.info)
    }

    /// Lets a lease go on for so long from now.
    ///
    /// # Errors
    /// When somebody else's turn comes before.
    pub async fn extend(
        &self,
        id: u64,
        length: &str,
        asker: &Asker,
    ) -> Result<RequestInfo, ServerError> {
        let length = whole_seconds(length).map_err(ServerError::Wrong)?;
        let mut state = self.looked().await;
        let mut record = state.leased_by(id, asker)?;
        let now = units::now_us() / 1_000_000;
        let was = record.info.until_us.unwrap_or(0) / 1_000_000;
        state.lab.extend(id, now.saturating_add(length), now)?;
        record.info.until_us = Some((now + length) * 1_000_000);
        if let Err(error) = self.0.store.put_requests(&[record.row()], &[]).await {
            // Nothing was there between the two a moment ago.
            let _ = state.lab.extend(id, was, now);
            return Err(error.into());
        }
        state.note_end(id);
        // Who wants more time is there.
        record.info.boards.iter().for_each(|board| self.0.used.say(board.clone(), ()));
        self.put(&mut state, record)
    }

    /// Hears of a request's holder.
    ///
    /// # Errors
    /// When it has ended, or is somebody else's.
    pub async fn hear(&self, id: u64, asker: &Asker) -> Result<RequestInfo, ServerError> {
        let published = self.0.published.borrow().clone();
        if let Some((record, info)) = published.plain(id) {
            return record.heard(asker).and_then(|()| match self.0.holders.again(&id, &()) {
                true => Ok(published.whole(id).unwrap_or(info)),
                false => Err(ServerError::NoRequest(id)),
            });
        }
        // It is new.
        let state = self.0.state.lock().await;
        let record = state.requests.get(&id).ok_or(ServerError::NoRequest(id))?;
        record.heard(asker)?;
        self.0.holders.again(&id, &());
        Ok(state.plain_standing(record))
    }

    pub(super) fn put(
        &self,
        state: &mut State,
        record: Record,
    ) -> Result<RequestInfo, ServerError> {
        let id = record.info.id;
        let record = Arc::new(record);
        let info = state.plain_standing(&record);
        state.requests.insert(id, record);
        self.changed();
        Ok(info)
    }
}

impl State {
    /// Refuses to book more in advance than one may: the queue would be behind it.
    fn check_booked(&self, info: &RequestInfo) -> Result<(), ServerError> {
        let time = |info: &RequestInfo| info.length_s.saturating_mul(info.specs.len() as u64);
        let theirs = self.requests.values().map(|record| &record.info).filter(|other| {
            other.user == info.user
                && other.start_us.is_some()
                && other.state != RequestState::Leased
        });
        let booked: Seconds = theirs.map(time).sum();
        if booked.saturating_add(time(info)) <= MAX_BOOKED {
            return Ok(());
        }
        let (user, has, wants) = (&info.user, booked / 3600, time(info) / 3600);
        let most = MAX_BOOKED / 3600;
        Err(ServerError::Wrong(format!(
            "a user books {most} hours of boards in advance at most; {user} has {has}, and this is {wants} more"
        )))
    }

    /// A lease that is the asker's own.
    pub(super) fn leased_by(&self, id: u64, asker: &Asker) -> Result<Record, ServerError> {
        let record = self.requests.get(&id).ok_or(ServerError::NoRequest(id))?;
        if !record.is_own(asker) {
            return Err(record.not_yours());
        }
        if record.info.state != RequestState::Leased {
            return Err(ServerError::NoLease(id, record.info.state.as_str()));
        }
        if let Some(job) = self.ends_with(id) {
            return Err(JobError::LeaseEnds { request: id, job }.into());
        }
        Ok(Record::clone(record))
    }
}

impl Record {
    /// Whether somebody has it, or shares it.
    pub(super) fn is_of(&self, user: &str) -> bool {
        let mut holders = std::iter::once(&self.info.user).chain(&self.info.shared_with);
        holders.any(|holder| is_called(user, holder))
    }

    /// # Errors
    /// When it is somebody else's who is heard.
    fn heard(&self, asker: &Asker) -> Result<(), ServerError> {
        if self.is_of(&asker.user) { Ok(()) } else { Err(self.not_yours()) }
    }

    /// Whether it is somebody's to decide over: who shares it only uses the boards, and a token for looking
    /// decides nothing.
    fn is_own(&self, asker: &Asker) -> bool {
        let few = self.audience.iter().flat_map(Audience::iter);
        let mut boards = self.info.boards.iter().chain(few).peekable();
        let may = match boards.peek() {
            None => asker.on_all >= Some(Right::Write),
            Some(_) => boards.any(|board| asker.may(Right::Write, board.as_str())),
        };
        may && is_called(&asker.user, &self.info.user)
    }

    /// The reason for which somebody may end what is not theirs.
    fn permit<'a>(&self, asker: &Asker, force: Option<&'a str>) -> Result<&'a str, ServerError> {
        let boards = &self.info.boards;
        let all = boards.iter().all(|board| asker.may(Right::Control, board.as_str()));
        let may = if boards.is_empty() { asker.on_all >= Some(Right::Control) } else { all };
        force.filter(|_| may).ok_or_else(|| self.not_yours())
    }

    fn not_yours(&self) -> ServerError {
        ServerError::NotYours { id: self.info.id, user: self.info.user.clone() }
    }
}

/// Whether a user, as they are known here, is the holder of this name.
fn is_called(user: &str, holder: &str) -> bool {
    let plain = user.split_once(" (").map_or(user, |(proved, _)| proved);
    holder == plain || calls_oneself(user, holder)
}

/// The boards that somebody may have at a priority, if not all: before others only those of which they have
/// control.
pub(super) fn audience(
    state: &State,
    asker: &Asker,
    priority: u8,
) -> Result<Option<Audience>, ServerError> {
    let (first, needed) = (priority > PRIORITY, needed(priority));
    if asker.on_all >= Some(needed) {
        return Ok(None);
    }
    let boards = state.boards.keys().filter(|name| asker.may(needed, name.as_str()));
    let boards: BTreeSet<Name> = boards.cloned().collect();
    match boards.is_empty() {
        true if first => Err(ServerError::NoPriority { most: PRIORITY }),
        true => Err(ServerError::NoRights),
        false => Ok(Some(boards.into())),
    }
}

/// What one needs on a board to have it at a priority.
pub(super) fn needed(priority: u8) -> Right {
    if priority > PRIORITY { Right::Control } else { Right::Write }
}

/// What was asked for, as far as it can be understood by itself.
pub(super) fn read(
    asked: BoardRequest,
    user: String,
    now_us: u64,
) -> Result<RequestInfo, ServerError> {
    let wrong = |what: &str| ServerError::Wrong(what.to_owned());
    let BoardRequest {
        spec,
        boards,
        specs,
        length,
        start_us,
        priority,
        reason,
        heartbeat,
        patience,
        idle,
        ..
    } = asked;
    let specs = match (specs.is_empty(), boards) {
        (true, count) => {
            let count = count.unwrap_or(1);
            if !(1..=MAX_BOARDS).contains(&count) {
                let what = format!("boards: a request is for 1 to {MAX_BOARDS}, not for {count}");
                return Err(ServerError::Wrong(what));
            }
            vec![spec; count]
        }
        (false, None) if spec.is_empty() => specs,
        (false, _) => return Err(wrong("either specs, or spec and boards")),
    };
    if specs.len() > MAX_BOARDS {
        let what = format!("specs: a request is for 1 to {MAX_BOARDS} boards");
        return Err(ServerError::Wrong(what));
    }
    for text in specs.iter().chain(&reason) {
        check("a text", text)?;
    }
    let specs = specs.iter().map(|text| Ok(plain(text, &text.parse()?)));
    let specs = specs.collect::<Result<Vec<_>, ServerError>>()?;
    let priority = priority.unwrap_or(PRIORITY);
    if priority > MAX_PRIORITY {
        return Err(wrong("priority: it is 0 (low) to 100 (high)"));
    }
    let horizon_us = now_us.saturating_add(HORIZON * 1_000_000);
    if start_us.is_some_and(|start| start > horizon_us) {
        let days = HORIZON / (24 * 3600);
        return Err(wrong(&format!("start: boards are booked {days} days in advance at most")));
    }
    let length_s = whole_seconds(&length).map_err(ServerError::Wrong)?;
    let heartbeat_s = heartbeat.as_deref().map(silence).transpose()?;
    let patience_s = patience.as_deref().map(silence).transpose()?;
    let idle_s = idle.as_deref().map(silence).transpose()?.map(|idle| idle.max(SHORTEST_IDLE));
    Ok(RequestInfo {
        id: 0,
        state: RequestState::Waiting,
        user,
        shared_with: Vec::new(),
        specs,
        length_s,
        priority,
        reason,
        submitted_us: now_us,
        start_us: start_us.filter(|start| *start > now_us),
        heartbeat_s,
        patience_s,
        idle_s,
        boards: Vec::new(),
        since_us: None,
        until_us: None,
        ready: false,
        unready: None,
        ending: None,
        ended_us: None,
        waiting: None,
        job: None,
    })
}

/// As it can be read again.
fn plain(text: &str, spec: &Spec) -> String {
    if text.trim().is_empty() { String::new() } else { spec.to_string() }
}

/// After how long a silence a request ends.
fn silence(text: &str) -> Result<Seconds, ServerError> {
    let seconds = whole_seconds(text).map_err(ServerError::Wrong)?;
    if seconds < SHORTEST_HEARTBEAT {
        let what = format!("{text:?}: a heartbeat is at least {SHORTEST_HEARTBEAT} s");
        return Err(ServerError::Wrong(what));
    }
    Ok(seconds)
}

fn whole_seconds(text: &str) -> Result<Seconds, String> {
    Ok(units::duration(text)?.as_millis().div_ceil(1000) as Seconds)
}

pub(super) fn check(key: &str, text: &str) -> Result<(), ServerError> {
    if text.len() > MAX_TEXT || text.contains(char::is_control) {
        let what = format!("{key} is longer than {MAX_TEXT} bytes, or has control characters");
        return Err(ServerError::Wrong(what));
    }
    Ok(())
}
