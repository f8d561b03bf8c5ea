//! `driver = "egpms-lan"`: Energenie's power strips on the network (TCP).
//!
//! Every request has a session of its own; the strip has time for one.

mod protocol;

use std::io;
use std::time::Duration;

use futures_util::FutureExt as _;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::way::Way;
use super::{Answer, Outlet, OutletError, Switch};
use crate::config::power::{EgPmsLan, OutletConfig};
use crate::model::State;
use protocol::{Four, Key, START};

#[derive(Debug)]
pub(super) struct EgPmsLanOutlet {
    strip: EgPmsLan,
    /// Counted from 0.
    outlet: usize,
    /// How long the way to the strip may take, with its greeting.
    connect: Duration,
}

/// A session that the strip has let us into.
struct Session {
    stream: TcpStream,
    key: Key,
    task: Four,
    /// What it said of its outlets.
    said: Four,
    way: Way,
}

impl EgPmsLanOutlet {
    pub(super) fn new(strip: &EgPmsLan, outlet: &OutletConfig, connect: Duration) -> Self {
        // The configuration has seen to it that it is 1 to 4.
        let number: usize = outlet.port.parse().unwrap_or_default();
        Self { strip: strip.clone(), outlet: number.wrapping_sub(1), connect }
    }

    async fn open(&self, way: Way) -> Result<Session, OutletError> {
        match timeout(self.connect, self.greet()).await {
            Ok(Ok((stream, key, task, said))) => Ok(Session { stream, key, task, said, way }),
            Ok(Err(Cannot::Enter)) => Err(way.denied(
                "the strip denies us: wrong password, or somebody else is in a session with it",
            )),
            Ok(Err(Cannot::Reach(error))) => Err(way.unreachable(format!("no way there: {error}"))),
            Err(_) => Err(way.unreachable(format!("no answer within {:?}", self.connect))),
        }
    }

    /// Switches nothing.
    async fn greet(&self) -> Result<(TcpStream, Key, Four, Four), Cannot> {
        let address = (self.strip.host.as_str(), self.strip.port);
        let mut stream = TcpStream::connect(address).await.map_err(Cannot::Reach)?;
        stream.write_all(&[START]).await.map_err(Cannot::Reach)?;
        let (mut task, mut said) = (Four::default(), Four::default());
        stream.read_exact(&mut task).await.map_err(Cannot::Reach)?;
        let key = Key::new(self.strip.password.expose());
        stream.write_all(&key.answer(task)).await.map_err(Cannot::Reach)?;
        // To a wrong answer it hangs up.
        stream.read_exact(&mut said).await.map_err(|_| Cannot::Enter)?;
        Ok((stream, key, task, said))
    }

    async fn set(&self, to: Switch) -> Result<(), OutletError> {
        let mut session = self.open(Way::switches()).await?;
        let Session { stream, key, task, said, way } = &mut session;
        let lost = |error: io::Error| format!("the strip is gone: {error}");
        way.sending();
        let control = key.control(*task, self.outlet, to);
        stream.write_all(&control).await.map_err(|error| way.unclear(lost(error)))?;
        stream.read_exact(said).await.map_err(|error| way.unclear(lost(error)))?;
        session.end().await;
        Ok(())
    }

    async fn state(&self) -> Result<State, OutletError> {
        let session = self.open(Way::reads()).await?;
        let state = session.key.state(session.task, session.said, self.outlet);
        session.end().await;
        Ok(state)
    }
}

enum Cannot {
    Reach(io::Error),
    Enter,
}

impl Session {
    async fn end(mut self) {
        // It is over, whatever becomes of it.
        let _ = self.stream.write_all(&[START]).await;
        let _ = self.stream.shutdown().await;
    }
}

impl Outlet for EgPmsLanOutlet {
    fn switch(&self, to: Switch) -> Answer<'_, ()> {
        self.set(to).boxed()
    }

    fn status(&self) -> Option<Answer<'_, State>> {
        Some(self.state().boxed())
    }
}

