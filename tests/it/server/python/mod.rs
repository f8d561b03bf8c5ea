//! A script reserves a board with the Python library.

use serde_json::Value;

use super::{Rack, Server};
use crate::common::{LIMIT, TestLab, run};

/// The console is looped: what is typed comes back.
const SCRIPT: &str = r#"
from lavamux import Lab, NotSeen, Refused, WrongUse

lab, bob = Lab(user="alice"), Lab(user="bob")
with lab.reserve(type="panda", minutes=10, reason="a test") as board:
    print("has", board.name, board.type, board.power.on())
    with board.console() as console:
        console.sendline("hello 42")
        match = console.expect([r"never", r"hello (\d+)"])
        assert (match.which, match.match.group(1)) == (1, "42"), match
        console.send("é")
        console.expect("é")
        try:
            console.expect("never", timeout=0.1)
        except NotSeen as error:
            print(error)
    try:
        bob.board(board.name).power.off()
    except Refused as error:
        print("refused:", str(error).split(" since")[0])
    waits = bob.submit("name=" + board.name, minutes=5)
    print("waits:", waits.position, board.name in waits.why)
    try:
        bob.reserve("name=" + board.name, timeout=0.3)
    except TimeoutError:
        print("called back")
with waits.wait(timeout=60) as board:
    print("now", board.info["lease"]["holder"])
with lab.reserve(specs=["name=panda01", "name=panda02"]) as boards:
    print("both", *[board.name for board in boards])
try:
    lab.submit("ram>=much")
except WrongUse as error:
    print("wrong:", error)
print("free", "lease" not in lab.board("panda01").info)
"#;

#[test]
fn a_script_reserves_boards_uses_them_and_gives_them_back() {
    let lab = TestLab::new();
    let server = Server::start(&lab);
    let _rack = Rack::with_boards(&lab, &server);
    let mut python = lab.tool("python3");
    python.args(["-c", SCRIPT]).env("LAVA_SERVER", server.url());
    python.env("PYTHONPATH", concat!(env!("CARGO_MANIFEST_DIR"), "/python"));
    python.env("PYTHONDONTWRITEBYTECODE", "1");
    let output = run(&mut python, "", LIMIT);
    let printed = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{printed}{}", String::from_utf8_lossy(&output.stderr));
    for line in [
        "has panda01 panda on",
        "'never' has not come within 0.1 s; the last that came: ",
        "refused: panda01 is leased by alice",
        "waits: 1 True",
        "called back",
        "now bob",
        "both panda01 panda02",
        "wrong: \"ram>=much\": \"much\" is no number and no size",
        "free True",
    ] {
        assert!(printed.contains(line), "no {line:?} in\n{printed}");
    }
    let all = server.get("/requests");
    assert_eq!(all, Value::Array(Vec::new()), "nobody waits and nobody has anything");
}
