//! The configuration of other power daemons switches the same boards.

use std::os::unix::fs::PermissionsExt as _;

use super::{import, told};
use crate::common::{TestLab, http};

#[test]
fn pdudaemons_programs_run_without_a_shell_and_its_clients_ask_as_before() {
    let lab = TestLab::new();
    let relay = lab.write("relay", "#!/bin/sh\nprintf '<%s>' \"$@\" >> switched\n");
    std::fs::set_permissions(&relay, std::fs::Permissions::from_mode(0o755)).unwrap();
    let conf = format!(
        r#"{{
	"daemon": {{"hostname": "0.0.0.0", "port": 16421, "logging_level": "DEBUG", "listener": "http"}},
	"pdus": {{
		"rack1.lab": {{"driver": "localcmdline", "cmd_on": "{relay} 'port %s' on", "cmd_off": "{relay} %s off", "retries": 2}},
		"rack2": {{"driver": "localcmdline", "cmd_on": "echo %s >> /dev/null", "cmd_off": "true %s"}},
		"rack3": {{"driver": "apc7952", "telnetport": 5023}},
		"rack4": {{"driver": "snmpv1", "community": "private", "oid": ".1.3.6.1.4.1.318.1.1.12.3.3.1.1.4.*",
			"onsetting": 1, "offsetting": 2}},
		"rack5": {{"driver": "toaster"}}, "rack6": {{"driver": "SERVO", "ip": "10.0.0.9"}}, "rack7": {{"driver": "egpms", "ip": "10.0.0.8", "password": "1234"}}, "rack8": {{"driver": "bcu", "board": "imx93evk"}}
	}},
	"aliases": {{
		"panda01": {{"hostname": "rack1.lab", "port": 1}},
		"panda02": {{"hostname": "rack2", "port": 1}},
		"panda03": {{"hostname": "rack3", "port": 7}},
		"panda04": {{"hostname": "rack4", "port": 3}}
	}}
}}
"#
    );
    let file = lab.write("pdudaemon.conf", &conf);
    let imported = import(&lab, "pdudaemon", &file);
    assert_eq!(imported.status.code(), Some(1), "{}", told(&imported));
    let said = told(&imported);
    for line in [
        "2: hostname: nobody logs in there, so it is on 127.0.0.1 only",
        "2: note: logging_level: ",
        "4: note: PDU rack1.lab retries: ",
        "5: PDU rack2: it is left out: its cmd_on, needs a shell, and none runs here",
        "9: PDU rack5: it is left out: there is nothing like driver \"toaster\"",
        "13: alias panda02: its PDU is left out, as told",
    ] {
        assert!(said.contains(&format!("{file}:{line}")), "{line}\nis not in\n{said}");
    }
    assert_eq!(said.lines().filter(|line| line.starts_with(&file)).count(), 9, "{said}");
    let printed = String::from_utf8_lossy(&imported.stdout).into_owned();
    let table: toml::Table = printed.parse().unwrap();
    let pdu = |at: usize| table["pdu"][at].clone();
    assert_eq!(pdu(1)["profile"].as_str(), Some("apc-menu"));
    assert_eq!(pdu(1)["connect"].as_str(), Some("telnet:rack3:5023"));
    assert_eq!(pdu(2)["profile"].as_str(), Some("apc-rpdu"));
    let words = |pdu: &toml::Value, key: &str| {
        let words = pdu[key].as_array().unwrap().iter();
        words.map(|word| word.as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    let servo = words(&pdu(3), "on");
    assert_eq!(
        (servo[0].as_str(), &servo[3..]),
        ("python3", &["http://10.0.0.9:9999", "cold_reset=off"].map(str::to_owned)[..])
    );
    assert_eq!(pdu(4)["driver"].as_str(), Some("egpms-lan"));
    assert_eq!(words(&pdu(5), "off"), ["bcu", "set_gpio", "reset", "0", "-board=imx93evk"]);
    assert_eq!(table["pdudaemon"]["listen"].as_str(), Some("127.0.0.1:16421"));

    // The PDUs that are programs are all that is there to be switched.
    let own = "[pdudaemon]\nlisten = \"127.0.0.1:0\"\n";
    let programs =
        printed.find("\n# ").unwrap()..printed.find("[[pdu]]\nname = \"rack3\"").unwrap();
    let programs = printed[programs].rsplit_once("\n#").unwrap().0;
    let config = lab.write("power.toml", &format!("{own}{programs}"));
    let power = lab.start("lava-power", ["--config", &config]);
    let at = power.address("pdudaemon");
    let on = http(at, "GET", "/power/control/on?hostname=rack1.lab&port=1", "");
    assert_eq!((on.status, on.text().as_str()), (200, "OK - accepted request\n"));
    assert_eq!(http(at, "GET", "/power/control/off?alias=panda01", "").status, 200);
    let switched = std::fs::read_to_string(lab.path("switched")).unwrap();
    assert_eq!(switched, "<port 1><on><1><off>");
}

#[test]
fn what_decides_which_board_is_switched_is_carried_over_or_the_pdu_is_left_out() {
    let lab = TestLab::new();
    let conf = r#"{
	"daemon": {"hostname": "pdu-host.lab", "port": 16421, "listener": "tcp"},
	"pdus": {
		"strip": {"driver": "tplink"},
		"coils": {"driver": "modbustcp", "ip": "10.0.0.9", "unit": 3},
		"relay": {"driver": "vusbhid", "serial": "A1", "invert": true},
		"anel": {"driver": "anel_netpwrctrlpro"},
		"poe": {"driver": "ubus"},
		"hass": {"driver": "home-assistant-http", "api_key": "secret"},
		"rack": {"driver": "apc7952"},
		"none": {"driver": "apc8959"}
	},
	"aliases": {
		"panda01": {"hostname": "strip", "port": 2},
		"panda02": {"hostname": "coils", "port": 3},
		"panda03": {"hostname": "relay", "port": 1},
		"panda04": {"hostname": "anel", "port": 8},
		"panda05": {"hostname": "poe", "port": 4},
		"panda06": {"hostname": "hass", "port": "lamp"},
		"panda07": {"hostname": "rack", "port": "04"},
		"panda08": {"hostname": "anel", "port": 99}
	}
}
"#;
    let file = lab.write("pdudaemon.conf", conf);
    let imported = import(&lab, "pdudaemon", &file);
    assert_eq!(imported.status.code(), Some(1), "{}", told(&imported));
    let said = told(&imported);
    for line in [
        "2: hostname pdu-host.lab: it is on 127.0.0.1 here",
        "6: PDU relay: it is left out: without its \"invert\"",
        "11: PDU none: no alias tells which of its ports are in use",
        "16: alias panda03: its PDU is left out, as told",
        "21: outlet panda08: it is left out: ",
    ] {
        assert!(said.contains(&format!("{file}:{line}")), "{line}\nis not in\n{said}");
    }
    let printed = String::from_utf8_lossy(&imported.stdout).into_owned();
    assert!(printed.contains("# [[outlet]]\n# name = \"BOARD\"\n# pdu = \"none\"\n"), "{printed}");
    let table: toml::Table = printed.parse().unwrap();
    let tables = |kind: &str| table[kind].as_array().unwrap().clone();
    let pdus: Vec<_> = tables("pdu")
        .iter()
        .map(|pdu| {
            format!("{} {}", pdu["name"].as_str().unwrap(), pdu["profile"].as_str().unwrap())
        })
        .collect();
    assert_eq!(
        pdus,
        [
            "strip tplink-strip",
            "coils modbus-tcp",
            "anel anel",
            "poe ubus-open",
            "hass home-assistant",
            "rack apc-menu",
            "none apc-cli"
        ]
    );
    let outlets: Vec<_> = tables("outlet")
        .iter()
        .map(|outlet| {
            let text = |key: &str| outlet[key].as_str().unwrap();
            format!("{} {} {} {}", text("name"), text("pdu"), text("port"), text("off_time"))
        })
        .collect();
    assert_eq!(
        outlets,
        [
            "panda01 strip 2 5s",
            "panda02 coils 3.3 5s",
            "panda04 anel 8 5s",
            "panda05 poe lan4 5s",
            "panda06 hass switch.lamp 5s",
            "panda07 rack 4 5s"
        ]
    );
    // All of it is taken by lava-power, also with listeners where they were.
    let again = lab.run("lava", ["import", "pdudaemon", "--insecure", &file], "");
    let printed = String::from_utf8_lossy(&again.stdout).into_owned();
    assert!(printed.contains("tcp = \"127.0.0.1:16421\""), "{printed}");
}

