//! Logging in: a token once, then a cookie that scripts cannot read and other sites cannot use.

use serde_json::json;

use super::browser::{Browser, Page};
use super::{Lab, connected};
use crate::common::http;
use crate::rights::user;

const ECHO: &str = "exec:sh -c 'stty -echo icrnl; while read a; do echo got $a; done'";

fn tokens(alice: &str) -> String {
    user("alice", alice) + &user("eve", "spy = [\"panda01\"]")
}

#[test]
fn who_is_not_known_logs_in_and_stays_so_over_a_restart() {
    let mut lab = Lab::start(ECHO, &tokens("write = [\"*\"]"), "");
    let browser = Browser::start(&lab.lab);
    let page = browser.open(&lab.url("/view/panda01"));
    log_in(&page, "lava_wrong");
    page.expect(
        "it is refused",
        "document.getElementById('notice').textContent.includes('nobody here has this token')",
    );
    log_in(&page, "lava_alice");
    page.expect("it is the console again", "location.pathname === '/view/panda01'");
    connected(&page);
    page.expect(
        "it is alice",
        "document.getElementById('you').textContent === 'You are alice, and may write.'",
    );
    page.type_text("hello\r");
    page.expect_text("got hello");
    // No script can have it.
    assert_eq!(page.eval("document.cookie"), "");

    drop(lab.serial.take());
    lab.again();
    connected(&page);
    page.type_text("again\r");
    page.expect_text("got again");

    // The login leads nowhere else, whatever it is asked.
    let other = browser.open(&lab.url("/"));
    for to in
        ["//evil.invalid/x", "/.//evil.invalid/x", "/\\evil.invalid/x", "http://evil.invalid/x"]
    {
        let to = lavamux::client::percent_encoded(to);
        other.go(&lab.url(&format!("/login?to={to}")));
        let ours = format!(
            "location.origin === '{}' && !location.pathname.startsWith('/login') && \
             document.readyState === 'complete'",
            lab.url("")
        );
        other.expect(&format!("{to} leads to ourselves"), &ours);
        other.go(&lab.url("/view/panda01"));
        connected(&other);
    }

    page.click("#more");
    page.click("#logout");
    page.expect("it is the login", "location.pathname === '/login'");
}

#[test]
fn a_login_over_tls_is_sent_nowhere_else() {
    let lab = Lab::start_tls(ECHO, &tokens("write = [\"*\"]"));
    let browser = Browser::start(&lab.lab);
    let page = browser.open(&lab.url("/view/panda01"));
    log_in(&page, "lava_alice");
    page.expect("it is the console", "location.pathname === '/view/panda01'");
    connected(&page);
    page.type_text("hello\r");
    page.expect_text("got hello");
    let cookies = page.cookies();
    let cookie = &cookies[0];
    assert_eq!(cookie["name"], format!("lava-{}", lab.address.port()), "{cookies}");
    for is in ["secure", "httpOnly", "session"] {
        assert_eq!(cookie[is], is != "session", "{is}: {cookies}");
    }
    assert_eq!((&cookie["sameSite"], cookies.as_array().unwrap().len()), (&"Strict".into(), 1));
    assert_eq!(page.errors(), [""; 0]);
}

#[test]
fn who_may_only_look_cannot_type_and_who_may_nothing_any_more_is_let_go() {
    let lab = Lab::start(ECHO, &tokens("write = [\"*\"]"), "");
    let browser = Browser::start(&lab.lab);
    let page = browser.open(&lab.url("/login?to=/view/panda01"));
    log_in(&page, "lava_eve");
    page.expect("it is the console", "location.pathname === '/view/panda01'");
    connected(&page);
    page.expect("she looks", "document.getElementById('mode').value === 'spy'");
    let other = browser.open(&lab.url("/view/panda09"));
    other.expect(
        "it is told",
        "document.getElementById('notice').textContent.includes('there is no console')",
    );
    // Whatever the page thinks.
    let typed = "document.getElementById('notice').textContent = ''; \
                 fetch('/consoles/panda01/send', { method: 'POST', body: '{\"text\":\"x\"}' }).then((it) => it.status)";
    assert_eq!(page.eval(typed), 403);

    let text = std::fs::read_to_string(&lab.file).unwrap();
    std::fs::write(&lab.file, text.replace("spy = [\"panda01\"]", "see = [\"panda01\"]")).unwrap();
    let socket = lab.serial.as_ref().unwrap().told("socket").to_owned();
    let answer = crate::common::http_unix(socket.as_ref(), "POST", "/reload", "");
    assert_eq!(answer.status, 200);
    page.expect("she is let go", "document.getElementById('link').textContent === 'ended'");
}

#[test]
fn a_login_is_no_use_to_other_sites_and_is_made_for_none() {
    let lab = Lab::start(ECHO, &tokens("control = [\"*\"]"), "");
    let login =
        exchange(&lab, "POST", "/session", "", &json!({ "token": "lava_alice" }).to_string());
    assert_eq!(login.status, 204);
    let cookie = login.header("set-cookie").unwrap();
    for part in ["HttpOnly", "SameSite=Strict", "Path=/"] {
        assert!(cookie.contains(part), "{cookie}");
    }
    assert!(!cookie.contains("lava_alice") && !cookie.contains("sha256"), "{cookie}");
    let cookie = cookie.split(';').next().unwrap().to_owned();
    let with = |more: &str| {
        exchange(&lab, "GET", "/consoles", &format!("cookie: {cookie}\r\n{more}"), "").status
    };
    assert_eq!(with(""), 200);
    assert_eq!(with("sec-fetch-site: same-origin\r\n"), 200);
    assert_eq!(with("sec-fetch-site: same-site\r\n"), 401);
    assert_eq!(with("sec-fetch-site: cross-site\r\n"), 401);
    assert_eq!(with("origin: http://evil.example\r\n"), 403);
    let forged = cookie.replace("1-", "1-9");
    assert_eq!(
        exchange(&lab, "GET", "/consoles", &format!("cookie: {forged}\r\n"), "").status,
        401
    );
    let foreign = exchange(
        &lab,
        "POST",
        "/session",
        "origin: http://evil.example\r\n",
        "{\"token\":\"lava_alice\"}",
    );
    assert_eq!(foreign.status, 403);
    // Guesses are counted as everywhere.
    let guess = || exchange(&lab, "POST", "/session", "", "{\"token\":\"x\"}").status;
    let statuses: Vec<u16> = (0..12).map(|_| guess()).collect();
    assert_eq!((statuses[0], statuses[11]), (401, 429));

    // Pages load nothing from elsewhere and are shown in no other page.
    let page = http(lab.address, "GET", "/view/panda01", "");
    let policy = page.header("content-security-policy").unwrap();
    assert!(policy.contains("default-src 'none'") && policy.contains("frame-ancestors 'none'"));
    assert!(!policy.contains("unsafe"));
}

/// A request with headers of its own, whose host is where it goes.
fn exchange(
    lab: &Lab,
    method: &str,
    path: &str,
    headers: &str,
    body: &str,
) -> crate::common::Answer {
    crate::common::http_with(lab.address, method, path, headers, body)
}

/// Shows a token at the login, when that is there.
#[track_caller]
fn log_in(page: &Page, token: &str) {
    page.expect(
        "it is the login",
        "location.pathname === '/login' && document.querySelector('#enter:enabled')",
    );
    page.eval(&format!("document.getElementById('token').value = '{token}'"));
    page.click("#enter:enabled");
}
