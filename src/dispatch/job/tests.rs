use super::*;
use crate::config::Problems;

fn problems_of(text: &str) -> String {
    let problems = Problems::default();
    let at = At::top("job.yaml", &problems);
    if let Some(node) = crate::yaml::parse(text, &at) {
        Job::read(&node, &at);
    }
    problems.check(Some(())).err().map(|failure| failure.to_string()).unwrap_or_default()
}

fn notes_of(text: &str) -> Vec<String> {
    let problems = Problems::default();
    let at = At::top("job.yaml", &problems);
    let node = crate::yaml::parse(text, &at).unwrap();
    Job::read(&node, &at);
    problems.notes("job.yaml")
}

const GOOD: &str = include_str!("../../../conf/jobs/uboot-smoke.yaml");

#[test]
fn the_example_job_has_no_problems() {
    assert_eq!(problems_of(GOOD), "");
}

#[test]
fn all_problems_are_told_at_once_with_their_places() {
    let text = "job_nmae: x
timeouts:
  job: {minutes: 5}
  action: 30
visibility: everyone
actions:
- deploy:
    to: tftp
    kernel: {url: http://h/k, type: zimagee}
    ramdsik: {url: http://h/r}
- boto:
    method: u-boot
- boot:
    method: u-boot
    commands: ramdisk
    auto_login: {login_prompt: 'login:'}
- test:
    definitions:
    - from: inline
      name: a b
      path: x
      repository: http://h/r.git
";
    assert_eq!(
        problems_of(text),
        "job.yaml:1:1: \"job_name\" is missing
job.yaml:1:1: unknown key \"job_nmae\"; did you mean \"job_name\"?
job.yaml:4:11: timeouts.action: expected a time limit such as {minutes: 5}, found a whole number
job.yaml:5:13: visibility: expected public, personal, or {group: [NAME, …]}, found \"everyone\"
job.yaml:9:37: actions[0].deploy.kernel.type: \"zimagee\" is none of image, zimage, uimage; did you mean \"zimage\"?
job.yaml:10:5: actions[0].deploy: unknown key \"ramdsik\"; did you mean \"ramdisk\"?
job.yaml:11:3: actions[1]: unknown key \"boto\"; did you mean \"boot\"?
job.yaml:12:5: actions[1].boto.commands: \"commands\" is missing
job.yaml:16:17: actions[2].boot.auto_login: \"username\" is missing
job.yaml:20:13: actions[3].test.definitions[0].name: a definition's name is a file name; ' ' cannot be in it
job.yaml:22:19: actions[3].test.definitions[0].repository: expected the test definition itself, as a table, found a text"
    );
}

#[test]
fn a_limit_that_is_misspelt_is_told_once() {
    let told = |limit: &str| problems_of(&GOOD.replace("{minutes: 10}", limit));
    let unknown = "job.yaml:11:9: timeouts.job: unknown key \"minuts\"; did you mean \"minutes\"?";
    assert_eq!(told("{minuts: 5}"), unknown);
    let wrong = "job.yaml:11:18: timeouts.job.minutes: expected a whole number, found a text";
    assert_eq!(told("{minutes: x}"), wrong);
    assert!(told("{minutes: 0}").contains("at least one second"));
}

#[test]
fn a_time_limit_for_an_action_that_there_is_not_is_told() {
    let limits =
        "{minutes: 10}\n  actions: {auto-logn-action: {seconds: 9}, our-own: {seconds: 9}}";
    let told = problems_of(&GOOD.replacen("{minutes: 10}", limits, 1));
    let what = "no action is called \"auto-logn-action\"; did you mean \"auto-login-action\"?";
    assert_eq!(told, format!("job.yaml:12:13: timeouts.actions: {what}"));
}

#[test]
fn an_inline_definition_is_checked_with_the_job() {
    let told = problems_of(&GOOD.replace("          steps:", "          stepz:"));
    let path = "actions[2].test.definitions[0].repository.run";
    let expected = format!(
        "job.yaml:50:11: {path}.steps: \"steps\" is missing
job.yaml:50:11: {path}: unknown key \"stepz\"; did you mean \"steps\"?"
    );
    assert_eq!(told, expected);
}

#[test]
fn the_units_of_a_limit_add_up() {
    let problems = Problems::default();
    let at = At::top("job.yaml", &problems);
    let node = crate::yaml::parse("{hours: 1, minutes: 2, seconds: 3}", &at).unwrap();
    assert_eq!(Limit::from_node(&node, &at), Some(Limit { seconds: 3_723, skip: false }));
}

/// The example job with a mistake, and what is told about it.
fn told(right: &str, wrong: &str) -> String {
    assert!(GOOD.contains(right), "{right}");
    problems_of(&GOOD.replacen(right, wrong, 1))
}

#[test]
fn what_does_not_fit_together_is_told_where_it_stands() {
    for (right, wrong, expected) in [
        (
            "action: {minutes: 3}",
            "action: {hours: 3}",
            "12:11: timeouts.action: 10800 s is more than the whole job has, 600 s",
        ),
        (
            "    timeout: {minutes: 2}\n    kernel:",
            "    timeout: {days: 1}\n    kernel:",
            "19:14: actions[0].deploy.timeout: 86400 s is more than",
        ),
        (
            "    method: u-boot\n",
            "    method: u-boot\n    connection-namespace: dut\n",
            "29:27: actions[1].boot.connection-namespace: no block has the namespace \"dut\"",
        ),
        (
            "    to: tftp\n",
            "    to: tftp\n    namespace: common\n",
            "18:16: actions[0].deploy.namespace: \"common\" is a name that LAVA keeps for itself",
        ),
        (
            "    to: tftp\n",
            "    to: tftp\n    failure_retry: 0\n",
            "18:20: actions[0].deploy.failure_retry: it is 1 at least",
        ),
        (
            "    - name: smoke\n",
            "    - name: smoke\n      skip_install: [dep]\n",
            "42:21: actions[2].test.definitions[0].skip_install: \"dep\" is none of",
        ),
        (
            "job_name: U-Boot smoke test\n",
            "job_name: x\nnotify: {criteria: {status: incomplet}, callback: {ulr: http://h/}}\n",
            "notify.criteria.status: \"incomplet\" is none of all, ",
        ),
        (
            "job_name: U-Boot smoke test\n",
            "job_name: x\nnotify: {criteria: {status: all}, callback: {ulr: http://h/}}\n",
            "notify.callback: unknown key \"ulr\"; did you mean \"url\"?",
        ),
        (
            "job_name: U-Boot smoke test\n",
            "job_name: x\ncontext: {memory: {MiB: 512}}\n",
            "7:19: context.memory: expected a text, a number, or a list of them, found a table",
        ),
    ] {
        let told = told(right, wrong);
        assert!(told.contains(expected), "no {expected:?} in:\n{told}");
    }
    let two = told("    to: tftp\n", "    to: tftp\n    namespace: dut\n");
    assert_eq!(two.matches("if one block has a namespace, all must have one").count(), 2, "{two}");
}

#[test]
fn a_key_of_another_method_is_noted_and_a_slip_is_a_problem() {
    let minimal = GOOD.replacen("method: u-boot\n", "method: minimal\n", 1);
    assert_eq!(problems_of(&minimal), "");
    let what = "\"commands\" is no key of minimal, and most likely has no effect";
    assert_eq!(notes_of(&minimal), [format!("job.yaml:29:5: actions[1].boot: {what}")]);
    let slip = minimal.replacen("    commands: ramdisk\n", "    transfer_overlays: {}\n", 1);
    let expected = "29:5: actions[1].boot: unknown key \"transfer_overlays\"; did you mean";
    assert!(problems_of(&slip).contains(expected), "{}", problems_of(&slip));
    let context =
        GOOD.replacen("visibility:", "context: {extra_kernel_arg: x, rack: 7}\nvisibility:", 1);
    assert_eq!(problems_of(&context), "");
    let what = "\"extra_kernel_arg\" is no variable of LAVA's; did you mean \"extra_kernel_args\"?";
    assert_eq!(notes_of(&context), [format!("job.yaml:8:11: context: {what}")]);
}

#[test]
fn two_definitions_of_one_name_are_noted_in_whichever_block_they_are() {
    let (_, block) = GOOD.rsplit_once("\n- test:").unwrap();
    let two = format!("{}\n- test:{block}", GOOD.trim_end());
    assert_eq!(problems_of(&two), "");
    let told = notes_of(&two).join("\n");
    let what = "actions[3].test.definitions[0].name: there is another definition \"smoke\"";
    assert!(told.contains(what), "{told}");
}

#[test]
fn what_is_harmless_where_the_device_is_given_is_only_noted() {
    let (before, _) = GOOD.split_once("    definitions:").unwrap();
    let text = before.replacen("device_type: qemu-uboot\n", "", 1) + "    definitions: []\n";
    assert_eq!(problems_of(&text), "");
    let missing = "\"device_type\" is missing; to choose a board for the job, a server needs it";
    let none = "actions[2].test.definitions: there is none, so nothing is tested";
    assert_eq!(
        notes_of(&text),
        [format!("job.yaml:6:1: {missing}"), format!("job.yaml:39:18: {none}")]
    );
}

#[test]
fn what_becomes_a_path_or_a_word_on_this_host_is_a_plain_name() {
    let job = |deploy: &str| {
        let head =
            "job_name: x\nvisibility: public\ndevice_type: x\ntimeouts: {job: {minutes: 5}}\n";
        problems_of(&format!("{head}actions:\n- deploy: {deploy}\n"))
    };
    let images =
        |name: &str| job(&format!("{{to: tmpfs, images: {{{name}: {{url: http://h/k}}}}}}"));
    assert_eq!(images("rootfs_a.img-1"), "");
    for name in ["/..", "../x", "..", "a/b", "'a b'", "'a\\nb'"] {
        assert!(images(name).contains("cannot name an image"), "{name}: {}", images(name));
    }
    let overlay =
        "{to: tmpfs, images: {r: {url: http://h/k, overlays: {../x: {url: http://h/o}}}}}";
    assert!(job(overlay).contains("\"../x\" cannot name an overlay"), "{}", job(overlay));
    let namespace = "{to: tmpfs, namespace: /home/lava/.ssh/x, images: {k: {url: http://h/k}}}";
    assert!(job(namespace).contains("cannot name a namespace"), "{}", job(namespace));
    for image in ["--volume=/:/host", "{image: --privileged}", "{name: --privileged}"] {
        let told = job(&format!("{{to: docker, image: {image}}}"));
        assert!(told.contains("does not begin with"), "{image}: {told}");
    }
}

#[test]
fn a_value_of_the_context_is_one_line() {
    let of = |context: &str| problems_of(&format!("{GOOD}\ncontext: {context}\n"));
    assert_eq!(of("{extra_kernel_args: \"a b\\n\"}"), "");
    let told = of("{extra_kernel_args: \"a\\ncommands: {power_off: sh}\"}");
    assert!(told.contains("is one line"), "{told}");
}

const HEAD: &str =
    "job_name: x\nvisibility: public\ndevice_type: x\ntimeouts: {job: {minutes: 5}}\n";

#[test]
fn a_key_that_no_method_has_is_a_problem_in_whichever_method() {
    let of = |block: &str| problems_of(&format!("{HEAD}actions:\n- {block}\n"));
    for method in ["minimal", "fastboot", "monitor", "new_connection", "jlink"] {
        let told = of(&format!("boot: {{method: {method}, zzz: 1}}"));
        let what = "actions[0].boot: unknown key \"zzz\"; known of ";
        assert!(told.starts_with("job.yaml:6:") && told.contains(what), "{told}");
        assert!(told.contains("prompts"), "{told}");
    }
    for to in ["overlay", "ssh", "lxc"] {
        let told = of(&format!("deploy: {{to: {to}, zzz: 1}}"));
        assert!(told.contains("actions[0].deploy: unknown key \"zzz\"; known of"), "{told}");
    }
    for (block, told) in [
        (
            "boot: {method: docker, command: sh, docker: {image: debian, lokal: true}}",
            "boot.docker: unknown key \"lokal\"; did you mean \"local\"?",
        ),
        ("deploy: {to: docker, image: {nam: debian}}", "deploy.image: unknown key \"nam\""),
        (
            "deploy: {to: downloads, images: {a: {url: 'http://h/a'}}, postprocess: {dcoker: {image: d}}}",
            "deploy.postprocess: unknown key \"dcoker\"; did you mean \"docker\"?",
        ),
        (
            "deploy: {to: downloads, images: {a: {url: 'http://h/a'}}, postprocess: {docker: {image: d}}}",
            "deploy.postprocess.docker: \"steps\" is missing",
        ),
        (
            "boot: {method: minimal, protocols: {lava-multinod: {action: a}}}",
            "boot.protocols: unknown key \"lava-multinod\"",
        ),
    ] {
        let all = of(block);
        assert!(all.contains(told), "{block}: no {told:?} in:\n{all}");
    }
}

#[test]
fn a_key_of_lavas_that_does_nothing_here_is_noted_where_it_stands() {
    let of = |top: &str, block: &str| notes_of(&format!("{HEAD}{top}actions:\n- {block}\n"));
    let minimal = "boot: {method: minimal}";
    let image = "{to: fvp, images: {a: {url: 'http://h/a', path: /x}}, ramdisk: {header: u-boot}}";
    for (top, block, noted) in [
        ("reboot_to_fastboot: false\n", minimal, ":5:21: reboot_to_fastboot: "),
        ("protocols: {lava-lxc: {name: a}}\n", minimal, ":5:23: protocols.lava-lxc: "),
        ("protocols: {lava-vland: {a: {}}}\n", minimal, ":5:25: protocols.lava-vland: "),
        ("", "boot: {method: minimal, protocols: {lava-lxc: []}}", "boot.protocols.lava-lxc: "),
        (
            "",
            "boot: {method: minimal, parameters: {kernel-start-message: Zephyr}}",
            "boot.parameters.kernel-start-message: ",
        ),
        ("", "boot: {method: ssh, parameters: {hostID: ip}}", "boot.parameters.hostID: "),
        ("", "boot: {method: u-boot, commands: nfs, type: bootz}", "boot.type: "),
        ("", "boot: {method: avh, docker: debian}", "boot.docker: "),
        (
            "",
            "boot: {method: grub, commands: nfs, prompts: [x], expect_shell: false}",
            "boot.expect_shell: ",
        ),
        ("", "deploy: {to: ssh, enable: true}", "deploy.enable: "),
        ("", &format!("deploy: {image}"), "deploy.ramdisk: "),
        ("", &format!("deploy: {image}"), "deploy.images.a.path: "),
        (
            "",
            "deploy: {to: fastboot, connection: lxc, images: {a: {url: 'http://h/a'}}}",
            "deploy.connection: ",
        ),
        ("", "test: {definitions: [], expected: [a]}", "test.expected: "),
    ] {
        let all = of(top, block);
        let is_told =
            |note: &String| note.contains(noted) && note.contains("this has no effect here: ");
        assert!(all.iter().any(is_told), "{top}{block}: no {noted:?} in {all:#?}");
    }
    // What does something is not noted.
    for block in [
        "boot: {method: minimal, parameters: {shutdown-message: down, kernel-start-message: ''}}",
        "boot: {method: kexec, kernel: k, parameters: {kernel-start-message: Zephyr}}",
        "boot: {method: grub, commands: nfs, expect_shell: false, boot_finished: [x]}",
    ] {
        assert_eq!(of("", block), Vec::<String>::new(), "{block}");
    }
}

#[test]
fn a_kernels_messages_are_ignored_wherever_the_job_says_so() {
    let read = |boot: &str| {
        let problems = Problems::default();
        let at = At::top("job.yaml", &problems);
        let node = crate::yaml::parse(&format!("{HEAD}actions:\n- boot: {boot}\n"), &at).unwrap();
        let job = Job::read(&node, &at).unwrap();
        let Kind::Boot(boot) = &job.blocks[0].kind else { panic!("{job:?}") };
        boot.ignore_kernel_messages
    };
    let login = "login_prompt: 'login:', username: root";
    assert!(read("{method: minimal, ignore_kernel_messages: true}"));
    let inside =
        format!("{{method: minimal, auto_login: {{{login}, ignore_kernel_messages: true}}}}");
    assert!(read(&inside));
    assert!(!read(&format!("{{method: minimal, auto_login: {{{login}}}}}")));
}
