//! A board from its power cable to its shell, without a socket and in no time.

use std::fmt::Write as _;
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::broadcast;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::*;
use crate::sim::control::{Cable, Verb, cable};
use crate::sim::line::{Wire, line};
use crate::sim::machine;

/// A board under test: what it printed is consumed as it is expected.
struct Bench {
    power: Cable,
    wire: Wire,
    heard: broadcast::Receiver<Bytes>,
    text: String,
    shutdown: CancellationToken,
    tasks: TaskTracker,
}

impl Bench {
    fn new(files: Option<PathBuf>) -> Self {
        let (uart, wire) = line();
        let (power, orders) = cable();
        let (shutdown, tasks) = (CancellationToken::new(), TaskTracker::new());
        let stop = shutdown.clone();
        tasks.spawn(async move {
            machine::run(&Board::new("panda01", files), uart, orders, stop).await;
        });
        tasks.close();
        Self { power, heard: wire.listen(), wire, text: String::new(), shutdown, tasks }
    }

    /// Waits for a text; gives what came before it.
    async fn expect(&mut self, wanted: &str) -> String {
        let found = tokio::time::timeout(Duration::from_secs(60), async {
            loop {
                if let Some((before, after)) = self.text.split_once(wanted) {
                    let before = before.to_owned();
                    self.text = after.to_owned();
                    return before;
                }
                let piece = self.heard.recv().await.unwrap();
                self.text.push_str(str::from_utf8(&piece).unwrap());
            }
        });
        match found.await {
            Ok(before) => before,
            Err(_) => panic!("no {wanted:?} in {:?}", self.text),
        }
    }

    async fn send(&self, text: &str) {
        self.wire.send(text.to_owned()).await;
    }

    /// Types a line at the boot loader and gives what it printed.
    async fn loader(&mut self, command: &str) -> String {
        self.send(&format!("{command}\n")).await;
        self.expect(&format!("{command}\r\n")).await;
        self.expect("=> ").await
    }
}

#[tokio::test(start_paused = true)]
async fn a_board_left_alone_boots_to_its_login_and_root_gets_a_shell() {
    let mut bench = Bench::new(None);
    assert_eq!(bench.power.order(Verb::On).await, Ok(true));
    bench.expect("Lavamux virtual boot loader").await;
    bench.expect("Hit any key to stop autoboot:  2 ").await;
    bench.expect("\x08\x08\x08 1 \x08\x08\x08 0 ").await;
    bench.expect("Starting kernel ...").await;
    bench.expect("[    0.000000] Linux version 6.1.0-lavamux").await;
    bench.expect("[    1.812420] Run /init").await;
    bench.expect("panda01 login: ").await;
    bench.send("alice\rsecret\r").await;
    assert_eq!(bench.expect("Login incorrect").await, "alice\r\nPassword: \r\n\r\n");
    bench.expect("panda01 login: ").await;
    bench.send("root\r").await;
    bench.expect("root@panda01:~# ").await;
    bench.send("echo hi\r").await;
    assert_eq!(bench.expect("root@panda01:~# ").await, "echo hi\r\nhi\r\n");
    bench.send("sleep 1000\r").await;
    bench.expect("sleep 1000\r\n").await;
    bench.send("\x03").await;
    assert_eq!(bench.expect("root@panda01:~# ").await, "^C\r\n");
    bench.send("reboot\r").await;
    bench.expect("reboot: Restarting system").await;
    bench.expect("Hit any key").await;
    bench.shutdown.cancel();
    bench.tasks.wait().await;
}

#[tokio::test(start_paused = true)]
async fn a_power_cut_is_immediate_and_the_line_stays_silent_until_power_is_back() {
    let mut bench = Bench::new(None);
    bench.send("nobody hears this\r").await;
    assert_eq!(bench.power.order(Verb::Status).await, Ok(false));
    for _ in 0..3 {
        bench.power.order(Verb::On).await.unwrap();
        assert_eq!(bench.power.order(Verb::On).await, Ok(true));
        bench.expect("Linux version").await;
        assert_eq!(bench.power.order(Verb::Status).await, Ok(true));
        assert_eq!(bench.power.order(Verb::Off).await, Ok(false));
        bench.text.clear();
        while bench.heard.try_recv().is_ok() {}
        for _ in 0..100 {
            bench.send("is anybody there?\r").await;
        }
        tokio::time::sleep(Duration::from_secs(60)).await;
        assert!(bench.heard.try_recv().is_err());
    }
    bench.shutdown.cancel();
    bench.tasks.wait().await;
    assert!(bench.power.order(Verb::On).await.unwrap_err().contains("taken down"));
}

