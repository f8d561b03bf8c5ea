//! How the pages look, on a phone and on a desk, by light and by dark, and what their keys do.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::super::jobs::Farm;
use super::super::lava;
use crate::common::TestLab;
use crate::web::browser::{Browser, Page};

/// Texts of less contrast than WCAG 2's AA wants of small ones (4.5), with what they are on; a picture of one's own
/// that has no colours is none of them. Buttons that cannot be pressed are left out, as there.
const CONTRAST: &str = r"(() => {
  const parse = (text) => {
    const [r, g, b, a = 1] = text.match(/[\d.]+/g).map(Number);
    return { r, g, b, a };
  };
  const over = (top, under) => {
    const mix = (a, b) => a * top.a + b * (1 - top.a);
    return { r: mix(top.r, under.r), g: mix(top.g, under.g), b: mix(top.b, under.b), a: 1 };
  };
  const light = ({ r, g, b }) => {
    const [x, y, z] = [r, g, b].map((v) => v / 255).map((v) => (v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4));
    return 0.2126 * x + 0.7152 * y + 0.0722 * z;
  };
  const ground = (it) => {
    const layers = [];
    for (let at = it; at; at = at.parentElement) layers.push(parse(getComputedStyle(at).backgroundColor));
    const dark = matchMedia('(prefers-color-scheme: dark)').matches;
    const paper = dark ? { r: 18, g: 18, b: 18, a: 1 } : { r: 255, g: 255, b: 255, a: 1 };
    return layers.reverse().reduce((under, top) => over(top, under), paper);
  };
  const faint = (it) => {
    let all = 1;
    for (let at = it; at; at = at.parentElement) all *= Number(getComputedStyle(at).opacity);
    return all;
  };
  const judge = (it, colour, text) => {
    const under = ground(it);
    const seen = parse(colour);
    seen.a *= faint(it);
    const [a, b] = [light(over(seen, under)), light(under)].sort((x, y) => y - x);
    const ratio = (a + 0.05) / (b + 0.05);
    return ratio < 4.5 ? [`${text.trim().slice(0, 40)}: ${ratio.toFixed(2)}, ${colour} on ${JSON.stringify(under)}`] : [];
  };
  const wrong = [];
  const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  for (let node = walk.nextNode(); node; node = walk.nextNode()) {
    const it = node.parentElement;
    if (!faint(it)) continue;
    if (!node.data.trim() || !it.checkVisibility({ visibilityProperty: true }) || it.closest(':disabled, noscript, .unseen')) continue;
    wrong.push(...judge(it, getComputedStyle(it).color, node.data));
  }
  for (const it of document.querySelectorAll('input, select, textarea')) {
    if (!it.checkVisibility() || it.disabled || !faint(it)) continue;
    wrong.push(...judge(it, getComputedStyle(it).color, `input ${it.name || it.id}`));
    if (it.placeholder) wrong.push(...judge(it, getComputedStyle(it, '::placeholder').color, `placeholder ${it.placeholder}`));
  }
  return wrong;
})()";

/// What is wider than the window.
const WIDE: &str = r"(() => {
  const most = document.documentElement.clientWidth;
  if (document.documentElement.scrollWidth <= most && document.body.scrollWidth <= most) return [];
  const wide = [...document.querySelectorAll('body *')].filter((it) => it.getBoundingClientRect().right > most + 1);
  return wide.map((it) => `${it.tagName}#${it.id}.${it.className}: ${it.getBoundingClientRect().right}`);
})()";

/// What one has to hit with a finger and is smaller than 24 px (WCAG 2.2, 2.5.8), links in a text left out.
const SMALL: &str = r"(() => [...document.querySelectorAll('button, select, input, nav a, .button')]
  .filter((it) => it.checkVisibility() && !it.closest('label'))
  .map((it) => [it, it.getBoundingClientRect()])
  .filter(([, box]) => box.width < 24 || box.height < 24)
  .map(([it, box]) => `${it.tagName}#${it.id}.${it.className} ${box.width} x ${box.height}`))()";

