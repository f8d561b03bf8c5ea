//! PDUs with web interfaces, most of them simulated: tests/rig/web_pdu.py. Digest authentication is
//! lighttpd's, Redfish is sushy-tools' emulator.

use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use super::Power;
use crate::common::{Heard, LIMIT, Pki, Process, TestLab, rig, run, wait_until};

/// The simulated PDU; its folder has what it was asked and what is wrong with it.
struct WebPdu {
    _process: Process,
    address: SocketAddr,
    folder: PathBuf,
}

impl WebPdu {
    fn start(lab: &TestLab, name: &str) -> Self {
        let folder = lab.path(name);
        std::fs::create_dir(&folder).unwrap();
        let mut command = lab.tool(rig("web_pdu.py"));
        let mut process = Process::spawn(command.arg(&folder).stdout(Stdio::piped()));
        let said = Heard::from(process.child().stdout.take().unwrap());
        said.find(LIMIT, 0, b"\n").unwrap();
        let address = SocketAddr::from(([127, 0, 0, 1], said.text().trim().parse().unwrap()));
        Self { _process: process, address, folder }
    }

    fn set(&self, file: &str, word: &str) {
        std::fs::write(self.folder.join(file), word).unwrap();
    }

    /// What it was asked since the last time: method, path and body.
    fn requests(&self) -> Vec<String> {
        let file = self.folder.join("requests");
        let lines = std::fs::read_to_string(&file).unwrap_or_default();
        let _ = std::fs::remove_file(file);
        lines.lines().map(str::to_owned).collect()
    }

    fn pdu(&self, name: &str, profile: &str, keys: &str) -> String {
        pdu(&format!("http://{}", self.address), name, profile, keys)
    }
}

fn pdu(url: &str, name: &str, profile: &str, keys: &str) -> String {
    format!(
        "[[pdu]]\nname = \"{name}\"\ndriver = \"http\"\nurl = \"{url}\"\nprofile = \"{profile}\"\nmeter_every = \"0s\"\n{keys}\n"
    )
}

fn outlet(name: &str, pdu: &str, port: &str) -> String {
    format!(
        "[[outlet]]\nname = \"{name}\"\npdu = \"{pdu}\"\nport = {port:?}\noff_time = \"10ms\"\n"
    )
}

