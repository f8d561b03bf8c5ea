//! The test house itself works: clients hear what was said, and processes end with their test.

use std::time::Duration;

use crate::common::{Client, LIMIT, TestLab, wait_until};

#[test]
fn a_program_in_a_terminal_is_typed_at_and_heard() {
    let lab = TestLab::new();
    let mut cat = Client::in_terminal(lab.tool("cat").arg("-"));
    cat.type_text("hello\r");
    cat.expect("hello");
    // The terminal echoes once, the program answers once.
    cat.expect("hello");
}

#[test]
fn a_program_ends_with_its_handle() {
    let lab = TestLab::new();
    let cat = Client::in_terminal(&mut lab.tool("cat"));
    let proc = format!("/proc/{}", cat.pid());
    assert!(std::path::Path::new(&proc).exists());
    drop(cat);
    wait_until(LIMIT, "the process is gone", || !std::path::Path::new(&proc).exists());
}

#[test]
fn waiting_for_something_that_does_not_come_tells_what_was_heard() {
    let lab = TestLab::new();
    let failure = std::panic::catch_unwind(|| {
        let mut cat = Client::in_terminal(lab.tool("echo").arg("something else"));
        cat.expect_within(Duration::from_millis(300), "the prompt");
    });
    let message = failure.unwrap_err().downcast::<String>().unwrap();
    assert!(message.contains("the prompt") && message.contains("something else"), "{message}");
}
