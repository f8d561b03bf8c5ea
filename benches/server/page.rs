//! The page of a job whose log has a million lines, in Chromium without a window: when its lines are painted, and how long
//! a search takes.

use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use futures_util::{SinkExt as _, StreamExt as _};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async_with_config};

use crate::http::Http;
use crate::jobs::Lab;
use crate::times;

/// The page's own clock says when lines are there that were painted: a frame later.
const WATCH: &str = "window.painted = new Promise((resolve) => { \
    const look = () => document.querySelector('#lines .line') \
        ? requestAnimationFrame(() => setTimeout(() => resolve(performance.now()))) \
        : requestAnimationFrame(look); \
    requestAnimationFrame(look); })";

/// When the browser says that the page first had something on it, which it says some time after.
const FIRST_PAINT: &str = "new Promise((resolve) => \
    new PerformanceObserver((told) => told.getEntriesByName('first-contentful-paint') \
        .forEach((entry) => resolve(entry.startTime))).observe({ type: 'paint', buffered: true }))";

/// What is looked for, and how many lines have it of each thousand.
const SEARCHES: [(&str, &str); 3] = [
    ("one line of 1,000,000", "needle"),
    ("1 of 100 lines", "irq [0-9]*00 "),
    ("all lines", "irq"),
];

pub(crate) async fn page(lines: usize, runs: usize) -> Result<()> {
    let lab = Lab::start()?;
    let mut http = Http::to(lab.server.address()?).await?;
    let job = http.json("POST", "/jobs", &lab.job).await?["id"].clone();
    loop {
        let now = http.json("GET", &format!("/jobs/{job}?user=bench"), &Value::Null).await?;
        if now["state"] == "finished" {
            break;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let bytes = write_log(&lab, &job, lines)?;
    println!("| the log | {lines} lines, {:.0} MB |", bytes as f64 / 1e6);
    let url = format!("http://{}/ui/jobs/{job}", lab.server.told("http")?);
    let Some(mut chromium) = Chromium::start(lab.dir.path()).await? else {
        println!("| the page of a job | left out: there is no chromium |");
        return Ok(());
    };
    let first = chromium.paints(&url).await?;
    times("a page whose log the server has not read: first contentful paint", vec![first.0]);
    times("… its lines are painted", vec![first.1]);
    let (mut blank, mut painted) = (Vec::new(), Vec::new());
    for _ in 0..runs {
        let (first, lines) = chromium.paints(&url).await?;
        blank.push(first);
        painted.push(lines);
    }
    times("… and again: first contentful paint", blank);
    times("… its lines are painted", painted);
    for (what, expression) in SEARCHES {
        let mut took = Vec::new();
        for run in 0..runs {
            // Each time another one: what was found last is kept.
            took.push(chromium.finds(&format!("{expression}{}", "|never".repeat(run))).await?);
        }
        times(&format!("{what} are found and shown"), took);
    }
    println!("| memory of the server after that | {:.1} MiB |", lab.server.memory());
    Ok(())
}

/// Makes a log of the job's own, its board's lines again and again: how many bytes.
fn write_log(lab: &Lab, job: &Value, lines: usize) -> Result<u64> {
    let dir = lab.server.told("dir")?;
    let path = format!("{dir}/jobs/{job}/panda01/output.jsonl");
    let own = std::fs::read_to_string(&path)?;
    let line =
        own.lines().rev().find(|line| line.contains(r#""lvl":"target""#)).context("no line")?;
    let line: Value = serde_json::from_str(line)?;
    let mut file = std::io::BufWriter::new(std::fs::File::create(&path)?);
    let own_lines = own.lines().count();
    let (head, tail) =
        own.split_at(own.match_indices('\n').nth(own_lines / 2).context("short")?.0 + 1);
    file.write_all(head.as_bytes())?;
    for at in own_lines..lines {
        let needle = if at == lines / 2 { " needle" } else { "" };
        let mut line = line.clone();
        line["msg"] =
            format!("[{:>12.6}] irq {at} of the soc was handled{needle}", at as f64 / 1e3).into();
        writeln!(file, "{line}")?;
    }
    file.write_all(tail.as_bytes())?;
    file.flush()?;
    let _ = std::fs::remove_file(format!("{path}.idx"));
    Ok(std::fs::metadata(&path)?.len())
}

/// A browser with one tab; killed at the end.
struct Chromium {
    process: Child,
    socket: WebSocketStream<MaybeTlsStream<TcpStream>>,
    session: String,
    asked: u64,
}

impl Chromium {
    /// `None` where there is none.
    async fn start(dir: &std::path::Path) -> Result<Option<Self>> {
        let mut command = Command::new("chromium");
        command.args(["--headless=new", "--disable-gpu", "--no-first-run", "--no-sandbox"]);
        command.args(["--disable-background-networking", "--disable-component-update"]);
        // A page that is gone back to is not loaded, and so not painted anew.
        command.arg("--disable-features=BackForwardCache");
        command.args(["--remote-debugging-port=0", "--disable-dev-shm-usage", "about:blank"]);
        command.arg(format!("--user-data-dir={}", dir.join("chromium").display()));
        command.env("HOME", dir).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
        let Ok(mut process) = command.spawn() else { return Ok(None) };
        let stderr = BufReader::new(process.stderr.take().context("no output")?);
        let mut said = stderr.lines().map_while(Result::ok);
        let found = said.find_map(|line| Some(line.split_once("listening on ")?.1.to_owned()));
        let url = found.context("chromium does not listen")?;
        // It goes on talking.
        std::thread::spawn(move || said.for_each(drop));
        let config = WebSocketConfig::default().max_message_size(None).max_frame_size(None);
        let (socket, _) = connect_async_with_config(url, Some(config), true).await?;
        let mut chromium = Self { process, socket, session: String::new(), asked: 0 };
        let target = chromium.ask("Target.createTarget", &json!({"url": "about:blank"})).await?;
        let attach = json!({"targetId": target["targetId"], "flatten": true});
        let session = chromium.ask("Target.attachToTarget", &attach).await?;
        chromium.session = session["sessionId"].as_str().context("no tab")?.to_owned();
        for domain in ["Page", "Runtime"] {
            chromium.ask(&format!("{domain}.enable"), &json!({})).await?;
        }
        chromium.ask("Page.addScriptToEvaluateOnNewDocument", &json!({"source": WATCH})).await?;
        Ok(Some(chromium))
    }

    async fn ask(&mut self, method: &str, params: &Value) -> Result<Value> {
        self.asked += 1;
        let mut command = json!({"id": self.asked, "method": method, "params": params});
        if !self.session.is_empty() {
            command["sessionId"] = self.session.as_str().into();
        }
        self.socket.send(Message::text(command.to_string())).await?;
        loop {
            let message = self.socket.next().await.context("chromium has ended")??;
            let Message::Text(text) = message else { continue };
            let mut said: Value = serde_json::from_str(&text)?;
            if said["id"] == self.asked {
                ensure!(said["error"].is_null(), "{method}: {said}");
                return Ok(said["result"].take());
            }
        }
    }

    async fn eval(&mut self, script: &str) -> Result<Value> {
        let params = json!({"expression": script, "returnByValue": true, "awaitPromise": true});
        let mut told = self.ask("Runtime.evaluate", &params).await?;
        ensure!(told["exceptionDetails"].is_null(), "{script}: {told}");
        Ok(told["result"]["value"].take())
    }

    /// Loads a page: when something was painted, and when lines of the log were.
    async fn paints(&mut self, url: &str) -> Result<(Duration, Duration)> {
        self.ask("Page.navigate", &json!({"url": "about:blank"})).await?;
        self.ask("Page.navigate", &json!({"url": url})).await?;
        while self.eval("location.pathname.startsWith('/ui')").await? != true {}
        let lines = self.eval("window.painted").await?;
        let first = self.eval(FIRST_PAINT).await?;
        let ms = |value: &Value| value.as_f64().map(|ms| Duration::from_secs_f64(ms / 1000.0));
        Ok((ms(&first).context("nothing was painted")?, ms(&lines).context("no lines")?))
    }

    /// Types what is looked for: when what was found is painted.
    async fn finds(&mut self, expression: &str) -> Result<Duration> {
        let script = format!(
            "new Promise((resolve) => {{
                const told = document.getElementById('told-lines');
                const grep = document.getElementById('grep');
                const begin = performance.now();
                new MutationObserver((_, observer) => {{
                    observer.disconnect();
                    requestAnimationFrame(() => setTimeout(() => resolve(performance.now() - begin)));
                }}).observe(told, {{ childList: true, characterData: true, subtree: true }});
                grep.value = {expression:?};
                grep.dispatchEvent(new Event('input', {{ bubbles: true }}));
            }})"
        );
        let took = self.eval(&script).await?;
        Ok(Duration::from_secs_f64(took.as_f64().context("nothing was found")? / 1000.0))
    }
}

impl Drop for Chromium {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
