//! `driver = "mqtt"`: devices behind an MQTT broker (version 3.1.1).
//!
//! Every request has a connection of its own, with nothing kept at the broker: what was said to an earlier
//! request is not taken for the answer to this one. That the broker took a message is not the device's word.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use futures_util::FutureExt as _;
use rumqttc::{
    AsyncClient, ClientError, ConnectReturnCode, ConnectionError, Event, EventLoop, MqttOptions,
    Packet, Publish, QoS, SubscribeReasonCode, TlsConfiguration, Transport,
};

use super::{Answer, Outlet, OutletError, Switch, answer, tls};
use crate::config::power::{self as config, Escape, Message, OutletConfig, Template, Values, Wait};
use crate::model::State;
use crate::model::failure::chain;

/// The largest message in either direction, in bytes.
const MAX_PACKET: usize = 64 * 1024;
/// How many of our own requests may wait for the connection.
const QUEUE: usize = 8;
/// Longer than any request takes: no pings are needed.
const KEEP_ALIVE: Duration = Duration::from_secs(900);
/// How long the connection may take, in seconds; the actor's own limit may be shorter.
const CONNECT_SECONDS: u64 = 600;

/// One outlet of a device.
#[derive(Debug)]
pub(super) struct MqttOutlet {
    device: config::Mqtt,
    port: String,
    name: String,
}

/// A connection to the broker. Lost when dropped; the broker then forgets us.
struct Session {
    client: AsyncClient,
    events: EventLoop,
    /// What there was to be heard while something else was waited for. Bounded by [`EARLY`].
    early: Vec<Publish>,
}

/// How many messages are kept that come before they are waited for.
const EARLY: usize = 64;

impl MqttOutlet {
    pub(super) fn new(device: &config::Mqtt, outlet: &OutletConfig) -> Self {
        Self { device: device.clone(), port: outlet.port.clone(), name: outlet.name.to_string() }
    }

    async fn tell(&self, message: &Message) -> Result<(), OutletError> {
        let us = us();
        let fill = |template: &Template| self.fill(template, &us);
        let (topic, payload) = (fill(&message.publish)?, self.payload(&message.payload, &us)?);
        let mut session = self.connect(&us).await?;
        let Some((answered, check)) = &message.answer else {
            return session.publish(topic, payload).await;
        };
        let answered = fill(answered)?;
        session.subscribe(&answered).await?;
        session.publish(topic, payload).await?;
        loop {
            let said = session.next(&answered).await?;
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

    async fn state(&self, wait: &Wait) -> Result<State, OutletError> {
        let us = us();
        let topic = self.fill(&wait.topic, &us)?;
        let mut session = self.connect(&us).await?;
        session.subscribe(&topic).await?;
        if let Some((publish, payload)) = &wait.ask {
            let (to, payload) = (self.fill(publish, &us)?, self.payload(payload, &us)?);
            session.publish(to, payload).await?;
        }
        loop {
            let said = session.next(&topic).await?;
            if said.retain && wait.ask.is_some() {
                continue;
            }
            let words = self.words(&us);
            // Other things are told there, too.
            if let Some(value) = answer::find(wait.finder(), &self.values(&words), &said.payload) {
                return Ok(answer::state(&wait.meaning, &value).unwrap_or_else(|| {
                    let value = answer::shown(&value, []);
                    tracing::debug!(port = self.port, value, "neither on nor off");
                    State::Unknown
                }));
            }
        }
    }

    async fn connect(&self, us: &str) -> Result<Session, OutletError> {
        let device = &self.device;
        let mut options = MqttOptions::new(us, &device.host, device.port);
        options.set_keep_alive(KEEP_ALIVE).set_max_packet_size(MAX_PACKET, MAX_PACKET);
        if device.encrypted {
            let config = Arc::new(tls::client(&device.tls)?);
            options.set_transport(Transport::tls_with_config(TlsConfiguration::Rustls(config)));
        }
        if !device.user.is_empty() {
            let password = device.password.as_ref().map_or("", |password| password.expose());
            options.set_credentials(&device.user, password);
        }
        let (client, mut events) = AsyncClient::new(options, QUEUE);
        events.network_options.set_connection_timeout(CONNECT_SECONDS);
        let mut session = Session { client, events, early: Vec::new() };
        loop {
            match session.events.poll().await {
                Ok(Event::Incoming(Packet::ConnAck(_))) => return Ok(session),
                Ok(_) => {}
                Err(ConnectionError::ConnectionRefused(code)) => return Err(refused(code)),
                Err(error) => {
                    let why = format!("no way to the broker: {}", chain(&error));
                    return Err(OutletError::Unreachable(why));
                }
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
        OutletError::Refused(format!("port {:?} does not fit the profile", self.port))
    }
}

impl Session {
    /// Waits until the broker has taken the subscription.
    async fn subscribe(&mut self, topic: &str) -> Result<(), OutletError> {
        self.client.try_subscribe(topic, QoS::AtLeastOnce).map_err(|error| not_sent(&error))?;
        loop {
            match self.event().await? {
                Packet::SubAck(ack) if ack.return_codes.contains(&SubscribeReasonCode::Failure) => {
                    return Err(OutletError::Denied(format!(
                        "the broker lets us not listen to {topic:?}"
                    )));
                }
                Packet::SubAck(_) => return Ok(()),
                _ => {}
            }
        }
    }

    /// Waits until the broker has the message.
    async fn publish(&mut self, topic: String, payload: String) -> Result<(), OutletError> {
        self.client
            .try_publish(topic, QoS::AtLeastOnce, false, payload)
            .map_err(|error| not_sent(&error))?;
        while !matches!(self.event().await?, Packet::PubAck(_)) {}
        Ok(())
    }

    /// The next message that is said there.
    async fn next(&mut self, topic: &str) -> Result<Publish, OutletError> {
        loop {
            if !self.early.is_empty() {
                let said = self.early.remove(0);
                if said.topic == topic {
                    return Ok(said);
                }
            } else {
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
                    return Err(OutletError::Unclear(why));
                }
            }
        }
    }
}

impl Outlet for MqttOutlet {
    fn switch(&self, to: Switch) -> Answer<'_, ()> {
        let profile = &self.device.profile;
        self.tell(if to == Switch::On { &profile.on } else { &profile.off }).boxed()
    }

    fn status(&self) -> Option<Answer<'_, State>> {
        Some(self.state(self.device.profile.status.as_ref()?).boxed())
    }
}

/// A name that nobody else has at the broker: at most 23 letters and digits (MQTT 3.1.1, section 3.1.3.1).
fn us() -> String {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    format!("lava{:x}n{count:x}", crate::model::units::now_us() & 0xff_ffff_ffff)
}

/// What the broker says of our name and password (MQTT 3.1.1, section 3.2.2.3).
fn refused(code: ConnectReturnCode) -> OutletError {
    match code {
        ConnectReturnCode::BadUserNamePassword | ConnectReturnCode::NotAuthorized => {
            OutletError::Denied("the broker denies us: wrong user or password".into())
        }
        code => OutletError::Unreachable(format!("the broker does not let us in: {code:?}")),
    }
}

fn not_sent(error: &ClientError) -> OutletError {
    OutletError::Unreachable(format!("no message to the broker: {error}"))
}
