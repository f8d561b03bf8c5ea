//! A page shows what the API would tell the same person, as text, and to nobody else.

use serde_json::{Value, json};

use super::super::Server;
use crate::common::{Answer, LIMIT, TestLab, http_as, http_with, wait_until};

const PAGES: [&str; 4] = ["/ui/boards", "/ui/queue", "/ui/jobs", "/ui/images"];
const MARKUP: &str = "<img src=x onerror=alert(1)>\"'&lt;<script>alert(2)</script>";

fn user(lab: &TestLab, name: &str, right: &str, on: &str) -> String {
    let output = lab.run("lava", ["user", "add", name, right, on], "");
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

fn get(server: &Server, token: &str, path: &str) -> Answer {
    http_as(server.address, Some(token), "GET", path, "")
}

fn put(server: &Server, token: &str, method: &str, path: &str, body: &Value) {
    let answer = http_as(server.address, Some(token), method, path, &body.to_string());
    assert_eq!(answer.status, 200, "{path}: {}", answer.text());
}

#[test]
fn a_page_shows_everybody_what_is_theirs_to_see_and_all_of_it_as_text() {
    let lab = TestLab::new();
    let server = Server::start(&lab);
    let root = user(&lab, "root", "--control", "*");
    let alice = user(&lab, "alice", "--write", "panda*");
    let bob = user(&lab, "bob", "--see", "beagle*");
    for (name, kind) in [("panda01", "panda"), ("beagle01", "beagle")] {
        let board = json!({"type": kind, "tags": ["hdmi"], "attributes": {"note": "<script>"},
                           "console": format!("http://127.0.0.1:1/consoles/{name}")});
        put(&server, &root, "PUT", &format!("/boards/{name}"), &board);
    }
    let asked = json!({"spec": "name=panda01", "for": "1h", "reason": MARKUP});
    for _ in 0..2 {
        put(&server, &alice, "POST", "/requests", &asked);
    }
    wait_until(LIMIT, "alice has it", || {
        get(&server, &alice, "/ui/queue").text().contains("Release")
    });
    let health = json!({"health": "bad", "reason": MARKUP});
    put(&server, &root, "POST", "/boards/beagle01/health", &health);

    // Of another's boards nothing, nor of what is done with them.
    for path in PAGES {
        let theirs = get(&server, &bob, path);
        assert_eq!(theirs.status, 200, "{path}");
        assert!(!theirs.text().contains("panda01"), "{path}: {}", theirs.text());
        assert!(!get(&server, &alice, path).text().contains("beagle01"), "{path}");
    }
    assert!(get(&server, &bob, "/ui/boards").text().contains("/ui/boards/beagle01"));
    for path in
        ["/ui/boards/panda01", "/boards/panda01/console/outlet", "/boards/panda01/console/lines"]
    {
        assert_eq!(get(&server, &bob, path).status, 404, "{path}");
    }
    // Who may only see a board neither looks at its console nor switches it, and has no button for it.
    let page = get(&server, &bob, "/ui/boards/beagle01").text();
    assert!(!page.contains("/console\"") && !page.contains("POST "), "{page}");
    for (method, path) in
        [("GET", "screen"), ("GET", "lines"), ("GET", "events"), ("POST", "outlet/on")]
    {
        let path = format!("/boards/beagle01/console/{path}");
        assert_eq!(http_as(server.address, Some(&bob), method, &path, "").status, 403, "{path}");
    }
    let force = json!({"force": true, "reason": "mine"}).to_string();
    let forced =
        http_as(server.address, Some(&alice), "POST", "/boards/panda01/console/outlet/on", &force);
    assert_eq!(forced.status, 403);

    // Whatever is said of a board or of a request is text.
    for path in ["/ui/boards", "/ui/queue", "/ui/boards/panda01", "/ui/boards/beagle01"] {
        let page = get(&server, &root, path).text();
        assert!(
            page.contains("&#60;img src=x") || page.contains("&lt;img src=x"),
            "{path}: {page}"
        );
        assert!(!page.contains("<img") && !page.contains("<script>"), "{path}: {page}");
    }
    // A board's description is no document there.
    let page = get(&server, &root, "/ui/boards/panda01").text();
    let added =
        "panda, tags hdmi, note=&#60;script&#62;, console http://127.0.0.1:1/consoles/panda01";
    assert!(page.contains("<b>added</b>") && page.contains(added), "{page}");
    let page = get(&server, &root, "/ui/jobs/%3Cscript%3E");
    assert!(page.status == 404 && !page.text().contains("<script>"), "{}", page.text());

    // Who is not known logs in, and comes back; a login is no use to other sites.
    for path in PAGES {
        let answer = http_with(server.address, "GET", path, "", "");
        let to = answer.header("location").map(str::to_owned);
        assert_eq!(
            (answer.status, to),
            (303, Some(format!("/login?to={}", path.replace('/', "%2F"))))
        );
    }
    let token = json!({"token": alice}).to_string();
    let login = http_with(server.address, "POST", "/session", "", &token);
    let cookie = login.header("set-cookie").unwrap();
    assert!(cookie.contains("HttpOnly") && cookie.contains("SameSite=Strict"), "{cookie}");
    let cookie = format!("cookie: {}\r\n", cookie.split(';').next().unwrap());
    let with = |method: &str, path: &str, more: &str| {
        http_with(server.address, method, path, &format!("{cookie}{more}"), "").status
    };
    assert_eq!(with("GET", "/ui/boards", "sec-fetch-site: same-origin\r\n"), 200);
    assert_eq!(with("GET", "/ui/boards", "sec-fetch-site: cross-site\r\n"), 303);
    assert_eq!(with("DELETE", "/requests/2", "sec-fetch-site: cross-site\r\n"), 401);
    assert_eq!(with("DELETE", "/requests/2", "origin: http://evil.example\r\n"), 403);
    let page = get(&server, &alice, "/ui/boards");
    let policy = page.header("content-security-policy").unwrap();
    assert!(policy.contains("script-src 'self'") && !policy.contains("unsafe"), "{policy}");
}
