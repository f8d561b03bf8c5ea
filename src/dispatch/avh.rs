//! Boards that are models at Arm's service: what a device and a job say of them, and what is there of a job's.

use std::io::{self, Read as _};
use std::time::Duration;

use futures_util::future::join_all;
use serde::{Deserialize, Serialize};
use tokio::time::{sleep, timeout};

use super::device::values::{filled, present};
use super::error::Error;
use super::job::Text;
use super::log::Log;
use crate::client::Service;
use crate::client::avh::{Avh, AvhError};
use crate::config::{Secret, Table};

/// Where Arm has it, and the project that every account has.
const ENDPOINT: &str = "https://app.avh.arm.com/api";
const PROJECT: &str = "Default Project";
/// The secret of a job with which it logs in there.
pub(super) const TOKEN: &str = "avh_api_token";
/// How often what passes by itself is tried, and how long is between two tries, as LAVA has it: questions first, then what
/// makes or deletes something.
pub(super) const ASKING: (u32, Duration) = (3, Duration::from_secs(1));
pub(super) const MAKING: (u32, Duration) = (6, Duration::from_secs(5));

/// How long all of that may take for one package, also at a job's end.
const GIVING_BACK: Duration = Duration::from_secs(60);

/// What a device dictionary says, or a job in its place.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AvhOptions {
    endpoint: Option<String>,
    project: Option<String>,
    model: Option<String>,
}

/// What the deploy block has made, for the boot.
#[derive(Debug, Clone)]
pub struct AvhPackage {
    pub place: AvhPlace,
    /// The number of the project.
    pub project: String,
    pub model: String,
    pub version: String,
    pub file: std::path::PathBuf,
}

/// The service, and the token of whose account it is.
#[derive(Debug, Clone)]
pub struct AvhPlace {
    pub service: Service,
    pub url: String,
    pub token: Secret,
}

/// What a job has at the service, or may have: what is being made there has a name before it has a number.
#[derive(Clone, Serialize, Deserialize)]
pub struct Rented {
    pub url: String,
    token: String,
    /// Of the image and of the instance, and of no others.
    pub name: String,
    project: String,
    pub image: Option<String>,
    pub instance: Option<String>,
}

impl AvhOptions {
    /// Reads `options` of a device's method, or of a deploy block.
    pub(in crate::dispatch) fn read(method: &Table<'_>, key: &str) -> Self {
        let Some(table) = present(method, key) else { return Self::default() };
        let text = |key: &str| filled::<Text>(&table, key).map(|text| text.0);
        Self { endpoint: text("api_endpoint"), project: text("project_name"), model: text("model") }
    }

    /// These, and where they say nothing, those.
    pub fn or(&self, other: &Self) -> Self {
        let either = |own: &Option<String>, other: &Option<String>| own.clone().or(other.clone());
        Self {
            endpoint: either(&self.endpoint, &other.endpoint),
            project: either(&self.project, &other.project),
            model: either(&self.model, &other.model),
        }
    }

    pub fn endpoint(&self) -> &str {
        self.endpoint.as_deref().unwrap_or(ENDPOINT)
    }

    pub fn project(&self) -> &str {
        self.project.as_deref().unwrap_or(PROJECT)
    }

    pub fn model(&self) -> Option<&str> {
        self.model.as_deref()
    }

    /// Whether a job may speak with the service at this URL, where these are the device's. Without TLS a job would
    /// reach what else listens on this host.
    ///
    /// # Errors
    /// Why not.
    pub(super) fn allows(&self, place: &AvhPlace) -> Result<(), String> {
        if place.service.is_tls() || self.endpoint.as_ref() == Some(&place.url) {
            return Ok(());
        }
        Err("\"api_endpoint\": a job's own is to be https://; for another one, the device's dictionary has to name it \
             (\"actions: deploy: methods: avh: options: api_endpoint\")"
            .into())
    }

    /// Whether a console that this service tells is one of its own, where these are the device's.
    ///
    /// # Errors
    /// Why not, without the URL: there is a key in it.
    pub(super) fn allows_console(&self, place: &AvhPlace, url: &Secret) -> Result<(), String> {
        let console = Service::parse(url.expose()).map_err(|why| format!("its URL: {why}"))?;
        let is_devices = self.endpoint.as_ref() == Some(&place.url);
        if console.is_tls() || (is_devices && console.authority() == place.service.authority()) {
            return Ok(());
        }
        Err(format!(
            "{} is no place for it: it is to be wss://, or to be at the endpoint that the device's dictionary names \
             (\"actions: deploy: methods: avh: options: api_endpoint\")",
            console.authority()
        ))
    }
}

impl AvhPlace {
    /// # Errors
    /// What is wrong with the URL.
    pub fn new(url: &str, token: &str) -> Result<Self, String> {
        let service = Service::parse(url).map_err(|why| format!("\"api_endpoint\": {why}"))?;
        Ok(Self { service, url: url.to_owned(), token: Secret::new(token) })
    }

    pub async fn log_in(&self) -> Result<Avh, AvhError> {
        patiently(ASKING, || Avh::log_in(&self.service, &self.token)).await
    }
}

