//! The real conserver says what its file means: `conserver -SS` prints each console's name and line.

use std::collections::BTreeMap;

use proptest::prelude::*;
use proptest::test_runner::RngSeed;

use super::{consoles, import, told};
use crate::common::{LIMIT, TestLab, run};

/// What conserver makes of a file: the lines of its consoles as ports of ours, by name.
fn oracle(lab: &TestLab, cf: &str) -> BTreeMap<String, String> {
    let mut conserver = lab.tool("/usr/sbin/conserver");
    let said = run(conserver.args(["-SS", "-P", "/dev/null", "-C", cf]), "", LIMIT);
    let said = String::from_utf8_lossy(&said.stdout).into_owned();
    let consoles = said.lines().filter_map(|line| line.split_once("): {")?.1.strip_suffix('}'));
    consoles
        .map(|console| {
            let fields: Vec<&str> = console.splitn(5, ':').collect();
            let [name, _master, _aliases, kind, details] = fields[..] else { panic!("{console}") };
            let port = match (kind, details.split_once(',')) {
                ("/", Some((device, settings))) => {
                    let (baud, parity) = settings.split_at(settings.len() - 1);
                    // It does not tell the stop bits, and has 7 data bits with any parity.
                    format!("tty:{device},{baud}{parity}{}", if parity == "n" { 8 } else { 7 })
                }
                ("!", Some((host, port))) => format!("{host}:{port}"),
                ("|", _) => format!("exec:{details}"),
                ("%", _) => format!("unix:{details}"),
                _ => panic!("{console}"),
            };
            (name.to_owned(), port)
        })
        .collect()
}

/// What we make of it, said in the same way.
fn imported(lab: &TestLab, cf: &str) -> BTreeMap<String, String> {
    let output = import(lab, "conserver", cf);
    assert!(matches!(output.status.code(), Some(0 | 1)), "{}", told(&output));
    let plain = |port: String| {
        let port = port.replace("exec:/bin/sh -i", "exec:/bin/sh");
        if let Some(line) = port.strip_prefix("exec:") {
            return format!("exec:{}", shlex::split(line).unwrap().join(" "));
        }
        let port = port.trim_start_matches("telnet:").trim_start_matches("tcp:");
        if port.starts_with("tty:") {
            port.trim_end_matches('2').to_owned()
        } else {
            port.to_owned()
        }
    };
    consoles(&output).into_iter().map(|(name, port)| (name, plain(port))).collect()
}

#[test]
fn conserver_and_its_import_agree_about_a_file_with_everything_in_it() {
    let lab = TestLab::new();
    lab.write("more.cf", "console included { type exec; exec \"cat -u\"; }\n");
    let cf = lab.write(
        "conserver.cf",
        &format!(
            r#"# A comment; with {{ signs }} in it
config * {{ sslrequired no; logfile /var/log/conserver; }}
break 1 {{ string "\z\d\z"; delay 500; }}
default full {{ rw *; }}
default * {{ logfile /var/log/&.log; timestamp ""; include full; master localhost; }}
default ts {{ type host; host ts1; portbase 2000; portinc 2; }}
default TS2 {{ include TS; host ts2; protocol raw; portinc 1; }}
default line {{ type device; baud 9600; parity none; devicesubst "&=cs,@=p02x,%=Pd"; }}
#include {dir}/more.cf
#include {dir}/absent.cf
console tweety {{ include ts; port 5; aliases t,tw; }}
console bambam {{ include ts2; port 7; }} console "quo{{ted" {{ type exec; exec "a \"b\" c"; }}
console board01 {{ include line; device /dev/&; port 1; }}
console board02 {{ include line; device /dev/tty@-%; port 11; portbase 100; parity even; options cstopb; }}
console board03 {{ include line; device /dev/ttyS3; baud 115200;
    parity odd;   # 7 bits
    options !ixon , crtscts; }}
console shell {{ type exec; exec ""; }}
console twice {{ type exec; exec first; }}
console Twice {{ type exec; exec "second one"  ; }}
console sock {{ type uds; uds /run/X/$.sock; udssubst X=cs; initcmd "echo; hi"; }}
default nudge {{ idletimeout 5m; idlestring "\d^M"; }}
console spread {{ type exec; include nudge; break 1;
    exec ssh  ts1 # a comment
      port	1; }}
console broken {{ type exec; exec a }}
console unfinished {{ type host; host h; }}
access * {{ trusted 127.0.0.1; }}
"#,
            dir = lab.dir().display()
        ),
    );
    let mut expected = oracle(&lab, &cf);
    // Names that ours cannot be.
    let quoted = expected.remove("quo{ted").unwrap();
    expected.insert("quo-ted".into(), quoted.replace("\"b\"", "b"));
    let spread = expected.get_mut("spread").unwrap();
    *spread = spread.split_whitespace().collect::<Vec<_>>().join(" ");
    assert_eq!(imported(&lab, &cf), expected);
    assert_eq!(expected.len(), 11);
    assert_eq!(expected["board02"], "tty:/dev/tty0b-111,9600e7");

    let output = import(&lab, "conserver", &cf);
    let printed: toml::Table = String::from_utf8_lossy(&output.stdout).parse().unwrap();
    assert_eq!(printed["break"]["1"].as_str(), Some(r"\z\d(500)\z"));
    let spread = printed["console"]
        .as_array()
        .unwrap()
        .iter()
        .find(|c| c["name"].as_str() == Some("spread"));
    let spread = spread.unwrap();
    assert_eq!(spread["break"]["default"].as_str(), Some(r"\z\d(500)\z"));
    assert_eq!(spread["idle_send"].as_str(), Some(r"\d^M"));
    assert_eq!(spread["idle_send_after"].as_str(), Some("300s"));

    let said = told(&output);
    for line in [
        ":2: sslrequired no: [http] has TLS",
        ":10: #include ",
        ":11: aliases t,tw: a console has one name",
        ":17: options crtscts: a line is opened without flow control",
        ":21: initcmd echo; hi: no program is run when a port opens",
        ":26: broken: the block is not whole",
        ":27: console unfinished: it is left out: it has no port",
    ] {
        assert!(said.contains(&format!("conserver.cf{line}")), "{line}\nis not in\n{said}");
    }
    assert!(!said.contains("trusted"), "{said}");
}

