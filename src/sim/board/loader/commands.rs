//! The boot loader's commands. Those LAVA's u-boot boot method sends, and a few for people.

use std::time::Duration;

use bytes::Bytes;

use super::{Booted, Loader, MAX_DEPTH, Next};
use crate::sim::line::Uart;

pub(super) const VERSION: &str = concat!(
    "Lavamux virtual boot loader ",
    env!("CARGO_PKG_VERSION"),
    " (a simulation, not U-Boot)"
);

const HELP: &str = "\
booti     - boot what was loaded: booti KERNEL [RAMDISK[:SIZE]|-] [FDT]
bootm     - as booti
bootz     - as booti
boot      - boot default, i.e., run 'bootcmd'
dhcp      - get an address from the (simulated) network
echo      - echo args to console
help      - print command description/usage
load      - load a file of the virtual disk: load virtio 0 ADDR FILE
printenv  - print environment variables
reset     - perform a reset of the CPU
run       - run commands in an environment variable
setenv    - set environment variables
sleep     - delay execution for some time, in seconds
tftpboot  - load a file of the dispatcher's TFTP folder: tftpboot [ADDR] [FILE]
version   - print the boot loader's version
";

impl Loader {
    /// One command.
    pub(super) async fn command(&mut self, uart: &mut Uart, words: &[&str], depth: u8) -> Next {
        let Some((name, arguments)) = words.split_first() else { return Next::Command(true) };
        let done = match *name {
            "boot" | "bootd" => return self.call(uart, "bootcmd", depth).await,
            "booti" | "bootm" | "bootz" => match self.boot(arguments) {
                Ok(booted) => {
                    uart.print("   Loading Device Tree to 000000005eb52000 ... OK\n\n").await;
                    uart.print("Starting kernel ...\n\n").await;
                    return Next::Boot(booted);
                }
                Err(error) => Err(error),
            },
            "dhcp" => return self.dhcp(uart).await,
            "echo" => Ok(format!("{}\n", arguments.join(" "))),
            "help" | "?" => Ok(HELP.to_owned()),
            "load" => self.load(arguments),
            "printenv" | "print" => self.printenv(arguments),
            "reset" => {
                uart.print("resetting ...\n").await;
                return Next::Reset;
            }
            "run" => {
                for variable in arguments {
                    match self.call(uart, variable, depth).await {
                        Next::Command(true) => {}
                        over => return over,
                    }
                }
                Ok(String::new())
            }
            "setenv" | "env" if arguments.is_empty() => Err(usage("setenv NAME [VALUE]...")),
            "setenv" => {
                self.env.set(arguments[0], arguments[1..].join(" "));
                Ok(String::new())
            }
            "sleep" => {
                let seconds = arguments.first().and_then(|text| text.parse().ok()).unwrap_or(0.0);
                let time = Duration::try_from_secs_f64(seconds).unwrap_or_default();
                if uart.pause(time).await {
                    return interrupt(uart).await;
                }
                Ok(String::new())
            }
            "tftpboot" | "tftp" => return self.tftpboot(uart, arguments).await,
            "version" => Ok(format!("{VERSION}\n")),
            unknown => Err(format!("Unknown command '{unknown}' - try 'help'\n")),
        };
        let (Ok(text) | Err(text)) = &done;
        uart.print(text).await;
        Next::Command(done.is_ok())
    }

    /// Runs the commands in a variable.
    async fn call(&mut self, uart: &mut Uart, variable: &str, depth: u8) -> Next {
        let Some(line) = self.env.get(variable).filter(|_| depth < MAX_DEPTH) else {
            uart.print(&format!("## Error: \"{variable}\" not defined\n")).await;
            return Next::Command(false);
        };
        let line = line.to_owned();
        self.line(uart, &line, depth + 1).await
    }

    fn printenv(&self, names: &[&str]) -> Result<String, String> {
        if names.is_empty() {
            let size = self.env.size();
            return Ok(format!("{}\nEnvironment size: {size}/262140 bytes\n", self.env.listing()));
        }
        let value = |name: &&str| match self.env.get(name) {
            Some(value) => Ok(format!("{name}={value}\n")),
            None => Err(format!("## Error: \"{name}\" not defined\n")),
        };
        names.iter().map(value).collect()
    }

    /// The virtual disk has one file, the kernel that is not one.
    fn load(&mut self, arguments: &[&str]) -> Result<String, String> {
        let &[_, _, address, file] = arguments else {
            return Err(usage("load virtio 0 ADDR FILE"));
        };
        if file != "/boot/Image" {
            return Err(format!("Failed to load '{file}'\n"));
        }
        self.place(address, Bytes::from_static(b"a simulated kernel"))?;
        Ok("18 bytes read in 1 ms (17.6 KiB/s)\n".to_owned())
    }

    /// Keeps a file at an address and says so in `fileaddr` and `filesize`.
    pub(super) fn place(&mut self, address: &str, file: Bytes) -> Result<(), String> {
        let number = number(address)?;
        let size = file.len();
        self.memory.load(number, file).map_err(|error| format!("** {error}\n"))?;
        self.env.set("fileaddr", format!("{number:x}"));
        self.env.set("filesize", format!("{size:x}"));
        Ok(())
    }

    /// Finds what `booti KERNEL [RAMDISK[:SIZE]|-] [FDT]` names. Images are not looked at.
    fn boot(&self, arguments: &[&str]) -> Result<Booted, String> {
        let kernel =
            arguments.first().ok_or_else(|| usage("booti KERNEL [RAMDISK[:SIZE]|-] [FDT]"))?;
        if self.memory.at(number(kernel)?, None).is_none() {
            return Err("Bad Linux ARM64 Image magic!\n".to_owned());
        }
        let ramdisk = match arguments.get(1) {
            None | Some(&"-") => None,
            Some(ramdisk) => {
                let (address, size) = match ramdisk.split_once(':') {
                    Some((address, size)) => (address, Some(number(size)? as usize)),
                    None => (*ramdisk, None),
                };
                let found = self.memory.at(number(address)?, size);
                Some(found.ok_or("Wrong Ramdisk Image Format\n")?)
            }
        };
        let bootargs = self.env.get("bootargs").unwrap_or_default().to_owned();
        Ok(Booted { bootargs, ramdisk })
    }
}

pub(super) async fn interrupt(uart: &mut Uart) -> Next {
    uart.print("\nAbort\n").await;
    Next::Prompt
}

pub(super) fn usage(text: &str) -> String {
    format!("Usage:\n{text}\n")
}

/// Numbers are hexadecimal, with or without 0x.
fn number(text: &str) -> Result<u64, String> {
    let digits = text.strip_prefix("0x").unwrap_or(text);
    u64::from_str_radix(digits, 16).map_err(|_| format!("'{text}' is no hexadecimal number\n"))
}
