//! What flows through outlets; `lava power probe` and `lava power drivers`.

use serde_json::Value;

use super::Power;
use super::families::{config_of, outlet, recording_of};
use super::simulated::{Simulated, recording};
use crate::common::{LIMIT, TestLab, rig, wait_until};

#[test]
fn what_flows_is_read_kept_and_told_when_it_changes() {
    let lab = TestLab::new();
    let mut objects: Vec<String> = recording_of("apc-rpdu2").lines().map(str::to_owned).collect();
    // An AP8641's first outlet, as it was recorded; and then one that jumps.
    objects.push("1.3.6.1.4.1.318.1.1.26.9.4.3.1.6.24|2|9".into());
    objects.push(
        "1.3.6.1.4.1.318.1.1.26.9.4.3.1.7.24|2:numeric|min=100,max=400,rate=150,wrap=1".into(),
    );
    let rack =
        Simulated::start(&lab, &[("rack", recording("AP8641", "318.1.3.4.6", &objects[2..]))]);
    let serial = lab.write(
        "serial.toml",
        "[http]\nlisten = \"127.0.0.1:0\"\n[[console]]\nname = \"panda01\"\nport = \"exec:cat\"\n",
    );
    let serial = lab.start("lava-serial", ["--config", &serial]);
    let console = format!("http://{}/consoles/panda01", serial.address("http"));
    let pdu = rack.pdu("rack", "2c") + "meter_every = \"100ms\"\n";
    let outlet = config_of("rack", "24").replace("name = \"rack\"", "name = \"panda01\"");
    let power = Power::start(&lab, &format!("{pdu}{outlet}console = \"{console}\"\n"));
    let reading = || power.get("/outlets/panda01/meter");
    wait_until(LIMIT, "it was read", || reading().status == 200);
    let first = reading().json();
    assert_eq!(first["amperes"], Value::from(0.9), "{first}");
    assert!(first["watts"].as_f64().unwrap() >= 100.0, "{first}");
    assert!(first.get("volts").is_none() && first["time_us"].as_u64().unwrap() > 0, "{first}");
    wait_until(LIMIT, "it is read again", || reading().json()["time_us"] != first["time_us"]);
    assert_eq!(power.get("/outlets/panda02/meter").status, 404);

    let metrics = power.get("/metrics").text();
    for line in [
        "lava_power_outlet_amperes{outlet=\"panda01\"} 0.9",
        "lava_power_outlet_watts{outlet=\"panda01\"} ",
        "lava_power_pdu_requests_total{pdu=\"rack\",result=\"ok\"} ",
        "lava_power_pdu_request_seconds_bucket{le=\"+Inf\",pdu=\"rack\"} ",
        "lava_power_pdu_request_seconds_count{pdu=\"rack\"} ",
        "lava_power_pdu_reachable{pdu=\"rack\"} 1",
    ] {
        assert!(metrics.contains(line), "{line} is not in\n{metrics}");
    }
    // On the board's timeline, beside what it prints: only what has changed.
    let lab_file =
        lab.write("lab.toml", &format!("[[board]]\nname = \"panda01\"\nconsole = \"{console}\"\n"));
    let events = || {
        let said = lab.run("lava", ["log", "panda01", "--events", "--lab", &lab_file], "");
        String::from_utf8(said.stdout).unwrap()
    };
    let count = || events().matches("  meter amperes=").count();
    wait_until(LIMIT, "a change is on the timeline", || count() >= 2);
    assert!(
        events().contains("lava-power  meter amperes=0.9 outlet=\"panda01\" watts="),
        "{}",
        events()
    );
    let read = metrics.lines().find(|line| line.contains("result=\"ok\"")).unwrap();
    let read: usize = read.rsplit(' ').next().unwrap().parse().unwrap();
    assert!(count() < 2 + read * 10, "not every reading is a line");

    // What a PDU said that says nothing any more is not said for it.
    drop(rack);
    wait_until(LIMIT * 2, "it is of the past", || reading().status == 404);
    let metrics = power.get("/metrics").text();
    assert!(!metrics.contains("lava_power_outlet_amperes{"), "{metrics}");
}

