//! `lava-power` that logs in at the console's daemon, and whose own clients log in.

use serde_json::{Value, json};

use super::{Secure, user};
use crate::common::{Answer, LIMIT, http_as, wait_until};

#[test]
fn power_is_switched_by_name_and_the_console_is_told_who_it_was() {
    let access = user("power", "write = \"*\"") + &user("alice", "write = \"*\"");
    let lab = Secure::start("exec:cat", &access);
    let people = user("alice", "write = \"*\"")
        + &user("bob", "write = \"*\"")
        + &user("eve", "control = \"*\"")
        + &user("watcher", "see = \"panda*\"");
    let token = lab.lab.write("power.token", "lava_power");
    std::fs::set_permissions(&token, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    let config = format!(
        "{people}[http]\nlisten = \"127.0.0.1:0\"\n\
         [consoles]\ntoken_file = \"power.token\"\nca = \"ca.pem\"\n\
         [[pdu]]\nname = \"rack\"\ndriver = \"sim\"\n\
         [[outlet]]\nname = \"panda01\"\npdu = \"rack\"\nport = 1\noff_time = \"10ms\"\nconsole = \"{}\"\n\
         [[outlet]]\nname = \"secret\"\npdu = \"rack\"\nport = 2\n",
        lab.url("/consoles/panda01")
    );
    let power = lab.lab.start("lava-power", ["--config", &lab.lab.write("power.toml", &config)]);
    let ask = |name: &str, method: &str, path: &str, body: Value| -> Answer {
        let token = format!("lava_{name}");
        let body = if method == "GET" { String::new() } else { body.to_string() };
        http_as(power.address("http"), Some(&token), method, path, &body)
    };
    assert_eq!(ask("nobody", "GET", "/outlets", json!({})).status, 401);
    let seen = ask("watcher", "GET", "/outlets", json!({})).json();
    assert_eq!((seen.as_array().unwrap().len(), &seen[0]["name"]), (1, &json!("panda01")));
    assert_eq!(ask("watcher", "POST", "/outlets/panda01/on", json!({})).status, 403);
    assert_eq!(ask("watcher", "GET", "/outlets/secret", json!({})).status, 404);
    let near = ask("watcher", "GET", "/outlets/panda09", json!({})).text();
    assert!(near.contains("panda01") && !near.contains("secret"), "{near}");

    // Alice holds the console; whoever calls himself alice does not.
    let mut alice = lab.lab.program("lava-console");
    let inventory = lab.inventory("ca = \"ca.pem\"");
    alice.args(["--lab", &inventory, "panda01"]).env("LAVA_TOKEN", "lava_alice");
    let alice = crate::common::Client::in_terminal(alice.env("LAVA_USER", "alice"));
    wait_until(LIMIT, "alice is there", || alice.heard().text().contains("Connected"));
    let body = json!({"user": "alice", "reason": "stuck"});
    let done = ask("bob", "POST", "/outlets/panda01/on", body);
    assert_eq!(done.status, 200, "{}", done.text());
    alice.heard().find(LIMIT, 0, b"power (bob (alice))) initiated a power on").unwrap();

    let force = json!({"user": "eve", "force": true, "reason": "it smokes"});
    assert_eq!(ask("bob", "POST", "/outlets/panda01/off", force.clone()).status, 403);
    assert_eq!(ask("eve", "POST", "/outlets/panda01/off", force).status, 200);
    alice.heard().find(LIMIT, 0, b"power (eve)) initiated a power off").unwrap();
}
