use proptest::prelude::*;

use super::*;

const AT: Place = Place { offset: Some(100), time_us: 7 };
const BOOT: &str =
    "\r\nU-Boot SPL 2023.01 (x)\r\nTrying to boot from MMC1\r\n\r\nU-Boot 2023.01 (x)\r\n";
const LINUX: &str = "Starting kernel ...\r\n\r\n[    0.000000] Linux version 6.1.0\r\n";
const PANIC: &str = "[    1.2] Kernel panic - not syncing: No working init found.\r\n";

fn watch(stage: Stage, text: &str) -> Watch {
    let mut watch = Watch::default();
    watch.reset();
    watch.enter(stage);
    watch.push(AT, text.as_bytes());
    watch
}

fn trouble(stage: Stage, text: &str) -> Option<Trouble> {
    watch(stage, text).alarm().map(|alarm| alarm.trouble)
}

#[test]
fn a_panic_is_told_with_its_place_and_is_over_with_its_last_word() {
    let mut watch = watch(Stage::Booting, &format!("{LINUX}{PANIC}"));
    let alarm = watch.alarm().unwrap().clone();
    assert_eq!(alarm.place.offset, Some(100 + LINUX.len() as u64));
    assert_eq!(alarm.line, "[    1.2] Kernel panic - not syncing: No working init found.");
    assert!(!alarm.is_over);
    watch.push(
        AT,
        b"[    1.3] ---[ end Kernel panic - not syncing: No working init found. ]---\r\n",
    );
    assert!(watch.alarm().unwrap().is_over);
}

#[test]
fn a_board_that_dies_in_the_middle_of_a_line_is_heard_when_it_pauses() {
    let mut watch = watch(Stage::Booting, "[    1.2] Kernel panic - not syncing: No wor");
    assert_eq!(watch.alarm(), None);
    watch.pause();
    assert_eq!(watch.alarm().unwrap().trouble, Trouble::Panic);
}

#[test]
fn one_boot_is_no_reboot_and_a_second_one_is() {
    let boot = format!("{BOOT}{LINUX}");
    assert_eq!(trouble(Stage::Booting, &boot), None);
    assert_eq!(trouble(Stage::Booting, &format!("{boot}{BOOT}")), Some(Trouble::Reboot));
    // A boot command that fails resets the board before there was any kernel.
    let mut watch = watch(Stage::Booting, BOOT);
    watch.enter(Stage::Loader);
    watch.push(AT, b"Bad Linux ARM64 Image magic!\r\nresetting ...\r\n");
    watch.push(AT, BOOT.as_bytes());
    assert_eq!(watch.alarm().unwrap().trouble, Trouble::Reboot);
}

#[test]
fn another_boot_loader_that_the_first_one_starts_is_no_reboot() {
    let mut watch = watch(Stage::Booting, BOOT);
    watch.enter(Stage::Loader);
    watch.push(AT, b"## Starting application\r\n\r\nU-Boot 2026.10 (y)\r\n");
    assert_eq!(watch.alarm(), None);
}

#[test]
fn a_kernel_that_tells_of_its_firmware_has_not_rebooted() {
    let dmi = "[    0.000000] DMI: Google Link/Link, BIOS coreboot-4.20 01/01/2023\r\n";
    assert_eq!(trouble(Stage::Booting, &format!("{LINUX}{dmi}")), None);
    let notice = format!("{LINUX}NOTICE:  BL1: v2.8(release)\r\n");
    assert_eq!(trouble(Stage::Booting, &notice), Some(Trouble::Reboot));
}

#[test]
fn the_third_beginning_of_the_same_is_a_circle() {
    assert_eq!(trouble(Stage::Booting, &BOOT.repeat(2)), None);
    assert_eq!(trouble(Stage::Booting, &BOOT.repeat(3)), Some(Trouble::Circles));
    // A console that takes over prints all that was printed before.
    assert_eq!(trouble(Stage::Booting, &LINUX.repeat(2)), None);
    assert_eq!(trouble(Stage::Booting, &LINUX.repeat(3)), Some(Trouble::Circles));
}

#[test]
fn a_quiet_kernel_that_reboots_again_and_again_is_known_by_its_last_words() {
    let restart = "[    2.498295] reboot: Restarting system\r\n";
    assert_eq!(trouble(Stage::Booting, &restart.repeat(2)), None);
    assert_eq!(trouble(Stage::Booting, &restart.repeat(3)), Some(Trouble::Circles));
    assert_eq!(trouble(Stage::System, &restart.repeat(3)), None);
}

#[test]
fn what_a_kernel_is_told_of_what_to_print_is_known_from_the_lines_before_it() {
    for (said, arguments) in [
        ("=> run bootcmd\r\n", Arguments::Unknown),
        ("=> setenv bootargs console=ttyS0 root=/dev/ram0\r\n", Arguments::Loud),
        ("grub> linux (tftp)/vmlinuz console=ttyS0,115200\r\n", Arguments::Loud),
        ("append: root=/dev/mmcblk0p2 console=ttyS0 loglevel=3\r\n", Arguments::Quiet),
        ("=> setenv opts quiet\r\n=> setenv bootargs console=ttyS0\r\n", Arguments::Quiet),
        ("=> setenv console_args console=ttyS0\r\n=> run mmcboot\r\n", Arguments::Unknown),
        ("=> setenv bootargs console=tty0\r\n", Arguments::Unknown),
        ("=> setenv bootargs console=tty0 console=ttyS0\r\n=> booti 1 - 2\r\n", Arguments::Loud),
        ("=> setenv con console=ttyS0\r\n=> setenv bootargs $con $more\r\n", Arguments::Unknown),
    ] {
        assert_eq!(watch(Stage::Loader, said).arguments(), arguments, "{said:?}");
    }
    // What is run may have other arguments.
    let mut watch = watch(Stage::Loader, "=> setenv bootargs console=ttyS0\r\n");
    watch.typed("run mmcboot");
    assert_eq!(watch.arguments(), Arguments::Unknown);
}

