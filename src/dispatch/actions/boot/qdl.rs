//! `boot-qdl-retry`: flashes a Qualcomm board in its download mode with the program `qdl`.

use futures_util::future::BoxFuture;

use super::connect_device::Connect;
use super::parts::Actions;
use super::strategies::{of, reset};
use crate::dispatch::action::{Action, Running, Scene};
use crate::dispatch::actions::deploy::qdl::unpacked;
use crate::dispatch::context::Context;
use crate::dispatch::error::Error;
use crate::dispatch::host;
use crate::dispatch::job::Boot;
use crate::dispatch::validate::Checks;
use crate::image::tree;

pub(super) fn qdl_steps(scene: &Scene<'_>) -> Actions {
    vec![
        Box::new(Connect::device()),
        reset(scene),
        Box::new(EnterQdl),
        Box::new(WaitQdl),
        Box::new(FlashQdl { boot: of(scene).clone() }),
    ]
}

/// Gets the board into its download mode, by commands of this host.
#[derive(Debug)]
struct EnterQdl;

impl Action for EnterQdl {
    fn name(&self) -> &'static str {
        "enter-qdl"
    }

    fn validate<'a>(&'a self, checks: &'a mut Checks) -> BoxFuture<'a, ()> {
        Box::pin(async move {
            for command in checks.device.qdl.enter.clone() {
                match shlex::split(&command).as_deref() {
                    Some([program, ..]) => checks.program(program),
                    _ => checks.fault(format!("{command:?} is no command")),
                }
            }
        })
    }

    fn run<'a>(&'a self, context: &'a mut Context) -> Running<'a> {
        Box::pin(async move {
            for command in context.device.qdl.enter.clone() {
                let words = shlex::split(&command).unwrap_or_default();
                host::run(&words, context).await?;
            }
            Ok(())
        })
    }
}

/// Waits until this host has the board, where its dictionary says how it is called; `qdl` waits, too.
#[derive(Debug)]
struct WaitQdl;

impl Action for WaitQdl {
    fn name(&self) -> &'static str {
        "wait-qdl-device"
    }

    fn run<'a>(&'a self, context: &'a mut Context) -> Running<'a> {
        Box::pin(async move {
            let usb = context.device.qdl.usb.clone();
            if usb.is_known() {
                context.log.waits_for(Some(usb.to_string()));
                usb.there(context.settings.sysfs.as_deref()).await;
            }
            Ok(())
        })
    }
}

#[derive(Debug)]
struct FlashQdl {
    boot: Boot,
}

impl Action for FlashQdl {
    fn name(&self) -> &'static str {
        "flash-qdl"
    }

    fn validate<'a>(&'a self, checks: &'a mut Checks) -> BoxFuture<'a, ()> {
        Box::pin(async move {
            if self.boot.container.is_some() {
                checks.program("docker");
            } else {
                checks.program(&checks.device.qdl.command.clone());
            }
            checks.program("tar");
        })
    }

    fn run<'a>(&'a self, context: &'a mut Context) -> Running<'a> {
        Box::pin(async move {
            let unpacked = unpacked(context).await?;
            let path = self.boot.qdl.path.clone().unwrap_or_default();
            let folder = tree::inside(&unpacked, &path).filter(|folder| folder.is_dir());
            let missing = || Error::Job(format!("qcomflash: there is no folder {path:?} in it"));
            let folder = folder.ok_or_else(missing)?.display().to_string();
            // The files of its lists are beside them.
            let mut words = vec!["env".to_owned(), "-C".to_owned(), folder];
            words.extend(self.words(context));
            host::run_in(self.boot.container.as_ref(), words, context).await.map(drop)
        })
    }
}

impl FlashQdl {
    fn words(&self, context: &Context) -> Vec<String> {
        let (qdl, device) = (&self.boot.qdl, &context.device.qdl);
        let mut words = vec![device.command.clone()];
        words.extend(qdl.debug.then(|| "--debug".to_owned()));
        for (option, value) in [("--storage", &qdl.storage), ("--serial", &device.serial)] {
            words.extend(value.iter().flat_map(|value| [option.to_owned(), value.clone()]));
        }
        words.push(qdl.firehose_program.clone());
        words.extend(qdl.rawprogram.iter().chain(&qdl.patch).cloned());
        words
    }
}
