//! `driver = "mqtt"`: devices behind an MQTT broker (version 3.1.1).
//!
//! Every request has a connection of its own, with nothing kept at the broker: what was said to an earlier
//! request is not taken for the answer to this one. That the broker took a message is not the device's
//! word, and what the broker keeps of it is so only while it is known to be there.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures_util::FutureExt as _;
use rumqttc::{
    AsyncClient, ClientError, ConnectReturnCode, ConnectionError, Event, EventLoop, MqttOptions,
    Packet, Publish, QoS, SubscribeReasonCode, TlsConfiguration, Transport,
};
use tokio::time::{Instant, timeout};

use super::way::Way;
use super::{Answer, Outlet, OutletError, Switch, answer, tls};
use crate::config::power::{
    self as config, Alive, Escape, Message, OutletConfig, Template, Values, Wait,
};
use crate::model::State;
use crate::model::failure::chain;

/// The largest message in either direction, in bytes.
const MAX_PACKET: usize = 64 * 1024;
/// How many of our own requests may wait for the connection.
const QUEUE: usize = 8;
/// Longer than any request takes: no pings are needed.
const KEEP_ALIVE: Duration = Duration::from_secs(900);
/// The library's own limit for a connection, in seconds; ours is shorter.
const CONNECT_SECONDS: u64 = 600;

/// One outlet of a device.
#[derive(Debug)]
pub(super) struct MqttOutlet {
    device: config::Mqtt,
    port: String,
    name: String,
    /// How long the way to the broker may take.
    connect: Duration,
    /// What the device itself has said last, where nothing makes it tell.
    said: Mutex<Option<(State, Instant)>>,
}

/// A connection to the broker. Lost when dropped; the broker then forgets us.
struct Session {
    client: AsyncClient,
    events: EventLoop,
    /// What there was to be heard while something else was waited for. Bounded by [`EARLY`].
    early: Vec<Publish>,
    way: Way,
}

/// How many messages are kept that come before they are waited for.
const EARLY: usize = 64;

impl MqttOutlet {
    pub(super) fn new(device: &config::Mqtt, outlet: &OutletConfig, connect: Duration) -> Self {
        let (port, name) = (outlet.port.clone(), outlet.name.to_string());
        Self { device: device.clone(), port, name, connect, said: Mutex::default() }
    }

    async fn tell(&self, message: &Message, to: Switch) -> Result<(), OutletError> {
        // Whatever it has said before is not about this.
        *self.said.lock().unwrap_or_else(PoisonError::into_inner) = None;
        let us = us();
        let fill = |template: &Template| self.fill(template, &us);
        let (topic, payload) = (fill(&message.publish)?, self.payload(&message.payload, &us)?);
        let mut session = self.connect(&us, Way::switches()).await?;
        let Some((answered, check)) = &message.answer else {
            let Some(wait) = self.kept() else { return session.order(topic, payload).await };
            let tells = fill(&wait.topic)?;
            session.subscribe(&tells).await?;
            session.order(topic, payload).await?;
            let heard = self.is_told(wait, &mut session, &tells, to, &us);
            // A device that is so already says nothing.
            return timeout(self.connect / 2, heard).await.unwrap_or(Ok(()));
        };
        let answered = fill(answered)?;
        session.subscribe(&answered).await?;
        session.order(topic, payload).await?;
        loop {
            let said = session.next(&[&answered]).await?;
            let words = self.words(&us);
            let found = answer::find(&check.finder, &self.values(&words), &said.payload);
            // Other things are told there, too, and what was kept of earlier.
            if found.is_some_and(|value| check.is.is_empty() || check.is.contains(&value))
                && !said.retain
            {
                return Ok(());
            }
        }
    }

    /// Where the state is told, if neither the device can be asked nor anybody knows whether it is there.
    fn kept(&self) -> Option<&Wait> {
        let profile = &self.device.profile;
        profile.status.as_ref().filter(|wait| wait.ask.is_none() && profile.alive.is_none())
    }

    /// Waits until the device says itself that it is as it was told to be.
    async fn is_told(
        &self,
        wait: &Wait,
        session: &mut Session,
        topic: &str,
        to: Switch,
        us: &str,
    ) -> Result<(), OutletError> {
        loop {
            let said = session.next(&[topic]).await?;
            if !said.retain && self.meaning(wait, &said, us) == Some(State::from(to)) {
                let now = (State::from(to), Instant::now());
                *self.said.lock().unwrap_or_else(PoisonError::into_inner) = Some(now);
                return Ok(());
            }
        }
    }

