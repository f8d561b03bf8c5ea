//! `login-ssh` and `schroot-login`: a machine that is reached by ssh.

use std::time::Duration;

use futures_util::future::BoxFuture;

use super::auto_login::AutoLoginAction;
use super::expect_shell::ExpectShell;
use super::export_env::ExportEnv;
use super::overlay_files::Packing;
use super::parts::Actions;
use super::strategies::of;
use crate::dispatch::action::{Action, Running, Scene};
use crate::dispatch::actions::Nothing;
use crate::dispatch::connection::Program;
use crate::dispatch::context::Context;
use crate::dispatch::device::Ssh;
use crate::dispatch::error::Error;
use crate::dispatch::expect::Patterns;
use crate::dispatch::host;
use crate::dispatch::job::Boot;
use crate::dispatch::session::Session;
use crate::dispatch::validate::Checks;

pub(super) fn ssh_steps(scene: &Scene<'_>) -> Actions {
    vec![
        Box::new(ScpDeploy),
        Box::new(Nothing("prepare-ssh")),
        Box::new(SshConnection { boot: of(scene).clone() }),
        Box::new(AutoLoginAction { boot: of(scene).clone() }),
        Box::new(ExpectShell),
        Box::new(ExportEnv),
        Box::new(Nothing("scp-overlay-unpack")),
    ]
}

/// Where the overlay's archive is put on the machine.
fn remote_file(context: &Context) -> String {
    format!("/tmp/lava-{}.tar.gz", context.settings.job_id)
}

/// The words of `ssh` or `scp`. Nothing is asked on a terminal; a machine in a lab is installed anew
/// again and again, so its key is not remembered.
fn words(program: &str, ssh: &Ssh, rest: &[&str]) -> Vec<String> {
    let mut words = vec![program.to_owned()];
    words.extend(ssh.options.iter().cloned());
    for option in ["BatchMode=yes", "StrictHostKeyChecking=no", "UserKnownHostsFile=/dev/null"] {
        words.extend(["-o".to_owned(), option.to_owned()]);
    }
    if let Some(identity) = &ssh.identity {
        words.extend(["-i".to_owned(), identity.clone()]);
    }
    words.extend([if program == "scp" { "-P" } else { "-p" }.to_owned(), ssh.port.to_string()]);
    words.extend(rest.iter().map(|word| (*word).to_owned()));
    words
}

/// `scp-deploy`: copies the overlay to the machine, and unpacks it there.
#[derive(Debug)]
struct ScpDeploy;

impl Action for ScpDeploy {
    fn name(&self) -> &'static str {
        "scp-deploy"
    }

    fn validate<'a>(&'a self, checks: &'a mut Checks) -> BoxFuture<'a, ()> {
        Box::pin(async move {
            for program in ["ssh", "scp", "tar"] {
                checks.program(program);
            }
            if checks.device.ssh.host.is_empty() {
                checks.lacks("actions: deploy: methods: ssh: host");
            }
        })
    }

    fn run<'a>(&'a self, context: &'a mut Context) -> Running<'a> {
        Box::pin(async move {
            let Some(archive) = super::overlay_files::archive(Packing::Gzip, context).await? else {
                return Ok(());
            };
            let (ssh, remote) = (context.device.ssh.clone(), remote_file(context));
            let (login, archive) = (ssh.login(), archive.display().to_string());
            let copy = words("scp", &ssh, &[&archive, &format!("{login}:{remote}")]);
            host::run(&copy, context).await?;
            let unpack = format!("tar --no-same-owner -C / -xzf {remote} && rm -f {remote}");
            let unpack = words("ssh", &ssh, &[&login, &unpack]);
            host::run(&unpack, context).await.map(drop)
        })
    }
}

/// `ssh-connection`: the session whose terminal is the console.
#[derive(Debug)]
struct SshConnection {
    boot: Boot,
}

impl Action for SshConnection {
    fn name(&self) -> &'static str {
        "ssh-connection"
    }

    fn connects(&self) -> bool {
        true
    }

    fn run<'a>(&'a self, context: &'a mut Context) -> Running<'a> {
        Box::pin(async move {
            let ssh = context.device.ssh.clone();
            let words = words("ssh", &ssh, &["-tt", &ssh.login()]);
            context.log.info(format!("host: {}", words.join(" ")));
            let session = Session::new(Box::new(Program::start(&words)?), context.log.clone());
            context.connect(session);
            context.has_booted(self.boot.prompts.clone());
            Ok(())
        })
    }
}

/// Enters a chroot of the machine.
#[derive(Debug)]
pub(super) struct SchrootLogin {
    pub boot: Boot,
}

impl Action for SchrootLogin {
    fn name(&self) -> &'static str {
        "schroot-login"
    }

    fn validate<'a>(&'a self, checks: &'a mut Checks) -> BoxFuture<'a, ()> {
        Box::pin(async move {
            match &self.boot.schroot {
                None => checks.fault("the block has no \"schroot\": the name of a chroot"),
                Some(name)
                    if name
                        .contains(|c: char| !c.is_ascii_alphanumeric() && !"-_.".contains(c)) =>
                {
                    checks.fault(format!("{name:?} is no name of a chroot"));
                }
                Some(_) => {}
            }
        })
    }

    fn run<'a>(&'a self, context: &'a mut Context) -> Running<'a> {
        Box::pin(async move {
            let name = self.boot.schroot.clone().unwrap_or_default();
            let said = ["E: ", "command not found", ": not found"];
            let patterns = said.into_iter().chain(self.boot.prompts.iter().map(String::as_str));
            let patterns = Patterns::new(patterns).map_err(Error::Configuration)?;
            let wait = context.wait();
            let session = context.session()?;
            session.forget();
            session.send_line(&format!("schroot -c {name}"), Duration::ZERO).await?;
            let found = session.expect(&patterns, &wait).await?;
            match found.index < said.len() {
                true => {
                    let seen = session.last_line();
                    Err(Error::Infrastructure(format!("schroot does not begin: {seen:?}")))
                }
                false => Ok(()),
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ssh_and_scp_are_told_the_machine_of_the_dictionary() {
        let ssh = Ssh {
            host: "board01".into(),
            port: 8022,
            user: "root".into(),
            options: vec!["-o".into(), "Compression=yes".into()],
            identity: Some("/etc/lava/key".into()),
        };
        let common = "-o Compression=yes -o BatchMode=yes -o StrictHostKeyChecking=no \
                      -o UserKnownHostsFile=/dev/null -i /etc/lava/key";
        assert_eq!(
            words("ssh", &ssh, &["-tt", &ssh.login()]).join(" "),
            format!("ssh {common} -p 8022 -tt root@board01")
        );
        assert_eq!(
            words("scp", &ssh, &["a", "root@board01:b"]).join(" "),
            format!("scp {common} -P 8022 a root@board01:b")
        );
    }
}
