//! Arm Virtual Hardware: boards that are models at a service of Arm's, by its REST API (version 3.15, as Arm's own
//! client `avh-api` 1.0.5 speaks it, which is what LAVA uses).

use std::path::Path;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::percent_encoded;
use super::service::{Answer, Form, Service};
use crate::config::Secret;

/// Why something was not done there.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AvhError {
    /// There was no answer.
    #[error("Arm Virtual Hardware, {what}: {why}")]
    NoAnswer { what: &'static str, why: String },
    /// It says no.
    #[error("Arm Virtual Hardware, {what}: it answered {status}: {said}")]
    Refused { what: &'static str, status: u16, said: String },
    /// It says something else than it should.
    #[error("Arm Virtual Hardware, {what}: the answer is not understood: {why}")]
    Answer { what: &'static str, why: String },
}

impl AvhError {
    /// What was asked for is not there.
    pub fn is_missing(&self) -> bool {
        matches!(self, Self::Refused { status: 404, .. })
    }

    /// The token, or what it may do, is at fault.
    pub fn is_forbidden(&self) -> bool {
        matches!(self, Self::Refused { status: 401 | 403, .. })
    }
}

/// A login, for as long as the service wants it.
#[derive(Debug)]
pub struct Avh {
    service: Service,
    session: Secret,
}

/// What an instance is made of.
#[derive(Debug, Clone, Serialize)]
pub struct NewInstance<'a> {
    pub name: &'a str,
    pub project: &'a str,
    /// The model, as the service names it.
    pub flavor: &'a str,
    /// The image with its firmware, by its number.
    pub fwpackage: &'a str,
    /// The version that is in that, and its build.
    pub os: &'a str,
    pub osbuild: &'a str,
    #[serde(rename = "bootOptions", skip_serializing_if = "Option::is_none")]
    pub boot_options: Option<BootOptions<'a>>,
}

/// The kernel's command line, if it is not the model's own.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct BootOptions<'a> {
    #[serde(rename = "bootArgs", skip_serializing_if = "Option::is_none")]
    pub normal: Option<&'a str>,
    #[serde(rename = "restoreBootArgs", skip_serializing_if = "Option::is_none")]
    pub restore: Option<&'a str>,
}

/// What an instance tells of itself.
#[derive(Debug, Clone, Default, Deserialize)]
pub struct Instance {
    /// Why it is in the state `error`.
    pub error: Option<String>,
    /// Of models with several.
    #[serde(default)]
    pub consoles: Vec<Console>,
}

#[derive(Debug, Clone, Deserialize)]
pub struct Console {
    pub name: Option<String>,
    /// The end of its URL.
    pub info: Option<String>,
}

/// A thing that has a number and a name.
#[derive(Debug, Clone, Deserialize)]
struct Named {
    id: Option<String>,
    name: Option<String>,
}

impl Avh {
    /// Logs in with the API token of a user.
    ///
    /// # Errors
    /// Why not; so for all that follows.
    pub async fn log_in(service: &Service, token: &Secret) -> Result<Self, AvhError> {
        #[derive(Deserialize)]
        struct Token {
            token: String,
        }
        let what = "logging in";
        let body = serde_json::json!({ "apiToken": token.expose() });
        let token: Token = understood(what, service.post("/v1/auth/login", None, &body).await)?;
        Ok(Self { service: service.clone(), session: Secret::new(token.token) })
    }

    /// The names of the models that there are.
    pub async fn models(&self) -> Result<Vec<String>, AvhError> {
        #[derive(Deserialize)]
        struct Model {
            flavor: String,
        }
        let models: Vec<Model> = self.get("asking for its models", "/v1/models").await?;
        Ok(models.into_iter().map(|model| model.flavor).collect())
    }

    /// The number of the project of this name.
    pub async fn project(&self, name: &str) -> Result<Option<String>, AvhError> {
        let all: Vec<Named> = self.get("asking for its projects", "/v1/projects").await?;
        Ok(all.into_iter().find(|project| project.name.as_deref() == Some(name)).and_then(|p| p.id))
    }

    /// Uploads a firmware package, and gives its number.
    pub async fn upload(&self, name: &str, project: &str, file: &Path) -> Result<String, AvhError> {
        let what = "uploading the firmware";
        let fields =
            [("type", "fwpackage"), ("encoding", "plain"), ("name", name), ("project", project)];
        let form = Form { fields: &fields, field: "file", file };
        let answer = self.service.send("/v1/images", Some(&self.session), form).await;
        let image: Named = understood(what, answer)?;
        image.id.ok_or(AvhError::Answer { what, why: "the image has no number".into() })
    }

