//! LAVA jobs as a pipeline of actions.
//!
//! [`job`] and [`device`] read the two files (`dictionary`: which keys there are, `names`: which
//! actions; [`render`]: devices that are templates). [`strategy`] chooses for each block of the job how it is
//! done, and [`pipeline`] makes the tree of [`action`]s with LAVA's names, levels, time limits and
//! tries ([`timeout`]). [`validate`] checks it, [`run`] runs it in a [`context`]: the console is a
//! [`session`] on a [`connection`], searched by [`expect`], while a [`watch`] looks for what the [`kernel`]
//! says of its troubles and for reboots (a board may be a [`qemu`] of the job's own); what
//! the test shell of the [`overlay`] says there is understood by [`signals`], and [`ledger`] knows which of it
//! came whole. Boards of one job tell each other what [`multinode`] carries. A [`guard`] cleans up after a job
//! that was killed, and gives back what it has at Arm's service (`avh`). What comes of it goes to the [`log`] with its [`index`], the [`results`] and whoever watches
//! the [`progress`]; a [`record`] is what is left of a job. A [`worker`]
//! runs those that a server has for it, and a [`script`] is a job without a pipeline.

pub mod action;
pub mod actions;
pub mod ahead;
mod aside;
mod avh;
pub mod connection;
mod consoles;
pub mod context;
pub mod device;
mod dictionary;
mod disk;
pub mod error;
pub mod execute;
pub mod expect;
mod fastboot;
pub mod guard;
mod host;
pub mod index;
pub mod job;
pub mod kernel;
mod lab;
pub mod leavings;
pub mod ledger;
pub mod load;
pub mod log;
pub mod masked;
mod menu;
pub mod multinode;
mod names;
mod nodebooter;
pub mod overlay;
mod peers;
pub mod pipeline;
mod power;
pub mod progress;
mod python;
pub mod qemu;
pub mod record;
mod registry;
pub mod render;
pub mod results;
pub mod run;
pub mod script;
mod serve;
pub mod session;
pub mod signals;
pub mod strategy;
mod suite;
mod target;
pub mod timeline;
pub mod timeout;
mod undo;
mod usb;
pub mod validate;
pub mod vm;
pub mod watch;
pub mod worker;
