//! The kernel's log: what it says while booting, and when it panics.

use std::time::Duration;

use tokio::time::Instant;

use super::loader::Booted;
use crate::sim::line::Uart;

/// As `uname -r` tells it.
pub(super) const RELEASE: &str = "6.1.0-lavamux";
/// As `uname -v` tells it.
pub(super) const VERSION: &str = "#1 SMP Lavamux virtual board (simulated)";

/// A booting kernel's messages and when each is logged, in microseconds. `{name}` and the like are
/// filled in. Shortened from a real arm64 board's.
const BOOT: &[(u64, &str)] = &[
    (0, "Booting Linux on physical CPU 0x0000000000 [0x410fd034]"),
    (
        0,
        "Linux version {release} (lavamux@simulator) (a virtual board: this log is simulated) {version}",
    ),
    (0, "random: crng init done"),
    (0, "Machine model: Lavamux virtual board {name}"),
    (0, "earlycon: pl11 at MMIO 0x0000000009000000 (options '')"),
    (0, "Zone ranges:"),
    (0, "  DMA      [mem 0x0000000040000000-0x000000005fffffff]"),
    (0, "  Normal   empty"),
    (0, "psci: PSCIv1.1 detected in firmware."),
    (0, "percpu: Embedded 20 pages/cpu s43304 r8192 d30424 u81920"),
    (0, "Detected VIPT I-cache on CPU0"),
    (0, "Kernel command line: {bootargs}"),
    (0, "Dentry cache hash table entries: 65536 (order: 7, 524288 bytes, linear)"),
    (0, "Memory: 456548K/524288K available (13184K kernel code, 2530K rwdata, 8592K rodata)"),
    (0, "SLUB: HWalign=64, Order=0-3, MinObjects=0, CPUs=2, Nodes=1"),
    (0, "rcu: Hierarchical RCU implementation."),
    (0, "GICv2m: range[mem 0x08020000-0x08020fff], SPI[80:143]"),
    (0, "arch_timer: cp15 timer(s) running at 62.50MHz (virt)."),
    (36, "sched_clock: 56 bits at 63MHz, resolution 16ns, wraps every 4398046511096ns"),
    (12_317, "Console: colour dummy device 80x25"),
    (
        14_902,
        "Calibrating delay loop (skipped), value calculated using timer frequency.. 125.00 BogoMIPS",
    ),
    (20_244, "pid_max: default: 32768 minimum: 301"),
    (71_530, "rcu: Hierarchical SRCU implementation."),
    (104_418, "smp: Bringing up secondary CPUs ..."),
    (131_077, "CPU1: Booted secondary processor 0x0000000001 [0x410fd034]"),
    (131_902, "smp: Brought up 1 node, 2 CPUs"),
    (188_664, "devtmpfs: initialized"),
    (243_113, "DMI not present or invalid."),
    (256_709, "NET: Registered PF_NETLINK/PF_ROUTE protocol family"),
    (402_271, "Serial: AMBA PL011 UART driver"),
    (440_530, "9000000.pl011: ttyAMA0 at MMIO 0x9000000 (irq = 13, base_baud = 0) is a PL011 rev1"),
    (442_881, "printk: console [ttyAMA0] enabled"),
    (655_406, "clocksource: Switched to clocksource arch_sys_counter"),
    (790_218, "NET: Registered PF_INET protocol family"),
    (806_545, "TCP: Hash tables configured (established 4096 bind 4096)"),
    (913_190, "{ramdisk}"),
    (1_240_664, "workingset: timestamp_bits=42 max_order=17 bucket_order=0"),
    (1_288_402, "io scheduler mq-deadline registered"),
    (1_530_117, "virtual-net: eth0: MAC address 52:54:00:{mac}"),
    (1_602_990, "rtc-pl031 9010000.pl031: setting system clock"),
    (1_744_305, "clk: Disabling unused clocks"),
    (1_791_338, "Freeing unused kernel memory: 5056K"),
    (1_812_420, "Run /init as init process"),
];

const PANIC: &[&str] = &[
    "sysrq: Trigger a crash",
    "Kernel panic - not syncing: sysrq triggered crash",
    "CPU: 0 PID: 1 Comm: sh Not tainted {release} {version}",
    "Hardware name: Lavamux virtual board (DT)",
    "Call trace:",
    " dump_backtrace+0xe0/0x124",
    " show_stack+0x18/0x5c",
    " dump_stack_lvl+0x64/0x80",
    " panic+0x168/0x33c",
    " sysrq_handle_crash+0x18/0x20",
    "Kernel Offset: disabled",
    "---[ end Kernel panic - not syncing: sysrq triggered crash ]---",
];

/// The kernel's log, as `dmesg` shows it.
#[derive(Debug)]
pub(super) struct Log {
    since: Instant,
    lines: Vec<String>,
}

impl Log {
    /// Boots: prints what a kernel says, at the times at which it says it.
    pub(super) async fn boot(uart: &mut Uart, name: &str, booted: &Booted) -> Self {
        let mut log = Self { since: Instant::now(), lines: Vec::new() };
        let ramdisk = match &booted.ramdisk {
            Some(archive) => format!("Unpacking initramfs ({} bytes)...", archive.len()),
            None => "No initramfs given: the built-in files are used".to_owned(),
        };
        let number = name.bytes().fold(0u16, |sum, byte| sum.wrapping_mul(31) + u16::from(byte));
        let mac = format!("{:02x}:{:02x}:01", number >> 8, number & 0xff);
        for (time_us, line) in BOOT {
            let line = fill(line)
                .replace("{name}", name)
                .replace("{ramdisk}", &ramdisk)
                .replace("{mac}", &mac)
                .replace("{bootargs}", &booted.bootargs);
            tokio::time::sleep_until(log.since + Duration::from_micros(*time_us)).await;
            log.print(uart, Duration::from_micros(*time_us), &line).await;
        }
        log
    }

    /// The last words. The caller hangs then, as a panicked kernel does.
    pub(super) async fn panic(&mut self, uart: &mut Uart) {
        for line in PANIC {
            self.say(uart, &fill(line)).await;
        }
    }

    /// Logs a message now and prints it on the console.
    pub(super) async fn say(&mut self, uart: &mut Uart, line: &str) {
        self.print(uart, self.since.elapsed(), line).await;
    }

    /// Since the kernel began.
    pub(super) fn uptime(&self) -> Duration {
        self.since.elapsed()
    }

    pub(super) fn text(&self) -> String {
        self.lines.concat()
    }

    async fn print(&mut self, uart: &mut Uart, time: Duration, line: &str) {
        let line = format!("[{:5}.{:06}] {line}\n", time.as_secs(), time.subsec_micros());
        uart.print(&line).await;
        self.lines.push(line);
    }
}

fn fill(line: &str) -> String {
    line.replace("{release}", RELEASE).replace("{version}", VERSION)
}
