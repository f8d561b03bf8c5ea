//! `driver = "http"`: PDUs with a web interface or an HTTP API.
//!
//! Every request has a connection of its own: many of these servers handle one at a time, and forget
//! the connections that they keep. Redirects are not followed: what is switched is what was asked.

mod digest;
mod exchange;

use futures_util::FutureExt as _;

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
}

impl HttpOutlet {
    pub(super) fn new(pdu: &config::Http, outlet: &OutletConfig) -> Self {
        Self { pdu: pdu.clone(), port: outlet.port.clone(), name: outlet.name.to_string() }
    }

    /// Makes a request and gives what the PDU answered, after a login where there is one.
    async fn ask(&self, request: &HttpRequest) -> Result<Vec<u8>, OutletError> {
        let token = match &self.pdu.profile.login {
            None => self.pdu.token.as_ref().map_or("", |token| token.expose()).to_owned(),
            Some(login) => {
                let said = self.exchange(&login.request, "").await?;
                answer::find(&login.token, &self.values(&self.words("")), &said).ok_or_else(
                    || {
                        OutletError::Denied(
                            "the PDU's answer to the login has no token in it".into(),
                        )
                    },
                )?
            }
        };
        let said = self.exchange(request, &token).await?;
        let Some(check) = &request.check else { return Ok(said) };
        let found = answer::find(&check.finder, &self.values(&self.words(&token)), &said);
        match found {
            Some(value) if check.is.is_empty() || check.is.contains(&value) => Ok(said),
            Some(value) => {
                let (value, wanted) = (self.shown(&value), check.is.join(" or "));
                Err(OutletError::Unclear(format!("the PDU answers {value} instead of {wanted}")))
            }
            None => Err(OutletError::Unclear(
                "the PDU's answer does not say what the profile looks for".into(),
            )),
        }
    }

    /// As the trait's; the PDU that refuses to do what is so already has done it.
    async fn switched(&self, to: Switch) -> Result<(), OutletError> {
        let profile = &self.pdu.profile;
        let request = if to == Switch::On { &profile.on } else { &profile.off };
        match (self.ask(request).await, &profile.status) {
            (Err(OutletError::Refused(why)), Some(_)) => match self.state().await {
                Ok(state) if state == State::from(to) => Ok(()),
                _ => Err(OutletError::Refused(why)),
            },
            (answered, _) => answered.map(drop),
        }
    }

    async fn state(&self) -> Result<State, OutletError> {
        let Some((request, meaning)) = &self.pdu.profile.status else { return Ok(State::Unknown) };
        let said = self.ask(request).await?;
        let Some(value) = answer::find(&meaning.finder, &self.values(&self.words("")), &said)
        else {
            return Err(OutletError::Refused(
                "the PDU's answer has no state of this outlet; are the port and the profile right?"
                    .into(),
            ));
        };
        Ok(answer::state(meaning, &value).unwrap_or_else(|| {
            tracing::debug!(port = self.port, value = self.shown(&value), "neither on nor off");
            State::Unknown
        }))
    }

    async fn measured(&self, meter: &config::HttpMeter) -> Result<Reading, OutletError> {
        let said = self.ask(&meter.request).await?;
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
            return Err(OutletError::Refused("the PDU's answer has no reading in it".into()));
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

    fn shown(&self, value: &str) -> String {
        let secrets = [&self.pdu.password, &self.pdu.token].into_iter().flatten();
        answer::shown(value, secrets.map(Secret::expose))
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
        Some(async move { self.ask(cycle).await.map(drop) }.boxed())
    }
}
