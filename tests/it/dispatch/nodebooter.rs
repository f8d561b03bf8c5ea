//! `boot: {method: nodebooter}`: a stand-in for `docker`, Nodebooter's API played, and a scripted board. None of them is
//! the real thing.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpListener;
use std::sync::mpsc;

use serde_json::{Value, json};

use super::dialogue::Line::{Fetch, Hear, Say};
use super::dialogue::{Dialogue, HEAD, Line, SMOKE, complete, dispatch, noted, stand_in};
use crate::common::TestLab;

const BOARD: &[Line] = &[
    Say("Linux version 6.1.0 (scripted)\r\n\r\nboard login: "),
    Hear("root\n"),
    Say("root\r\n/ # "),
    Fetch("cd /tmp ; wget "),
    Say("\r\n/ # "),
    Hear("tar -C / -xzf overlay-7.tar.gz\n"),
    Say("\r\n/ # "),
    Hear("/lava-7/bin/lava-test-runner /lava-7/0\n"),
    Say("\r\n<LAVA_TEST_RUNNER EXIT>\r\n/ # "),
];

/// Its API on a port of this host, which is not ready at first; tells each question with what was sent.
fn api(answer: &'static str) -> (u16, mpsc::Receiver<(String, String)>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let (tell, told) = mpsc::channel();
    std::thread::spawn(move || {
        for (count, client) in listener.incoming().enumerate() {
            let mut client = BufReader::new(client.unwrap());
            let (mut first, mut length) = (String::new(), 0);
            client.read_line(&mut first).unwrap();
            loop {
                let mut line = String::new();
                if client.read_line(&mut line).unwrap() <= 2 {
                    break;
                }
                if let Some(number) = line.to_lowercase().strip_prefix("content-length:") {
                    length = number.trim().parse().unwrap();
                }
                assert!(!line.to_lowercase().starts_with("authorization"), "{line}");
            }
            let mut body = vec![0; length];
            client.read_exact(&mut body).unwrap();
            let status = match (count, first.starts_with("POST")) {
                (0, _) => "503 Service Unavailable",
                (_, false) => "200 OK",
                (_, true) => answer,
            };
            tell.send((first.trim().to_owned(), String::from_utf8(body).unwrap())).unwrap();
            let answer =
                format!("HTTP/1.1 {status}\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{{}}");
            client.get_mut().write_all(answer.as_bytes()).unwrap();
        }
    });
    (port, told)
}

fn device(lab: &TestLab, api: u16, board: u16) -> String {
    format!(
        "hostname: dut01
commands: {{connect: telnet 127.0.0.1 {board}, hard_reset: 'echo reset', power_off: 'true'}}
environment: {{DUT_MAC: '00:11:22:33:44:55', DUT_IFACE: enp3s0, NIC1_MAC: '00:11:22:33:44:66'}}
actions:
  deploy: {{methods: {{download: , overlay: }}}}
  boot:
    methods:
      nodebooter:
        parameters: {{trust_jobs: true, home: '{home}', api: 'http://127.0.0.1:{api}/nodebooter/api/v2'}}
",
        home = lab.path("nodebooter").display()
    )
}

fn job(lab: &TestLab) -> String {
    let (boot, card) =
        (lab.write("boot.cpio", "a system"), lab.write("nic.cpio", "a card's system"));
    format!(
        "{HEAD}- deploy:
    to: download
    images: {{boot: {{url: 'file://{boot}'}}, nic1: {{url: 'file://{card}'}}}}
- deploy: {{to: overlay}}
- boot:
    method: nodebooter
    docker: {{image: 'nodebooter:2', local: true}}
    auto_login: {{login_prompt: 'login:', username: root}}
    prompts: ['/ # ']
    transfer_overlay: {{download_command: cd /tmp ; wget, unpack_command: tar -C / -xzf}}
{SMOKE}"
    )
}

