//! A web PDU or a broker that answers anything: a request comes to an end, is never taken for done because of
//! nonsense, and tells no secret.
#![no_main]

use std::sync::LazyLock;
use std::time::Duration;

use lavamux::config::power::{DRIVERS, PowerConfig};
use lavamux::outlet::{Switch, open_all, within};
use libfuzzer_sys::fuzz_target;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio::runtime::{Builder, Runtime};

static RUNTIME: LazyLock<Runtime> =
    LazyLock::new(|| Builder::new_current_thread().enable_all().build().unwrap());

// The first byte chooses the driver and what is asked, the second the profile; each further piece, which a
// byte 0xAA ends, is the answer to whatever was sent last.
fuzz_target!(|data: &[u8]| {
    let [kind, profile, answers @ ..] = data else { return };
    let driver = if kind & 1 == 0 { "http" } else { "mqtt" };
    let profiles = DRIVERS.iter().find(|known| known.name == driver).unwrap().profiles;
    let (profile, _) = profiles[usize::from(*profile) % profiles.len()];
    RUNTIME.block_on(async {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let keys = match driver {
            "http" => format!("url = 'http://{address}'\ntoken = 's3cret'"),
            _ => format!("broker = 'mqtt://{address}'\ntopic = 'shelly-1'"),
        };
        let config = |port: &str| {
            PowerConfig::parse(
                "power.toml",
                &format!(
                    "[[pdu]]\nname = 'a'\ndriver = '{driver}'\nprofile = '{profile}'\nuser = 'lava'\n\
                     password = 's3cret'\n{keys}\n[[outlet]]\nname = 'a'\npdu = 'a'\nport = '{port}'\n"
                ),
            )
        };
        let Some(config) = ["1", "0"].into_iter().find_map(|port| config(port).ok()) else { return };
        let outlets = open_all(&config.pdus[0]);
        let pdu = async {
            let mut answers = answers.split(|byte| *byte == 0xaa);
            while let Ok((mut peer, _)) = listener.accept().await {
                let mut asked = [0; 4096];
                while matches!(peer.read(&mut asked).await, Ok(1..)) {
                    let Some(answer) = answers.next() else { return };
                    let _ = peer.write_all(answer).await;
                }
            }
        };
        let limit = Duration::from_millis(300);
        let asked = async {
            let told = match (kind >> 1 & 1, outlets[0].status()) {
                (0, Some(status)) => within(limit, status).await.map(drop),
                _ => within(limit, outlets[0].switch(Switch::Off)).await,
            };
            if let Err(error) = told {
                assert!(!error.to_string().contains("s3cret"), "{error}");
            }
        };
        tokio::select! {
            () = asked => {}
            () = async { pdu.await; std::future::pending().await } => {}
        }
    });
});
