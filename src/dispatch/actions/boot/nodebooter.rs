//! `boot-nodebooter`: a network boot server in a container of this host, which is told of the board, serves it what the
//! job has downloaded (`deploy: {to: download}`), and ends with the job.

use std::path::Path;
use std::time::Duration;

use futures_util::future::BoxFuture;
use serde_json::{Value, json};
use tokio::time::sleep;

use super::connect_device::Connect;
use super::parts::{Actions, login, unpack};
use super::strategies::{of, reset};
use crate::client::Service;
use crate::dispatch::action::{Action, Running, Scene};
use crate::dispatch::context::Context;
use crate::dispatch::device::Device;
use crate::dispatch::error::Error;
use crate::dispatch::host::{self, Started};
use crate::dispatch::job::Boot;
use crate::dispatch::undo::Undo;
use crate::dispatch::validate::Checks;

/// The container's name, and what begins in it.
const NAME: &str = "nodebooter";
const INIT: &str = "/usr/sbin/init";
/// Where it has the job's files.
const DOWNLOADS: &str = "/home/lava/downloads";
/// The file in the job's folder where docker writes the container's number, until it is read.
const NUMBER_FILE: &str = "nodebooter.cid";
/// Removes the container whose number is in a file, if there is one, and the file.
const REMOVE: &str =
    "if [ -s \"$1\" ]; then docker rm --force \"$(cat \"$1\")\" || exit; fi; rm -f \"$1\"";
/// Its folders on this host, and where it has them.
const VOLUMES: [(&str, &str); 9] = [
    ("docker_mount", "/home/shared"),
    ("tftpboot", "/var/lib/tftpboot"),
    ("dhcpd/etc/dhcp", "/etc/dhcp"),
    ("dhcpd/var/lib/dhcp", "/var/lib/dhcp"),
    ("dhcpd/var/db", "/var/db"),
    ("logs", "/var/log"),
    ("docker_shm", "/dev/shm"),
    ("ovss", "/opt/ovss"),
    ("custom_configs", "/home/custom_configs"),
];
/// The addresses of the network between it and the board, which are fixed in it.
const NETWORK: [(&str, &str); 2] =
    [("IPV4_ADDR", "192.168.1.1/24"), ("IPV6_ADDR", "2001:db8:1::/56")];
/// What has to be started again once it is up.
const SERVICES: [&str; 3] = ["setup_networks", "naas", "nodebooter"];
/// The board's network cards with systems of their own.
const CARDS: usize = 4;
const MACHINES: &str = "/machines/";
/// How often it is looked whether its API is there: at first, and at most.
const LOOKING: [Duration; 2] = [Duration::from_millis(100), Duration::from_secs(1)];

pub(super) fn nodebooter_steps(scene: &Scene<'_>) -> Actions {
    let boot = of(scene);
    let mut steps: Actions = vec![
        Box::new(RunNodebooter { boot: boot.clone() }),
        Box::new(ConfigureNodebooter { logs_in: !boot.prompts.is_empty() }),
        reset(scene),
    ];
    steps.extend(login(boot));
    steps.extend(unpack(boot));
    steps
}

/// The words that remove the container of a `docker create` that was cut off.
fn removal_by(number_file: &Path) -> Vec<String> {
    let file = number_file.display().to_string();
    ["sh", "-c", REMOVE, "sh", &file].map(ToOwned::to_owned).into()
}

/// A variable of the device's `environment`.
fn variable(device: &Device, name: &str) -> Option<String> {
    device.exports.iter().find(|(key, _)| key == name).map(|(_, value)| value.clone())
}

fn needed(device: &Device, name: &str) -> Result<String, Error> {
    let none = || format!("the device ({}) has no \"environment: {name}\"", device.file);
    variable(device, name).ok_or_else(|| Error::Configuration(none()))
}

/// `run-nodebooter-container`.
#[derive(Debug)]
struct RunNodebooter {
    boot: Boot,
}

