//! A PDU that says anything: a session with it comes to an end, and is never mistaken for a success that
//! was not said.
#![no_main]

use std::sync::LazyLock;
use std::time::Duration;

use lavamux::config::power::{DRIVERS, PowerConfig};
use lavamux::outlet::{Switch, open_all};
use libfuzzer_sys::fuzz_target;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::UnixListener;
use tokio::runtime::{Builder, Runtime};

static RUNTIME: LazyLock<Runtime> =
    LazyLock::new(|| Builder::new_current_thread().enable_all().build().unwrap());

// The first byte chooses the profile, the second what is asked for; each further piece, which a byte 0xAA
// ends, is the answer to whatever was sent last. After the last one the PDU hangs up.
fuzz_target!(|data: &[u8]| {
    let [profile, verb, answers @ ..] = data else { return };
    let profiles = DRIVERS.iter().find(|driver| driver.name == "dialogue").unwrap().profiles;
    let (profile, text) = profiles[usize::from(*profile) % profiles.len()];
    let dir = tempfile::tempdir().unwrap();
    let socket = dir.path().join("pdu");
    let keys = ["user", "password"].into_iter().filter(|key| text.contains(&format!("{{{key}}}")));
    let keys: String = keys.map(|key| format!("{key} = \"s3cret\"\n")).collect();
    let port = if profile == "sentry-cli" { ".AA1" } else { "1" };
    let config = format!(
        "[[pdu]]\nname = \"a\"\ndriver = \"dialogue\"\nconnect = \"unix:{}\"\nprofile = \"{profile}\"\n{keys}\
         [[outlet]]\nname = \"a\"\npdu = \"a\"\nport = \"{port}\"\n",
        socket.display()
    );
    let config = PowerConfig::parse("power.toml", &config).unwrap();
    let outlets = open_all(&config.pdus[0]);
    RUNTIME.block_on(async {
        let listener = UnixListener::bind(&socket).unwrap();
        let pdu = async {
            let Ok((mut peer, _)) = listener.accept().await else { return };
            let mut asked = [0; 1024];
            for answer in answers.split(|byte| *byte == 0xaa) {
                let _ = peer.write_all(answer).await;
                if !matches!(peer.read(&mut asked).await, Ok(1..)) {
                    return;
                }
            }
        };
        let asked = async {
            let told = match (verb % 3, outlets[0].status()) {
                (0, Some(status)) => status.await.map(drop),
                (1, _) => outlets[0].switch(Switch::Off).await,
                _ => outlets[0].switch(Switch::On).await,
            };
            if let Err(error) = told {
                assert!(keys.is_empty() || !error.to_string().contains("s3cret"), "{error}");
            }
            if let Some(rest) = outlets[0].rest() {
                let _ = rest.await;
            }
        };
        // A PDU that keeps us waiting is waited for; the time is not what is tested here.
        let both = futures_util::future::join(asked, pdu);
        let _ = tokio::time::timeout(Duration::from_millis(300), both).await;
    });
});
