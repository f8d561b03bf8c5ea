//! A PDU may say anything. A fuzz target (`dialogue`) has the same with more patience.

use proptest::prelude::*;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::UnixListener;

use crate::config::power::{DRIVERS, Driver, PduConfig, PowerConfig};
use crate::outlet::{Outlet, OutletError, Switch, open_all};

/// What PDUs say at times, to be put together.
const PIECES: &[&[u8]] = &[
    b"User Name : ",
    b"Password  : ",
    b"Username: ",
    b"100 HELLO 1\r\n",
    b"250 OK\r\n",
    b"1- Device Manager\r\n4- Logout\r\n> ",
    b"2- Outlet Management\r\n> ",
    b"1- Outlet 1  ON\r\n> ",
    b"1- Immediate On\r\n2- Immediate Off\r\n> ",
    b"Enter 'YES' to continue or <ENTER> to cancel : ",
    b"Press <ENTER> to continue...",
    b"Outlet : 7\r\n",
    b"E000: Success\r\n 1: Outlet 1: On\r\napc>",
    b"lava 42 is here\n",
    b"[0]\n",
    b"s3cret",
    b"> ",
    b"\r\n",
    b"\x00",
    b"\x01",
    b"\x02",
    b"\xff\xfe",
];

/// A PDU with a profile of the program's, behind a socket.
fn pdu(number: usize, socket: &str) -> PduConfig {
    let profiles = DRIVERS.iter().find(|driver| driver.name == "dialogue").unwrap().profiles;
    let (profile, text) = profiles[number % profiles.len()];
    let keys = ["user", "password"].into_iter().filter(|key| text.contains(&format!("{{{key}}}")));
    let keys: String = keys.map(|key| format!("{key} = 's3cret'\n")).collect();
    let port = if profile == "sentry-cli" { ".AA1" } else { "1" };
    let text = format!(
        "[[pdu]]\nname = 'a'\ndriver = 'dialogue'\nconnect = 'unix:{socket}'\nprofile = '{profile}'\n\
         {keys}[[outlet]]\nname = 'a'\npdu = 'a'\nport = '{port}'\n"
    );
    PowerConfig::parse("power.toml", &text).unwrap().pdus.remove(0)
}

/// What becomes of a request to a PDU that answers so, each time that it is told something.
async fn asked(outlet: &dyn Outlet, verb: u8) -> Result<(), OutletError> {
    match (verb, outlet.status()) {
        (0, Some(status)) => status.await.map(drop),
        (1, _) => outlet.switch(Switch::Off).await,
        _ => outlet.switch(Switch::On).await,
    }
}

/// The limit of the answer is shorter than that of the step: the PDU is left in good order all the same.
#[tokio::test(start_paused = true)]
async fn a_conversation_without_an_end_is_broken_off_with_a_logout() {
    let dir = tempfile::tempdir().unwrap();
    let socket = dir.path().join("pdu").display().to_string();
    let number = DRIVERS.iter().find(|driver| driver.name == "dialogue").unwrap().profiles;
    let number = number.iter().position(|(name, _)| *name == "apc-cli").unwrap();
    let mut config = pdu(number, &socket);
    config.timeout = std::time::Duration::from_secs(4);
    let outlets = open_all(&config);
    let listener = UnixListener::bind(&socket).unwrap();
    let says = async {
        let (mut peer, _) = listener.accept().await.unwrap();
        for answer in ["User Name : ", "Password  : ", "American Power Conversion\r\napc>"] {
            peer.write_all(answer.as_bytes()).await.unwrap();
            let read = peer.read(&mut [0; 1024]).await.unwrap();
            assert_ne!(read, 0);
        }
        // Nothing more.
        let mut heard = String::new();
        peer.read_to_string(&mut heard).await.unwrap();
        heard
    };
    let asked = crate::outlet::within(config.timeout, outlets[0].switch(Switch::Off));
    let (heard, asked) = tokio::join!(says, asked);
    assert!(asked.unwrap_err().is_unclear());
    assert!(heard.contains("exit") || heard.contains("quit"), "{heard:?}");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

    #[test]
    fn whatever_a_pdu_says_comes_to_an_end_and_tells_no_secret(
        profile in 0_usize..100,
        verb in 0_u8..3,
        answers in prop::collection::vec(
            prop::collection::vec(prop::sample::select(PIECES), 0..3),
            0..12,
        ),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .start_paused(true)
            .build()
            .unwrap();
        let dir = tempfile::tempdir().unwrap();
        let socket = dir.path().join("pdu").display().to_string();
        let config = pdu(profile, &socket);
        let Driver::Dialogue(dialogue) = &config.driver else { panic!("{:?}", config.driver) };
        let has_secret = dialogue.password().is_some();
        let outlets = open_all(&config);
        let told = runtime.block_on(async {
            let listener = UnixListener::bind(&socket).unwrap();
            let says = async {
                let (mut peer, _) = listener.accept().await.unwrap();
                let mut heard = [0; 1024];
                for answer in &answers {
                    if peer.write_all(&answer.concat()).await.is_err() {
                        break;
                    }
                    if !matches!(peer.read(&mut heard).await, Ok(1..)) {
                        break;
                    }
                }
            };
            let told = async {
                let told = asked(outlets[0].as_ref(), verb).await;
                if let Some(rest) = outlets[0].rest() {
                    let _ = rest.await;
                }
                told
            };
            tokio::select! {
                told = told => told,
                told = async { says.await; std::future::pending().await } => told,
            }
        });
        if let Err(error) = told {
            prop_assert!(!has_secret || !error.to_string().contains("s3cret"), "{error}");
        }
    }
}
