//! One person, one browser, through every page.

use serde_json::{Value, json};

use super::super::jobs::Farm;
use super::super::lava;
use crate::common::TestLab;
use crate::web::browser::{Browser, Page};

#[test]
fn a_person_reserves_a_board_uses_it_reads_a_jobs_log_and_stores_an_image() {
    let lab = TestLab::new();
    let farm = Farm::start(&lab, "");
    let url = |path: &str| format!("{}{path}", farm.server.url());
    let browser = Browser::start(&lab);
    let page = browser.open(&url("/"));
    boards(&lab, &farm, &page);
    reserved(&farm, &page);
    used(&page);
    given_back(&farm, &page);
    let job = farm.submit(&lab, |job| job);
    let of_job = url(&format!("/ui/jobs/{job}"));
    page.go(&of_job);
    // Its end is told without that it is asked for again.
    farm.ended(job);
    text(&page, "it has ended well", "#state", "complete");
    page.go(&of_job);
    read(&page, &of_job);
    page.go(&url("/ui/images"));
    stored(&lab, &page);
    assert_eq!(page.errors(), [""; 0]);
}

fn text(page: &Page, what: &str, selector: &str, text: &str) {
    let script =
        format!("document.querySelector({}).innerText.includes({})", json!(selector), json!(text));
    page.expect(what, &script);
}

/// The list says who has what as it changes, and shows what one looks for.
fn boards(lab: &TestLab, farm: &Farm, page: &Page) {
    page.expect("it is the boards", "location.pathname === '/ui/boards'");
    text(page, "panda02 is there", "#board-panda02", "lavamux-virtual");
    // Who was here before is known again.
    page.eval("localStorage.setItem('lava-user', 'alice')");
    page.go(&farm.server.url());
    let known = "document.getElementById('user').value === 'alice'";
    page.expect("its script is there", known);
    page.eval("window.same = true");
    let asked = json!({"spec": "name=panda02", "for": "1h", "user": "bob"});
    let answer = farm.server.ask("POST", "/requests", &asked);
    assert_eq!(answer.status, 200, "{}", answer.text());
    text(page, "bob has it", "#board-panda02", "bob until");
    let (code, _, err) = lava(lab, &farm.server, "bob", &["release", "panda02"]);
    assert_eq!(code, 0, "{err}");
    text(page, "nobody has it", "#board-panda02", "idle");
    assert_eq!(page.eval("window.same"), true, "the page was not loaded again");
    page.key("/", 0);
    page.expect("one looks for something", "document.activeElement.id === 'filter'");
    page.type_text("panda02");
    page.expect("panda01 is not looked for", "document.getElementById('board-panda01').hidden");
    page.eval("document.activeElement.blur()");
    page.key("j", 0);
    page.expect("it is at panda02", "document.activeElement.textContent === 'panda02'");
    page.submit();
    page.expect("it is the board", "location.pathname === '/ui/boards/panda02'");
}

/// The board is reserved on its page, and its lease is in the queue.
fn reserved(farm: &Farm, page: &Page) {
    page.expect(
        "its script is there",
        "document.getElementById('outlet').textContent !== 'power ?'",
    );
    page.click("form[data-ask='POST /requests'] button");
    page.expect("it is the queue", "location.pathname === '/ui/queue'");
    text(page, "she has it", "#leased", "alice");
    let leases =
        farm.server.until("it is hers", "/leases", |all| all.to_string().contains("alice"));
    assert!(leases.to_string().contains("\"panda02\""), "{leases}");
    let asked = json!({"spec": "name=panda02", "for": "1h", "user": "bob"});
    let id = farm.server.ask("POST", "/requests", &asked).json()["id"].clone();
    text(page, "bob is told why he waits", "#waiting", "panda02 is alice's");
    let answer = farm.server.ask("DELETE", &format!("/requests/{id}?user=bob"), &Value::Null);
    assert_eq!(answer.status, 200, "{}", answer.text());
    text(page, "bob does not wait any more", "#waiting", "Nobody waits");
    page.go(&format!("{}/ui/boards/panda02", farm.server.url()));
}