#[test]
fn what_is_no_json_is_told_with_its_line() {
    let lab = TestLab::new();
    let file = lab.write("pdudaemon.conf", "{\n \"pdus\": {,}\n}\n");
    let imported = import(&lab, "pdudaemon", &file);
    assert_eq!(imported.status.code(), Some(2));
    assert!(
        told(&imported).starts_with(&format!("{file}:2: it is no JSON: ")),
        "{}",
        told(&imported)
    );
    let none = import(&lab, "pdudaemon", &lab.write("none.conf", "{\"pdus\": {}}"));
    assert!(told(&none).contains("there is no outlet to be had from"), "{}", told(&none));
}

#[test]
fn powermans_devices_and_nodes_become_pdus_and_outlets() {
    let lab = TestLab::new();
    lab.write("more.conf", "node \"m1\" \"pow0\" \"9\"\n");
    let conf = "\
include \"/etc/powerman/apc7900.dev\"  # ours has that
tcpwrappers yes
listen \"0.0.0.0:10101\"
device \"pow0\" \"apc7900\" \"pow0:23\"
device \"ipmi1\" \"ipmipower\" \"/usr/sbin/ipmipower -h py[0-10] |&\"
device \"wti1\" \"wti-rps10\" \"/dev/ttyS0\" \"9600,8n1\"
node \"t[0-2]\" \"pow0\" \"[1,3-4]\"
node \"y[0-10]\" \"ipmi1\" \"py[0-10]\"
node \"w[1-2]\" \"wti1\"
node \"t9\" \"pow0\" \"[5-6]\"
alias \"all\" \"t[0-2]\"
include \"more.conf\"
";
    let file = lab.write("powerman.conf", conf);
    let imported = import(&lab, "powerman", &file);
    let said = told(&imported);
    for line in [
        "2: tcpwrappers: there is no list of hosts",
        "3: listen 0.0.0.0:10101: nobody logs in there",
        "4: device pow0: powerman has its user and its password in the .dev file",
        "5: device ipmi1: it is left out: it is behind a program, \"ipmipower\"; make a [[pdu]] with",
        "8: node y[0-10]: its device is left out, as told",
        "9: note: node w[1-2]: its plugs are taken to be 1 to 2",
        "10: node t9: it has 1 names for 2 plugs",
        "11: alias all: ",
    ] {
        assert!(said.contains(&format!("{file}:{line}")), "{line}\nis not in\n{said}");
    }
    let printed: toml::Table = String::from_utf8_lossy(&imported.stdout).parse().unwrap();
    let outlets: Vec<String> = printed["outlet"]
        .as_array()
        .unwrap()
        .iter()
        .map(|outlet| {
            let text = |key: &str| outlet[key].as_str().unwrap();
            format!("{} {} {}", text("name"), text("pdu"), text("port"))
        })
        .collect();
    assert_eq!(
        outlets,
        ["t0 pow0 1", "t1 pow0 3", "t2 pow0 4", "m1 pow0 9", "w1 wti1 1", "w2 wti1 2"]
    );
    assert_eq!(printed["pdu"][1]["connect"].as_str(), Some("tty:/dev/ttyS0,9600n8"));
}
