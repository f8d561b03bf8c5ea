//! When a script's session is over.

use std::time::Duration;

use tokio::time::Instant;

use super::steps::MAX_STEPS;

/// How long the board must be quiet after the end of typed input, if nothing else was asked for.
const LINGER: Duration = Duration::from_secs(1);
/// A board that is never quiet is left after so many times as long.
const MAX_LINGERS: u32 = 10;
/// How long to wait, after the last command, for the events that it caused.
const SETTLE: Duration = Duration::from_millis(100);
/// How long the daemon may be away once there is nothing more to read, beside the linger.
const AWAY: Duration = Duration::from_secs(10);

/// What the end of a session depends on.
#[derive(Debug)]
pub(super) struct Ending {
    /// How long the board must be quiet, if that was asked for.
    linger: Option<Duration>,
    /// Whether anything was typed to the board.
    pub(super) typed: bool,
    /// When the input ended.
    pub(super) input: Option<Instant>,
    /// When the board last printed something.
    pub(super) printed: Instant,
    /// When something typed was last carried out.
    pub(super) acted: Instant,
    /// Since when the daemon is away.
    pub(super) away: Option<Instant>,
}

/// Why a session is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Over {
    /// Everything is done, and the board is quiet.
    Done,
    /// The board goes on printing after so long.
    Busy(Duration),
    /// The daemon did not come back within so long.
    Gone(Duration),
}

impl Ending {
    pub(super) fn new(linger: Option<Duration>) -> Self {
        let now = Instant::now();
        Self { linger, typed: false, input: None, printed: now, acted: now, away: None }
    }

    /// Whether the board is to be quiet at the end, as was asked for.
    pub(super) fn lingers(&self) -> bool {
        self.linger.is_some()
    }

    /// How long what is waited for in turn waits for the daemon.
    pub(super) fn patience(&self) -> Duration {
        AWAY.saturating_add(self.linger.unwrap_or_default())
    }

    /// When it is given up, if it is away.
    pub(super) fn gone(&self) -> Option<Instant> {
        self.away?.checked_add(self.patience())
    }

    /// When the session is over if nothing happens until then, and why; `None` when it goes on for
    /// now. So much of what was read `waits` to be carried out, at most [`MAX_STEPS`].
    pub(super) fn over(&self, waits: usize) -> Option<(Instant, Over)> {
        // Behind a full queue the end of the input cannot be seen.
        let input = self.input.or(self.away.filter(|_| waits >= MAX_STEPS))?;
        let linger = self.linger.or(self.typed.then_some(LINGER));
        if let Some(away) = self.away {
            let wait = AWAY.saturating_add(linger.unwrap_or_default());
            return Some((away.max(input).checked_add(wait)?, Over::Gone(wait)));
        }
        if waits > 0 {
            return None;
        }
        let settled = self.acted + SETTLE;
        let Some(linger) = linger else { return Some((settled, Over::Done)) };
        let longest = linger.saturating_mul(MAX_LINGERS);
        let quiet = self.printed.max(self.acted).checked_add(linger)?;
        match self.acted.max(input).checked_add(longest) {
            Some(last) if last < quiet => Some((last.max(settled), Over::Busy(longest))),
            _ => Some((quiet.max(settled), Over::Done)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const S: Duration = Duration::from_secs(1);

    fn ended(linger: Option<Duration>) -> (Instant, Ending) {
        let mut ending = Ending::new(linger);
        ending.input = Some(ending.acted);
        (ending.acted, ending)
    }

    #[test]
    fn a_script_ends_when_the_board_is_quiet_or_has_printed_for_too_long() {
        let (begin, mut ending) = ended(None);
        assert_eq!(ending.over(0), Some((begin + SETTLE, Over::Done)));
        ending.typed = true;
        assert_eq!(ending.over(0), Some((begin + S, Over::Done)));
        ending.printed = begin + 8 * S;
        assert_eq!(ending.over(0), Some((begin + 9 * S, Over::Done)));
        ending.printed = begin + 10 * S;
        assert_eq!(ending.over(0), Some((begin + 10 * S, Over::Busy(10 * S))));
        assert_eq!(ending.over(1), None);
        ending.input = None;
        assert_eq!(ending.over(0), None);
    }

    #[test]
    fn a_daemon_is_waited_for_only_so_long_after_the_input() {
        let (begin, mut ending) = ended(Some(8 * S));
        ending.away = Some(begin + 5 * S);
        for waits in [0, 1] {
            assert_eq!(ending.over(waits), Some((begin + 23 * S, Over::Gone(18 * S))));
        }
        ending.input = Some(begin + 60 * S);
        assert_eq!(ending.over(0), Some((begin + 78 * S, Over::Gone(18 * S))));
        ending.input = None;
        assert_eq!(ending.over(1), None);
        assert_eq!(ending.over(MAX_STEPS), Some((begin + 23 * S, Over::Gone(18 * S))));
    }

    #[test]
    fn a_linger_beyond_all_clocks_is_for_ever() {
        let (_, ending) = ended(Some(Duration::MAX));
        assert_eq!(ending.over(0), None);
    }
}
