//! What becomes of a worker's jobs when it and its server do not hear of each other any more. Both sides, and the
//! jobs' own processes, go by these times, so that a board is nobody else's before the last of its job is dead.
//!
//! All of it counts from one moment: when the worker has sent the last greeting that was answered. The server counts
//! from when a greeting has come, which is no earlier. `gone` is the server's `worker_gone`, which the worker is told
//! in each answer, and tells in each greeting; where the two differ the server goes by the longer one.
//!
//! | after | who | what |
//! |---|---|---|
//! | 4/5 `gone` | the worker, and each job's own process, also when no worker lives | the job is told to end: it switches its board off, and ends |
//! | `gone` | the server | the worker is gone, and its jobs are lost |
//! | 8/5 `gone` | the worker, and each job's guard, also when no worker lives | what has not ended is killed; the guard ends all that the job has started, and switches the board off |
//! | 7/4 `gone` | the guard | whatever it undoes of what the job did on its host, it switches the board off now |
//! | 19/10 `gone` | the guard | whatever it is doing, it touches the board no more |
//! | 2 `gone` | the server | the boards are free |

use std::time::Duration;

/// The longest time that a worker may be silent, as far as anybody believes it.
pub const LONGEST_GONE: Duration = Duration::from_secs(24 * 3600);
/// How long that is as long as nobody has said it.
const UNSAID: Duration = Duration::from_secs(150);

/// The times, from the last contact on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CutOff {
    gone: Duration,
}

impl CutOff {
    pub fn of(gone: Duration) -> Self {
        Self { gone: gone.min(LONGEST_GONE) }
    }

    /// As a server tells it, in seconds; 0 is what one of an older version says.
    pub fn of_seconds(gone_s: u64) -> Self {
        match gone_s {
            0 => Self::of(UNSAID),
            seconds => Self::of(Duration::from_secs(seconds)),
        }
    }

    /// Jobs are told to end.
    pub fn ends(self) -> Duration {
        self.gone * 4 / 5
    }

    /// What has not ended is killed.
    pub fn kills(self) -> Duration {
        self.gone * 8 / 5
    }

    /// The time that is left is for switching boards off.
    pub fn hurries(self) -> Duration {
        self.gone * 7 / 4
    }

    /// Boards are left as they are.
    pub fn lets_go(self) -> Duration {
        self.gone * 19 / 10
    }

    /// Boards are others'.
    pub fn frees(self) -> Duration {
        self.gone * 2
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_time_is_before_the_next() {
        for gone in [2, 3, 150, u64::MAX] {
            let all = CutOff::of_seconds(gone);
            assert!(all.ends() < all.gone && all.gone < all.kills(), "{gone}");
            assert!(all.kills() < all.hurries() && all.hurries() < all.lets_go(), "{gone}");
            assert!(all.lets_go() < all.frees(), "{gone}");
        }
        assert_eq!(CutOff::of_seconds(0), CutOff::of(Duration::from_secs(150)));
    }
}
