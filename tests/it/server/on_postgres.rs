//! The same stories once more with every `lava-server` on PostgreSQL: those in which what is in the database matters.
//!
//! Each group has a PostgreSQL of its own, and each lab a database in it. Left out are stories that have a database of
//! their own (`start`, `backup`, `jobs::takeover`), and those whose rows come and go in the others, too, and whose time
//! goes into something else: browsers (`pages`), Python (`python`), S3 and broken connections (`images`), systems in a
//! QEMU, clocks that are set (`jobs::clock`), and what dispatchers may do on their host (`jobs::yard`,
//! `jobs::unplugged`).

use std::process::{Command, Stdio};

use crate::common::postgres::{EVERYWHERE, Postgres};

#[test]
fn boards_and_who_uses_them() {
    again(&["boards::", "identity::", "interlock::", "leases::"]);
}

#[test]
fn users_and_what_they_may() {
    again(&["users::", "rights::"]);
}

#[test]
fn images_and_who_may_name_them() {
    again(&["images::an_image_is", "images::a_damaged_file", "images::an_upload_goes_on"]);
}

#[test]
fn jobs_and_scripts() {
    again(&["jobs::ends::", "jobs::faults::", "jobs::group::", "ci::"]);
}

#[test]
fn what_jobs_and_scripts_may_and_get() {
    again(&[
        "ci_limits::",
        "jobs::boot::who_has",
        "jobs::cut_off::a_worker_that_is_started_anew",
        "jobs::images::",
        "jobs::passes::",
        "jobs::run::a_job_is",
    ]);
}

/// Runs stories of `server::` with their servers on PostgreSQL.
#[track_caller]
fn again(stories: &[&str]) {
    let postgres = Postgres::start();
    let mut tests = Command::new(std::env::current_exe().unwrap());
    tests.args(stories.iter().map(|story| format!("server::{story}")));
    tests.args(["--test-threads", "3"]).env(EVERYWHERE, postgres.dir()).stdin(Stdio::null());
    let done = tests.output().unwrap();
    let told = String::from_utf8_lossy(&done.stdout);
    assert!(done.status.success(), "{told}{}", String::from_utf8_lossy(&done.stderr));
    let passed = told.lines().filter(|line| line.ends_with(" ... ok")).count();
    let labs = postgres.databases();
    assert!(
        passed >= stories.len() && labs >= passed,
        "{passed} stories in {labs} databases: {told}"
    );
}
