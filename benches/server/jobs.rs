//! What a job waits for besides its board: the server, and its worker.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};

use crate::farm::{Daemon, ours, server};
use crate::http::Http;
use crate::times;

/// A server, the demo's first board, and a worker.
pub(crate) struct Lab {
    pub(crate) server: Daemon,
    /// What is handed in for a job of the demo.
    pub(crate) job: Value,
    _demo: Daemon,
    _worker: Daemon,
    pub(crate) dir: tempfile::TempDir,
}

impl Lab {
    pub(crate) fn start() -> Result<Self> {
        let dir = tempfile::tempdir()?;
        let server = server(dir.path())?;
        let demo_dir = dir.path().join("demo");
        let demo =
            Daemon::start(dir.path(), "lava", &["demo", "--dir", &demo_dir.display().to_string()])?;
        let url = format!("http://{}", server.told("http")?);
        let part = |what: &str, key: &str| {
            anyhow::Ok(format!("http://{}/{what}/panda01", demo.told(key)?))
        };
        let device = demo_dir.join("job/device.yaml").display().to_string();
        let (console, outlet) = (part("consoles", "http")?, part("outlets", "power")?);
        let mut add = ours(dir.path(), "lava");
        add.args(["board", "add", "panda01", "--type", "lavamux-virtual", "--dictionary", &device]);
        let added =
            add.args(["--console", &console, "--outlet", &outlet, "--server", &url]).output()?;
        ensure!(added.status.success(), "{}", String::from_utf8_lossy(&added.stderr));
        let files = demo_dir.display().to_string();
        let tftp = demo_dir.join("tftp").display().to_string();
        let worker = ["worker", "--server", &url, "--name", "farm1", "--files", &files, "--"];
        let run = ["--tftp-dir", &tftp, "--dispatcher-ip", "10.0.2.2"];
        let worker = Daemon::start(dir.path(), "lava-dispatcher", &[&worker[..], &run].concat())?;
        let job = std::fs::read_to_string(demo_dir.join("job/job.yaml"))?;
        let job = json!({"definition": job, "user": "bench"});
        Ok(Self { server, job, _demo: demo, _worker: worker, dir })
    }
}

/// Jobs one after the other, and all at once.
pub(crate) async fn jobs(runs: usize) -> Result<()> {
    let lab = Lab::start()?;
    let (server, asked) = (&lab.server, &lab.job);
    let mut http = Http::to(server.address()?).await?;
    let (mut byte, mut whole) = (Vec::new(), Vec::new());
    for _ in 0..runs {
        let begin = Instant::now();
        let job = http.json("POST", "/jobs", asked).await?;
        let mut log = Http::to(server.address()?).await?;
        log.begin("GET", &format!("/jobs/{}/log/follow", job["id"]), "").await?;
        let mut first = None;
        while let Some(line) = log.event().await? {
            let line: Value = serde_json::from_str(&line)?;
            if line["lvl"] == "target" {
                first.get_or_insert_with(|| begin.elapsed());
            }
        }
        let ended =
            http.json("GET", &format!("/jobs/{}?user=bench", job["id"]), &Value::Null).await?;
        ensure!(ended["health"] == "complete", "{ended}");
        byte.push(first.context("the board has said nothing")?);
        whole.push(begin.elapsed());
    }
    times("a job handed in, to the first line of its board in the log", byte);
    times("the same to its end", whole);

    let mut ids = Vec::new();
    for _ in 0..runs {
        ids.push(http.json("POST", "/jobs", asked).await?["id"].as_u64().context("no number")?);
    }
    let mut spans = Vec::new();
    for id in ids {
        loop {
            let job = http.json("GET", &format!("/jobs/{id}?user=bench"), &Value::Null).await?;
            if let (Some(from), Some(to)) = (job["started_us"].as_u64(), job["ended_us"].as_u64()) {
                spans.push((from, to));
                break;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }
    spans.sort_unstable();
    let idle = spans.windows(2).map(|two| Duration::from_micros(two[1].0.saturating_sub(two[0].1)));
    times("a board is idle between two jobs that wait for it", idle.collect());
    Ok(())
}
