use super::*;
use crate::sim::board::loader::Booted;
use crate::sim::line::line;

/// A shell on a board that has booted, with these files beside the ones built in.
async fn shell(files: &[(&str, &str)]) -> (Shell, Log) {
    let mut all = Files::built_in();
    for (path, text) in files {
        all.write(path, text, false).unwrap();
    }
    let (mut uart, _wire) = line();
    let booted = Booted { bootargs: "console=ttyAMA0".into(), ramdisk: None };
    (Shell::new("panda01", all), Log::boot(&mut uart, "panda01", &booted).await)
}

fn printed(steps: &[Step]) -> String {
    let text = |step: &Step| match step {
        Step::Print(text) => text.clone(),
        step => format!("<{step:?}>"),
    };
    steps.iter().map(text).collect()
}

#[tokio::test(start_paused = true)]
async fn lines_do_what_a_shell_does_with_them() {
    let (mut shell, log) = shell(&[("x", "one\ntwo\n")]).await;
    for (line, output) in [
        ("echo $? \"$USER  x\" '$USER'", "0 root  x $USER\n"),
        ("false; echo $?; true && echo yes || echo no", "1\nyes\n"),
        ("false && echo a || echo b; false || false && echo c", "b\n"),
        ("A='a  b'; echo $A \"$A\" $A$A x", "a b a  b a ba b x\n"),
        ("A=1 env | grep ^A; echo \"A=$A\"", "A=a  b\n"),
        ("cat /x | grep -v one | wc -l", "1\n"),
        ("echo `cat /x` $(echo $(pwd))", "one two /root\n"),
        ("cat /nowhere", "cat: can't open '/nowhere': No such file or directory\n"),
        ("cat /nowhere 2>/dev/null || echo quiet", "quiet\n"),
        ("cat /nowhere > /y 2>&1; wc -l < /y", "1\n"),
        ("echo a > /z; echo b >> /z; cat /z", "a\nb\n"),
        ("cd /etc && ls && pwd && cd", "motd\nos-release\n/etc\n"),
        ("[ -f /x ] && [ 2 -gt 1 ] && test a != b && echo all", "all\n"),
        ("printf '%s=%d%%\\n' a 5", "a=5%\n"),
        ("sleep 2; uname", "<Sleep(2s)>Linux\n"),
        ("command eval 'echo \"a  b\"; false'; echo $?", "a  b\n1\n"),
        ("command; command command echo $?; eval; eval eval echo a b", "0\na b\n"),
        ("wibble", "sh: wibble: not found\n"),
        ("echo 'open", "sh: syntax error: unterminated '\n"),
        ("sleep 9 & echo", "sh: '&' is not simulated\n"),
        ("echo a >", "sh: '>' is not simulated\n"),
        ("exit", "<Logout>"),
        ("reboot; echo never", "<End(Reboot)>"),
        ("echo c > /proc/sysrq-trigger; echo never", "<End(Panic)>"),
    ] {
        assert_eq!(printed(&shell.run(line, &log)), output, "{line}");
    }
    assert!(printed(&shell.run("dmesg | head -2", &log)).contains("Linux version 6.1.0-lavamux"));
}

#[tokio::test(start_paused = true)]
async fn a_script_stops_where_it_should_and_keeps_its_variables_to_itself() {
    let script = "#!/bin/sh\nset -e\nA=2\necho $A\nfalse || true\nfalse\necho never\n";
    let (mut shell, log) = shell(&[("s.sh", script)]).await;
    assert_eq!(printed(&shell.run("A=1; sh /s.sh; echo $? $A", &log)), "2\n1 1\n");
    assert_eq!(printed(&shell.run("/s.sh; echo $?", &log)), "2\n1\n");
    assert_eq!(printed(&shell.run("sh -xc 'echo a'", &log)), "+ echo a\na\n");
}

#[tokio::test(start_paused = true)]
async fn no_line_takes_the_host_down() {
    let (mut shell, log) = shell(&[("r", "sh /r; sh /r\n"), ("a", "A=$A$A$A$A\n")]).await;
    assert!(printed(&shell.run("sh /r", &log)).contains("too deep"));
    let grow = format!("A=xxxxxxxx; {} echo $A", ". /a; ".repeat(40));
    assert!(printed(&shell.run(&grow, &log)).len() <= 4 * MAX_VALUE + 1);
    let flood = format!("A={}; {}", "x".repeat(MAX_VALUE), "echo $A; ".repeat(100));
    assert!(printed(&shell.run(&flood, &log)).len() <= MAX_OUTPUT);
    assert!(printed(&shell.run(&"true;".repeat(MAX_COMMANDS + 1), &log)).contains("too long"));
}

#[tokio::test(start_paused = true)]
async fn a_test_definition_gives_lava_s_signals() {
    let run = "set -e\nexport TESTRUN_ID=0_smoke\ncd /lava-7/0/tests/0_smoke\nUUID=`cat uuid`\n\
               echo \"<LAVA_SIGNAL_STARTRUN $TESTRUN_ID $UUID>\"\n\
               lava-test-case one --shell true\n\
               lava-test-case two --shell 'dmesg | grep -q Wibble'\n\
               . /lava-7/bin/lava-common-functions\n\
               lava_signal TESTSET 'START more'\n\
               lava-test-case speed --result pass --measurement 1.5 --units MB/s\n\
               echo \"<LAVA_SIGNAL_ENDRUN $TESTRUN_ID $UUID>\"\n";
    let (mut shell, log) = shell(&[
        ("lava-7/environment", "export LAVA_JOB_ID='7'\n"),
        ("lava-7/bin/lava-test-runner", "#!/bin/sh\n"),
        ("lava-7/bin/lava-test-case", "#!/bin/sh\n"),
        ("lava-7/bin/lava-common-functions", "lava_signal() {\n echo\n}\n"),
        ("lava-7/0/lava-test-runner.conf", "/lava-7/0/tests/0_smoke\n"),
        ("lava-7/0/tests/0_smoke/uuid", "7_1.2\n"),
        ("lava-7/0/tests/0_smoke/run.sh", run),
    ])
    .await;
    assert_eq!(printed(&shell.run(". /lava-7/environment", &log)), "");
    assert_eq!(
        printed(&shell.run("/lava-7/bin/lava-test-runner /lava-7/0", &log)),
        "<LAVA_SIGNAL_STARTRUN 0_smoke 7_1.2>\n\
         <LAVA_SIGNAL_STARTTC one>\n<LAVA_SIGNAL_ENDTC one>\n\
         <LAVA_SIGNAL_TESTCASE TEST_CASE_ID=one RESULT=pass>\n\
         <LAVA_SIGNAL_STARTTC two>\n<LAVA_SIGNAL_ENDTC two>\n\
         <LAVA_SIGNAL_TESTCASE TEST_CASE_ID=two RESULT=fail>\n\
         <LAVA_SIGNAL_TESTSET START more>\n\
         <LAVA_SIGNAL_TESTCASE TEST_CASE_ID=speed RESULT=pass UNITS=MB/s MEASUREMENT=1.5>\n\
         <LAVA_SIGNAL_ENDRUN 0_smoke 7_1.2>\n<LAVA_TEST_RUNNER EXIT>\n"
    );
}
