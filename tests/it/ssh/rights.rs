//! Rights: what the front hides, and what the daemons refuse by themselves.

use lavamux::model::TokenHash;

use super::{SshLab, config, make_key, text, told};
use crate::common::{Client, LIMIT, TestLab, http, run};

#[test]
fn one_sees_only_what_one_may_see() {
    let lab = SshLab::start("");
    make_key(&lab.lab, "bob", "ed25519");
    let dir = lab.lab.dir().display();
    let bob =
        format!("[[user]]\nname = \"bob\"\nkeys_file = \"{dir}/bob.pub\"\nspy = \"panda02\"\n");
    lab.reload(&config(&lab.lab, "see = \"panda01\"\nwrite = \"panda02\"", &bob));
    let as_bob = |words: &[&str], input: &str| {
        let args = [&["lab"], words].concat();
        told(&run(&mut lab.ssh_with("bob", &args), input, LIMIT))
    };
    let (_, out, _) = as_bob(&["boards"], "");
    assert!(out.contains("panda02") && !out.contains("panda01"), "{out}");
    let (code, _, err) = as_bob(&["panda01"], "");
    assert_eq!(code, Some(2), "{err}");
    let (code, out, err) = as_bob(&["panda02"], "typed\n");
    assert_eq!((code, out.as_str()), (Some(4), ""));
    assert!(err.contains("read-only"), "{err}");
    assert_eq!(as_bob(&["send", "panda02", "x"], "").0, Some(4));
    let (code, _, err) = told(&lab.run(&["lab", "panda01"], ""));
    assert_eq!(code, Some(4));
    assert!(err.contains("alice may see on panda01, and this needs spy"), "{err}");
    let (code, _, err) = told(&lab.run(&["lab", "break", "panda02"], ""));
    assert_eq!(code, Some(4), "{err}");
}

/// What a `lava-serial` with tokens says to somebody who asks for others.
#[test]
fn a_daemon_acts_for_others_only_for_those_who_may_speak_for_them() {
    let lab = TestLab::new();
    let token = |name: &str| {
        let hash = TokenHash::of(&format!("lava_{name}")).unwrap();
        format!("[[token]]\nname = \"{name}\"\nhash = \"{hash}\"\nwrite = \"panda*\"\n")
    };
    let text = format!(
        "[http]\nlisten = \"127.0.0.1:0\"\n{}{}speaks_for_others = true\n\
         [[console]]\nname = \"panda01\"\nport = \"sim:uart\"\n\
         [[console]]\nname = \"other\"\nport = \"sim:uart\"\n",
        token("mallory"),
        token("door")
    );
    let serial = lab.start("lava-serial", ["--config", &lab.write("serial.toml", &text)]);
    let ask = |name: &str, behalf: &str, path: &str| {
        let mut curl = lab.tool("curl");
        let url = format!("http://{}{path}", serial.address("http"));
        curl.args(["-s", "-H", &format!("Authorization: Bearer lava_{name}")]);
        curl.args(["-H", &format!("Lava-For: {behalf}"), &url]);
        super::text(&run(&mut curl, "", LIMIT).stdout)
    };
    let bob = |rights: &str| format!(r#"{{"user":"bob","rights":{rights}}}"#);
    let all = bob(r#"[["*","control"]]"#);
    assert!(ask("mallory", &all, "/consoles").contains("mallory may not ask on behalf of others"));
    let consoles = ask("door", &all, "/consoles");
    assert!(consoles.contains("panda01") && !consoles.contains("other"), "{consoles}");
    assert_eq!(ask("door", &bob("[]"), "/consoles"), "[]");
    let see = bob(r#"[["*","see"]]"#);
    let refused = ask("door", &see, "/consoles/panda01/history");
    assert!(refused.contains("bob may see on panda01, and this needs spy"), "{refused}");
    assert!(ask("door", "bob", "/consoles").contains("lava-for: "));
    // Without a token it is nobody who asks.
    let nobody = http(serial.address("http"), "GET", "/consoles", "");
    assert_eq!(nobody.status, 401);
}

#[test]
fn behind_a_token_that_speaks_for_others_users_keep_their_own_names() {
    let lab = TestLab::new();
    let hash = TokenHash::of("lava_door").unwrap();
    let serial = lab.write(
        "serial.toml",
        &format!(
            "[http]\nlisten = \"127.0.0.1:0\"\n[[token]]\nname = \"door\"\nhash = \"{hash}\"\n\
             control = \"*\"\nspeaks_for_others = true\n[[console]]\nname = \"usb-7\"\nport = {:?}\n",
            super::ECHO
        ),
    );
    let serial = lab.start("lava-serial", ["--config", &serial]);
    let http = serial.address("http");
    let token = lab.write("door.token", "lava_door\n");
    std::fs::set_permissions(&token, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    lab.write(
        "lab.toml",
        &format!(
            "[[board]]\nname = \"panda01\"\nconsole = \"http://{http}/consoles/usb-7\"\n\
             token_file = \"door.token\"\n"
        ),
    );
    let ssh = SshLab::beside(lab, serial, "");
    let with_lab = std::fs::read_to_string(&ssh.file)
        .unwrap()
        .replace("host_key = ", "lab = \"lab.toml\"\nhost_key = ");
    ssh.reload(&with_lab);
    let mut alice = Client::in_terminal(&mut ssh.ssh(&["panda01@lab"]));
    alice.expect("Connected to panda01");
    alice.type_text("hi\n");
    alice.expect("got hi");
    let said = ssh.run(&["lab", "who"], "");
    assert!(text(&said.stdout).contains(" alice "), "{}", text(&said.stdout));
}
