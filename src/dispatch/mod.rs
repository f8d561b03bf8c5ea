//! LAVA jobs as a pipeline of actions.
//!
//! [`job`] and [`device`] read the two files. [`strategy`] chooses for each block of the job how it is
//! done, and [`pipeline`] makes the tree of [`action`]s with LAVA's names, levels, time limits and
//! tries.

pub mod device;
pub mod job;
