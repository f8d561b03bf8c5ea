//! `lava-dispatcher`: what it makes of job files, and whole jobs on a scripted board.

mod corpus;
mod jobs;
mod pipeline;
mod scripted_board;
