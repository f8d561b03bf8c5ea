//! `lava-dispatcher`: what it makes of job files, and whole jobs on a scripted board.

mod corpus;
mod dialogue;
mod downloads;
mod jobs;
mod methods;
mod pipeline;
mod records;
mod scripted_board;
mod stand_ins;
mod templates;
mod verdicts;
