//! `lava-dispatcher`: what it makes of job files, and whole jobs on a scripted board.

mod avh;
mod boards;
mod commands;
mod corpus;
pub(crate) mod definitions;
pub(crate) mod dialogue;
mod downloads;
mod fastboot_tcp;
mod flash;
mod flash_programs;
pub(crate) mod host_board;
mod hostile;
mod isolation;
mod jobs;
mod kept;
mod methods;
mod multinode;
mod nodebooter;
mod noise;
mod pipeline;
mod played_avh;
mod records;
mod scripted_board;
mod stand_ins;
mod templates;
mod verdicts;
mod zmodem;
