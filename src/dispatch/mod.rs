//! LAVA jobs as a pipeline of actions.
//!
//! [`job`] and [`device`] read the two files (`dictionary`: which keys there are, `names`: which
//! actions; [`render`]: devices that are templates). [`strategy`] chooses for each block of the job how it is
//! done, and [`pipeline`] makes the tree of [`action`]s with LAVA's names, levels, time limits and
//! tries ([`timeout`]). [`validate`] checks it, [`run`] runs it in a [`context`]: the console is a
//! [`session`] on a [`connection`], searched by [`expect`]; what the test shell of the [`overlay`] says
//! there is understood by [`signals`]. What comes of it goes to the [`log`], the [`results`] and
//! whoever watches the [`progress`]; a [`record`] is what is left of a job.

pub mod action;
pub mod actions;
mod alarm;
pub mod connection;
pub mod context;
pub mod device;
mod dictionary;
pub mod error;
pub mod execute;
pub mod expect;
pub mod job;
mod lab;
pub mod load;
pub mod log;
mod names;
pub mod overlay;
pub mod pipeline;
mod power;
pub mod progress;
pub mod record;
pub mod render;
pub mod results;
pub mod run;
pub mod session;
pub mod signals;
pub mod strategy;
pub mod timeline;
pub mod timeout;
pub mod validate;
