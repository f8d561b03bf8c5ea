//! Machines that are QEMUs of this host. The image stays as it is: what the machine writes is in a disk above it,
//! which goes with the job.

use std::net::{IpAddr, Ipv4Addr};
use std::path::{Path, PathBuf};
use std::time::Duration;

use futures_util::future::BoxFuture;
use tokio::net::lookup_host;

use super::super::qemu;
use super::provider::{Provider, Wanted};
use super::seed::seed;
use crate::dispatch::action::Running;
use crate::dispatch::context::Context;
use crate::dispatch::error::Error;
use crate::dispatch::job::{SshServer, is_context_variable};
use crate::dispatch::qemu::{Qemu, command, console};
use crate::dispatch::validate::Checks;
use crate::dispatch::vm::{METHOD, Vm};
use crate::image::qcow2::{self, Disk};

/// What is wrong with its options QEMU says at once.
const WATCHED: Duration = Duration::from_millis(500);
const GIB: u64 = 1 << 30;

#[derive(Debug)]
pub(super) struct QemuProvider;

impl Provider for QemuProvider {
    fn check<'a>(
        &'a self,
        vm: &'a Vm,
        context: &'a [(String, String)],
        checks: &'a mut Checks,
    ) -> BoxFuture<'a, ()> {
        Box::pin(async move {
            checks.program(&vm.command);
            qemu::check_words(METHOD, &[], context, checks);
            // What else its template takes is the lab's: its socket on this host, its network, its SSH's place.
            let own = context.iter().filter(|(key, _)| !is_context_variable(key));
            for (key, _) in own.filter(|_| !vm.trust_jobs) {
                checks
                    .fault(format!("context: {key}: a job may not say this of a virtual machine"));
            }
            // A word of a value could be an option, and be the machine's way onto a network of the worker's.
            for (key, value) in context.iter().filter(|_| !vm.trust_jobs) {
                if has_option(value) {
                    checks.fault(format!(
                        "context: {key}: {value:?}: a job may give a virtual machine no options (\"-…\")"
                    ));
                }
            }
            for option in &vm.options {
                if let Err(why) = command::words(option) {
                    checks.fault(format!("methods: vm: options: {why}"));
                }
            }
            match &vm.line {
                None => console::check(checks),
                Some(_) => super::super::connect_device::check(None, checks).await,
            }
        })
    }

    fn start<'a>(&'a self, wanted: &'a Wanted, context: &'a mut Context) -> Running<'a> {
        Box::pin(async move {
            let Wanted { vm, image, name, keys, ssh } = wanted;
            let scratch = context.make_scratch().await?;
            let instance = format!("lava-{}", context.settings.job_id);
            let (disk, cd) = (scratch.join("vm.qcow2"), scratch.join("seed.iso"));
            let at_least = vm.disk.map_or(0, |gib| u64::from(gib).saturating_mul(GIB));
            // It is ours alone, and no QEMU may have it open any more.
            if let Some(machine) = &context.machine {
                machine.stop().await;
            }
            make_disk(image, at_least, &disk)?;
            let failed = |error| Error::Infrastructure(format!("{}: {error}", cd.display()));
            std::fs::write(&cd, seed(&instance, name, keys)).map_err(failed)?;
            let forward = match vm.ssh.as_ref().filter(|_| *ssh) {
                Some(server) => Some((address(server).await?, server.port)),
                None => None,
            };
            let words = words(vm, name, [&disk, &cd], forward)?;
            qemu::start(&words, context).await?.survives(WATCHED).await
        })
    }
}

/// Whether a value becomes more than a part of one word, and that an option, once a shell's rules have split it.
fn has_option(value: &str) -> bool {
    let divides = |c: char| c.is_whitespace() || "'\"\\".contains(c);
    value.split(divides).any(|word| word.starts_with('-'))
}