impl Rented {
    /// What an image and an instance of this name will be.
    pub fn of(package: &AvhPackage, name: String) -> Self {
        Self {
            url: package.place.url.clone(),
            token: package.place.token.expose().to_owned(),
            name,
            project: package.project.clone(),
            image: None,
            instance: None,
        }
    }

    /// Deletes what there is, in [`GIVING_BACK`] at most.
    ///
    /// # Errors
    /// What may still be there, and why.
    pub(super) async fn give_back(&self) -> Result<(), String> {
        let deleting = async {
            let place = AvhPlace::new(&self.url, &self.token).map_err(|why| self.left(&why))?;
            self.delete(&place).await.map_err(|error| self.left(&error))
        };
        let done = timeout(GIVING_BACK, deleting).await;
        done.unwrap_or_else(|_| Err(self.left(&"it takes too long")))
    }

    async fn delete(&self, place: &AvhPlace) -> Result<(), AvhError> {
        let Self { name, project, image, instance, .. } = self;
        let avh = place.log_in().await?;
        if let Some(id) = instance {
            patiently(MAKING, || avh.delete_instance(id)).await?;
        }
        // What was asked for when we were cut off has no number here, nor has what was asked for twice.
        for id in patiently(MAKING, || avh.instances_called(name, project)).await? {
            if instance.as_ref() != Some(&id) {
                patiently(MAKING, || avh.delete_instance(&id)).await?;
            }
        }
        if let Some(id) = image {
            patiently(MAKING, || avh.delete_image(id)).await?;
        }
        for id in patiently(MAKING, || avh.images_called(name, project)).await? {
            if image.as_ref() != Some(&id) {
                patiently(MAKING, || avh.delete_image(&id)).await?;
            }
        }
        Ok(())
    }

    fn left(&self, why: &dyn std::fmt::Display) -> String {
        let Self { name, url, .. } = self;
        format!("{name} may still be there and cost something, delete it at {url}: {why}")
    }
}

/// Deletes what a job has at the service, at its end. That it may still be there is noted in the log.
pub(super) async fn give_back(rented: Vec<Rented>, log: &Log) {
    join_all(rented.iter().map(|one| give_one_back(one, log))).await;
}

async fn give_one_back(rented: &Rented, log: &Log) {
    match rented.give_back().await {
        Ok(()) => log.info(format!("{} is deleted", rented.name)),
        Err(why) => log.error(why),
    }
}

/// A name for what a job has at the service, that nothing else there has: all that there is of this name is deleted.
///
/// # Errors
/// The system has no random numbers.
pub(super) fn new_name(model: &str, version: &str, job_id: &str) -> io::Result<String> {
    let mut bytes = [0; 8];
    std::fs::File::open("/dev/urandom")?.read_exact(&mut bytes)?;
    let random = u64::from_ne_bytes(bytes);
    Ok(format!("lava-avh-{model}-{version}-{job_id}-{random:016x}"))
}

/// Without the token.
impl std::fmt::Debug for Rented {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Rented {} at {}", self.name, self.url)
    }
}

/// Asks as often as that may help.
///
/// # Errors
/// Those of the last try.
pub(super) async fn patiently<T, F>(
    (times, pause): (u32, Duration),
    mut ask: impl FnMut() -> F,
) -> Result<T, AvhError>
where
    F: Future<Output = Result<T, AvhError>>,
{
    for _ in 1..times {
        match ask().await {
            Err(error) if !error.is_forbidden() && !error.is_missing() => sleep(pause).await,
            done => return done,
        }
    }
    ask().await
}

/// Who may not do something has asked for the wrong thing; everything else passes.
impl From<AvhError> for Error {
    fn from(error: AvhError) -> Self {
        match error.is_forbidden() {
            true => Self::Job(format!("{error}; is the job's secret {TOKEN:?} right?")),
            false => Self::Infrastructure(error.to_string()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_listens_on_this_host_without_tls_is_for_the_device_to_name() {
        let here = "http://127.0.0.1:8080/api";
        let place = |url: &str| AvhPlace::new(url, "token").unwrap();
        let device = AvhOptions { endpoint: Some(here.into()), ..AvhOptions::default() };
        let other = AvhOptions::default();
        assert_eq!(device.allows(&place(here)), Ok(()));
        assert!(device.allows(&place("http://127.0.0.1:8081/api")).is_err());
        assert!(other.allows(&place(here)).unwrap_err().contains("api_endpoint"));
        assert_eq!(other.allows(&place("https://avh.example/api")), Ok(()));
        let console = |options: &AvhOptions, at: &str, url: &str| {
            options.allows_console(&place(at), &Secret::new(url))
        };
        assert_eq!(console(&other, "https://avh.example", "wss://c.example/console/key"), Ok(()));
        assert_eq!(console(&device, here, "ws://127.0.0.1:8080/console/key"), Ok(()));
        for (at, url) in [
            (here, "ws://127.0.0.1:8081/key"),
            ("https://avh.example", "ws://127.0.0.1:8080/key"),
            ("https://avh.example", "ws://avh.example/key"),
        ] {
            let told = console(&device, at, url).unwrap_err();
            assert!(!told.contains("key"), "{told}");
        }
    }
}
