//! Terminals, ptys, programs and what the kernel wants of us. The only module with `unsafe` code.
#![allow(unsafe_code)]

mod cgroup;
mod child;
mod clock;
mod confined;
mod fd;
mod fence;
mod hand_over;
mod hidraw;
mod job;
mod keepalive;
mod modem;
mod program;
mod pty;
mod random;
mod signals;
mod terminal;
mod text;
mod tty;
mod user;

pub use cgroup::Cgroup;
pub use child::die_with_parent;
pub use clock::clock_is_synchronised;
pub use confined::{JOB_MARK, confined, limit_files, with_few_variables};
pub use fd::Fd;
pub use fence::{Reach, has_fences};
pub use hand_over::{Luggage, inherited, read_document};
pub use hidraw::{get_feature, set_feature};
pub use job::has_shell;
pub use keepalive::keep_alive;
pub use modem::{line_errors, modem_inputs, set_modem_outputs};
pub use program::{Ended, Program};
pub use pty::{PtyChild, spawn_on_pty};
pub use random::random;
pub use signals::{hold_signals, release_signals};
pub use terminal::{RawMode, terminal_size};
pub use text::forget_code;
pub use tty::{flush_output, is_pty, open_tty, set_break, set_tty};
pub use user::{group_id, group_name, user_name};
