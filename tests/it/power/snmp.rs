//! SNMP: every version, what agents refuse, and agents that do not answer.

use std::time::Duration;

use super::Power;
use super::agent::{AUTH, Agent, COMMUNITY, PRIV};
use crate::common::{LIMIT, TestLab, wait_until};

fn outlet(name: &str, pdu: &str, port: u32) -> String {
    format!("[[outlet]]\nname = \"{name}\"\npdu = \"{pdu}\"\nport = {port}\noff_time = \"10ms\"\n")
}

fn community(version: &str, profile: &str) -> String {
    format!("version = \"{version}\"\ncommunity = \"{COMMUNITY}\"\nprofile = \"{profile}\"")
}

fn user(name: &str, auth: &str, privacy: &str) -> String {
    let mut keys = format!("version = 3\nuser = \"{name}\"\nprofile = \"apc-rpdu\"");
    if !auth.is_empty() {
        keys += &format!("\nauth = \"{auth}\"\nauth_passphrase = \"{AUTH}\"");
    }
    if !privacy.is_empty() {
        keys += &format!("\npriv = \"{privacy}\"\npriv_passphrase = \"{PRIV}\"");
    }
    keys
}

#[test]
fn every_version_of_snmp_switches_and_reads_back() {
    let lab = TestLab::new();
    let agent = Agent::start(&lab, "rack", &[]);
    let accesses = [
        ("v1", community("1", "apc-rpdu")),
        ("v2c", community("2c", "apc-rpdu2")),
        ("no-auth", user("nothing", "", "")),
        ("only-auth", user("only_auth", "sha512", "")),
        ("sha-aes", user("sha_aes", "sha", "aes")),
        ("sha256-aes256", user("sha256_aes256", "sha256", "aes256")),
        ("sha-aes256", user("sha_aes256", "sha", "aes256")),
        ("md5-des", user("md5_des", "md5", "des")),
    ];
    let mut config = String::new();
    for (port, (name, access)) in (1..).zip(&accesses) {
        config += &(agent.pdu(name, access) + &outlet(name, name, port));
    }
    let power = Power::start(&lab, &config);
    for (port, (name, _)) in (1..).zip(&accesses) {
        let before = agent.requests().len();
        assert_eq!(power.done(name, "off"), "off verified", "{name}");
        assert_eq!(power.done(name, "status"), "off verified", "{name}");
        assert_eq!(power.done(name, "on"), "on verified", "{name}");
        assert_eq!(power.done(name, "status"), "on verified", "{name}");
        assert_eq!(power.done(name, "cycle"), "on verified", "{name}");
        // 2 is off, 1 is on. Nothing is asked for twice, and nobody else's outlet is touched.
        let requests = agent.requests().split_off(before);
        let expected = [2, 1, 2, 1].map(|value| format!("{port} {value}"));
        assert_eq!(requests, expected, "{name}");
    }
}

#[test]
fn a_real_pdus_recording_reads_the_same_through_every_profile() {
    let lab = TestLab::new();
    let agent = Agent::start(&lab, "rack", &[]);
    let profiles = ["apc-masterswitch", "apc-rpdu", "apc-rpdu2"];
    let mut config = String::new();
    for profile in profiles {
        config += &agent.pdu(profile, &community("2c", profile));
        for port in 1..=24 {
            config += &outlet(&format!("{profile}.{port}"), profile, port);
        }
    }
    let power = Power::start(&lab, &config);
    // As the AP8641 was when it was recorded.
    let on = [1, 2, 3, 4, 5, 6, 7, 9, 17, 18, 19, 20, 21, 22, 23];
    for profile in profiles {
        for port in 1..=24 {
            let expected = if on.contains(&port) { "on verified" } else { "off verified" };
            assert_eq!(power.done(&format!("{profile}.{port}"), "status"), expected);
        }
        // And what one profile switches, the others see.
        assert_eq!(power.done(&format!("{profile}.24"), "on"), "on verified");
        for other in profiles {
            assert_eq!(power.done(&format!("{other}.24"), "status"), "on verified");
        }
        assert_eq!(power.done(&format!("{profile}.24"), "off"), "off verified");
    }
}

