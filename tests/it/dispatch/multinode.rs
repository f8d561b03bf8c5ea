//! Jobs for two boards, which are shells of this host with the real helpers in them (`host_board`); two
//! real boards are in `qemu_group`.

use std::process::{Command, Output};
use std::time::Duration;

use super::dialogue::noted;
use super::host_board::{blocks, device, host_board};
use crate::common::{Client, TestLab, run, wait_until};

/// Longer than any of these jobs may take.
const JOB: Duration = Duration::from_secs(60);

/// A job for a client and a server, with the steps of each one's tests.
fn job(client: &[&str], server: &[&str], more: &str) -> String {
    let test = |role: &str, steps: &[&str]| {
        let steps: String = steps.iter().map(|step| format!("          - {step}\n")).collect();
        format!(
            "- test:
    role: {role}
    definitions:
    - name: {role}
      from: inline
      path: {role}.yaml
      repository:
        metadata: {{format: Lava-Test Test Definition 1.0, name: {role}}}
        run:
          steps:
{steps}"
        )
    };
    format!(
        "job_name: two boards
visibility: public
timeouts: {{job: {{minutes: 5}}, action: {{minutes: 4}}, connection: {{minutes: 4}}}}
protocols:
  lava-multinode:
    roles:
      client: {{device_type: docker, count: 1}}
      server: {{device_type: docker, count: 1}}
    timeout: {{minutes: 3}}
actions:
{}{}{}{more}",
        blocks("role: [client, server], "),
        test("client", client),
        test("server", server),
    )
}

/// `lava-dispatcher run` in this lab, with its stand-ins first in the path.
fn dispatcher(lab: &TestLab, out: &str, more: &[&str]) -> Command {
    let mut command = lab.program("lava-dispatcher");
    let path = format!("{}:{}", lab.path("bin").display(), std::env::var("PATH").unwrap());
    command.env("PATH", path);
    command.arg("run").arg(lab.path("job.yaml")).arg("--output").arg(lab.path(out));
    command.args(["--job-id", "7"]).args(more);
    command
}

fn boards(lab: &TestLab) -> [String; 2] {
    let client = lab.write("client.yaml", &device("docker01"));
    let server = lab.write("server.yaml", &device("docker02"));
    [format!("client={client}"), format!("server={server}")]
}

fn text(done: &Output) -> String {
    [&done.stdout, &done.stderr].map(|bytes| String::from_utf8_lossy(bytes)).concat()
}

#[test]
fn boards_of_two_dispatchers_meet_and_tell_each_other_what_they_know() {
    let lab = TestLab::new();
    host_board(&lab);
    let client = [
        "lava-sync start",
        "lava-wait-all up server",
        "lava-test-case address --shell grep -qx docker02:ip=10.0.0.7 $LAVA_MULTI_NODE_CACHE",
        "lava-test-case port --shell grep -qx docker02:port=80 $LAVA_MULTI_NODE_CACHE",
        "lava-test-case self --shell test $(lava-self)-$(lava-role) = docker01-client",
        "lava-test-case group --shell test $(lava-group server) = docker02",
        "lava-test-case nobody --shell '! lava-group database'",
        "lava-send done count=3",
    ];
    let server = [
        "lava-sync start >/dev/null",
        "lava-send up ip=10.0.0.7 port=80",
        "lava-wait done </dev/null",
        "lava-test-case count --shell grep -qx count=3 $LAVA_MULTI_NODE_CACHE",
        "lava-test-case roles --shell test \"$(lava-role list | tr '\\n' +)\" = client+server+",
    ];
    lab.write("job.yaml", &job(&client, &server, ""));
    let socket = lab.path("group").display().to_string();
    let coordinator = lab.start("lava-dispatcher", ["coordinator", "--listen", &socket]);
    assert_eq!(coordinator.told("coordinator"), socket);
    let [client, server] = boards(&lab);
    let with = |board| ["--coordinator", &socket, "--device", board];
    std::thread::scope(|scope| {
        let other = scope.spawn(|| run(&mut dispatcher(&lab, "two", &with(&server)), "", JOB));
        let done = run(&mut dispatcher(&lab, "one", &with(&client)), "", JOB);
        let log = || noted(&lab, "one/output.jsonl") + &noted(&lab, "two/output.jsonl");
        assert_eq!(done.status.code(), Some(0), "{}{}", text(&done), log());
        for case in ["address", "port", "self", "group", "nobody"] {
            assert!(text(&done).contains(&format!("case  0_client/{case}: pass")), "{case}");
        }
        let done = other.join().unwrap();
        assert_eq!(done.status.code(), Some(0), "{}{}", text(&done), log());
        for case in ["count", "roles"] {
            assert!(text(&done).contains(&format!("case  0_server/{case}: pass")), "{case}");
        }
        // Each board's log has what it asked the group for, and what came of it.
        for (folder, words) in [
            (
                "one",
                [
                    "the board calls lava-wait-all up server",
                    "lava-wait-all up server is answered: 2 values came",
                ],
            ),
            ("two", ["the board calls lava-send up", "lava-wait done is answered: 1 values came"]),
        ] {
            let log = noted(&lab, &format!("{folder}/output.jsonl"));
            for words in words {
                assert!(log.contains(words), "no {words:?} in {log}");
            }
        }
    });
}

