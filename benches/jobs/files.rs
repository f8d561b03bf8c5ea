//! The files of a job, as both dispatchers take them.

use std::path::{Path, PathBuf};

use anyhow::Result;

/// A board behind a telnet port, which nothing switches.
pub(crate) fn device(dir: &Path, port: u16) -> Result<PathBuf> {
    let text = format!(
        "hostname: b1
device_type: bench
commands: {{connect: telnet 127.0.0.1 {port}}}
actions:
  deploy: {{methods: {{}}}}
  boot:
    connections: {{serial: null}}
    methods: {{minimal: {{parameters: {{}}}}}}
constants:
  default-shell-prompt: 'lava-test: # '
  kernel-start-message: 'Linux version [0-9]'
  spawn_maxread: '4092'
  boot_retry: 1
  failure_retry: 1
timeouts:
  actions: {{power-off: {{seconds: 10}}}}
  connections: {{bootloader-commands: {{seconds: 30}}}}
"
    );
    write(dir, "device.yaml", &text)
}

/// What a job does on it.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Does {
    /// Watches the lines between two marks.
    Watches,
    /// Logs in, which takes at most so many seconds.
    LogsIn { limit: u32 },
    /// Logs in and types so many commands, each when the one before it was answered.
    Types { commands: usize },
}

pub(crate) fn job(dir: &Path, does: Does) -> Result<PathBuf> {
    let limit = if let Does::LogsIn { limit } = does { limit } else { 60 };
    let mut text = format!(
        "job_name: a bench
device_type: bench
visibility: public
priority: medium
timeouts: {{job: {{minutes: 10}}, action: {{minutes: 9}}, connection: {{minutes: 9}}}}
actions:
- boot:
    method: minimal
    reset: false
    timeout: {{seconds: {limit}}}
"
    );
    if !matches!(does, Does::Watches) {
        text.push_str(
            "    prompts: ['# ']\n    auto_login: {login_prompt: 'login:', username: root}\n",
        );
    }
    match does {
        Does::LogsIn { .. } => {}
        Does::Watches => text.push_str(
            "- test:
    timeout: {seconds: 60}
    monitors:
    - name: watched
      start: MONITOR BEGINS
      end: MONITOR ENDS
      pattern: '(?P<test_case_id>printed) (?P<result>PASS|FAIL)'
      fixupdict: {PASS: pass, FAIL: fail}
",
        ),
        Does::Types { commands } => {
            text.push_str(
                "- test:
    timeout: {minutes: 9}
    interactive:
    - name: typed
      prompts: ['# ']
      script:
",
            );
            for at in 0..commands {
                text.push_str(&format!("      - {{name: c{at}, command: echo {at}}}\n"));
            }
        }
    }
    write(dir, "job.yaml", &text)
}

pub(crate) fn write(dir: &Path, name: &str, text: &str) -> Result<PathBuf> {
    let file = dir.join(name);
    std::fs::write(&file, text)?;
    Ok(file)
}
