//! `call-kexec`: the running system starts the next kernel.

use std::time::Duration;

use futures_util::future::BoxFuture;

use crate::dispatch::action::{Action, Running};
use crate::dispatch::context::Context;
use crate::dispatch::device::Device;
use crate::dispatch::error::Error;
use crate::dispatch::expect::Patterns;
use crate::dispatch::job::Boot;
use crate::dispatch::validate::Checks;
use crate::dispatch::watch::Stage;

/// What `kexec -e` says when no kernel was loaded, or the running one refuses (kexec-tools, kexec/kexec.c).
const FAILED: [&str; 2] = ["Nothing has been loaded", "kexec failed"];
/// So many lines of what it said while it loaded the kernel are told.
const TOLD: usize = 3;

#[derive(Debug)]
pub(super) struct CallKexec {
    pub boot: Boot,
}

impl Action for CallKexec {
    fn name(&self) -> &'static str {
        "call-kexec"
    }

    fn validate<'a>(&'a self, checks: &'a mut Checks) -> BoxFuture<'a, ()> {
        Box::pin(async move {
            if self.boot.kexec.kernel.is_none() {
                checks.fault("the block has no \"kernel\": the path of one on the board");
            }
            let message = self.message(&checks.device).to_owned();
            checks.pattern("boot_message", &message);
        })
    }

    fn run<'a>(&'a self, context: &'a mut Context) -> Running<'a> {
        Box::pin(async move {
            let lines = lines(&self.boot);
            let ends = FAILED.into_iter().chain([self.message(&context.device)]);
            let ends = Patterns::new(ends).map_err(Error::Configuration)?;
            let prompts = Patterns::new(&self.boot.prompts).map_err(Error::Configuration)?;
            let delay = Duration::from_millis(context.device.boot_character_delay);
            let wait = context.wait();
            context.has_booted(self.boot.prompts.clone());
            let session = context.session()?;
            session.send_line(&lines[0], delay).await?;
            let loaded = session.expect(&prompts, &wait).await?;
            session.send_line(&lines[1], delay).await?;
            session.watch().begin(Stage::Booting);
            let end = session.expect(&ends, &wait).await?;
            match FAILED.get(end.index) {
                Some(failed) => Err(refused(failed, &loaded.before)),
                None => Ok(()),
            }
        })
    }
}

impl CallKexec {
    /// What the next kernel says first: as the job tells, else as the device does.
    fn message<'a>(&'a self, device: &'a Device) -> &'a str {
        let own = self.boot.kexec.boot_message.as_deref();
        own.or(self.boot.kernel_start_message.as_deref()).unwrap_or(&device.kernel_start_message)
    }
}

/// There is no next kernel: why is in what was said while it was loaded.
fn refused(failed: &str, loading: &str) -> Error {
    let said: Vec<&str> = loading.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    let last = said[said.len().saturating_sub(TOLD)..].join(" / ");
    Error::Job(format!("the board says {failed:?}; while it loaded the kernel: {last:?}"))
}

/// What loads the kernel, and what starts it.
fn lines(boot: &Boot) -> [String; 2] {
    let program = boot.command.as_deref().unwrap_or("/sbin/kexec");
    let kexec = &boot.kexec;
    let mut words = vec![program.to_owned(), "--load".into()];
    words.extend(kexec.kernel.clone());
    words.extend(kexec.dtb.iter().map(|file| format!("--dtb {file}")));
    words.extend(kexec.initrd.iter().map(|file| format!("--initrd {file}")));
    words.extend(kexec.options.iter().cloned());
    [words.join(" "), format!("{program} -e")]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_next_kernel_is_known_by_what_the_job_or_else_the_device_says() {
        let device =
            Device { kernel_start_message: "Linux version [0-9]".into(), ..Device::default() };
        let started =
            Patterns::new([CallKexec { boot: Boot::default() }.message(&device)]).unwrap();
        // As a kernel for x86 begins, which says nothing of "Booting Linux".
        assert!(started.first_in("[    0.000000] Linux version 6.1.0-28-amd64").is_some());
        let told = Some("Zephyr".to_owned());
        let boot = Boot { kernel_start_message: told, ..Boot::default() };
        assert_eq!(CallKexec { boot }.message(&device), "Zephyr");
    }

    #[test]
    fn the_kernel_is_loaded_with_all_that_the_job_names_and_then_started() {
        let kexec = crate::dispatch::job::Kexec {
            kernel: Some("/home/vmlinux".into()),
            dtb: Some("/home/dtb".into()),
            initrd: Some("/home/initrd".into()),
            options: vec!["--reuse-cmdline".into()],
            boot_message: None,
        };
        let boot = Boot { kexec, ..Boot::default() };
        assert_eq!(
            lines(&boot),
            [
                "/sbin/kexec --load /home/vmlinux --dtb /home/dtb --initrd /home/initrd \
                 --reuse-cmdline",
                "/sbin/kexec -e"
            ]
        );
    }
}