/// Power, and the console, both through the server.
fn used(page: &Page) {
    text(page, "it is told whose it is", "#lease", "alice");
    page.expect(
        "the outlet has answered",
        "/^power o/.test(document.getElementById('outlet').textContent)",
    );
    page.click("[data-ask$='outlet/cycle']");
    page.expect("it is asked about", "document.getElementById('ask').open");
    page.click("#yes");
    text(page, "it was switched", "#outlet", "power on");
    text(page, "it is on the timeline", "#timeline", "cycle");
    page.click("a[href$='/console']");
    page.expect(
        "the console is there",
        "document.getElementById('link').textContent === 'connected' && document.querySelector('.row')",
    );
    // Its first boot is on the screen as well.
    page.expect(
        "it has started again",
        "document.getElementById('terminal').innerText
            .split('virtual boot loader')[2]?.includes('panda02 login:')",
    );
    page.type_text("zebra");
    page.expect_text("zebra");
}

/// By a press of a button, after a question.
fn given_back(farm: &Farm, page: &Page) {
    page.go(&format!("{}/ui/boards/panda02", farm.server.url()));
    page.expect(
        "it can be handed over",
        "(() => { const to = document.querySelector('[data-ask$=give] [name=to]'); \
         if (to) to.value = 'bob'; return to?.offsetParent })()",
    );
    page.click("[data-ask$=give] button");
    page.expect("it is asked about", "document.getElementById('ask').open");
    page.click("#yes");
    text(page, "bob has it", "#lease", "bob has it");
    page.eval("localStorage.setItem('lava-user', 'bob')");
    page.go(&format!("{}/ui/boards/panda02", farm.server.url()));
    page.expect("it is bob's page", "document.getElementById('user').value === 'bob'");
    page.click("#lease [data-ask^='DELETE']");
    page.expect("it is asked about", "document.getElementById('ask').open");
    page.click("#yes");
    text(page, "nobody has it", "#lease", "Nobody has it");
    text(page, "it is in its history", "#history", "released");
    page.eval("localStorage.setItem('lava-user', 'alice')");
}

/// The tree, the results, the log: all of it, some of it, and a line that one gives to somebody else.
fn read(page: &Page, url: &str) {
    text(page, "its actions are a tree", "#actions", "tftp-deploy");
    text(page, "its tests are told", "#outline", "4 passed");
    text(page, "its log is there", "#lines", "start: 1 tftp-deploy");
    page.eval("document.getElementById('grep').value = 'hit any key'; \
               document.getElementById('grep').dispatchEvent(new Event('input', { bubbles: true }))");
    page.expect("few lines are like that", "document.querySelectorAll('#lines .line').length < 12");
    text(page, "it is found", "#lines", "Hit any key to stop autoboot");
    page.click("#lines .no");
    page.expect(
        "it is in the address",
        "/^#L\\d+$/.test(location.hash) && location.search.includes('grep=')",
    );
    let mark = page.eval("location.hash").as_str().unwrap().to_owned();
    // Somebody else opens it without what was looked for, and again with it.
    for query in ["", "?grep=hit+any+key", "?since=0"] {
        page.go("about:blank");
        page.go(&format!("{url}{query}{mark}"));
        let marked = format!(
            "document.querySelector('.marked .no').hash === '{mark}' && \
             /hit any key/i.test(document.querySelector('.marked').innerText)"
        );
        page.expect("the line is marked", &marked);
    }
    page.expect("files are there", "document.querySelectorAll('.downloads a').length === 6");
    let all = "Promise.all([...document.querySelectorAll('.downloads a')].map((it) => fetch(it.href).then((got) => got.status)))";
    assert_eq!(page.eval(all), json!([200, 200, 200, 200, 200, 200]));
}

/// A file is stored, is there, and is deleted.
fn stored(lab: &TestLab, page: &Page) {
    let file = lab.write("rootfs.img", &"an image ".repeat(100_000));
    let there = "location.pathname === '/ui/images' && document.readyState === 'complete'";
    page.expect("its script is there", there);
    page.choose_file("#file", &file);
    page.expect("it has a name", "document.getElementById('name').value === 'rootfs.img'");
    page.click("#send");
    text(page, "it is stored", "#rows", "rootfs.img");
    let fetched =
        "fetch('/images/rootfs.img/content').then((it) => it.text()).then((it) => it.length)";
    assert_eq!(page.eval(fetched), Value::from(900_000));
    page.click("[data-ask^='DELETE /images']");
    page.expect("it is asked about", "document.getElementById('ask').open");
    page.click("#yes");
    page.expect("it is gone", "!document.getElementById('image-rootfs.img')");
}