#[tokio::test(start_paused = true)]
async fn a_panicked_kernel_hangs_until_power_is_cut() {
    let mut bench = Bench::new(None);
    bench.power.order(Verb::On).await.unwrap();
    bench.expect("login: ").await;
    bench.send("root\recho c > /proc/sysrq-trigger\r").await;
    bench.expect("Kernel panic - not syncing").await;
    bench.expect("end Kernel panic").await;
    bench.send("hello?\r").await;
    bench.power.order(Verb::Off).await.unwrap();
    bench.power.order(Verb::On).await.unwrap();
    let until_login = bench.expect("login: ").await;
    assert!(!until_login.contains("hello?"), "{until_login}");
}

#[tokio::test(start_paused = true)]
async fn the_boot_loader_can_be_stopped_and_talked_to() {
    let mut bench = Bench::new(None);
    bench.power.order(Verb::On).await.unwrap();
    bench.expect("Hit any key").await;
    bench.send(" ").await;
    bench.expect("=> ").await;
    assert!(bench.loader("help").await.contains("printenv  - print"));
    assert_eq!(bench.loader("setenv a 'echo $b; echo c'; setenv b 1; run a").await, "1\r\nc\r\n");
    assert_eq!(bench.loader("printenv a").await, "a=echo $b; echo c\r\n");
    assert!(bench.loader("printenv").await.contains("bootdelay=2\r\n"));
    assert!(bench.loader("version").await.contains("not U-Boot"));
    assert!(bench.loader("wibble").await.contains("Unknown command 'wibble'"));
    assert!(bench.loader("booti 40400000").await.contains("Bad Linux ARM64 Image magic"));
    assert!(bench.loader("tftpboot 40400000 x").await.contains("`ipaddr' not set"));
    assert!(bench.loader("setenv r run r; run r").await.contains("not defined"));
    bench.send("sleep 100\r").await;
    bench.expect("sleep 100\r\n").await;
    bench.send("\x03").await;
    assert!(bench.expect("=> ").await.contains("Abort"));
    bench.send("reset\r").await;
    bench.expect("Lavamux virtual boot loader").await;
}

#[tokio::test]
async fn a_job_s_files_come_by_tftp_and_its_tests_run_from_the_ramdisk() {
    let mut archive = String::new();
    for (name, mode, text) in [
        ("lava-7/bin/lava-test-case", 0o100_755, "#!/bin/sh\n"),
        ("lava-7/bin/lava-test-runner", 0o100_755, "#!/bin/sh\n"),
        ("lava-7/environment", 0o100_644, "export LAVA_JOB_ID='7'\n"),
        ("lava-7/0/lava-test-runner.conf", 0o100_644, "/lava-7/0/tests/0_a\n"),
        ("lava-7/0/tests/0_a/run.sh", 0o100_755, "lava-test-case one --shell uname\n"),
        ("TRAILER!!!", 0, ""),
    ] {
        let entry = cpio::tests::entry(name, mode, text);
        archive.write_str(str::from_utf8(&entry).unwrap()).unwrap();
    }
    let scratch = tempfile::tempdir().unwrap();
    std::fs::write(scratch.path().join("outside"), "x").unwrap();
    let folder = scratch.path().join("tftp");
    std::fs::create_dir_all(folder.join("7")).unwrap();
    std::fs::write(folder.join("7/Image"), vec![0; 100_000]).unwrap();
    std::fs::write(folder.join("7/ramdisk.cpio"), &archive).unwrap();

    let mut bench = Bench::new(Some(folder));
    bench.power.order(Verb::On).await.unwrap();
    bench.expect("Hit any key").await;
    bench.send(" ").await;
    bench.expect("=> ").await;
    assert!(bench.loader("setenv autoload no; dhcp").await.contains("bound to address 10.0.2.15"));
    let kernel = bench.loader("tftpboot 0x40400000 7/Image").await;
    assert!(kernel.contains("Bytes transferred = 100000 (186a0 hex)"), "{kernel}");
    bench.loader("tftpboot 0x44000000 7/ramdisk.cpio").await;
    for outside in ["../outside", "/../outside", "7/../../outside", "7", "7/none"] {
        let answer = bench.loader(&format!("tftpboot 50000000 {outside}")).await;
        assert!(answer.contains("File not found"), "{outside}: {answer}");
    }
    bench
        .loader("setenv initrd_size $filesize; setenv bootargs 'console=ttyAMA0 root=/dev/ram0'")
        .await;
    bench.send("booti 0x40400000 0x44000000:${initrd_size} ${fdtcontroladdr}\r").await;
    bench.expect("Kernel command line: console=ttyAMA0 root=/dev/ram0").await;
    bench.expect("login: ").await;
    bench.send("root\r").await;
    bench.expect("# ").await;
    bench.send(". /lava-7/environment\r").await;
    bench.expect("# ").await;
    bench.send("/lava-7/bin/lava-test-runner /lava-7/0\r").await;
    bench.expect("<LAVA_SIGNAL_TESTCASE TEST_CASE_ID=one RESULT=pass>\r\n").await;
    bench.expect("<LAVA_TEST_RUNNER EXIT>\r\n").await;
    bench.shutdown.cancel();
    bench.tasks.wait().await;
}
