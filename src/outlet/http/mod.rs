//! `driver = "http"`: PDUs with a web interface or an HTTP API.
//!
//! Every request has a connection of its own: many of these servers handle one at a time, and forget
//! the connections that they keep. Redirects are not followed: what is switched is what was asked.

mod digest;
mod exchange;
pub(super) mod probe;

use std::time::Duration;

use futures_util::FutureExt as _;

use super::way::Way;
use super::{Answer, Outlet, OutletError, Switch, answer};
use crate::config::Secret;
use crate::config::power::{self as config, HttpRequest, OutletConfig, Values};
use crate::model::{Reading, State};

/// One outlet of a PDU.
#[derive(Debug)]
pub(super) struct HttpOutlet {
    pdu: config::Http,
    port: String,
    name: String,
    /// How long one connection may take to come about.
    connect: Duration,
}

impl HttpOutlet {
    pub(super) fn new(pdu: &config::Http, outlet: &OutletConfig, connect: Duration) -> Self {
        let (port, name) = (outlet.port.clone(), outlet.name.to_string());
        Self { pdu: pdu.clone(), port, name, connect }
    }

    /// Makes a request and gives what the PDU answered, after a login where there is one.
    async fn ask(&self, request: &HttpRequest, way: &mut Way) -> Result<Vec<u8>, OutletError> {
        let token = match &self.pdu.profile.login {
            None => self.pdu.token.as_ref().map_or("", |token| token.expose()).to_owned(),
            Some(login) => self.log_in(login).await.map_err(|error| way.before(error))?,
        };
        let said = self.exchange(request, &token, way).await?;
        let Some(check) = &request.check else { return Ok(said) };
        let found = answer::find(&check.finder, &self.values(&self.words(&token)), &said);
        match found {
            Some(value) if check.is.is_empty() || check.is.contains(&value) => Ok(said),
            Some(value) => {
                let (value, wanted) = (self.shown(&value, &token), check.is.join(" or "));
                Err(way.unclear(format!("the PDU answers {value} instead of {wanted}")))
            }
            None => Err(way.unclear("the PDU's answer does not say what the profile looks for")),
        }
    }

    /// The token for a request.
    async fn log_in(&self, login: &config::HttpLogin) -> Result<String, OutletError> {
        let mut way = Way::reads();
        let said = self.exchange(&login.request, "", &mut way).await?;
        let token = answer::find(&login.token, &self.values(&self.words("")), &said);
        token.ok_or_else(|| way.denied("the PDU's answer to the login has no token in it"))
    }

    /// As the trait's; the PDU that refuses to do what is so already has done it.
    async fn switched(&self, to: Switch) -> Result<(), OutletError> {
        let profile = &self.pdu.profile;
        let request = if to == Switch::On { &profile.on } else { &profile.off };
        let mut way = Way::switches();
        match (self.ask(request, &mut way).await, &profile.status) {
            (Err(OutletError::Refused(why)), Some(_)) => match self.state().await {
                Ok(state) if state == State::from(to) => Ok(()),
                Ok(State::On | State::Off) => Err(OutletError::Refused(why)),
                _ => Err(way.refused(why.to_string())),
            },
            (answered, _) => answered.map(drop),
        }
    }

    async fn state(&self) -> Result<State, OutletError> {
        let Some((request, meaning)) = &self.pdu.profile.status else { return Ok(State::Unknown) };
        let mut way = Way::reads();
        let said = self.ask(request, &mut way).await?;
        let Some(value) = answer::find(&meaning.finder, &self.values(&self.words("")), &said)
        else {
            return Err(way.refused(
                "the PDU's answer has no state of this outlet; are the port and the profile right?",
            ));
        };
        Ok(answer::state(meaning, &value).unwrap_or_else(|| {
            tracing::debug!(port = self.port, value = self.shown(&value, ""), "neither on nor off");
            State::Unknown
        }))
    }

    async fn measured(&self, meter: &config::HttpMeter) -> Result<Reading, OutletError> {
        let mut way = Way::reads();
        let said = self.ask(&meter.request, &mut way).await?;
        let words = self.words("");
        let values = self.values(&words);
        let read = |quantity: &Option<config::Quantity>| {
            quantity.as_ref().and_then(|quantity| answer::quantity(quantity, &values, &said))
        };
        let reading = Reading {
            volts: read(&meter.volts),
            amperes: read(&meter.amperes),
            watts: read(&meter.watts),
        };
        if reading == Reading::default() {
            return Err(way.refused("the PDU's answer has no reading in it"));
        }
        Ok(reading)
    }

    fn words<'a>(&'a self, token: &'a str) -> [(&'static str, &'a str); 4] {
        let password = self.pdu.password.as_ref().map_or("", |password| password.expose());
        [("outlet", &self.name), ("user", &self.pdu.user), ("password", password), ("token", token)]
    }

    fn values<'a>(&'a self, words: &'a [(&'a str, &'a str)]) -> Values<'a> {
        Values { words, port: &self.port }
    }

    /// `token` is the one in use.
    fn shown(&self, value: &str, token: &str) -> String {
        let secrets = [&self.pdu.password, &self.pdu.token].into_iter().flatten();
        answer::shown(value, secrets.map(Secret::expose).chain([token]))
    }
}

impl Outlet for HttpOutlet {
    fn switch(&self, to: Switch) -> Answer<'_, ()> {
        self.switched(to).boxed()
    }

    fn status(&self) -> Option<Answer<'_, State>> {
        self.pdu.profile.status.as_ref().map(|_| self.state().boxed())
    }

    fn meter(&self) -> Option<Answer<'_, Reading>> {
        let meter = self.pdu.profile.meter.as_deref()?;
        Some(self.measured(meter).boxed())
    }

    fn cycle(&self) -> Option<Answer<'_, ()>> {
        let cycle = self.pdu.profile.cycle.as_ref().filter(|_| self.pdu.native_cycle)?;
        Some(async move { self.ask(cycle, &mut Way::switches()).await.map(drop) }.boxed())
    }
}

#[cfg(test)]
mod tests {
    use tokio::net::{TcpSocket, TcpStream};

    use super::*;
    use crate::config::power::PowerConfig;
    use crate::outlet::{open_all, within};

    #[tokio::test]
    async fn who_was_never_reached_was_not_asked() {
        // It takes no connection, and refuses none.
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let busy = socket.listen(0).unwrap();
        let address = busy.local_addr().unwrap();
        let limit = Duration::from_millis(300);
        let mut before = Vec::new();
        while let Ok(Ok(stream)) = tokio::time::timeout(limit, TcpStream::connect(address)).await {
            before.push(stream);
        }
        let text = format!(
            "[[pdu]]\nname = 'r'\ndriver = 'http'\nurl = 'http://{address}'\nprofile = 'netio'\n\
             timeout = '400ms'\n[[outlet]]\nname = 'a'\npdu = 'r'\nport = 1\n"
        );
        let config = PowerConfig::parse("power.toml", &text).unwrap();
        let outlet = &open_all(&config.pdus[0])[0];
        let error = within(config.pdus[0].timeout, outlet.switch(Switch::Off)).await.unwrap_err();
        assert!(matches!(error, OutletError::Unreachable(_)), "{error}");
    }
}
