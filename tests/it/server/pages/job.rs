//! The page of a job that runs: its log grows in front of whoever reads it, and is narrowed down in every way.

use serde_json::{Value, json};

use super::super::jobs::{Farm, longer};
use crate::common::TestLab;
use crate::web::browser::{Browser, Page};

/// The lines that are in front of the reader: level, number, seconds after the log's begin, text.
const SEEN: &str = "[...document.querySelectorAll('#lines .line')].filter((it) => it.className !== 'line').map((it) => {
    const [minutes, seconds] = it.querySelector('.t').textContent.split(':').slice(-2).map(Number);
    return [it.className.split(' ')[1], Number(it.querySelector('.no').textContent), minutes * 60 + seconds, it.querySelector('.m').textContent];
})";

struct Line {
    level: String,
    number: u64,
    seconds: f64,
    text: String,
}

fn seen(page: &Page) -> Vec<Line> {
    let lines: Vec<(String, u64, f64, String)> = serde_json::from_value(page.eval(SEEN)).unwrap();
    let line = |(level, number, seconds, text)| Line { level, number, seconds, text };
    lines.into_iter().map(line).collect()
}

/// How many lines were found, and how many there are.
fn counted(page: &Page) -> (u64, u64) {
    let text = page.eval("document.getElementById('told-lines').textContent");
    let numbers: Vec<u64> = text
        .as_str()
        .unwrap()
        .split(|it: char| !it.is_ascii_digit() && it != ',')
        .filter_map(|word| word.replace(',', "").parse().ok())
        .collect();
    (numbers[0], *numbers.last().unwrap())
}

/// Sets a field of the form, as somebody who writes there.
fn set(page: &Page, field: &str, value: &Value) {
    let key = if value.is_boolean() { "checked" } else { "value" };
    page.eval(&format!(
        "(() => {{ const it = document.querySelector({}); it.{key} = {value}; \
         it.dispatchEvent(new Event('input', {{ bubbles: true }})) }})()",
        json!(field)
    ));
}

/// Waits until only some lines are shown, looks at them, sees that there come more of them where that is so, and
/// shows all again.
fn narrowed(page: &Page, what: &str, fits: impl Fn(&Line) -> bool, grows: bool) {
    let some = "(() => { const told = document.getElementById('told-lines').textContent; \
                const [found, all] = told.split(' of ').map((it) => parseInt(it.replace(/,/g, ''))); \
                return found > 0 && found < all })()";
    page.expect(what, some);
    let lines = seen(page);
    assert!(!lines.is_empty(), "{what}");
    for line in &lines {
        let Line { level, number, seconds, text } = line;
        assert!(fits(line), "{what}: {number} {level} {seconds}: {text}");
    }
    if grows {
        let (found, _) = counted(page);
        page.expect(
            &format!("{what}: more of them come"),
            &format!("Number(document.getElementById('told-lines').dataset.found) > {found}"),
        );
        assert!(seen(page).iter().all(&fits), "{what}");
    }
    page.click("#clear");
    page.expect("all is shown again", "document.getElementById('clear').hidden && !/ of /.test(document.getElementById('told-lines').textContent)");
}

#[test]
fn the_log_of_a_job_that_runs_grows_and_is_narrowed_down_meanwhile() {
    let lab = TestLab::new();
    let farm = Farm::start(&lab, "");
    let job = farm.submit(&lab, longer(300));
    let browser = Browser::start(&lab);
    let page = browser.open(&farm.server.url());
    page.expect("its script is there", "document.getElementById('user')");
    page.eval("localStorage.setItem('lava-user', 'alice')");
    // From its very begin: it has no board then, perhaps.
    page.go(&format!("{}/ui/jobs/{job}", farm.server.url()));
    page.expect("its log has begun", "document.querySelectorAll('#lines .line .m').length > 3");
    page.expect("its tests run", "document.getElementById('lines').innerText.includes('nap-2')");
    page.eval("window.same = true");
    page.expect("what runs is told", "document.querySelector('#actions .busy')");
    page.expect(
        "what has passed is told",
        "/[1-9] passed/.test(document.getElementById('outline').innerText)",
    );
    // Who reads the end of it stays there.
    assert_eq!(page.eval("document.getElementById('follow').checked"), true);
    let (_, before) = counted(&page);
    let last = seen(&page).last().unwrap().number;
    page.expect(
        "it grows",
        &format!("Number(document.getElementById('told-lines').dataset.found) > {before} + 5"),
    );
    let end = "(() => { const all = [...document.querySelectorAll('#lines .no')].map((it) => Number(it.textContent)); \
               return all.at(-1) })()";
    page.expect("its end is shown", &format!("{end} > {last}"));

    set(&page, "#grep", &json!("nap-\\d+"));
    narrowed(&page, "lines like that", |line| line.text.contains("nap-"), true);
    set(&page, "[name=level]", &json!("results"));
    narrowed(&page, "results", |line| line.level == "results", true);
    set(&page, "[name=source][value=dispatcher]", &json!(false));
    set(&page, "[name=source][value=input]", &json!(false));
    narrowed(&page, "what the board says", |line| line.level == "target", true);
    set(&page, "[name=source][value=target]", &json!(false));
    set(&page, "[name=source][value=dispatcher]", &json!(false));
    narrowed(&page, "what was typed", |line| line.level == "input", false);
    set(&page, "[name=since]", &json!("0:01"));
    set(&page, "[name=until]", &json!("2"));
    let within = |line: &Line| (0.9..=2.1).contains(&line.seconds);
    narrowed(&page, "lines of a second", within, false);
    // By its button in the tree: of the first block there come no more.
    page.eval("document.querySelector('#actions [data-action=\"1\"]').click()");
    page.expect("its name is told", "!document.getElementById('action').hidden");
    let block = page.eval("(() => { const it = document.querySelectorAll('#actions .d0 a')[1]; return Number(it.hash.slice(2)) })()");
    let block = block.as_u64().unwrap();
    narrowed(&page, "lines of an action", |line| line.number < block, false);
    // All of it at once, in the address, too.
    set(&page, "#grep", &json!("NAP-1"));
    page.expect(
        "nothing is like that in capitals",
        "document.getElementById('told-lines').dataset.found === '0'",
    );
    set(&page, "#grep", &json!("nap-1["));
    page.expect(
        "what is no expression is told",
        "document.getElementById('notice').textContent !== ''",
    );
    set(&page, "#grep", &json!("nap-1"));
    set(&page, "[name=level]", &json!("results"));
    let both = |line: &Line| line.level == "results" && line.text.contains("nap-1");
    page.expect(
        "it is in the address",
        "location.search.includes('grep=nap-1') && location.search.includes('level=results')",
    );
    narrowed(&page, "results like that", both, false);
    assert_eq!(page.eval("document.getElementById('notice').textContent"), "");

    // Ended by its button, which is told without that the page is loaded again.
    page.click("[data-ask$='/cancel']");
    page.expect("it is asked about", "document.getElementById('ask').open");
    page.click("#yes");
    page.expect(
        "it has been canceled",
        "document.getElementById('state').innerText.includes('canceled')",
    );
    page.expect("its end is there", "document.getElementById('lines').innerText.includes('job')");
    assert_eq!(page.eval("window.same"), true);
    let ended = farm.ended(job);
    assert_eq!(ended["canceled_by"], "alice");
    let log = farm.server.get(&format!("/jobs/{job}/log/lines?count=1"));
    page.expect(
        "all of its lines are counted",
        &format!("document.getElementById('told-lines').dataset.found === '{}'", log["lines"]),
    );
    assert_eq!(page.errors(), [""; 0]);
}