/// Makes the disk that takes what is written.
fn make_disk(image: &Path, at_least: u64, disk: &Path) -> Result<(), Error> {
    use std::io::Read as _;
    let failed = |error| Error::Infrastructure(format!("{}: {error}", disk.display()));
    let mut head = Vec::new();
    let file = std::fs::File::open(image).map_err(failed)?;
    file.take(qcow2::HEAD as u64).read_to_end(&mut head).map_err(failed)?;
    let found = Disk::read(&head).map_err(|error| Error::Job(format!("the disk: {error}")))?;
    qcow2::above(image, found.size.max(at_least), disk).map_err(failed)
}

/// Where this host is found as people find it: there QEMU listens.
async fn address(server: &SshServer) -> Result<Ipv4Addr, Error> {
    let SshServer { host, port } = server;
    let failed = |why: String| {
        Error::Configuration(format!(
            "no place for the machine's SSH: {host:?}, as the device dictionary says, {why}"
        ))
    };
    let mut found =
        lookup_host((host.as_str(), *port)).await.map_err(|error| failed(error.to_string()))?;
    let found = found.find_map(|address| match address.ip() {
        IpAddr::V4(address) => Some(address),
        IpAddr::V6(_) => None,
    });
    found.ok_or_else(|| failed("has no IPv4 address, which QEMU's own network needs".into()))
}

/// QEMU's whole command.
fn words(
    vm: &Vm,
    name: &str,
    [disk, cd]: [&PathBuf; 2],
    forward: Option<(Ipv4Addr, u16)>,
) -> Result<Vec<String>, Error> {
    let qemu = Qemu { command: vm.command.clone(), options: vm.options.clone(), ..Qemu::default() };
    let mut words = command::line(&qemu, &[], &[], None).map_err(Error::Configuration)?;
    let place = |path: &Path| command::doubled(path);
    words.extend(["-m".into(), vm.memory.to_string(), "-smp".into(), vm.cpus.to_string()]);
    words.extend(["-name".into(), name.replace(',', ",,")]);
    words.extend(["-drive".into(), format!("format=qcow2,if=virtio,file={}", place(disk))]);
    let cd = format!("format=raw,if=virtio,readonly=on,file={}", place(cd));
    words.extend(["-drive".into(), cd]);
    let restrict = if vm.restrict { ",restrict=on" } else { "" };
    let forward = forward.map(|(address, port)| format!(",hostfwd=tcp:{address}:{port}-:22"));
    let forward = forward.unwrap_or_default();
    words.extend(["-nic".into(), format!("user,model=virtio-net-pci{restrict}{forward}")]);
    Ok(words)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::VmArch;

    #[test]
    fn qemu_gets_the_two_disks_a_network_without_ways_out_and_a_way_to_its_ssh() {
        let vm = Vm {
            provider: "qemu".into(),
            arch: VmArch::X86_64,
            command: "qemu-system-x86_64".into(),
            options: vec!["-machine q35,accel=tcg".into()],
            memory: 256,
            cpus: 2,
            disk: None,
            restrict: true,
            ssh: None,
            trust_jobs: false,
            line: None,
        };
        let paths = [&PathBuf::from("/a,b/vm.qcow2"), &PathBuf::from("/a,b/seed.iso")];
        let forward = Some((Ipv4Addr::LOCALHOST, 2201));
        let words = words(&vm, "vm01", paths, forward).unwrap().join(" ");
        assert_eq!(
            words,
            "qemu-system-x86_64 -machine q35,accel=tcg -sandbox on,elevateprivileges=deny,spawn=deny -m 256 -smp 2 \
             -name vm01 -drive format=qcow2,if=virtio,file=/a,,b/vm.qcow2 \
             -drive format=raw,if=virtio,readonly=on,file=/a,,b/seed.iso \
             -nic user,model=virtio-net-pci,restrict=on,hostfwd=tcp:127.0.0.1:2201-:22"
        );
    }
}