impl Action for RunNodebooter {
    fn name(&self) -> &'static str {
        "run-nodebooter-container"
    }

    fn validate<'a>(&'a self, checks: &'a mut Checks) -> BoxFuture<'a, ()> {
        Box::pin(async move {
            checks.program("docker");
            if self.boot.container.is_none() {
                checks.fault("the block has no \"docker\": the container with Nodebooter");
            }
            for name in ["DUT_MAC", "DUT_IFACE"] {
                if let Err(why) = needed(&checks.device, name) {
                    checks.fault(why.to_string());
                }
            }
            if !checks.device.nodebooter.trust_jobs {
                let file = checks.device.file.clone();
                checks.fault(format!(
                    "its container is root on this host, and the job names its image: the device ({file}) does not \
                     allow that (\"actions: boot: methods: nodebooter: parameters: trust_jobs: true\")"
                ));
            }
        })
    }

    fn run<'a>(&'a self, context: &'a mut Context) -> Running<'a> {
        Box::pin(async move {
            let missing = || Error::Configuration("there is no container image".into());
            let image = self.boot.container.clone().ok_or_else(missing)?;
            // One that a try before this has left.
            if let Some(before) = context.shared().nodebooter.take() {
                host::remove_containers(
                    std::slice::from_ref(&before),
                    &context.settings,
                    &context.log,
                )
                .await;
                context.leavings.containers.retain(|container| *container != before);
            }
            let home = context.device.nodebooter.home.clone();
            let failed = |error: std::io::Error| {
                Error::Infrastructure(format!("{}: {error}", home.display()))
            };
            for (folder, _) in VOLUMES {
                std::fs::create_dir_all(home.join(folder)).map_err(failed)?;
            }
            let interface = needed(&context.device, "DUT_IFACE")?;
            let config = std::iter::once(("DUT_IFACE", interface.as_str())).chain(NETWORK);
            let config: String = config.map(|(key, value)| format!("{key}={value}\n")).collect();
            std::fs::write(home.join("custom_configs/config"), config).map_err(failed)?;
            let pull = if image.local { "--pull=never" } else { "--pull=missing" };
            let options =
                ["--privileged", "--rm", "--interactive", "--tty", "--network=host", pull];
            let words = ["docker", "create"].into_iter().chain(options);
            let mut words: Vec<String> = words.map(ToOwned::to_owned).collect();
            let number_file = context.make_scratch().await?.join(NUMBER_FILE);
            // A try before this that was cut off may have left it, which docker does not take.
            let removal = removal_by(&number_file);
            host::run(&removal, context).await?;
            context.leavings.undo_by(Undo::Program(removal)).await;
            words.push(format!("--cidfile={}", number_file.display()));
            words.push(format!("--name={NAME}"));
            let own = VOLUMES.iter().map(|(folder, to)| (home.join(folder), *to));
            let more =
                [(context.scratch(), DOWNLOADS), ("/sys/fs/cgroup".into(), "/sys/fs/cgroup")];
            words.extend(
                own.chain(more).map(|(from, to)| format!("--volume={}:{to}", from.display())),
            );
            // What follows is no option, whatever the job calls its image.
            words.extend(["--".to_owned(), image.image.clone(), INIT.to_owned()]);
            // There is one of this name at a time, which may be another job's: ours is known by its number.
            // What docker says has more words than that, as when it pulls the image.
            host::run(&words, context).await?;
            let unread = |error: std::io::Error| {
                Error::Infrastructure(format!("{}: {error}", number_file.display()))
            };
            let number = std::fs::read_to_string(&number_file).map_err(unread)?.trim().to_owned();
            if number.is_empty() {
                let what =
                    format!("docker has not written its container to {}", number_file.display());
                return Err(Error::Infrastructure(what));
            }
            let container = Started::here(&number);
            host::add_container(container.clone(), context).await;
            // It is known now.
            std::fs::remove_file(&number_file).map_err(unread)?;
            context.shared().nodebooter = Some(container);
            host::run(&["docker", "start", &number].map(ToOwned::to_owned), context).await.map(drop)
        })
    }
}

/// `configure-nodebooter`: tells it what the board is and boots.
#[derive(Debug)]
struct ConfigureNodebooter {
    logs_in: bool,
}