#[test]
fn what_a_system_prints_of_its_log_is_no_new_boot_and_what_came_before_a_reset_is_nothing() {
    assert_eq!(trouble(Stage::System, &LINUX.repeat(9)), None);
    assert_eq!(trouble(Stage::Unjudged, &format!("{PANIC}{BOOT}")), None);
    let mut watch = watch(Stage::Booting, &format!("{LINUX}{PANIC}"));
    watch.reset();
    assert_eq!(watch.alarm(), None);
    assert!(watch.is_silent_since_reset());
}

#[test]
fn a_panic_of_a_running_system_stands_behind_its_prompt_and_a_saved_one_has_its_level() {
    for (line, panic) in [
        ("board# [   12.3] Kernel panic - not syncing: x\r\n", true),
        ("[   12.3][    T1] Kernel panic - not syncing: x\r\n", true),
        ("Kernel panic - not syncing: x\r\n", true),
        ("<0>[   12.3] Kernel panic - not syncing: x\r\n", false),
        ("Nov 22 01:02:03 board kernel: Kernel panic - not syncing: x\r\n", false),
    ] {
        let found = trouble(Stage::System, line);
        assert_eq!(found, panic.then_some(Trouble::Panic), "{line:?}");
    }
}

#[test]
fn a_job_that_ignores_kernel_messages_still_sees_a_reboot() {
    let mut watch = watch(Stage::Unjudged, "");
    watch.wake(true);
    watch.push(AT, format!("{LINUX}{PANIC}").as_bytes());
    assert_eq!(watch.alarm(), None);
    watch.push(AT, BOOT.as_bytes());
    assert_eq!(watch.alarm().unwrap().trouble, Trouble::Reboot);
}

#[test]
fn the_tail_is_what_a_person_would_look_at() {
    let watch = watch(Stage::Booting, "one\r\n\r\ntwo\r\nthree\r\nfour\r\nfive\r\n\x1b[6n# ");
    assert_eq!(watch.tail(), ["two", "three", "four", "five", "#"]);
}

proptest! {
    #[test]
    fn a_panic_is_found_wherever_the_stream_is_cut(
        cuts in proptest::collection::vec(0_usize..200, 0..40), noise in "[ -~\r\n]{0,80}",
    ) {
        let stream = format!("{noise}\r\n{PANIC}more\r\n");
        let mut cuts: Vec<usize> = cuts.into_iter().filter(|cut| *cut < stream.len()).collect();
        cuts.extend([0, stream.len()]);
        cuts.sort_unstable();
        let mut watch = Watch::default();
        watch.reset();
        for pair in cuts.windows(2) {
            let place = Place { offset: Some(pair[0] as u64), time_us: 0 };
            watch.push(place, &stream.as_bytes()[pair[0]..pair[1]]);
        }
        let alarm = watch.alarm().unwrap();
        let at = (noise.len() + 2) as u64;
        prop_assert_eq!((alarm.position, alarm.place.offset), (at, Some(at)));
    }

    #[test]
    fn whole_lines_that_come_together_say_what_they_say_byte_by_byte(
        lines in proptest::collection::vec(0_usize..9, 0..40), stage in 0_usize..3,
    ) {
        let known = [
            "", "# ", "[    0.1] usb 1-1: a dull line", "\t \r", "WARNING: CPU: 0 PID: 1 at y.c:1",
            "[    1.3] ---[ end trace 0 ]---", PANIC.trim(), "U-Boot 2023.01 (x)",
            "[    0.000000] Linux version 6.1.0",
        ];
        let text: String = lines.into_iter().flat_map(|line| [known[line], "\r\n"]).collect();
        let stage = [Stage::Booting, Stage::System, Stage::Tested][stage];
        let together = watch(stage, &text);
        let mut apart = watch(stage, "");
        for (at, byte) in text.bytes().enumerate() {
            let offset = AT.offset.map(|offset| offset + at as u64);
            apart.push(Place { offset, ..AT }, &[byte]);
        }
        prop_assert_eq!(together.alarm(), apart.alarm());
        prop_assert_eq!(together.tail(), apart.tail());
        prop_assert_eq!(together.messages().all(), apart.messages().all());
        prop_assert_eq!(together.position, apart.position);
    }

    #[test]
    fn no_board_makes_the_watch_fail(
        pieces in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..300), 0..20),
    ) {
        let mut watch = Watch::default();
        watch.reset();
        for piece in pieces {
            watch.push(AT, &piece);
            watch.pause();
        }
        prop_assert!(watch.tail().len() <= TAIL + 1);
    }
}
