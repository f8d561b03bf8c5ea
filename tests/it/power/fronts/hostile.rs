//! Whatever stands in a field of whatever front, nothing but what was asked for is done.

use std::os::unix::fs::PermissionsExt as _;

use super::{Sent, exchange, said};
use crate::common::{TestLab, http, run};
use crate::power::Power;

/// What a shell, a format, a path or a protocol would take for more than text.
const FIELDS: &[&str] = &[
    "n1;touch pwned",
    "$(touch pwned)",
    "`touch pwned`",
    "n1|touch pwned",
    "n1&&touch pwned",
    "n1>pwned",
    "'n1",
    "\"n1",
    "n1\\",
    "n1\r\nrack1 1 on",
    "../n1",
    "n*",
    "%s%n",
    "{port}",
    "{{7*7}}",
    "\u{1b}[2Jn1",
    "n1\u{0}",
    "-n1",
    "n1 || true",
    "é\u{202e}1n",
];

fn encoded(field: &str) -> String {
    field.bytes().map(|byte| format!("%{byte:02x}")).collect()
}

#[test]
fn shell_metacharacters_in_every_field_of_every_front_give_an_error_and_do_nothing() {
    let lab = TestLab::new();
    // Programs, which is where a shell would be; each notes its arguments.
    let program =
        lab.write("relay", "#!/bin/sh\nfor a; do printf '<%s>' \"$a\" >> switched; done\n");
    std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755)).unwrap();
    let port = "1;touch pwned $(touch pwned)";
    let config = format!(
        "[pdudaemon]\nlisten = \"127.0.0.1:0\"\ntcp = \"127.0.0.1:0\"\n\
         [powerman]\nlisten = \"127.0.0.1:0\"\n\
         [[pdu]]\nname = \"rack1\"\ndriver = \"exec\"\non = [\"{program}\", \"{{port}}\"]\n\
         off = [\"{program}\", \"{{port}}\"]\n\
         [[outlet]]\nname = \"n1\"\npdu = \"rack1\"\nport = \"{port}\"\n"
    );
    let power = Power::start(&lab, &config);
    let [pdudaemon, tcp, powerman] =
        ["pdudaemon", "tcp", "powerman"].map(|name| power.daemon.address(name));
    for field in FIELDS {
        let url = encoded(field);
        for path in [
            format!("/power/control/on?hostname={url}&port=1"),
            format!("/power/control/on?hostname=rack1&port={url}"),
            format!("/power/control/on?alias={url}"),
            format!("/power/control/on?alias=n1&delay={url}"),
            format!("/power/control/{url}?alias=n1"),
        ] {
            let status = http(pdudaemon, "GET", &path, "").status;
            assert!(matches!(status, 400 | 404 | 500), "{path}: {status}");
        }
        let said_for = serde_json::json!({"user": "alice", "for": field}).to_string();
        for (method, path, body) in [
            ("GET", format!("/labgrid/outlets/{url}/1"), ""),
            ("GET", format!("/labgrid/outlets/n1/{url}"), ""),
            ("PUT", format!("/labgrid/pdus/{url}/1"), "1"),
            ("PUT", format!("/labgrid/pdus/rack1/{url}"), "1"),
            ("PUT", "/labgrid/outlets/n1".to_owned(), field),
            ("POST", format!("/outlets/{url}/on"), ""),
            ("POST", format!("/outlets/n1/{url}"), ""),
            ("POST", "/outlets/n1/on".to_owned(), field),
            ("POST", format!("/leases/{url}"), r#"{"user":"alice","for":"1h"}"#),
            ("DELETE", format!("/leases/{url}?user=alice"), ""),
            ("POST", "/leases/n1".to_owned(), field),
            ("POST", "/leases/n1".to_owned(), &said_for),
            ("GET", format!("/outlets/n1/meter{url}"), ""),
        ] {
            let status = http(power.address, method, &path, body).status;
            assert!(matches!(status, 400 | 404 | 405), "{method} {path}: {status}");
        }
        // Who it is and why are texts, for logs and screens: they are kept as they are, or refused.
        let asked = serde_json::json!({"user": field, "reason": field, "for": "1s"}).to_string();
        for (method, path, body) in [
            ("POST", "/leases/n1".to_owned(), asked.as_str()),
            ("GET", format!("/outlets/n1?user={url}"), ""),
            ("DELETE", format!("/leases/n1?user={url}"), ""),
        ] {
            let answer = http(power.address, method, &path, body);
            let known = matches!(answer.status, 200 | 400 | 409 | 502);
            assert!(known, "{method} {path}: {} {}", answer.status, answer.text());
            assert!(!answer.text().contains('\u{1b}'), "{}", answer.text());
        }
        for line in [
            format!("{field} 1 on"),
            format!("rack1 {field} on"),
            format!("rack1 1 {field}"),
            format!("rack1 1 on {field}"),
        ] {
            let answer = exchange(tcp, line.as_bytes(), Sent::All);
            assert!(!answer.contains("ack") || answer.starts_with("nack"), "{line}: {answer}");
        }
        // There a line end is what stands between two commands.
        let verbs: &[&str] = if field.contains('\n') {
            &[]
        } else {
            &["on", "off", "cycle", "status", "device", ""]
        };
        for verb in verbs {
            let answer =
                exchange(powerman, format!("{verb} {field}\r\nquit\r\n").as_bytes(), Sent::All);
            assert!(!answer.contains("102 "), "{verb} {field}: {answer}");
        }
        // No argument can have a zero byte; and a pattern means boards that there are.
        if !field.contains(['\0', '*']) {
            let mut lava = lab.program("lava");
            let lava = run(lava.args(["power", "on", "--", field]), "", super::SLOW);
            assert_eq!(lava.status.code(), Some(2), "{field}: {}", said(&lava));
        }
    }
    assert!(!lab.path("pwned").exists() && !lab.path("switched").exists());

    // What the configuration says is an argument, as it stands.
    assert_eq!(http(pdudaemon, "GET", "/power/control/on?alias=n1", "").status, 200);
    assert_eq!(std::fs::read_to_string(lab.path("switched")).unwrap(), format!("<{port}>"));
    assert!(!lab.path("pwned").exists());
    for c in ['\u{1b}', '\0', '\u{202e}'] {
        let log = power.daemon.log().text();
        assert!(!log.contains(c), "{c:?} is in {log}");
    }
}