    async fn state(&self, wait: &Wait) -> Result<State, OutletError> {
        let us = us();
        let topic = self.fill(&wait.topic, &us)?;
        let mut session = self.connect(&us, Way::reads()).await?;
        session.subscribe(&topic).await?;
        if let Some((publish, payload)) = &wait.ask {
            let (to, payload) = (self.fill(publish, &us)?, self.payload(payload, &us)?);
            session.publish(to, payload).await?;
        }
        let alive = match &self.device.profile.alive {
            Some(alive) if wait.ask.is_none() => Some((alive, self.fill(&alive.topic, &us)?)),
            _ => None,
        };
        if let Some((_, topic)) = &alive {
            session.subscribe(topic).await?;
        }
        let mut is_there = false;
        let mut kept = None;
        let topics: Vec<&str> = [Some(&topic), alive.as_ref().map(|(_, topic)| topic)]
            .into_iter()
            .flatten()
            .map(String::as_str)
            .collect();
        loop {
            let said = session.next(&topics).await?;
            match &alive {
                Some((alive, topic)) if said.topic == *topic => {
                    is_there = self.is_alive(alive, &said, &us);
                    if !is_there {
                        let why = "the device is not there: so the broker was told";
                        return Err(session.way.unreachable(why));
                    }
                }
                // Other things are told there, too.
                _ => match self.meaning(wait, &said, &us) {
                    Some(state) if !said.retain => return Ok(state),
                    state => kept = state.or(kept),
                },
            }
            if let Some(state) = kept.filter(|_| is_there) {
                return Ok(state);
            }
        }
    }

    /// What a message says of the outlet.
    fn meaning(&self, wait: &Wait, said: &Publish, us: &str) -> Option<State> {
        let words = self.words(us);
        let value = answer::find(wait.finder(), &self.values(&words), &said.payload)?;
        Some(answer::state(&wait.meaning, &value).unwrap_or_else(|| {
            let value = answer::shown(&value, []);
            tracing::debug!(port = self.port, value, "neither on nor off");
            State::Unknown
        }))
    }

    fn is_alive(&self, alive: &Alive, said: &Publish, us: &str) -> bool {
        let words = self.words(us);
        let found = answer::find(&alive.check.finder, &self.values(&words), &said.payload);
        found.is_some_and(|value| alive.check.is.is_empty() || alive.check.is.contains(&value))
    }

    async fn connect(&self, us: &str, way: Way) -> Result<Session, OutletError> {
        let device = &self.device;
        let mut options = MqttOptions::new(us, &device.host, device.port);
        options.set_keep_alive(KEEP_ALIVE).set_max_packet_size(MAX_PACKET, MAX_PACKET);
        if device.encrypted {
            let config = tls::client(&device.tls).map_err(|why| way.unreachable(why))?;
            let config = TlsConfiguration::Rustls(Arc::new(config));
            options.set_transport(Transport::tls_with_config(config));
        }
        if !device.user.is_empty() {
            let password = device.password.as_ref().map_or("", |password| password.expose());
            options.set_credentials(&device.user, password);
        }
        let (client, mut events) = AsyncClient::new(options, QUEUE);
        events.network_options.set_connection_timeout(CONNECT_SECONDS);
        let mut session = Session { client, events, early: Vec::new(), way };
        match timeout(self.connect, session.greeted()).await {
            Ok(Ok(())) => Ok(session),
            Ok(Err(error)) => Err(error),
            Err(_) => {
                let why = format!("no answer from the broker within {:?}", self.connect);
                Err(session.way.unreachable(why))
            }
        }
    }

    fn fill(&self, template: &Template, us: &str) -> Result<String, OutletError> {
        let words = self.words(us);
        let text = template.fill(&self.values(&words), Escape::Plain);
        text.filter(|text| !text.contains(['+', '#', '\0'])).ok_or_else(|| self.unfit())
    }

    /// JSON where the template is JSON, else plain.
    fn payload(&self, template: &Template, us: &str) -> Result<String, OutletError> {
        let words = self.words(us);
        template.fill(&self.values(&words), Escape::Json).ok_or_else(|| self.unfit())
    }

    fn words<'a>(&'a self, us: &'a str) -> [(&'static str, &'a str); 3] {
        [("outlet", &self.name), ("topic", &self.device.topic), ("us", us)]
    }

    fn values<'a>(&'a self, words: &'a [(&'a str, &'a str)]) -> Values<'a> {
        Values { words, port: &self.port }
    }

    fn unfit(&self) -> OutletError {
        Way::reads().refused(format!("port {:?} does not fit the profile", self.port))
    }
}