#[test]
fn an_outlet_that_does_not_switch_is_no_success() {
    let lab = TestLab::new();
    let agent = Agent::start(&lab, "rack", &[1, 2]);
    let access = community("2c", "apc-rpdu") + "\nverify = \"300ms\"";
    let config =
        agent.pdu("rack", &access) + &outlet("panda01", "rack", 1) + &outlet("panda02", "rack", 24);
    let power = Power::start(&lab, &config);
    for verb in ["off", "cycle"] {
        let (kind, message) = power.fails("panda01", verb);
        assert_eq!(kind, "failed");
        assert!(message.contains("to switch off, but still reads on after 300ms"), "{message}");
    }
    assert_eq!(power.done("panda01", "status"), "on verified");
    assert_eq!(power.done("panda02", "on"), "on verified");
    // The PDU took each request, so neither was repeated; what it may yet do is undone by the cycle.
    assert_eq!(agent.requests(), ["1 2", "1 2", "1 1", "24 1"]);
    let metrics = power.get("/metrics").text();
    let failed = r#"lava_power_operations_total{outlet="panda01",verb="cycle",result="failed"} 1"#;
    assert!(metrics.contains(failed), "{metrics}");
    assert!(metrics.contains(r#"lava_power_pdu_reachable{pdu="rack"} 1"#), "{metrics}");
}

#[test]
fn what_an_agent_refuses_is_said_in_one_line_and_switches_nothing() {
    let lab = TestLab::new();
    let agent = Agent::start(&lab, "rack", &[]);
    let own = |on: &str, value: u32| {
        format!(
            "about = \"a test\"\nsource = \"none\"\n\
             [on]\noid = \"{on}\"\nvalue = {value}\n[off]\noid = \"{on}\"\nvalue = 2\n"
        )
    };
    let command = "1.3.6.1.4.1.318.1.1.12.3.3.1.1.4.{port}";
    lab.write("profiles/value.toml", &own(command, 7));
    lab.write("profiles/read-only.toml", &own("1.3.6.1.4.1.318.1.1.12.3.5.1.1.4.{port}", 1));
    let public = "community = \"public\"\nprofile = \"apc-rpdu\"".to_owned();
    let cases = [
        ("no-outlet-1", community("1", "apc-rpdu"), 99, "noSuchName"),
        ("no-outlet-2", community("2c", "apc-rpdu"), 99, "notWritable"),
        ("bad-value-1", community("1", "profiles/value.toml"), 1, "badValue"),
        ("bad-value-2", community("2c", "profiles/value.toml"), 1, "wrongValue"),
        ("read-only", community("2c", "profiles/read-only.toml"), 1, "notWritable"),
        ("only-looks", public, 1, "noAccess"),
    ];
    let mut config = String::new();
    for (name, access, port, _) in &cases {
        config += &(agent.pdu(name, access) + &outlet(name, name, *port));
    }
    let power = Power::start(&lab, &config);
    for (name, _, _, reason) in &cases {
        let (_, message) = power.fails(name, "on");
        assert!(message.ends_with(reason), "{message} does not say {reason}");
    }
    let (_, message) = power.fails("no-outlet-2", "status");
    assert!(message.contains("has no object 1.3.6.1.4.1.318.1.1.12.3.3.1.1.4.99"), "{message}");
    assert_eq!(power.done("only-looks", "status"), "on verified");
    assert!(agent.requests().is_empty());
}

#[test]
fn whoever_has_the_wrong_password_is_told_so_and_the_password_to_nobody() {
    let lab = TestLab::new();
    let agent = Agent::start(&lab, "rack", &[]);
    let wrong = "wr0ngpass";
    lab.write("secret", &format!("{wrong}\n"));
    let auth = user("sha_aes", "sha", "aes").replace(AUTH, wrong);
    let from_file = user("sha_aes", "sha", "aes")
        .replace(&format!("auth_passphrase = \"{AUTH}\""), "auth_passphrase_file = \"secret\"");
    let silent = community("2c", "apc-rpdu").replace(COMMUNITY, wrong) + "\ntimeout = \"500ms\"";
    let private = user("sha_aes", "sha", "aes").replace(PRIV, wrong);
    let hurried = private.clone() + "\ntimeout = \"1s\"";
    let cases = [
        ("auth", auth, "wrong authentication passphrase"),
        ("auth-file", from_file, "wrong authentication passphrase"),
        ("priv", private, "wrong privacy passphrase"),
        // Not enough time to tell it from a packet that was lost.
        ("hurried", hurried, "no answer within 1s"),
        ("user", user("nobody", "sha", "aes"), "unknown user"),
        ("no-auth", user("sha_aes", "", ""), "authorizationError"),
        ("no-user", user("nobody", "", ""), "unknown user"),
        ("no-priv", user("sha_aes", "sha", ""), "authorizationError"),
        // To a wrong community an agent is silent.
        ("community", silent, "no answer within 500ms"),
    ];
    let mut config = String::new();
    for (name, access, _) in &cases {
        config += &(agent.pdu(name, access) + &outlet(name, name, 1));
    }
    let power = Power::start(&lab, &config);
    for (name, _, reason) in &cases {
        for verb in ["status", "on"] {
            let (kind, message) = power.fails(name, verb);
            assert_eq!(kind, "lab", "{message}");
            assert!(message.contains(reason), "{message} does not say {reason}");
            assert!(!message.contains(wrong), "{message}");
        }
    }
    let hint = power.ask("community", "status").text();
    assert!(hint.contains("silent to a wrong community"), "{hint}");
    let hint = power.ask("hurried", "status").text();
    assert!(hint.contains("wrong privacy passphrase or protocol"), "{hint}");
    let log = power.daemon.log().text();
    assert!(!log.contains(wrong) && !log.contains(PRIV), "{log}");
    assert!(agent.requests().is_empty());
}

#[test]
fn a_hung_agent_stops_nobody_but_itself() {
    let lab = TestLab::new();
    let (hung, fine) = (Agent::start(&lab, "hung", &[]), Agent::start(&lab, "fine", &[]));
    let quick = community("2c", "apc-rpdu") + "\ntimeout = \"2s\"";
    let config = hung.pdu("hung", &quick)
        + &fine.pdu("fine", &quick)
        + &outlet("panda01", "hung", 24)
        + &outlet("panda02", "fine", 24);
    let power = Power::start(&lab, &config);
    assert_eq!(power.done("panda01", "status"), "off verified");

    hung.stop();
    std::thread::scope(|scope| {
        let waiting = scope.spawn(|| power.fails("panda01", "on"));
        assert_eq!(power.done("panda02", "on"), "on verified");
        assert!(!waiting.is_finished(), "the other PDU was waited for");
        let (kind, message) = waiting.join().unwrap();
        assert_eq!(kind, "lab");
        assert!(message.starts_with("panda01 on hung (127.0.0.1:"), "{message}");
        assert!(message.contains("no answer within 2s; and the state cannot be read"), "{message}");
    });
    assert!(power.get("/metrics").text().contains(r#"lava_power_pdu_reachable{pdu="hung"} 0"#));

    hung.go_on();
    wait_until(LIMIT, "the agent answers again", || power.ask("panda01", "status").status == 200);
    assert_eq!(power.done("panda01", "off"), "off verified");
    // The request that went unanswered lay in the agent's socket: it was sent once.
    assert_eq!(hung.requests(), ["24 1", "24 2"]);
}

#[test]
fn a_slow_agent_is_heard_out() {
    let lab = TestLab::new();
    let agent = Agent::start(&lab, "rack", &[]);
    let access = user("sha_aes", "sha", "aes") + "\ntimeout = \"20s\"";
    // Longer than an agent on a good day is waited for.
    let delay = Duration::from_millis(1100);
    let config = agent.slow_pdu("slow", &access, delay) + &outlet("panda01", "slow", 24);
    let power = Power::start(&lab, &config);
    assert_eq!(power.done("panda01", "on"), "on verified");
    assert_eq!(agent.requests(), ["24 1"]);
}

#[test]
fn an_agent_that_is_not_there_is_found_out_at_once() {
    let lab = TestLab::new();
    let nobody = std::net::UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let config = format!(
        "[[pdu]]\nname = \"gone\"\ndriver = \"snmp\"\naddress = \"{nobody}\"\n\
         community = \"x\"\nprofile = \"apc-rpdu\"\n\
         [[pdu]]\nname = \"nowhere\"\ndriver = \"snmp\"\naddress = \"no-such-host.invalid\"\n\
         community = \"x\"\nprofile = \"apc-rpdu\"\n{}{}",
        outlet("panda01", "gone", 1),
        outlet("panda02", "nowhere", 1)
    );
    let power = Power::start(&lab, &config);
    for verb in ["status", "on", "off", "cycle"] {
        let (_, message) = power.fails("panda01", verb);
        assert!(message.ends_with("no SNMP agent listens there"), "{message}");
        let (_, message) = power.fails("panda02", verb);
        assert!(message.contains("nowhere (no-such-host.invalid:161): no way there"), "{message}");
    }
}