impl Action for ConfigureNodebooter {
    fn name(&self) -> &'static str {
        "configure-nodebooter"
    }

    fn validate<'a>(&'a self, checks: &'a mut Checks) -> BoxFuture<'a, ()> {
        Box::pin(async move {
            if let Err(why) = Service::parse(&checks.device.nodebooter.api) {
                checks.fault(format!("nodebooter: parameters: api: {why}"));
            }
        })
    }

    fn run<'a>(&'a self, context: &'a mut Context) -> Running<'a> {
        Box::pin(async move {
            let missing = || Error::Bug("there is no container".into());
            let container = context.shared().nodebooter.clone().ok_or_else(missing)?.name;
            for service in SERVICES {
                let words =
                    ["docker", "exec", "--detach", &container, "systemctl", "restart", service];
                host::run(&words.map(ToOwned::to_owned), context).await?;
            }
            let machine = machine(context)?;
            let api = context.device.nodebooter.api.clone();
            let service = Service::parse(&api).map_err(Error::Configuration)?;
            context.log.waits_for(Some(format!("{api}{MACHINES}")));
            let mut pause = LOOKING[0];
            // It sends to the same place with a slash less, or a login, when it is up.
            while !matches!(service.get(MACHINES, None).await, Ok(there) if [200, 302].contains(&there.status))
            {
                sleep(pause).await;
                pause = (pause * 2).min(LOOKING[1]);
            }
            let answer = service.post(MACHINES, None, &machine).await;
            let answer = answer
                .map_err(|why| Error::Job(format!("Nodebooter does not take the board: {why}")))?;
            if !answer.is_success() {
                let (status, said) = (answer.status, answer.told());
                let what =
                    format!("Nodebooter does not take the board: it answered {status}: {said}");
                return Err(Error::Job(what));
            }
            context.log.info(format!("Nodebooter has the board: it answered {}", answer.status));
            // LAVA wants a block before this one to have connected.
            if self.logs_in && context.device.connect.is_some() {
                Connect::device().run(context).await?;
            }
            Ok(())
        })
    }
}

/// What Nodebooter is told of the board.
fn machine(context: &mut Context) -> Result<Value, Error> {
    let scratch = context.scratch();
    let files = context.shared().files.clone();
    let inside = |file: &Path| match file.strip_prefix(&scratch) {
        Ok(rest) => format!("{DOWNLOADS}/{}", rest.display()),
        Err(_) => file.display().to_string(),
    };
    let none =
        || Error::Job("no block before this one downloads \"boot\": what the board boots".into());
    let boot = inside(files.get("boot").ok_or_else(none)?);
    let interface = |rest: Value, mac: String| {
        let mut card = json!({
            "device_name": "eth1",
            "ipv6_subnet_key": "",
            "hostname": "",
            "mac_address": mac,
            "use_for_netboot": true,
        });
        if let (Value::Object(card), Value::Object(rest)) = (&mut card, rest) {
            card.extend(rest);
        }
        json!({"network_interfaces": {"network_interface": [card]}})
    };
    let own = interface(json!({}), needed(&context.device, "DUT_MAC")?);
    let mut entities = json!({ "host-compute-node": own });
    let mut boots = vec![
        json!({"node_entity_name": "host-compute-node", "boot_file": boot, "loader_file": ""}),
    ];
    for card in 0..CARDS {
        let Some(file) = files.get(&format!("nic{card}")) else { continue };
        let mac = needed(&context.device, &format!("NIC{card}_MAC"))?;
        let name = format!("nic_control_node{card}");
        let subnet =
            json!({"ipv6_subnet_key": format!("nic{card}"), "ipv6_low64": "1729382256910270464"});
        entities[&name] = interface(subnet, mac);
        boots.push(json!({"node_entity_name": name, "boot_file": inside(file), "loader_file": ""}));
    }
    Ok(json!({
        "machine_name": "dut",
        "machine_model_data": {"node_entities": {"entities": entities}},
        "boot_info": boots,
    }))
}