    /// Makes an instance, which boots, and gives its number.
    pub async fn create(&self, instance: &NewInstance<'_>) -> Result<String, AvhError> {
        let what = "creating an instance";
        let answer = self.service.post("/v1/instances", Some(&self.session), instance).await;
        let instance: Named = understood(what, answer)?;
        instance.id.ok_or(AvhError::Answer { what, why: "the instance has no number".into() })
    }

    /// As `creating`, `on` or `error`.
    pub async fn state(&self, instance: &str) -> Result<String, AvhError> {
        let path = format!("/v1/instances/{}/state", percent_encoded(instance));
        let answer = self.service.get(&path, Some(&self.session)).await;
        let answer = accepted("asking for an instance's state", answer)?;
        // It has been seen with and without quotes.
        Ok(answer.json::<String>().unwrap_or_else(|_| answer.text()))
    }

    pub async fn instance(&self, instance: &str) -> Result<Instance, AvhError> {
        let path = format!("/v1/instances/{}", percent_encoded(instance));
        self.get("asking for an instance", &path).await
    }

    /// The URL of its console, a WebSocket; nobody else is to know it.
    pub async fn console(&self, instance: &str) -> Result<Secret, AvhError> {
        #[derive(Deserialize)]
        struct Url {
            url: Option<String>,
        }
        let what = "asking for an instance's console";
        let path = format!("/v1/instances/{}/console", percent_encoded(instance));
        let url: Url = self.get(what, &path).await?;
        let none = AvhError::Answer { what, why: "it has no URL".into() };
        url.url.map(Secret::new).ok_or(none)
    }

    /// The URL of one of several consoles, by the end of it that the instance tells.
    pub fn console_of(&self, info: &str) -> Secret {
        Secret::new(format!("wss://{}/console/{info}", self.service.authority()))
    }

    /// The numbers of a project's instances of this name.
    pub async fn instances_called(
        &self,
        name: &str,
        project: &str,
    ) -> Result<Vec<String>, AvhError> {
        let (name_in_path, project) = (percent_encoded(name), percent_encoded(project));
        let path = format!("/v1/projects/{project}/instances?name={name_in_path}");
        Ok(called(name, self.get("looking for an instance", &path).await?))
    }

    /// The numbers of a project's images of this name.
    pub async fn images_called(&self, name: &str, project: &str) -> Result<Vec<String>, AvhError> {
        let path = format!("/v1/images?project={}", percent_encoded(project));
        Ok(called(name, self.get("looking for an image", &path).await?))
    }

    /// Deletes an instance, whatever it does; one that is not there any more, too.
    pub async fn delete_instance(&self, instance: &str) -> Result<(), AvhError> {
        let path = format!("/v1/instances/{}", percent_encoded(instance));
        self.delete("deleting an instance", &path).await
    }

    /// Deletes an image; one that is not there any more, too.
    pub async fn delete_image(&self, image: &str) -> Result<(), AvhError> {
        // Arm's client of version 1 goes there for this alone.
        let path = format!("/v2/images/{}", percent_encoded(image));
        self.delete("deleting an image", &path).await
    }

    async fn get<T: DeserializeOwned>(
        &self,
        what: &'static str,
        path: &str,
    ) -> Result<T, AvhError> {
        understood(what, self.service.get(path, Some(&self.session)).await)
    }

    async fn delete(&self, what: &'static str, path: &str) -> Result<(), AvhError> {
        match accepted(what, self.service.delete(path, Some(&self.session)).await) {
            Err(error) if !error.is_missing() => Err(error),
            _ => Ok(()),
        }
    }
}

/// Of a list that the service may not have narrowed down.
fn called(name: &str, all: Vec<Named>) -> Vec<String> {
    let called = all.into_iter().filter(|one| one.name.as_deref() == Some(name));
    called.filter_map(|one| one.id).collect()
}

fn accepted(what: &'static str, answer: Result<Answer, String>) -> Result<Answer, AvhError> {
    let answer = answer.map_err(|why| AvhError::NoAnswer { what, why })?;
    match answer.is_success() {
        true => Ok(answer),
        false => Err(AvhError::Refused { what, status: answer.status, said: answer.told() }),
    }
}

fn understood<T: DeserializeOwned>(
    what: &'static str,
    answer: Result<Answer, String>,
) -> Result<T, AvhError> {
    let answer = accepted(what, answer)?;
    answer.json().map_err(|why| AvhError::Answer { what, why })
}
