//! `user-command`, `pre-power-command` and `pre-os-command`: commands of the lab's own for a board.

use futures_util::future::BoxFuture;

use crate::dispatch::action::{Action, Running};
use crate::dispatch::context::Context;
use crate::dispatch::device::{Device, UserCommand};
use crate::dispatch::job::none_of;
use crate::dispatch::power::{self, Asking};
use crate::dispatch::validate::Checks;

/// One that a job calls by its name; what undoes it is run at the job's end.
#[derive(Debug)]
pub struct Command(UserCommand);

impl Command {
    /// The command of this name: one of the device's `users`, else one that every device may have.
    ///
    /// # Errors
    /// Which names there are.
    pub fn find(name: &str, device: &Device) -> Result<Self, String> {
        let own = device.commands.users.get(name).cloned();
        let known = || builtin(device).into_iter().find(|(known, _)| *known == name);
        let command = own
            .or_else(|| known().map(|(_, run)| UserCommand { run: run.clone(), undo: Vec::new() }));
        command.filter(|command| !command.run.is_empty()).map(Self).ok_or_else(|| {
            let mut names: Vec<&str> = device.commands.users.keys().map(String::as_str).collect();
            names
                .extend(builtin(device).iter().filter(|(_, run)| !run.is_empty()).map(|(n, _)| *n));
            let file = &device.file;
            match names.is_empty() {
                true => format!("the device ({file}) has no \"commands: users: {name}\""),
                false => {
                    format!("the device ({file}) has other commands: {}", none_of(name, &names))
                }
            }
        })
    }
}

fn builtin(device: &Device) -> [(&'static str, &Vec<String>); 5] {
    let commands = &device.commands;
    [
        ("hard_reset", &commands.hard_reset),
        ("power_off", &commands.power_off),
        ("power_on", &commands.power_on),
        ("pre_os_command", &commands.pre_os),
        ("pre_power_command", &commands.pre_power),
    ]
}

impl Action for Command {
    fn name(&self) -> &'static str {
        "user-command"
    }

    fn is_of_lab(&self) -> bool {
        true
    }

    fn validate<'a>(&'a self, checks: &'a mut Checks) -> BoxFuture<'a, ()> {
        Box::pin(async move {
            for command in self.0.run.iter().chain(&self.0.undo) {
                checks.power(command).await;
            }
        })
    }

    fn run<'a>(&'a self, context: &'a mut Context) -> Running<'a> {
        Box::pin(async move {
            // Also one that fails half-way is undone.
            context.undo_later(&self.0.undo).await;
            power::run(&self.0.run, context).await
        })
    }
}

/// Undoes what the job's commands have done, the last first. To be called when the board is off: what these
/// switch is the lab's, and has to be as the next job expects it.
pub async fn undo(context: &mut Context) {
    let commands = std::mem::take(&mut context.undo);
    // Each failure is in the log, and the others are undone all the same.
    let _ = power::off(&commands, &Asking::of(context)).await;
}

/// Commands of the device's that come before its power, or before its system.
#[derive(Debug)]
pub struct Before {
    name: &'static str,
    key: &'static str,
    commands: fn(&Device) -> &Vec<String>,
    /// The job has asked for it, so the device must have it.
    asked: bool,
}

impl Before {
    /// `pre-power-command`.
    pub fn power(asked: bool) -> Self {
        Self { name: "pre-power-command", key: "pre_power_command", commands: pre_power, asked }
    }

    /// `pre-os-command`.
    pub fn system(asked: bool) -> Self {
        Self { name: "pre-os-command", key: "pre_os_command", commands: pre_os, asked }
    }
}

fn pre_power(device: &Device) -> &Vec<String> {
    &device.commands.pre_power
}

fn pre_os(device: &Device) -> &Vec<String> {
    &device.commands.pre_os
}

impl Action for Before {
    fn name(&self) -> &'static str {
        self.name
    }

    fn is_of_lab(&self) -> bool {
        true
    }

    fn validate<'a>(&'a self, checks: &'a mut Checks) -> BoxFuture<'a, ()> {
        Box::pin(async move {
            let commands = (self.commands)(&checks.device).clone();
            if self.asked && commands.is_empty() {
                let (file, key) = (checks.device.file.clone(), self.key);
                checks.fault(format!("the device ({file}) has no \"commands: {key}\""));
            }
            for command in &commands {
                checks.power(command).await;
            }
        })
    }

    fn run<'a>(&'a self, context: &'a mut Context) -> Running<'a> {
        Box::pin(async move {
            let commands = (self.commands)(&context.device).clone();
            power::run(&commands, context).await
        })
    }
}