#[cfg(test)]
mod tests {
    use tokio::net::TcpListener;

    use super::*;
    use crate::config::power::PowerConfig;
    use crate::outlet::open_all;

    const TASK: Four = [0x9a, 0x01, 0xfe, 0x42];
    /// Off, as version 2.1 says it.
    const OFF: u8 = 0x82;
    const ON: u8 = 0x41;

    /// What a session of a strip with the password 1234 is to be like.
    #[derive(Clone, Copy, PartialEq)]
    enum Session {
        Whole,
        HangsUpAfterControl,
    }

    /// A strip that is asked so often; the states of its outlets in the end.
    async fn strip(listener: TcpListener, sessions: &[Session]) -> Four {
        let key = Key::new("1234");
        let mut on = [OFF; 4];
        for session in sessions {
            let (mut stream, _) = listener.accept().await.unwrap();
            let (mut start, mut answer, mut control) = ([0; 1], Four::default(), Four::default());
            stream.read_exact(&mut start).await.unwrap();
            stream.write_all(&TASK).await.unwrap();
            stream.read_exact(&mut answer).await.unwrap();
            if answer != key.answer(TASK) {
                continue;
            }
            stream.write_all(&hidden(on)).await.unwrap();
            if stream.read_exact(&mut control).await.is_err() {
                continue;
            }
            for outlet in 0..4 {
                for to in [Switch::On, Switch::Off] {
                    if control[3 - outlet] == key.control(TASK, outlet, to)[3 - outlet] {
                        on[outlet] = if to == Switch::On { ON } else { OFF };
                    }
                }
            }
            if *session == Session::Whole {
                stream.write_all(&hidden(on)).await.unwrap();
            }
        }
        on
    }

    /// The last outlet's state first, as nobody can read it without the key.
    fn hidden(mut on: Four) -> Four {
        let [k0, k1, ..] = *b"1234";
        on.reverse();
        on.map(|byte| ((byte ^ TASK[2]).wrapping_add(TASK[3]) ^ k0).wrapping_add(k1))
    }

    fn outlets(listener: &TcpListener, password: &str) -> Vec<Box<dyn Outlet>> {
        let address = listener.local_addr().unwrap();
        let text = format!(
            "[[pdu]]\nname = 'r'\ndriver = 'egpms-lan'\naddress = '{address}'\npassword = '{password}'\n\
             [[outlet]]\nname = 'a'\npdu = 'r'\nport = 1\n[[outlet]]\nname = 'b'\npdu = 'r'\nport = 4\n"
        );
        open_all(&PowerConfig::parse("power.toml", &text).unwrap().pdus[0])
    }

    #[tokio::test]
    async fn a_strip_is_switched_and_read_by_who_knows_its_password() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let known = outlets(&listener, "1234");
        let stranger = outlets(&listener, "4321");
        let asked = async {
            let four = &known[1];
            assert_eq!(four.status().unwrap().await, Ok(State::Off));
            four.switch(Switch::On).await.unwrap();
            assert_eq!(four.status().unwrap().await, Ok(State::On));
            assert_eq!(known[0].status().unwrap().await, Ok(State::Off));
            let denied = stranger[0].switch(Switch::On).await.unwrap_err();
            assert!(matches!(denied, OutletError::Denied(_)), "{denied}");
            let lost = four.switch(Switch::Off).await.unwrap_err();
            assert!(lost.is_unclear(), "{lost}");
        };
        let sessions = [&[Session::Whole; 5][..], &[Session::HangsUpAfterControl]].concat();
        let (on, ()) = tokio::join!(strip(listener, &sessions), asked);
        assert_eq!(on, [OFF; 4]);
        let gone = known[0].switch(Switch::On).await.unwrap_err();
        assert!(matches!(gone, OutletError::Unreachable(_)), "{gone}");
    }
}