/// A lab with something on each page: its job that has ended.
fn furnished(lab: &TestLab) -> (Farm, u64) {
    let farm = Farm::start(lab, "");
    let job = farm.submit(lab, |job| job);
    farm.ended(job);
    let ask = |spec: &str, user: &str, reason: &str| {
        let asked = json!({"spec": spec, "for": "2h", "user": user, "reason": reason});
        let answer = farm.server.ask("POST", "/requests", &asked);
        assert_eq!(answer.status, 200, "{}", answer.text());
        format!("/requests/{}", answer.json()["id"])
    };
    let alices = ask("name=panda02", "alice", "a kernel that does not boot with a long name");
    farm.server.until("alice has it", &alices, |it| it["ready"] == true);
    ask("name=panda02", "bob", "the same");
    ask("beagle ram>=4GB tag=hdmi", "carol", "");
    let bad = json!({"health": "bad", "reason": "no SD card since Monday, and the fuse is blown",
                     "user": "root"});
    assert_eq!(farm.server.ask("POST", "/boards/panda01/health", &bad).status, 200);
    // It cannot run, and says so at length.
    farm.submit(lab, |job| {
        job.replace(
            "name: Lavamux demo",
            "name: a-job-of-a-name-without-spaces-that-is-rather-long",
        )
    });
    let file = lab.write("rootfs.img", &"an image ".repeat(100_000));
    let name = "rootfs-of-a-distribution-with-a-rather-long-name.img";
    let put = [
        "image",
        "put",
        &file,
        "--name",
        name,
        "--note",
        "with the new kernel, for tests of the driver",
    ];
    assert_eq!(lava(lab, &farm.server, "alice", &put).0, 0);
    (farm, job)
}

/// The pages, each with what is there when it is ready.
fn pages(job: u64) -> Vec<(&'static str, String, &'static str)> {
    vec![
        ("boards", "/ui/boards".into(), "document.querySelector('.last').textContent.trim()"),
        (
            "board",
            "/ui/boards/panda02".into(),
            "document.getElementById('outlet').textContent !== 'power ?' && document.querySelector('#timeline li')",
        ),
        (
            "console",
            "/ui/boards/panda02/console".into(),
            "document.getElementById('link').textContent === 'connected' && document.querySelector('.row')",
        ),
        ("queue", "/ui/queue".into(), "document.querySelectorAll('.entry').length === 4"),
        ("jobs", "/ui/jobs".into(), "document.querySelectorAll('.entry').length === 2"),
        (
            "job",
            format!("/ui/jobs/{job}#L3"),
            "document.querySelectorAll('#lines .line .m').length > 3 && document.querySelector('#actions li')",
        ),
        ("images", "/ui/images".into(), "document.querySelector('.entry')"),
        ("nothing", "/ui/boards/nosuch".into(), "document.querySelector('h1')"),
    ]
}

/// Where pictures are for people to look at.
fn gallery() -> PathBuf {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/looks");
    std::fs::create_dir_all(&folder).unwrap();
    folder
}

fn loaded(page: &Page, is: &str) {
    page.expect("the page is there", &format!("document.readyState === 'complete' && {is}"));
}