#[test]
fn recorded_pdus_are_found_and_all_profiles_that_fit_them_agree() {
    let lab = TestLab::new();
    // Outlets, and how many of them are on.
    let units = [
        ("apc-7902b", "apc-rpdu", 16, 3),
        ("apc-8641-metered", "apc-rpdu2", 24, 15),
        ("apc-8932", "apc-rpdu2", 24, 2),
    ];
    let recording =
        |name: &str| std::fs::read_to_string(rig(&format!("recordings/{name}.snmprec"))).unwrap();
    let pdus = units.map(|(name, ..)| (name, recording(name)));
    let rack = Simulated::start(&lab, &pdus);
    let address = rack.address.to_string();
    let mut config = String::new();
    let profiles = ["apc-rpdu2", "apc-rpdu", "apc-masterswitch", "apc-masterstate"];
    for (name, family, outlets, on) in units {
        let community = lab.write("community", name);
        let probe = ["power", "probe", &address, "--community-file", &community, "--json"];
        let said = lab.run("lava", probe, "");
        let found: Value = serde_json::from_slice(&said.stdout).unwrap();
        assert_eq!(found["profile"], family, "{found}");
        assert!(found["by"].as_str().unwrap().starts_with("its sysObjectID"), "{found}");
        let listed = found["outlets"].as_array().unwrap();
        let states: Vec<_> =
            listed.iter().map(|outlet| outlet["state"].as_str().unwrap()).collect();
        assert_eq!(states.len(), outlets, "{name}");
        assert_eq!(states.iter().filter(|state| **state == "on").count(), on, "{name}");
        for profile in profiles.into_iter().skip_while(|profile| *profile != family) {
            let pdu = format!("{name}.{profile}");
            config += &rack.pdu(name, "2c").replacen(name, &pdu, 1);
            config += &format!("profile = \"{profile}\"\n");
            for (port, state) in (1..).zip(&states) {
                let port_name = format!("{pdu}.{port}.{state}");
                config += &format!(
                    "[[outlet]]\nname = \"{port_name}\"\npdu = \"{pdu}\"\nport = {port}\n"
                );
            }
        }
    }
    let power = Power::start(&lab, &config);
    let outlets = power.get("/outlets").json();
    let outlets = outlets.as_array().unwrap();
    assert_eq!(outlets.len(), 64 * 4 - 16);
    for outlet in outlets {
        let name = outlet["name"].as_str().unwrap();
        let (_, state) = name.rsplit_once('.').unwrap();
        assert_eq!(power.done(name, "status"), format!("{state} verified"), "{name}");
    }
    // The AP8641's first outlet.
    let meter = power.get("/outlets/apc-8641-metered.apc-rpdu2.1.on/meter").json();
    assert_eq!((&meter["amperes"], &meter["watts"]), (&0.9.into(), &163.0.into()), "{meter}");
    let meter = power.get("/outlets/apc-8641-metered.apc-rpdu.1.on/meter").json();
    assert_eq!((&meter["amperes"], &meter["watts"]), (&0.8.into(), &Value::Null), "{meter}");
}

