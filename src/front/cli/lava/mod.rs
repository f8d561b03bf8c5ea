//! The verbs of `lava`, one file each.

mod attach;
mod board;
mod boards;
mod boot;
mod breaks;
mod broadcast;
mod ci;
mod close;
mod completions;
mod context;
mod crowd;
mod doctor;
mod force;
mod image;
mod import;
mod init;
mod job;
mod kick;
mod lease;
mod line;
mod log;
mod man;
mod msg;
mod power;
mod queue;
mod remote;
mod reserve;
mod send;
mod serial;
mod several;
mod submit;
mod token;
mod top;
mod user;
mod watch;
mod who;

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use futures_util::future::BoxFuture;

pub use self::context::{Context, Said, Screen};
pub use self::remote::{is_remote_verb, run_remote};
use super::lab_args::LabArgs;
use super::{console, demo, last_words};
use crate::client::lab::Lab;
use crate::model::{self, Failure, Kind};

/// Boards, their power, their consoles and what they printed.
///
/// Exit codes: 0 done; 1 the thing asked for failed; 2 wrong usage, unknown board or wrong
/// configuration; 3 a daemon or a PDU is at fault; 4 refused; 130 interrupted.
#[derive(Debug, Parser)]
#[command(name = "lava", version, next_display_order = None)]
pub struct LavaArgs {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    #[command(flatten)]
    Lab(LabVerb),
    Attach(attach::AttachArgs),
    Board(board::BoardArgs),
    Boot(boot::BootArgs),
    Broadcast(broadcast::BroadcastArgs),
    Ci(ci::CiArgs),
    Completions(completions::CompletionsArgs),
    Console(console::ConsoleArgs),
    Demo(demo::DemoArgs),
    Extend(queue::ExtendArgs),
    Group(user::GroupArgs),
    Doctor(doctor::DoctorArgs),
    Image(image::ImageArgs),
    Import(import::ImportArgs),
    Init(init::InitArgs),
    Job(job::JobArgs),
    Jobs(job::JobsArgs),
    Man(man::ManArgs),
    Power(power::PowerArgs),
    Queue(queue::QueueArgs),
    Reserve(reserve::ReserveArgs),
    Serial(serial::SerialArgs),
    Share(queue::ShareArgs),
    Submit(submit::SubmitArgs),
    Unshare(queue::UnshareArgs),
    Token(token::TokenArgs),
    Top(top::TopArgs),
    User(user::UserArgs),
    Why(queue::WhyArgs),
}

/// What is done with boards of the lab, wherever one sits.
#[derive(Debug, Subcommand)]
enum LabVerb {
    Boards(boards::BoardsArgs),
    Break(breaks::BreakArgs),
    Close(close::CloseArgs),
    Force(force::ForceArgs),
    Kick(kick::KickArgs),
    Lease(lease::LeaseArgs),
    Line(line::LineArgs),
    Log(log::LogArgs),
    Msg(msg::MsgArgs),
    /// Switches boards off, as lava power off does.
    Off(power::SwitchArgs),
    /// Switches boards on, as lava power on does.
    On(power::SwitchArgs),
    Open(close::OpenArgs),
    Release(lease::ReleaseArgs),
    /// Resets boards hard: off, and on again, as lava power cycle does.
    #[command(visible_alias = "cycle")]
    Reset(power::SwitchArgs),
    Send(send::SendArgs),
    /// Asks whether boards have power, as lava power status does.
    Status(power::SwitchArgs),
    Watch(watch::WatchArgs),
    Who(who::WhoArgs),
}

impl LabArgs {
    fn locate(&self, ctx: &Context) -> Result<Lab, Failure> {
        match ctx.lab() {
            Some(lab) => Ok(lab.clone()),
            None => self.here(),
        }
    }
}

