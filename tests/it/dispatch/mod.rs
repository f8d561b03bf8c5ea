//! `lava-dispatcher`: what it makes of job files, and whole jobs on a scripted board.

mod corpus;
mod definitions;
mod dialogue;
mod host_board;
mod jobs;
mod methods;
mod multinode;
mod noise;
mod pipeline;
mod records;
mod scripted_board;
mod stand_ins;
mod templates;
mod verdicts;