#[test]
fn pages_fit_a_phone_and_can_be_read_by_light_and_by_dark() {
    let lab = TestLab::new();
    let (farm, job) = furnished(&lab);
    let browser = Browser::start(&lab);
    let page = browser.open(&farm.server.url());
    page.expect("its script is there", "document.getElementById('user')");
    page.eval("localStorage.setItem('lava-user', 'alice')");
    let gallery = gallery();
    let mut wrong = Vec::new();
    for (name, path, is) in pages(job) {
        for (kind, width, height, mobile) in [("phone", 360, 640, true), ("desk", 1000, 700, false)]
        {
            for scheme in ["light", "dark"] {
                page.resize(width, height, mobile);
                page.prefer(scheme);
                page.go("about:blank");
                page.go(&format!("{}{path}", farm.server.url()));
                loaded(&page, is);
                let shown = format!("{name}-{kind}-{scheme}");
                let mut found = vec![("contrast", CONTRAST), ("wide", WIDE)];
                if mobile {
                    found.push(("small", SMALL));
                }
                for (what, script) in found {
                    let texts: Vec<String> = serde_json::from_value(page.eval(script)).unwrap();
                    wrong.extend(texts.into_iter().map(|text| format!("{shown}: {what}: {text}")));
                }
                std::fs::write(gallery.join(format!("{shown}.png")), page.picture().file).unwrap();
            }
        }
        // What is below, too.
        page.resize(360, 2400, true);
        page.expect("it is drawn anew", "innerHeight === 2400");
        std::fs::write(gallery.join(format!("{name}-long.png")), page.picture().file).unwrap();
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    assert_eq!(page.errors(), [""; 0]);
}

/// The dialogs and what is opened stand in front of a page.
#[test]
fn what_opens_on_a_phone_fits_it_too() {
    let lab = TestLab::new();
    let (farm, _) = furnished(&lab);
    let browser = Browser::start(&lab);
    let page = browser.open(&farm.server.url());
    page.expect("its script is there", "document.getElementById('user')");
    page.eval("localStorage.setItem('lava-user', 'alice')");
    page.resize(360, 640, true);
    let mut wrong = Vec::new();
    for scheme in ["light", "dark"] {
        page.prefer(scheme);
        let mut look = |shown: &str| {
            for script in [CONTRAST, WIDE, SMALL] {
                let texts: Vec<String> = serde_json::from_value(page.eval(script)).unwrap();
                wrong.extend(texts.into_iter().map(|text| format!("{shown}, {scheme}: {text}")));
            }
            let file = gallery().join(format!("{shown}-phone-{scheme}.png"));
            std::fs::write(file, page.picture().file).unwrap();
        };
        page.go(&format!("{}/ui/jobs", farm.server.url()));
        loaded(&page, "document.querySelector('.entry')");
        page.click("#help");
        page.expect("the keys are told", "document.getElementById('shortcuts').open");
        look("keys");
        page.click("#shortcuts button");
        page.click(".submit summary");
        page.expect("one can hand in a job", "document.querySelector('.submit').open");
        look("submit");
        page.go(&format!("{}/ui/boards/panda01", farm.server.url()));
        loaded(&page, "document.getElementById('outlet').textContent !== 'power ?'");
        page.click("[data-health=maintenance]");
        page.expect("it is asked why", "document.getElementById('ask').open");
        look("ask");
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    assert_eq!(page.errors(), [""; 0]);
}

/// What is at the row that one is at.
fn at(page: &Page) -> String {
    let script = "document.activeElement.closest('.entry, .tree li')?.innerText.trim().split(/\\s/)[0] ?? ''";
    page.eval(script).as_str().unwrap().to_owned()
}

fn all(page: &Page) -> Vec<String> {
    let rows = "[...document.querySelectorAll('.entry:not([hidden]), .tree li')].map((it) => it.innerText.trim().split(/\\s/)[0])";
    serde_json::from_value(page.eval(rows)).unwrap()
}

/// What the dialog says that there is, as it is shown.
fn told(page: &Page) -> Vec<String> {
    page.key("?", 0);
    page.expect("the keys are told", "document.getElementById('shortcuts').open");
    let shown = "[...document.querySelectorAll('#shortcuts dt')].filter((it) => it.checkVisibility()).flatMap((it) => [...it.querySelectorAll('kbd')].map((key) => key.textContent))";
    let keys = serde_json::from_value(page.eval(shown)).unwrap();
    page.click("#shortcuts button");
    page.expect("they are not any more", "!document.getElementById('shortcuts').open");
    page.eval("document.activeElement.blur()");
    keys
}

#[test]
fn who_is_at_a_row_stays_there_when_it_changes() {
    let lab = TestLab::new();
    let (farm, _) = furnished(&lab);
    let browser = Browser::start(&lab);
    let page = browser.open(&farm.server.url());
    page.expect("its script is there", "document.getElementById('user')");
    page.eval("localStorage.setItem('lava-user', 'alice')");
    for path in ["/ui/boards", "/ui/queue"] {
        page.go("about:blank");
        page.go(&format!("{}{path}", farm.server.url()));
        loaded(&page, "document.querySelector('.entry')");
        page.expect("its script hears keys", "(document.body.dispatchEvent(new KeyboardEvent('keydown', { key: 'j', bubbles: true })), document.activeElement !== document.body)");
        page.key("g", 0);
        page.key("j", 0);
        let before = at(&page);
        assert_eq!(before, all(&page)[1], "{path}");
        // Each row is another one for what the server tells next, and the last one is the first now.
        page.eval("(() => { for (const row of document.querySelectorAll('.entry')) row.dataset.old = 'yes' })()");
        page.eval("(() => { const list = document.querySelector('.entry').parentElement; list.append(list.firstElementChild) })()");
        page.eval("import('/web/live.js').then((live) => live.refresh())");
        page.expect("all of it is new", "!document.querySelector('.entry[data-old]')");
        assert_eq!(at(&page), before, "{path}");
        assert_eq!(all(&page)[1], before, "{path}");
    }
    assert_eq!(page.errors(), [""; 0]);
}

#[test]
fn every_key_does_what_it_is_said_to() {
    let lab = TestLab::new();
    let (farm, job) = furnished(&lab);
    let browser = Browser::start(&lab);
    let page = browser.open(&farm.server.url());
    page.expect("its script is there", "document.getElementById('user')");
    page.eval("localStorage.setItem('lava-user', 'alice')");
    for (name, path, is) in pages(job) {
        // The console's keys are the board's, and what is not there has none.
        if matches!(name, "console" | "nothing") {
            continue;
        }
        let url = format!("{}{path}", farm.server.url());
        let fresh = || {
            page.go("about:blank");
            page.go(&url);
            loaded(&page, is);
            page.expect("its script hears keys", "(document.body.dispatchEvent(new KeyboardEvent('keydown', { key: '?', bubbles: true })), document.getElementById('shortcuts').open)");
            page.eval("document.getElementById('shortcuts').close()");
            page.eval("document.activeElement.blur()");
        };
        fresh();
        let keys = told(&page);
        let has = |key: &str| keys.iter().any(|it| it == key);
        assert!(has("?"), "{name}: {keys:?}");
        let rows = all(&page);
        assert_eq!((has("j"), has("G")), (!rows.is_empty(), !rows.is_empty()), "{name}: {rows:?}");
        let fields = page
            .eval("Boolean(document.getElementById('filter') ?? document.getElementById('grep'))");
        assert_eq!(Value::from(has("/")), fields, "{name}");
        if has("j") {
            let (first, last) = (&rows[0], &rows[rows.len() - 1]);
            page.key("j", 0);
            assert_eq!(at(&page), *first, "{name}: j from nowhere is the first");
            page.key("j", 0);
            assert_eq!(at(&page), rows[1.min(rows.len() - 1)], "{name}: j is the next");
            page.key("k", 0);
            assert_eq!(at(&page), *first, "{name}: k is the one before");
            page.key("G", 8);
            assert_eq!(at(&page), *last, "{name}: G is the last");
            page.key("g", 0);
            assert_eq!(at(&page), *first, "{name}: g is the first");
        }
        if has("/") {
            page.key("/", 0);
            page.expect("one writes", "document.activeElement.matches('#filter, #grep')");
            page.type_text("zzz");
            let gone = "!document.querySelector('.entry:not([hidden])') && (!document.getElementById('told-lines') || document.getElementById('told-lines').dataset.found === '0')";
            page.expect("nothing is like that", gone);
            page.key("Escape", 0);
            page.expect("one does not write any more", "document.activeElement === document.body");
        }
        if has("Enter") && name != "images" {
            fresh();
            page.eval("window.before = true");
            // Of the queue the first one that there is something to open of.
            let opens = "document.activeElement.closest('.entry, .tree li')?.querySelector('a')";
            for _ in 0..rows.len() {
                page.key("j", 0);
                if page.eval(&format!("Boolean({opens})")) == true {
                    break;
                }
            }
            let to = page.eval(&format!("{opens}.href"));
            page.submit();
            page.expect("it is there", &format!("location.href === {to}"));
        }
    }
    assert_eq!(page.errors(), [""; 0]);
}