#[test]
fn a_board_that_fails_fails_the_one_that_waits_for_it_with_its_own_reason() {
    let lab = TestLab::new();
    host_board(&lab);
    let server = ["lava-sync start", "lava-test-raise the disk is full"];
    lab.write("job.yaml", &job(&["lava-sync start", "lava-wait never"], &server, ""));
    let [client, server] = boards(&lab);
    // The job's own limits are minutes: nobody waits for them.
    let more = ["--device", &client, "--device", &server];
    let done = run(&mut dispatcher(&lab, "out", &more), "", JOB);
    let told = String::from_utf8_lossy(&done.stderr).into_owned();
    assert_eq!(done.status.code(), Some(1), "{}", text(&done));
    let reason = "the test ended the job: the disk is full";
    let expected = format!(
        "docker01: docker02 (server) has failed without \"never\": {reason}\ndocker02: {reason}\n"
    );
    assert_eq!(told, expected);
    let results = noted(&lab, "out/docker01/results.yaml");
    assert!(results.contains("error_type: Job"), "{results}");
    let said = text(&done);
    assert!(said.contains("docker01: ") && said.contains("docker02: begin"), "{said}");
}

#[test]
fn actions_ask_the_group_before_they_begin() {
    let lab = TestLab::new();
    host_board(&lab);
    let job = job(&["lava-test-case ran --result pass"], &["echo done"], "").replace(
        "- boot: {role: [client, server], ",
        "- deploy:
    role: server
    to: docker
    image: archlinux
    os: archlinux
    protocols:
      lava-multinode:
      - {action: deploy-docker, request: lava-wait, messageID: ready, message: {ip: $address}}
      - {action: lava-overlay, request: lava-send, messageID: echo, message: {back: $address}}
- deploy:
    role: client
    to: docker
    image: archlinux
    os: archlinux
    protocols:
      lava-multinode:
      - {action: deploy-docker, request: lava-send, messageID: ready, message: {ip: 10.0.0.9}}
      - {action: lava-overlay, request: lava-wait, messageID: echo, message: {back: $same}}
- boot: {role: [client, server], ",
    );
    lab.write("job.yaml", &job);
    let [client, server] = boards(&lab);
    let more = ["--device", &client, "--device", &server];
    let done = run(&mut dispatcher(&lab, "out", &more), "", JOB);
    assert_eq!(done.status.code(), Some(0), "{}", text(&done));
    let log = noted(&lab, "out/docker01/output.jsonl");
    assert!(log.contains(r#"back is \"10.0.0.9\", from docker02"#), "{log}");
}

#[test]
fn a_board_that_is_killed_does_not_keep_the_others_waiting() {
    let lab = TestLab::new();
    host_board(&lab);
    lab.write("job.yaml", &job(&["lava-sync start"], &["sleep 1000"], ""));
    let socket = lab.path("group").display().to_string();
    let _coordinator = lab.start("lava-dispatcher", ["coordinator", "--listen", &socket]);
    let [client, server] = boards(&lab);
    let more = |board| ["--coordinator", &socket, "--device", board];
    let mut other = Client::in_pipes(&mut dispatcher(&lab, "two", &more(&server)));
    std::thread::scope(|scope| {
        let one = scope.spawn(|| run(&mut dispatcher(&lab, "one", &more(&client)), "", JOB));
        other.expect_within(JOB, "lava-test-shell");
        crate::common::signal(other.process().pid(), rustix::process::Signal::KILL);
        let done = one.join().unwrap();
        assert_eq!(done.status.code(), Some(1), "{}", text(&done));
        let why = "docker02 (server) has failed without \"start\": its dispatcher is gone";
        assert!(text(&done).contains(why), "{}", text(&done));
    });
}

#[test]
fn a_killed_run_switches_all_of_its_boards_off() {
    let lab = TestLab::new();
    host_board(&lab);
    lab.write("job.yaml", &job(&["sleep 1000"], &["sleep 1000"], ""));
    let off = |role: &str| lab.path(&format!("{role}.off"));
    let board = |role: &str| {
        let device = device(&format!("docker-{role}"));
        let device = format!("{device}commands: {{power_off: touch {}}}\n", off(role).display());
        format!("{role}={}", lab.write(&format!("{role}.yaml"), &device))
    };
    let (client, server) = (board("client"), board("server"));
    let more = ["--device", &client, "--device", &server];
    let mut both = Client::in_pipes(&mut dispatcher(&lab, "out", &more));
    for role in ["client", "server"] {
        wait_until(JOB, "the board's tests run", || {
            noted(&lab, &format!("out/docker-{role}/output.jsonl")).contains("STARTRUN")
        });
    }
    crate::common::signal(both.process().pid(), rustix::process::Signal::KILL);
    for role in ["client", "server"] {
        wait_until(JOB, "the board is switched off", || off(role).exists());
    }
}

#[test]
fn what_does_not_fit_a_group_is_told_before_anything_runs() {
    let lab = TestLab::new();
    let good = job(&["echo a"], &["echo b"], "");
    lab.write("job.yaml", &good);
    let [client, _] = boards(&lab);
    let alone = lab.write("alone.yaml", &device("docker01"));
    let told = |more: &[&str]| {
        let done = run(&mut dispatcher(&lab, "out", more), "", JOB);
        assert_eq!(done.status.code(), Some(2), "{}", text(&done));
        String::from_utf8_lossy(&done.stderr).into_owned()
    };
    for (more, why) in [
        (&["--device", &alone][..], "the job is for a group: say which board has which role"),
        (&["--device", &client], "the role \"server\" is for 1 boards, and 0 are given"),
        (&["--device", &format!("sever={alone}")], "did you mean \"server\"?"),
        (
            &["--device", &client, "--device", &format!("server={alone}")],
            "are both the board \"docker01\"",
        ),
    ] {
        let told = told(more);
        assert!(told.contains(why), "{told}");
    }
    let wrong = good
        .replace("- boot: {role: [client, server], ", "- boot: {role: [clinet], ")
        .replace("job_name", "device_type: docker\njob_name")
        .replace("count: 1}\n    timeout", "count: 0}\n    timeout");
    lab.write("job.yaml", &wrong);
    let told = told(&["--device", &client]);
    for why in [
        "\"clinet\" is none of client, server; did you mean \"client\"?",
        "in a job for a group each role has its own device_type",
        "a role has at least one board",
    ] {
        assert!(told.contains(why), "no {why:?} in {told}");
    }
    assert!(!lab.path("out").exists(), "something was run");
}