#[test]
fn lava_power_probe_finds_a_family_and_writes_its_configuration() {
    let lab = TestLab::new();
    let px2 = |n: u32, name: &str| {
        let (below, base) = ("13742.6", "1.3.6.1.4.1.13742.6");
        [
            outlet(&format!("{below}.4.1.2.1.2.1.{n}"), &format!("name=o{n},on=1,off=0")),
            outlet(&format!("{below}.4.1.2.1.3.1.{n}"), &format!("name=o{n},on=7,off=8")),
            format!("{base}.3.5.3.1.3.1.{n}|4|{name}"),
            format!("{base}.5.4.3.1.4.1.{n}.1|66|532"),
            format!("{base}.3.5.4.1.7.1.{n}.1|66|3"),
        ]
    };
    let objects: Vec<String> = [px2(1, "Panda 01"), px2(2, "")].into_iter().flatten().collect();
    let pdus = [
        ("rack", recording("PX2 020500", "13742.6", &objects)),
        ("printer", recording("a printer", "11.2.3", &[])),
    ];
    let rack = Simulated::start(&lab, &pdus);
    let address = rack.address.to_string();
    let community = lab.write("community", "rack\n");
    let probe = |args: &[&str]| {
        let said = lab.run("lava", ["power", "probe", &address].iter().chain(args), "");
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        (said.status.code().unwrap(), text(said.stdout), text(said.stderr))
    };
    let (code, found, error) = probe(&["--community-file", &community, "--name", "rack"]);
    assert_eq!(code, 0, "{error}");
    assert!(found.contains("PX2 020500\n# raritan-px2: "), "{found}");
    assert!(
        found.contains("# on, 0.532 A, called \"Panda 01\"\n[[outlet]]\nname = \"panda-01\"\n"),
        "{found}"
    );
    assert!(found.contains("name = \"rack-2\"\npdu = \"rack\"\nport = 2\n"), "{found}");
    // What it says can be served as it is, and switches.
    let power = Power::start(&lab, &found);
    assert_eq!(power.done("panda-01", "off"), "off verified");

    let (auth, privacy) =
        (lab.write("auth", super::agent::AUTH), lab.write("priv", super::agent::PRIV));
    let three = [
        "--snmp",
        "3",
        "--user",
        "sha_aes",
        "--context",
        "rack",
        "--auth",
        "sha",
        "--auth-passphrase-file",
        &auth,
        "--priv",
        "aes",
        "--priv-passphrase-file",
        &privacy,
        "--json",
    ];
    let (code, json, error) = probe(&three);
    assert_eq!(code, 0, "{error}");
    let json: Value = serde_json::from_str(&json).unwrap();
    assert_eq!(
        (&json["profile"], &json["outlets"][0]["state"]),
        (&"raritan-px2".into(), &"off".into())
    );
    assert_eq!(json["outlets"][0]["reading"]["amperes"], Value::from(0.532));

    let printer = lab.write("printer", "printer");
    let (code, _, error) = probe(&["--community-file", &printer]);
    assert_eq!(code, 1);
    assert!(
        error.contains("no PDU of a known family: sysObjectID 1.3.6.1.4.1.11.2.3, \"a printer\""),
        "{error}"
    );
    let (code, _, error) = probe(&["--timeout", "300ms"]);
    assert_eq!(code, 3);
    assert!(
        error.contains("no answer within 300ms") && error.contains("wrong community"),
        "{error}"
    );
    let (code, _, error) = probe(&["--snmp", "3", "--timeout", "1s"]);
    assert_eq!(code, 2);
    assert!(error.contains("\"user\" is missing"), "{error}");
}

#[test]
fn lava_power_drivers_lists_what_there_is_and_what_it_can_do() {
    let lab = TestLab::new();
    let said = lab.run("lava", ["power", "drivers"], "");
    let text = String::from_utf8(said.stdout).unwrap();
    let row = |profile: &str| text.lines().find(|line| line.contains(profile)).unwrap().to_owned();
    assert!(row(" apc-rpdu2 ").contains("on off cycle status meter native"), "{text}");
    assert!(row(" ip9258 ").contains("on off cycle  "), "{text}");
    let said = lab.run("lava", ["power", "drivers", "--json"], "");
    let drivers: Value = serde_json::from_slice(&said.stdout).unwrap();
    let poe = drivers.as_array().unwrap().iter().find(|driver| driver["profile"] == "poe").unwrap();
    assert_eq!((&poe["driver"], &poe["can"]["status"]), (&"snmp".into(), &true.into()), "{poe}");
}