/// `docker`, which notes its words, sees the job's files, and speaks of more than the container that it creates.
fn docker(lab: &TestLab, last: &str) {
    let notes = lab.path("notes").display().to_string();
    let script = format!(
        "echo \"$*\" >> {notes}
case $1 in
create)
  for word in \"$@\"; do
    case $word in
    --volume=*:/home/lava/downloads) folder=${{word#--volume=}}; folder=${{folder%%:*}};;
    --cidfile=*) number=${{word#--cidfile=}};;
    esac
  done
  test ! -e $number || exit 125
  cat $folder/common-boot/boot.cpio >> {notes}; echo >> {notes}
  echo \"Unable to find image 'nodebooter:2' locally\" >&2
  printf 0123456789abcdef > $number
  echo 0123456789abcdef
  {last};;
esac"
    );
    stand_in(lab, "docker", &script);
}

#[test]
fn a_boot_server_in_a_container_that_a_stand_in_plays_is_told_of_the_board_and_its_files() {
    let lab = TestLab::new();
    docker(&lab, "exit 0");
    let board = Dialogue::start(BOARD);
    let (api, told) = api("201 Created");
    let log = complete(&lab, &job(&lab), &device(&lab, api, board.port));
    assert_eq!(board.end(), Ok(()));
    for case in
        ["run-nodebooter-container", "configure-nodebooter", "reset-device", "overlay-unpack"]
    {
        assert!(log.contains(&format!("\"case\":\"{case}\"")), "{case}: {log}");
    }
    let told: Vec<(String, String)> = told.try_iter().collect();
    let asked: Vec<&str> = told.iter().map(|(first, _)| first.as_str()).collect();
    let machines = "/nodebooter/api/v2/machines/ HTTP/1.1";
    assert_eq!(
        asked,
        [format!("GET {machines}"), format!("GET {machines}"), format!("POST {machines}")]
    );
    let machine: Value = serde_json::from_str(&told[2].1).unwrap();
    let entities = &machine["machine_model_data"]["node_entities"]["entities"];
    let card = |name: &str| &entities[name]["network_interfaces"]["network_interface"][0];
    assert_eq!(card("host-compute-node")["mac_address"], "00:11:22:33:44:55");
    assert_eq!(card("nic_control_node1")["mac_address"], "00:11:22:33:44:66");
    assert_eq!(card("nic_control_node1")["ipv6_subnet_key"], "nic1");
    let boots = |name: &str, file: &str| {
        let file = format!("/home/lava/downloads/{file}");
        json!({"node_entity_name": name, "boot_file": file, "loader_file": ""})
    };
    let expected = json!([
        boots("host-compute-node", "common-boot/boot.cpio"),
        boots("nic_control_node1", "common-nic1/nic.cpio")
    ]);
    assert_eq!(machine["boot_info"], expected);
    let config = std::fs::read_to_string(lab.path("nodebooter/custom_configs/config")).unwrap();
    assert_eq!(config, "DUT_IFACE=enp3s0\nIPV4_ADDR=192.168.1.1/24\nIPV6_ADDR=2001:db8:1::/56\n");
    let (home, scratch) = (lab.path("nodebooter"), lab.path("out/scratch"));
    let noted = noted(&lab, "notes");
    let noted = noted.replace(&home.display().to_string(), "HOME");
    let noted = noted.replace(&scratch.display().to_string(), "SCRATCH");
    assert_eq!(
        noted,
        "create --privileged --rm --interactive --tty --network=host --pull=never \
         --cidfile=SCRATCH/nodebooter.cid --name=nodebooter \
         --volume=HOME/docker_mount:/home/shared --volume=HOME/tftpboot:/var/lib/tftpboot \
         --volume=HOME/dhcpd/etc/dhcp:/etc/dhcp --volume=HOME/dhcpd/var/lib/dhcp:/var/lib/dhcp \
         --volume=HOME/dhcpd/var/db:/var/db --volume=HOME/logs:/var/log --volume=HOME/docker_shm:/dev/shm \
         --volume=HOME/ovss:/opt/ovss --volume=HOME/custom_configs:/home/custom_configs \
         --volume=SCRATCH:/home/lava/downloads --volume=/sys/fs/cgroup:/sys/fs/cgroup -- nodebooter:2 /usr/sbin/init
a system
start 0123456789abcdef
exec --detach 0123456789abcdef systemctl restart setup_networks
exec --detach 0123456789abcdef systemctl restart naas
exec --detach 0123456789abcdef systemctl restart nodebooter
rm --force 0123456789abcdef
"
    );
}

#[test]
fn what_the_boot_server_does_not_take_and_what_it_lacks_is_told() {
    let lab = TestLab::new();
    docker(&lab, "exit 0");
    let (api, _told) = api("400 Bad Request");
    let device = device(&lab, api, 1);
    let said =
        |job: &str, device: &str| String::from_utf8(dispatch(&lab, job, device).stderr).unwrap();
    let told = said(&job(&lab), &device);
    assert!(told.contains("Nodebooter does not take the board: it answered 400"), "{told}");
    assert!(noted(&lab, "notes").ends_with("rm --force 0123456789abcdef\n"));
    let told = said(&job(&lab), &device.replace("trust_jobs: true, ", ""));
    assert!(told.contains("nodebooter: parameters: trust_jobs: true"), "{told}");
    let told = said(&job(&lab), &device.replace("DUT_IFACE: enp3s0, ", ""));
    assert!(told.contains("has no \"environment: DUT_IFACE\""), "{told}");
}

#[test]
fn what_a_boot_server_is_created_in_goes_also_when_that_was_cut_off() {
    let lab = TestLab::new();
    docker(&lab, "exec sleep 60");
    let (api, _told) = api("201 Created");
    let job = job(&lab)
        .replace("method: nodebooter\n", "method: nodebooter\n    timeout: {seconds: 3}\n");
    let done = dispatch(&lab, &job, &device(&lab, api, 1));
    assert!(!done.status.success(), "{done:?}");
    let noted = noted(&lab, "notes");
    assert!(noted.ends_with("\na system\nrm --force 0123456789abcdef\n"), "{noted}");
}