#[test]
fn every_family_is_asked_in_its_own_words() {
    let lab = TestLab::new();
    let web = WebPdu::start(&lab, "web");
    let (digipower, ubus) = (WebPdu::start(&lab, "digipower"), WebPdu::start(&lab, "ubus"));
    digipower.set("family", "digipower");
    ubus.set("family", "ubus-open");
    let named = "user = \"lava\"\npassword = \"p&ss word\"";
    let odd = "user = \"lava\"\npassword = 'p\"ss\\'";
    // What switches the outlet on; empty where that is not all.
    let families: &[(&WebPdu, &str, &str, &str, &str)] = &[
        (&web, "anel", "7", named, "GET /?Sw_on=7,lavap%26ss%20word"),
        (
            &web,
            "aviosys-ip9850",
            "4",
            named,
            "GET /set.cmd?user=lava+pass=p%26ss%20word+cmd=setpower+p64=1",
        ),
        (&digipower, "digipower", "8", named, "GET /ons.cgi?led=000000010000000000000000"),
        (&web, "digital-loggers", "3", "", "PUT /restapi/relay/outlets/2/state/ value=true"),
        (&web, "esphome", "a b", "", "POST /switch/a%20b/turn_on"),
        (&web, "gude", "12", "", "GET /status.json?components=1&cmd=1&p=12&s=1"),
        (
            &web,
            "home-assistant",
            "switch.a",
            "token = \"x\"",
            r#"POST /api/services/homeassistant/turn_on {"entity_id": "switch.a"}"#,
        ),
        (&web, "intellinet", "1", named, "GET /control_outlet.htm?outlet0=1&op=0&submit=Apply"),
        (&web, "lindy-ipower-classic8", "2", "", "GET /ons.cgi?led=010000000000000000000000"),
        (&web, "netio", "4", "", r#"POST /netio.json {"Outputs": [{"ID": 4, "Action": 1}]}"#),
        (
            &web,
            "redfish-pdu",
            "A1",
            "",
            r#"POST /redfish/v1/PowerEquipment/RackPDUs/1/Outlets/A1/Actions/Outlet.PowerControl {"PowerState": "On"}"#,
        ),
        (&web, "sainsmart", "6", "", "GET /30000/11"),
        (
            &web,
            "servertech-pro2",
            "AA1",
            named,
            r#"PATCH /jaws/control/outlets/AA1 {"control_action": "on"}"#,
        ),
        (&web, "shelly-gen1", "0", "", "POST /relay/0 turn=on"),
        (&web, "shelly-gen2", "0", "", "GET /rpc/Switch.Set?id=0&on=true"),
        (&web, "tasmota", "5", "", "GET /cm?cmnd=Power5%20On"),
        (&web, "tinycontrol-tcpdu", "6", "", "GET /api/v1/save/?out6=1"),
        (&web, "ubus", "lan3", odd, ""),
        (&ubus, "ubus-open", "lan3", "", ""),
    ];
    let mut config = String::new();
    for (web, profile, port, keys, _) in families {
        config += &(web.pdu(profile, profile, keys) + &outlet(profile, profile, port));
    }
    let power = Power::start(&lab, &config);
    for (web, profile, _, _, switched_by) in families {
        let blind = ["anel", "lindy-ipower-classic8", "sainsmart"].contains(profile);
        let verified = if blind { "accepted" } else { "verified" };
        // Some of them share the simulator's outlets.
        power.done(profile, "off");
        web.requests();
        assert_eq!(power.done(profile, "on"), format!("on {verified}"), "{profile}");
        let requests = web.requests();
        if !switched_by.is_empty() {
            assert_eq!(requests[0], *switched_by, "{profile}");
            assert_eq!(requests.len(), if blind { 1 } else { 2 }, "{requests:?}");
        }
        if !blind {
            assert_eq!(power.done(profile, "status"), "on verified", "{profile}");
        }
        assert_eq!(power.done(profile, "off"), format!("off {verified}"), "{profile}");
        assert_eq!(power.done(profile, "cycle"), format!("on {verified}"), "{profile}");
    }
}

#[test]
fn whoever_we_are_has_to_be_known() {
    let lab = TestLab::new();
    let (basic, bearer) = (WebPdu::start(&lab, "basic"), WebPdu::start(&lab, "bearer"));
    basic.set("login", "lava:hunter2 & more");
    bearer.set("login", "t0ken");
    lab.write("right", "hunter2 & more\n");
    lab.write("token", "t0ken\n");
    let config = basic.pdu("right", "netio", "user = \"lava\"\npassword_file = \"right\"")
        + &basic.pdu("wrong", "netio", "user = \"lava\"\npassword = \"hunter3\"")
        + &basic.pdu("nobody", "netio", "")
        + &bearer.pdu("token", "home-assistant", "token_file = \"token\"")
        + &bearer.pdu("stolen", "home-assistant", "token = \"hunter4\"")
        + &outlet("right", "right", "1")
        + &outlet("wrong", "wrong", "1")
        + &outlet("nobody", "nobody", "1")
        + &outlet("token", "token", "switch.a")
        + &outlet("stolen", "stolen", "switch.a");
    let power = Power::start(&lab, &config);
    assert_eq!(power.done("right", "on"), "on verified");
    assert_eq!(power.done("token", "on"), "on verified");
    for (name, why) in [
        ("wrong", "wrong user or password, or one without the right to do this"),
        ("nobody", "it wants to know who we are; see the key auth"),
        ("stolen", "wrong token, or one without the right to do this"),
    ] {
        basic.requests();
        let (kind, message) = power.fails(name, "off");
        assert_eq!(kind, "lab");
        assert!(
            message.ends_with(&format!("the PDU denies us (401 Unauthorized): {why}")),
            "{message}"
        );
        assert!(basic.requests().len() < 2, "it was asked again");
        assert!(!message.contains("hunter"), "{message}");
    }
    let log = power.daemon.log().text();
    assert!(!log.contains("hunter") && !log.contains("t0ken"), "{log}");
    assert_eq!(power.done("right", "status"), "on verified");
}

#[test]
fn what_goes_wrong_is_told_for_what_it_is() {
    let lab = TestLab::new();
    let web = WebPdu::start(&lab, "web");
    let keys = "timeout = \"1s\"\nverify = \"200ms\"\nuser = \"lava\"\npassword = \"p&ss word\"";
    let config = web.pdu("rack", "shelly-gen1", keys) + &outlet("panda01", "rack", "0");
    let power = Power::start(&lab, &config);
    assert_eq!(power.done("panda01", "off"), "off verified");
    let faults = [
        ("silent", "lab", "asked to switch on: no answer within 1s; and the state cannot be read"),
        ("hangup", "lab", "asked to switch on: the PDU is not understood: "),
        ("garbage", "lab", "asked to switch on: the PDU is not understood: "),
        (
            "page",
            "lab",
            "asked to switch on: the PDU's answer does not say what the profile looks for",
        ),
        ("huge", "lab", "asked to switch on: the PDU's answer has more than 256 KiB"),
        ("broken", "lab", "asked to switch on: the PDU answers 503 Service Unavailable"),
        // Many a server answers so what it has done.
        (
            "redirect",
            "lab",
            "asked to switch on: the PDU sends us elsewhere (302 Found), where we do",
        ),
        // It refuses to tell the state, too.
        (
            "refuse",
            "lab",
            "asked to switch on: the PDU refuses: 409 Conflict; and the state cannot",
        ),
    ];
    for (fault, expected, why) in faults {
        web.set("fault", fault);
        web.requests();
        let (kind, message) = power.fails("panda01", "on");
        assert!(message.contains(why), "{fault}: {message}");
        assert_eq!(kind, expected, "{fault}");
        assert!(!message.contains("p&ss"), "{fault}: {message}");
        // Not once is it asked to switch on again without having been read in between.
        let asked = web.requests();
        assert!(
            !asked.windows(2).any(|two| two.iter().all(|r| r.contains("turn=on"))),
            "{asked:?}"
        );
    }
    web.set("fault", "lie");
    let (kind, message) = power.fails("panda01", "on");
    assert_eq!(kind, "lab", "{message}");
    assert!(message.contains("answers \"false\" instead of true"), "{message}");

    web.set("fault", "late");
    assert_eq!(power.done("panda01", "on"), "on verified");
    web.set("fault", "");
    assert_eq!(power.done("panda01", "cycle"), "on verified");
}

#[test]
fn a_pdu_that_lies_is_found_out_by_reading() {
    let lab = TestLab::new();
    let web = WebPdu::start(&lab, "web");
    let config = web.pdu("rack", "netio", "verify = \"300ms\"") + &outlet("panda01", "rack", "1");
    let power = Power::start(&lab, &config);
    web.set("fault", "lie");
    let (kind, message) = power.fails("panda01", "on");
    assert_eq!(kind, "failed");
    assert!(message.contains("took the request to switch on, but still reads off"), "{message}");
}

#[test]
fn a_pdu_that_tells_anybody_what_it_is_is_found() {
    let lab = TestLab::new();
    let web = WebPdu::start(&lab, "web");
    let url = format!("http://{}", web.address);
    let said = lab.run("lava", ["power", "probe", &url, "--name", "rack"], "");
    let told = String::from_utf8_lossy(&said.stdout).into_owned();
    assert!(said.status.success(), "{said:?}");
    assert!(told.contains(&format!("# {url}: 4All\n# netio: NETIO")), "{told}");
    let config = told[told.find("[[pdu]]").unwrap()..].to_owned();
    assert_eq!(config.matches("# off\n[[outlet]]").count(), 4, "{told}");
    let power = Power::start(&lab, &config);
    assert_eq!(power.done("rack-4", "on"), "on verified");
    let json = lab.run("lava", ["power", "probe", &url, "--json"], "");
    let found: serde_json::Value = serde_json::from_slice(&json.stdout).unwrap();
    assert_eq!((&found["driver"], &found["outlets"][3]["state"]), (&"http".into(), &"on".into()));
    let nobody = lab.run("lava", ["power", "probe", "http://127.0.0.1:1"], "");
    assert_eq!(nobody.status.code(), Some(1), "{nobody:?}");
}

#[test]
fn a_pdu_that_is_not_there_is_found_out_at_once() {
    let lab = TestLab::new();
    let nobody = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let config = pdu(&format!("http://{nobody}"), "gone", "netio", "") + &outlet("a", "gone", "1");
    let power = Power::start(&lab, &config);
    let (kind, message) = power.fails("a", "on");
    assert_eq!(kind, "lab");
    assert!(message.contains("no way there: ") && message.contains("refused"), "{message}");
}

#[test]
fn no_name_is_more_than_a_name() {
    let lab = TestLab::new();
    let web = WebPdu::start(&lab, "web");
    let names = ["$(touch owned); `x` | y", "a/../../b?c=d&e#f", "%2e%2e\"}],{[", "\u{e9}\\n"];
    let mut config =
        web.pdu("esp", "esphome", "") + &web.pdu("ha", "home-assistant", "token = \"x\"");
    for (at, name) in names.iter().enumerate() {
        config +=
            &(outlet(&format!("e{at}"), "esp", name) + &outlet(&format!("h{at}"), "ha", name));
    }
    let power = Power::start(&lab, &config);
    for at in 0..names.len() {
        for board in [format!("e{at}"), format!("h{at}")] {
            assert_eq!(power.done(&board, "off"), "off verified", "{board}");
            assert_eq!(power.done(&board, "on"), "on verified", "{board}");
        }
    }
    for request in web.requests() {
        let path = request.split(' ').nth(1).unwrap();
        assert!(path.starts_with("/switch/") || path.starts_with("/api/"), "{request}");
        assert!(!path.contains(['?', '#', '$', '"', '`']) && !path.contains("/../"), "{request}");
    }
}

/// A way from TCP to a Unix socket, for servers that cannot choose a port of their own.
pub(super) fn bridge(socket: &Path) -> SocketAddr {
    wait_until(LIMIT, &format!("{} listens", socket.display()), || {
        UnixStream::connect(socket).is_ok()
    });
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let socket = socket.to_owned();
    std::thread::spawn(move || {
        for near in listener.incoming().map_while(Result::ok) {
            // Whoever is refused finds the connection closed.
            let Ok(far) = UnixStream::connect(&socket) else { continue };
            let (mut in_near, mut in_far) = (near.try_clone().unwrap(), far.try_clone().unwrap());
            std::thread::spawn(move || {
                let _ = std::io::copy(&mut in_near, &mut in_far);
                let _ = in_far.shutdown(std::net::Shutdown::Write);
            });
            let (mut out_near, mut out_far): (TcpStream, UnixStream) = (near, far);
            std::thread::spawn(move || {
                let _ = std::io::copy(&mut out_far, &mut out_near);
                let _ = out_near.shutdown(std::net::Shutdown::Both);
            });
        }
    });
    address
}

#[test]
fn digest_authentication_is_that_of_a_real_server() {
    let lab = TestLab::new();
    let web = WebPdu::start(&lab, "web");
    let (user, realm, password) = ("admin", "shelly plus", "s3cret & more");
    let hash = |program: &str| {
        let said = run(&mut lab.tool(program), &format!("{user}:{realm}:{password}"), LIMIT);
        String::from_utf8_lossy(&said.stdout).split(' ').next().unwrap().to_owned()
    };
    let mut config = String::new();
    for (name, algorithm, sum) in [("md5", "MD5", "md5sum"), ("sha256", "SHA-256", "sha256sum")] {
        let users = lab.write(&format!("{name}.users"), &format!("{user}:{realm}:{}\n", hash(sum)));
        let socket = lab.path(&format!("{name}.sock"));
        let text = format!(
            "server.document-root = \"{folder}\"\nserver.bind = \"{socket}\"\n\
             server.modules = (\"mod_authn_file\", \"mod_auth\", \"mod_proxy\")\n\
             auth.backend = \"htdigest\"\nauth.backend.htdigest.userfile = \"{users}\"\n\
             auth.require = (\"/\" => (\"method\" => \"digest\", \"algorithm\" => \"{algorithm}\",\n\
             \"realm\" => \"{realm}\", \"require\" => \"valid-user\"))\n\
             proxy.server = (\"\" => ((\"host\" => \"127.0.0.1\", \"port\" => {port})))\n",
            folder = lab.dir().display(),
            socket = socket.display(),
            port = web.address.port(),
        );
        let file = lab.write(&format!("{name}.conf"), &text);
        let mut lighttpd = lab.tool("lighttpd");
        lighttpd.env("PATH", format!("{}:/usr/sbin:/sbin", std::env::var("PATH").unwrap()));
        let server = Process::spawn(lighttpd.args(["-D", "-f", &file]).stdout(Stdio::null()));
        let url = format!("http://{}", bridge(&socket));
        let keys = format!("user = \"{user}\"\npassword = \"{password}\"");
        config += &(pdu(&url, name, "shelly-gen2", &keys) + &outlet(name, name, "0"));
        let wrong = format!("wrong-{name}");
        let keys = format!("user = \"{user}\"\npassword = \"no\"");
        config += &(pdu(&url, &wrong, "shelly-gen2", &keys) + &outlet(&wrong, &wrong, "0"));
        // They end with the test's thread.
        std::mem::forget(server);
    }
    let power = Power::start(&lab, &config);
    for name in ["md5", "sha256"] {
        assert_eq!(power.done(name, "off"), "off verified", "{name}");
        assert_eq!(power.done(name, "on"), "on verified", "{name}");
        let (kind, message) = power.fails(&format!("wrong-{name}"), "off");
        assert_eq!(kind, "lab");
        assert!(message.contains("the PDU denies us (401 Unauthorized): wrong user"), "{message}");
    }
    // Every request came through once: those without an answer to the challenge were not passed on.
    let switched =
        web.requests().into_iter().filter(|request| request.contains("Switch.Set")).count();
    assert_eq!(switched, 4);
}

#[test]
fn a_redfish_service_switches_and_reads_back() {
    let lab = TestLab::new();
    let pki = Pki::new(&lab, "ca");
    pki.server("bmc");
    Pki::new(&lab, "stranger");
    // lava:s3cret, by bcrypt.
    lab.write("users", &format!("lava:{}\n", bcrypt(&lab, "s3cret")));
    let config = lab.write(
        "emulator.conf",
        &format!(
            "SUSHY_EMULATOR_LISTEN_IP = '127.0.0.1'\nSUSHY_EMULATOR_LISTEN_PORT = 0\n\
             SUSHY_EMULATOR_FAKE_DRIVER = True\nSUSHY_EMULATOR_STATE_DIR = '{dir}'\n\
             SUSHY_EMULATOR_SSL_CERT = '{dir}/bmc.pem'\nSUSHY_EMULATOR_SSL_KEY = '{dir}/bmc.key'\n\
             SUSHY_EMULATOR_AUTH_FILE = '{dir}/users'\n",
            dir = lab.dir().display()
        ),
    );
    let mut command = lab.tool(redfish("sushy-emulator"));
    command.args(["--config", &config]).stdout(Stdio::null()).stderr(Stdio::piped());
    let mut emulator = Process::spawn(&mut command);
    let said = Heard::from(emulator.child().stderr.take().unwrap());
    let begin = said.find(LIMIT, 0, b"Running on https://127.0.0.1:").unwrap();
    let end = said.find(LIMIT, begin, b"\n").unwrap();
    let port: u16 = said.text()[begin..end].trim().parse().unwrap();
    let url = format!("https://127.0.0.1:{port}");

    let keys = "user = \"lava\"\npassword = \"s3cret\"\nverify = \"40s\"\n";
    let system = "27946b59-9e44-4fa7-8e91-f3527a1ef094";
    let text = pdu(&url, "bmc", "redfish", &format!("{keys}ca = \"ca.pem\""))
        + &pdu(&url, "anybody", "redfish", &format!("{keys}insecure_tls = true"))
        + &pdu(&url, "other-ca", "redfish", &format!("{keys}ca = \"stranger.pem\""))
        + &pdu(&url, "wrong", "redfish", "user = \"lava\"\npassword = \"x\"\nca = \"ca.pem\"")
        + &outlet("panda01", "bmc", system)
        + &outlet("panda02", "anybody", system)
        + &outlet("panda03", "other-ca", system)
        + &outlet("panda04", "wrong", system)
        + &outlet("panda05", "bmc", "no-such-system");
    let power = Power::start(&lab, &text);
    assert_eq!(power.done("panda01", "status"), "off verified");
    // It takes its time, of up to 11 s.
    assert_eq!(power.done("panda01", "on"), "on verified");
    assert_eq!(power.done("panda02", "status"), "on verified");
    assert_eq!(power.done("panda01", "off"), "off verified");

    let (_, message) = power.fails("panda03", "on");
    assert!(message.contains("no way there: ") && message.contains("certificate"), "{message}");
    let (_, message) = power.fails("panda04", "on");
    assert!(message.contains("the PDU denies us (401"), "{message}");
    let (kind, message) = power.fails("panda05", "on");
    assert_eq!(kind, "lab");
    assert!(message.contains("404 Not Found; are the port and the profile right?"), "{message}");
    assert_eq!(power.done("panda01", "status"), "off verified");
}

/// A program of the Python environment that tests/rig/redfish makes.
fn redfish(name: &str) -> PathBuf {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/rig/redfish/bin").join(name);
    assert!(path.exists(), "{} is missing: run tests/run, which prepares it", path.display());
    path
}

fn bcrypt(lab: &TestLab, password: &str) -> String {
    let script = "import bcrypt, sys; print(bcrypt.hashpw(sys.argv[1].encode(), bcrypt.gensalt(4)).decode())";
    let said = run(lab.tool(redfish("python3")).args(["-c", script, password]), "", LIMIT);
    assert!(said.status.success(), "{}", String::from_utf8_lossy(&said.stderr));
    String::from_utf8_lossy(&said.stdout).trim().to_owned()
}
