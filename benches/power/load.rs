//! A client for each PDU, which asks for one operation after the other.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};

use crate::peer::Peer;

/// How long a client of a dead PDU waits for its answer.
const PATIENCE: Duration = Duration::from_secs(60);

/// What came of it: how long each operation took, in seconds, sorted.
pub(crate) struct Load {
    took: Vec<f64>,
    elapsed: Duration,
}

impl Load {
    /// Switches each of these PDUs on and off for so long.
    pub(crate) fn run(peer: &Peer, pdus: &[usize], seconds: Duration) -> Result<Self> {
        let begin = Instant::now();
        let took = thread::scope(|scope| {
            let clients: Vec<_> = pdus
                .iter()
                .map(|pdu| scope.spawn(|| client(peer, *pdu, begin + seconds)))
                .collect();
            let took = clients.into_iter().map(|client| {
                client.join().map_err(|_| anyhow::anyhow!("a client panicked")).flatten()
            });
            took.collect::<Result<Vec<_>>>()
        })?;
        let mut took: Vec<f64> = took.into_iter().flatten().collect();
        took.sort_by(f64::total_cmp);
        Ok(Self { took, elapsed: begin.elapsed() })
    }

    /// The same, while another client wants something of a dead PDU; and what that was told.
    pub(crate) fn beside(
        peer: &Peer,
        pdus: &[usize],
        dead: usize,
        seconds: Duration,
    ) -> Result<(Self, String)> {
        thread::scope(|scope| {
            let dead = scope.spawn(|| {
                let begin = Instant::now();
                let told = match Client::connect(peer)
                    .and_then(|mut client| client.ask(peer, dead, true))
                {
                    Ok((status, body)) => format!("{status} {}", body.trim()),
                    Err(_) => "nothing".to_owned(),
                };
                format!("{told}, after {:.1} s", begin.elapsed().as_secs_f64())
            });
            let load = Self::run(peer, pdus, seconds)?;
            let told = dead.join().map_err(|_| anyhow::anyhow!("a client panicked"))?;
            Ok((load, told))
        })
    }

    pub(crate) fn operations(&self) -> usize {
        self.took.len()
    }

    pub(crate) fn rate(&self) -> f64 {
        self.took.len() as f64 / self.elapsed.as_secs_f64()
    }

    /// In seconds.
    pub(crate) fn percentile(&self, percent: usize) -> f64 {
        self.took.get(self.took.len() * percent / 100).copied().unwrap_or(f64::NAN)
    }
}

fn client(peer: &Peer, pdu: usize, until: Instant) -> Result<Vec<f64>> {
    let mut client = Client::connect(peer)?;
    let (mut took, mut on) = (Vec::new(), true);
    while Instant::now() < until || took.is_empty() {
        let begin = Instant::now();
        let (status, body) = client.ask(peer, pdu, on)?;
        ensure!(status == 200, "{status} {body}");
        took.push(begin.elapsed().as_secs_f64());
        on = !on;
    }
    Ok(took)
}

/// One connection, for one request after the other.
struct Client(BufReader<TcpStream>);

impl Client {
    fn connect(peer: &Peer) -> Result<Self> {
        let stream = TcpStream::connect(peer.address)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        Ok(Self(BufReader::new(stream)))
    }

    fn ask(&mut self, peer: &Peer, pdu: usize, on: bool) -> Result<(u16, String)> {
        let path = peer.path(pdu, on);
        let request = format!("GET {path} HTTP/1.1\r\nhost: localhost\r\n\r\n");
        self.0.get_mut().write_all(request.as_bytes())?;
        let mut line = String::new();
        self.0.read_line(&mut line)?;
        let status = line.split(' ').nth(1).and_then(|word| word.parse().ok());
        let status = status.with_context(|| format!("no answer: {line:?}"))?;
        let mut length = 0;
        loop {
            line.clear();
            self.0.read_line(&mut line)?;
            match line.trim().split_once(':') {
                None => break,
                Some((name, value)) if name.eq_ignore_ascii_case("content-length") => {
                    length = value.trim().parse()?;
                }
                Some(_) => {}
            }
        }
        let mut body = vec![0; length];
        self.0.read_exact(&mut body)?;
        Ok((status, String::from_utf8_lossy(&body).into_owned()))
    }
}