/// A console or a default with some of what it needs, and with too much.
fn block() -> impl Strategy<Value = String> {
    let item = prop::sample::select(
        &[
            "type device;",
            "type exec;",
            "type host;",
            "type uds;",
            "type uds; uds /run/a;",
            "device /dev/ttyA;",
            "device \"/dev/tty B\";",
            "device /dev/t@t%;",
            "baud 9600;",
            "baud 115200;",
            "parity none;",
            "parity odd;",
            "parity even;",
            "host ts1;",
            "host\tts2 ;",
            "port 3;",
            "port\n 40 ;",
            "portbase 2000;",
            "portinc 10;",
            "portinc 0;",
            "exec \"\";",
            "exec cat -u;",
            "exec \"one\" two;",
            "exec a\\ @b; ",
            "execsubst @=hs;",
            "execsubst \"\";",
            "devicesubst @=p04d;",
            "devicesubst @=Px,%=cs;",
            "devicesubst @=PA,%=b9s;",
            "include x;",
            "include y;",
            "include X;",
            "protocol raw;",
            "options cstopb;",
            ";",
            " ; ",
            "# } ;\n",
            "uds /u@;",
            "udssubst @=rs;",
            "replstring rr;",
            "ty\"pe\" ho\\st;",
            "master localhost;",
        ][..],
    );
    const HEADS: &[&str] = &[
        "console a",
        "console b",
        "console c",
        "console A",
        "default x",
        "default Y",
        "default *",
        "default x",
    ];
    let end = prop_oneof![9 => Just("}\n"), 1 => Just("exec }\n")];
    (prop::sample::select(HEADS).prop_map(str::to_owned), prop::collection::vec(item, 0..9), end)
        .prop_map(|(head, items, end)| format!("{head} {{ {} {end}", items.concat()))
}

proptest! {
    // The same files each time: what is not alike yet is found by those who look for it.
    #![proptest_config(ProptestConfig {
        cases: 16,
        failure_persistence: None,
        rng_seed: RngSeed::Fixed(4),
        ..ProptestConfig::default()
    })]

    #[test]
    fn conserver_and_its_import_agree_about_any_file(blocks in prop::collection::vec(block(), 1..24)) {
        let lab = TestLab::new();
        let cf = "default * { master localhost; rw *; }\nconsole last { type exec; exec cat; }\n".to_owned();
        let cf = lab.write("conserver.cf", &(cf + &blocks.concat()));
        let mut expected = oracle(&lab, &cf);
        let found = imported(&lab, &cf);
        // With us a line is one console: of several on one device, the first is left.
        let lines: Vec<String> = found.values().cloned().collect();
        expected.retain(|name, port| {
            found.contains_key(name) || port.starts_with("exec:") || !lines.contains(port)
        });
        prop_assert_eq!(found, expected);
    }
}