/// Runs the program; everything is already said when it returns.
pub fn run(args: LavaArgs) -> ExitCode {
    let ctx = Context::of_process();
    let ended = match args.verb {
        Verb::Attach(args) => return attach::run(args),
        Verb::Board(args) => wait(board::run(args, &ctx)),
        Verb::Boot(args) => wait(boot::run(args, &ctx)),
        Verb::Broadcast(args) => return broadcast::run(args, &ctx),
        Verb::Ci(args) => wait(ci::run(args, &ctx)),
        Verb::Completions(args) => wait(completions::run(&args, &ctx)),
        Verb::Console(args) => return console::run(args),
        Verb::Top(args) => return top::run(args, &ctx),
        Verb::Demo(args) => serve(demo::run(args)),
        Verb::Doctor(args) => wait(doctor::run(args, &ctx)),
        Verb::Image(args) => wait(image::run(args, &ctx)),
        Verb::Import(args) => wait(import::run(&args, &ctx)),
        Verb::Init(args) => wait(init::run(args, &ctx)),
        Verb::Job(args) => wait(job::run(args, &ctx)),
        Verb::Jobs(args) => wait(job::jobs(args, &ctx)),
        Verb::Man(args) => man::run(&args),
        Verb::Lab(verb) => wait(verb.run(&ctx)),
        Verb::Power(args) => wait(power::run(args, &ctx)),
        Verb::Extend(args) => wait(queue::extend(args, &ctx)),
        Verb::Group(args) => wait(user::group(args, &ctx)),
        Verb::User(args) => wait(user::user(args, &ctx)),
        Verb::Queue(args) => wait(queue::queue(args, &ctx)),
        Verb::Reserve(args) => return reserve::run(args, &ctx),
        Verb::Share(args) => wait(queue::share(args, &ctx)),
        Verb::Submit(args) => wait(submit::run(args, &ctx)),
        Verb::Unshare(args) => wait(queue::unshare(args, &ctx)),
        Verb::Why(args) => wait(queue::why(args, &ctx)),
        Verb::Serial(args) => wait(serial::run(args, &ctx)),
        Verb::Token(args) => wait(token::run(args, &ctx)),
    };
    exit(ended)
}

/// Says what a verb has failed with.
fn exit(ended: Result<(), Failure>) -> ExitCode {
    match ended {
        // Somebody may have ended what they could not read any more.
        Err(failure) if failure.kind == Kind::Interrupted => last_words::exit(failure),
        ended => super::exit(ended),
    }
}

impl LabVerb {
    /// A server carries it on any of its threads.
    fn run(self, ctx: &Context) -> BoxFuture<'_, Result<(), Failure>> {
        match self {
            Self::Boards(args) => Box::pin(boards::run(args, ctx)),
            Self::Break(args) => Box::pin(breaks::run(args, ctx)),
            Self::Close(args) => Box::pin(close::close(args, ctx)),
            Self::Force(args) => Box::pin(force::force(args, ctx)),
            Self::Kick(args) => Box::pin(kick::run(args, ctx)),
            Self::Line(args) => Box::pin(line::run(args, ctx)),
            Self::Log(args) => Box::pin(log::run(args, ctx)),
            Self::Msg(args) => Box::pin(msg::run(args, ctx)),
            Self::Open(args) => Box::pin(close::open(args, ctx)),
            Self::Release(args) => Box::pin(lease::release(args, ctx)),
            Self::Lease(args) => Box::pin(lease::lease(args, ctx)),
            Self::Off(args) => Box::pin(power::switch(args, model::Verb::Off, ctx)),
            Self::On(args) => Box::pin(power::switch(args, model::Verb::On, ctx)),
            Self::Reset(args) => Box::pin(power::switch(args, model::Verb::Cycle, ctx)),
            Self::Status(args) => Box::pin(power::switch(args, model::Verb::Status, ctx)),
            Self::Send(args) => Box::pin(send::run(args, ctx)),
            Self::Watch(args) => Box::pin(watch::run(args, ctx)),
            Self::Who(args) => Box::pin(who::run(args, ctx)),
        }
    }
}

/// Runs a verb that talks to daemons.
fn wait<T>(verb: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| Failure::from_error(Kind::Infra, &error))?;
    let ended = runtime.block_on(verb);
    // A read from a terminal, or a write to a stopped one, cannot be called back.
    runtime.shutdown_background();
    ended
}

/// Runs a verb that is a whole lab by itself.
fn serve(verb: impl Future<Output = Result<(), Failure>>) -> Result<(), Failure> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    runtime.map_err(|error| Failure::from_error(Kind::Infra, &error))?.block_on(verb)
}
