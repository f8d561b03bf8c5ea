//! Many clients, each with a connection of its own, that ask at a steady rate.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use anyhow::Result;
use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::farm::{boards, server};
use crate::http::Http;
use crate::times;

/// Programs that ask, and how often each does.
const CLIENTS: usize = 200;
const PACE: Duration = Duration::from_millis(250);
/// People that look where they stand.
const PEOPLE: usize = 1_000;
const LOOK: Duration = Duration::from_secs(1);

/// What was asked, and how long it took.
type Took = Vec<(&'static str, Duration)>;

/// Its memory with and without boards, and [`CLIENTS`] that look and lease.
pub(crate) async fn clients(count: usize, seconds: u64) -> Result<()> {
    let dir = tempfile::tempdir()?;
    let server = server(dir.path())?;
    println!("| memory, idle | {:.1} MiB |", server.memory());
    boards(&server, count).await?;
    println!("| memory, {count} boards | {:.1} MiB |", server.memory());
    let address = server.address()?;
    let end = Instant::now() + Duration::from_secs(seconds);
    let mut all = JoinSet::new();
    for client in 0..CLIENTS {
        all.spawn(async move {
            let mut http = Http::to(address).await?;
            let mut took = Took::new();
            tokio::time::sleep(PACE * client as u32 / CLIENTS as u32).await;
            let mut step = client;
            while Instant::now() < end {
                let begin = Instant::now();
                let what = match step % 8 {
                    0 => {
                        let body =
                            json!({"spec": "panda", "for": "1h", "user": format!("u{client}")});
                        let asked = http.json("POST", "/requests", &body).await?;
                        took.push(("POST /requests", begin.elapsed()));
                        let begin = Instant::now();
                        let path = format!("/requests/{}?user=u{client}", asked["id"]);
                        http.json("DELETE", &path, &Value::Null).await?;
                        took.push(("DELETE /requests/ID", begin.elapsed()));
                        None
                    }
                    1 => {
                        http.ask("GET", "/boards", "").await?;
                        Some("GET /boards, all of them")
                    }
                    _ => {
                        let board = (client * 37 + step * 11) % count;
                        http.ask("GET", &format!("/boards/panda{board:04}"), "").await?;
                        Some("GET /boards/NAME")
                    }
                };
                took.extend(what.map(|what| (what, begin.elapsed())));
                step += 1;
                tokio::time::sleep(PACE.saturating_sub(begin.elapsed())).await;
            }
            anyhow::Ok(took)
        });
    }
    tell(&format!("{CLIENTS} clients, {count} boards"), all).await?;
    println!("| memory after that | {:.1} MiB |", server.memory());
    Ok(())
}

/// [`PEOPLE`] who wait for one board and look where they stand.
pub(crate) async fn people(count: usize, seconds: u64) -> Result<()> {
    let dir = tempfile::tempdir()?;
    let server = server(dir.path())?;
    boards(&server, count).await?;
    let address = server.address()?;
    let end = Instant::now() + Duration::from_secs(seconds + PEOPLE as u64 / 100);
    let mut all = JoinSet::new();
    let mut http = Http::to(address).await?;
    for person in 0..PEOPLE {
        let body = json!({"spec": "name=panda0000", "for": "1h", "user": format!("u{person}")});
        let asked = http.json("POST", "/requests", &body).await?;
        let path = format!("/requests/{}?user=u{person}", asked["id"]);
        all.spawn(async move {
            let mut http = Http::to(address).await?;
            let mut took = Took::new();
            tokio::time::sleep(LOOK * person as u32 / PEOPLE as u32).await;
            while Instant::now() < end {
                let begin = Instant::now();
                http.ask("GET", &path, "").await?;
                took.push(("GET /requests/ID", begin.elapsed()));
                tokio::time::sleep(LOOK.saturating_sub(begin.elapsed())).await;
            }
            anyhow::Ok(took)
        });
    }
    tell(&format!("{PEOPLE} people wait for one board"), all).await?;
    println!("| memory with them | {:.1} MiB |", server.memory());
    Ok(())
}

/// [`PEOPLE`] who follow a request of theirs each; then who has the board gives it back, and each is told.
pub(crate) async fn followers(count: usize) -> Result<()> {
    let dir = tempfile::tempdir()?;
    let server = server(dir.path())?;
    boards(&server, count).await?;
    let address = server.address()?;
    let mut http = Http::to(address).await?;
    let mut all = JoinSet::new();
    let (begin, begun) = tokio::sync::watch::channel(None::<Instant>);
    let ready = std::sync::Arc::new(tokio::sync::Semaphore::new(0));
    for person in 0..PEOPLE {
        let body = json!({"spec": "name=panda0000", "for": "1h", "user": format!("u{person}")});
        let asked = http.json("POST", "/requests", &body).await?;
        let path = format!("/requests/{}/follow?user=u{person}", asked["id"]);
        let (begun, ready) = (begun.clone(), ready.clone());
        all.spawn(async move {
            let mut http = Http::to(address).await?;
            http.begin("GET", &path, "").await?;
            // What is told while others come says nothing.
            while begun.borrow().is_none() {
                let told = tokio::time::timeout(Duration::from_millis(500), http.event()).await;
                if told.is_err() {
                    ready.add_permits(1);
                    break;
                }
            }
            let mut begun = begun;
            let begin = *begun.wait_for(Option::is_some).await?;
            while let Some(told) = http.event().await? {
                let told: Value = serde_json::from_str(&told)?;
                let moved = told["waiting"]["position"].as_u64() != Some(person as u64);
                if moved {
                    break;
                }
            }
            let took = begin.map(|begin| begin.elapsed()).unwrap_or_default();
            anyhow::Ok(Took::from([("a change is told", took)]))
        });
    }
    let _ = ready.acquire_many(PEOPLE as u32).await?;
    println!("| memory with {PEOPLE} followers | {:.1} MiB |", server.memory());
    begin.send_replace(Some(Instant::now()));
    http.ask("DELETE", "/requests/1?user=u0", "").await?;
    tell(&format!("{PEOPLE} people follow their requests for one board"), all).await?;
    println!("| memory after that | {:.1} MiB |", server.memory());
    Ok(())
}

async fn tell(who: &str, mut all: JoinSet<Result<Took>>) -> Result<()> {
    let mut by: BTreeMap<&str, Vec<Duration>> = BTreeMap::new();
    while let Some(took) = all.join_next().await {
        for (what, took) in took?? {
            by.entry(what).or_default().push(took);
        }
    }
    for (what, took) in by {
        times(&format!("{who}: {what}"), took);
    }
    Ok(())
}
