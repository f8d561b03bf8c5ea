//! Boards' words, whole and in pieces.

use proptest::prelude::*;

use super::*;

const SECOND: u64 = 1_000_000;

/// What is told of a stream whose pieces come a millisecond apart.
fn told(pieces: &[&[u8]]) -> Vec<(Seen, u64, String)> {
    let mut signs = Signs::default();
    let mut sights = Vec::new();
    let mut offset = 0;
    for (number, piece) in (0..).zip(pieces) {
        sights.extend(signs.feed(offset, 100 * SECOND + number * 1000, piece));
        offset += piece.len() as u64;
    }
    sights.extend(signs.flush());
    sights.into_iter().map(|sight| (sight.what, sight.at, sight.line)).collect()
}

fn seen(text: &str) -> Vec<Seen> {
    told(&[text.as_bytes()]).into_iter().map(|(what, ..)| what).collect()
}

#[test]
fn a_boot_is_told_once_however_many_stages_it_has() {
    let boot = "\r\nNOTICE:  BL1: v2.8(release):\r\nNOTICE:  BL1: Built : 1\r\nNOTICE:  BL2: v2.8\r\n\
                NOTICE:  BL31: v2.8\r\n\r\n\r\nU-Boot 2023.01+dfsg-2 (Sep 10 2024 - 14:02:11 +0000)\r\n\r\n\
                Starting kernel ...\r\n\r\n[    0.000000] Booting Linux on physical CPU 0x0\r\n\
                [    0.000000] Linux version 6.1.0 (a@b) #1 SMP\r\nLinux version is told by uname\r\n";
    let told = told(&[boot.as_bytes()]);
    assert_eq!(told.len(), 2, "{told:?}");
    assert_eq!(told[0], (Seen::Boot, 2, "NOTICE:  BL1: v2.8(release):".into()));
    assert_eq!(told[1].0, Seen::Kernel);
    assert!(boot[told[1].1 as usize..].starts_with("[    0.000000] Linux version"));
}

#[test]
fn each_kind_of_trouble_is_recognised() {
    for (line, what) in [
        ("[    1.2] Kernel panic - not syncing: VFS: Unable to mount root fs", Seen::Panic),
        ("---[ end Kernel panic - not syncing: Attempted to kill init! ]---", Seen::Panic),
        ("[   12.3] Internal error: Oops: 96000045 [#1] SMP", Seen::Oops),
        ("[   12.3][  T117] Oops: 0002 [#1] PREEMPT SMP", Seen::Oops),
        ("[    9.1] BUG: kernel NULL pointer dereference, address: 0", Seen::Oops),
        ("[    9.1] Unable to handle kernel paging request at virtual address 0", Seen::Oops),
        ("kernel BUG at mm/slub.c:3962!", Seen::Oops),
        ("[   88.0] watchdog: BUG: soft lockup - CPU#0 stuck for 22s!", Seen::Watchdog),
        ("[   21.0] rcu: INFO: rcu_sched self-detected stall on CPU", Seen::Watchdog),
        ("[   30.0] watchdog: watchdog0: watchdog did not stop!", Seen::Watchdog),
        ("Reset cause: WDOG", Seen::Watchdog),
        ("[   99.1] reboot: Restarting system", Seen::Restart),
        ("[   99.1] reboot: Power down", Seen::Halt),
        ("reboot: System halted", Seen::Halt),
        ("Restarting system.", Seen::Restart),
        ("barebox 2023.08.0 #1 Thu Aug 1", Seen::Boot),
        ("\u{1b}[H\u{1b}[JGNU GRUB  version 2.06", Seen::Boot),
        ("SeaBIOS (version 1.16.2-debian)", Seen::Boot),
        ("*** Booting Zephyr OS build v3.5.0 ***", Seen::Boot),
        ("Linux version 2.6.32 (root@host)", Seen::Boot),
    ] {
        assert_eq!(seen(&format!("=> boot\r\n{line}\r\n")), [what], "{line}");
        assert_eq!(seen(line), [what], "without an end: {line}");
    }
}

#[test]
fn what_people_type_and_programs_say_is_no_sign() {
    for line in [
        "sh: reboot: not found",
        "DEBUG: no BUG: here",
        "echo Linux version 6",
        "see the Oops: above",
        "MyU-Boot 2000",
        "Subject: Restarting system tests",
    ] {
        assert_eq!(seen(&format!("\n{line}\n")), [], "{line}");
    }
}

#[test]
fn a_line_is_whole_and_cannot_draw_on_a_terminal() {
    let long = format!("\x1b[31mKernel panic - not syncing: \x07\u{9b}{}", "x".repeat(5000));
    let told = told(&[b"first\r\n", long.as_bytes()]);
    assert_eq!(told.len(), 1);
    let (_, at, line) = &told[0];
    assert_eq!(*at, 7);
    assert!(line.starts_with("Kernel panic - not syncing: xxx"), "{line:?}");
    assert!(line.len() <= LINE && !line.contains(char::is_control));
}

#[test]
fn a_flood_of_signs_is_told_once_a_second_of_each_kind() {
    let mut signs = Signs::default();
    let flood = b"\nU-Boot 2\nBUG: \nKernel panic - not syncing\n".repeat(2000);
    let mut count = 0;
    for ms in 0..3000 {
        count += signs.feed(ms, 100 * SECOND + ms * 1000, &flood).len();
    }
    assert!((6..=12).contains(&count), "{count}");
}

#[test]
fn the_same_loader_again_is_another_boot_and_so_is_a_kernel_after_a_kernel() {
    let mut signs = Signs::default();
    let mut feed = |seconds: u64, line: &str| {
        let sights = signs.feed(seconds, seconds * SECOND, format!("{line}\n").as_bytes());
        sights.into_iter().map(|sight| sight.what).collect::<Vec<_>>()
    };
    assert_eq!(feed(100, "U-Boot SPL 2023.01"), [Seen::Boot]);
    assert_eq!(feed(101, "U-Boot 2023.01"), []);
    assert_eq!(feed(105, "U-Boot SPL 2023.01"), [Seen::Boot], "reset at the prompt");
    assert_eq!(feed(106, "U-Boot 2023.01"), []);
    assert_eq!(feed(9000, "Linux version 6.1"), [Seen::Kernel], "somebody waited at the prompt");
    assert_eq!(feed(9100, "Linux version 6.1"), [Seen::Boot], "kexec");
    assert_eq!(feed(9200, "U-Boot 2023.01"), [Seen::Boot]);
}

proptest! {
    #[test]
    fn it_makes_no_difference_how_the_bytes_come(
        parts in prop::collection::vec(prop_oneof![
            prop::sample::select(SIGNS).prop_map(|(sign, ..)| sign.as_bytes().to_vec()),
            prop::sample::select(&["\n", "\r\n", "[    1.0] ", " ", "x", "Power down"][..])
                .prop_map(|text| text.as_bytes().to_vec()),
            prop::collection::vec(any::<u8>(), 0..90),
        ], 0..12),
        cuts in prop::collection::vec(0..600_usize, 0..20),
    ) {
        let stream = parts.concat();
        let mut cuts: Vec<usize> = cuts.into_iter().map(|cut| cut.min(stream.len())).collect();
        cuts.extend([0, stream.len()]);
        cuts.sort_unstable();
        let pieces: Vec<&[u8]> = cuts.windows(2).map(|cut| &stream[cut[0]..cut[1]]).collect();
        prop_assert_eq!(told(&pieces), told(&[&stream]));
    }
}