impl Session {
    /// Waits until the broker has let us in.
    async fn greeted(&mut self) -> Result<(), OutletError> {
        loop {
            match self.events.poll().await {
                Ok(Event::Incoming(Packet::ConnAck(_))) => return Ok(()),
                Ok(_) => {}
                Err(ConnectionError::ConnectionRefused(code)) => {
                    return Err(refused(code, &self.way));
                }
                Err(error) => {
                    let why = format!("no way to the broker: {}", chain(&error));
                    return Err(self.way.unreachable(why));
                }
            }
        }
    }

    /// Waits until the broker has taken the subscription.
    async fn subscribe(&mut self, topic: &str) -> Result<(), OutletError> {
        let asked = self.client.try_subscribe(topic, QoS::AtLeastOnce);
        asked.map_err(|error| self.way.unreachable(not_sent(&error)))?;
        loop {
            match self.event().await? {
                Packet::SubAck(ack) if ack.return_codes.contains(&SubscribeReasonCode::Failure) => {
                    let why = format!("the broker lets us not listen to {topic:?}");
                    return Err(self.way.denied(why));
                }
                Packet::SubAck(_) => return Ok(()),
                _ => {}
            }
        }
    }

    /// Has the device do something.
    async fn order(&mut self, topic: String, payload: String) -> Result<(), OutletError> {
        self.way.sending();
        self.publish(topic, payload).await
    }

    /// Waits until the broker has the message.
    async fn publish(&mut self, topic: String, payload: String) -> Result<(), OutletError> {
        let said = self.client.try_publish(topic, QoS::AtLeastOnce, false, payload);
        said.map_err(|error| self.way.unreachable(not_sent(&error)))?;
        while !matches!(self.event().await?, Packet::PubAck(_)) {}
        // Of a device that is only asked, too.
        self.way.sending();
        Ok(())
    }

    /// The next message that is said at one of them.
    async fn next(&mut self, topics: &[&str]) -> Result<Publish, OutletError> {
        loop {
            if !self.early.is_empty() {
                let said = self.early.remove(0);
                if topics.contains(&said.topic.as_str()) {
                    return Ok(said);
                }
            } else {
                // Whoever is listened to has been reached.
                self.way.sending();
                self.event().await?;
            }
        }
    }

    async fn event(&mut self) -> Result<Packet, OutletError> {
        loop {
            match self.events.poll().await {
                Ok(Event::Incoming(Packet::Publish(said))) => {
                    if self.early.len() == EARLY {
                        self.early.remove(0);
                    }
                    self.early.push(said.clone());
                    return Ok(Packet::Publish(said));
                }
                Ok(Event::Incoming(packet)) => return Ok(packet),
                Ok(Event::Outgoing(_)) => {}
                Err(error) => {
                    let why = format!("the broker is not understood: {}", chain(&error));
                    return Err(self.way.unclear(why));
                }
            }
        }
    }
}

impl Outlet for MqttOutlet {
    fn switch(&self, to: Switch) -> Answer<'_, ()> {
        let profile = &self.device.profile;
        self.tell(if to == Switch::On { &profile.on } else { &profile.off }, to).boxed()
    }

    fn status(&self) -> Option<Answer<'_, State>> {
        let wait = self.device.profile.status.as_ref()?;
        if self.kept().is_none() {
            return Some(self.state(wait).boxed());
        }
        let said = *self.said.lock().unwrap_or_else(PoisonError::into_inner);
        // Later it may have been switched by somebody else, or be dead.
        let (state, _) = said.filter(|(_, when)| when.elapsed() < self.connect)?;
        Some(async move { Ok(state) }.boxed())
    }
}

/// A name that nobody else has at the broker: at most 23 letters and digits (MQTT 3.1.1, section 3.1.3.1).
fn us() -> String {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    format!("lava{:x}n{count:x}", crate::model::units::now_us() & 0xff_ffff_ffff)
}

/// What the broker says of our name and password (MQTT 3.1.1, section 3.2.2.3).
fn refused(code: ConnectReturnCode, way: &Way) -> OutletError {
    match code {
        ConnectReturnCode::BadUserNamePassword | ConnectReturnCode::NotAuthorized => {
            way.denied("the broker denies us: wrong user or password")
        }
        code => way.unreachable(format!("the broker does not let us in: {code:?}")),
    }
}

fn not_sent(error: &ClientError) -> String {
    format!("no message to the broker: {error}")
}
