//! Names, states, events and failures: the words of DESIGN as types. No I/O, no runtime.

mod behalf;
mod board;
mod boot;
mod ci;
mod cut_off;
pub mod event;
pub mod failure;
pub mod glob;
pub mod health;
mod image;
pub mod job;
mod job_key;
pub mod keys;
pub mod latin1;
mod lease;
pub mod line;
mod mac;
pub mod name;
pub mod outlet;
pub mod pace;
mod page_key;
pub mod point;
mod request;
mod right;
mod text;
mod token;
pub mod units;
mod user;
mod work;

pub use behalf::Behalf;
pub use board::{
    Announced, AnnouncedOutlet, Announcee, Announcement, BoardDescription, BoardHealth,
    BoardIdentity, BoardInfo, BoardLease, BoardRecord, BoardState, DaemonInfo, DaemonKind,
    HealthChange, IdentityVerdict, SshPlace, Verdict,
};
pub use boot::{BootRequest, BootState};
pub use ci::{CiInfo, CiJob, CiRun, ScriptResult, WorkScript};
pub use cut_off::{CutOff, LONGEST_GONE};
pub use event::{Event, What};
pub use failure::{Failure, Kind, Refusal};
pub use glob::Glob;
pub use health::{Health, Mismatch, Seen, Sight};
pub use image::{ImageInfo, NewImage, NewVm, Sha256, UploadInfo, UploadRequest, VmArch, VmImage};
pub use job::{JOB_NAMES, JobBoard, JobHealth, JobInfo, JobState, JobSubmit, Tally};
pub use job_key::{JobKey, JobPass};
pub use keys::{Keys, Step};
pub use lease::{Lease, LeaseRequest, is_holder, is_same};
pub use mac::{Mac, NotMac};
pub use name::{
    MAX_NAME, Name, calls_oneself, goes_by, is_shown, one_line, printable, shown, user_text,
};
pub use outlet::{
    Feed, FeedReport, LeftOff, MeterReport, OutletInfo, PowerRecord, PowerRequest, PowerResult,
    Reading, Report, State, Verb, Verified,
};
pub use pace::{Interval, Pace};
pub use page_key::{PAGE_KEY_BYTES, PAGE_LOGIN_S, PageKey};
pub use point::{Mark, Point};
pub use request::{
    BoardRequest, Ending, LabEvent, LeaseChange, Points, RequestInfo, RequestState, Waiting,
};
pub use right::{Pattern, PatternError, Right, Rights};
pub use text::LongText;
pub use token::{TOKEN_BYTES, TokenHash, TokenHashError, token_of};
pub use user::{
    GroupInfo, NewToken, TokenInfo, TokenRequest, UserChange, UserDescription, UserInfo,
};
pub use work::{
    IMAGE_PASS, IMAGE_SCHEME, LAB_SERVER, LogHeld, Machine, PROTOCOL, Work, WorkBoard, WorkEnd,
    WorkFailure, WorkerHello, WorkerInfo, WorkerOrders, image_passes, image_url,
};
