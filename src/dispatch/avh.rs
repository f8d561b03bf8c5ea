//! Boards that are models at Arm's service: what a device and a job say of them, and what is there of a job's.

use std::time::Duration;

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

/// How long all of that may take at a job's end.
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
    pub name: String,
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

    /// Deletes what there is.
    ///
    /// # Errors
    /// What may still be there, and why.
    pub async fn give_back(&self) -> Result<(), String> {
        let place = AvhPlace::new(&self.url, &self.token).map_err(|why| self.left(&why))?;
        self.delete(&place).await.map_err(|error| self.left(&error))
    }

    async fn delete(&self, place: &AvhPlace) -> Result<(), AvhError> {
        let Self { name, project, image, instance, .. } = self;
        let avh = place.log_in().await?;
        if let Some(id) = instance {
            patiently(MAKING, || avh.delete_instance(id)).await?;
        }
        // What was asked for when we were cut off has no number here, nor has what was asked for twice.
        for id in patiently(MAKING, || avh.instances_called(name)).await? {
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

/// Deletes what a job has at the service. That it may still be there is noted in the log.
pub(super) async fn give_back(rented: Vec<Rented>, log: &Log) {
    for one in rented {
        let Rented { name, .. } = &one;
        let given = timeout(GIVING_BACK, one.give_back()).await;
        match given.unwrap_or_else(|_| Err(one.left(&"it takes too long"))) {
            Ok(()) => log.info(format!("{name} is deleted")),
            Err(why) => log.error(why),
        }
    }
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
