//! One request and its answer; the only user of the HTTP library.

use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderValue};
use reqwest::{Client, Response, StatusCode, Url};

use super::{HttpOutlet, digest};
use crate::config::power::{Body, Escape, HttpAuth as Auth, HttpRequest, Method, Template};
use crate::model::failure::chain;
use crate::outlet::way::Way;
use crate::outlet::{OutletError, tls};
use crate::wire::pattern::Pattern;

/// The largest answer that is read, in bytes: some of these PDUs answer with a whole page.
const MAX_ANSWER: usize = 256 * 1024;
/// A request with everything filled in.
struct Filled {
    method: reqwest::Method,
    url: Url,
    headers: HeaderMap,
    body: Option<String>,
}

impl HttpOutlet {
    /// Makes a request, with whatever authentication the PDU wants, and gives the body of the answer.
    pub(super) async fn exchange(
        &self,
        request: &HttpRequest,
        token: &str,
        way: &mut Way,
    ) -> Result<Vec<u8>, OutletError> {
        let client = self.client().map_err(|why| way.unreachable(why))?;
        let mut filled = self
            .fill(request, token)
            .ok_or_else(|| way.refused(format!("port {:?} does not fit the profile", self.port)))?;
        let password = self.pdu.password.as_ref().map_or("", |password| password.expose());
        let user = self.pdu.user.as_str();
        let basic = (self.pdu.auth == Auth::Basic).then_some((user, password));
        let mut response = filled.send(&client, basic, way).await?;
        if self.pdu.auth == Auth::Digest && response.status() == StatusCode::UNAUTHORIZED {
            // Nothing was done yet, so this is no repetition.
            way.turned_back();
            let asked = (&filled.method, &filled.url, filled.body.as_deref().map(str::as_bytes));
            let Some(answer) = digest::answer(response.headers(), (user, password), asked) else {
                return Err(way
                    .denied("the PDU wants another authentication than digest; see the key auth"));
            };
            filled.headers.insert(AUTHORIZATION, answer);
            response = filled.send(&client, None, way).await?;
        }
        let status = response.status();
        self.verdict(request, status, way)?;
        let said = read(response, way).await?;
        if let Some(denied) = &self.pdu.profile.denied
            && Pattern::new(denied, false).is_ok_and(|pattern| pattern.matches(&said))
        {
            return Err(self.denied("it says so"));
        }
        Ok(said)
    }

    fn client(&self) -> Result<Client, String> {
        let encrypted = self.pdu.url.starts_with("https:");
        let tls = if encrypted { tls::client(&self.pdu.tls)? } else { tls::unused()? };
        Client::builder()
            .tls_backend_preconfigured(tls)
            .redirect(reqwest::redirect::Policy::none())
            // Whatever proxy a person uses for the web, it is not the way to a PDU.
            .no_proxy()
            .pool_max_idle_per_host(0)
            .connect_timeout(self.connect)
            .http1_only()
            .http1_ignore_invalid_headers_in_responses(true)
            .build()
            .map_err(|error| format!("no HTTP: {}", chain(&error)))
    }

    /// `None` when the port does not fit.
    fn fill(&self, request: &HttpRequest, token: &str) -> Option<Filled> {
        let words = self.words(token);
        let values = self.values(&words);
        let fill = |template: &Template, escape| template.fill(&values, escape);
        let path = fill(&request.path, Escape::Percent)?;
        let url = Url::parse(&format!("{}{path}", self.pdu.url)).ok()?;
        let mut headers = HeaderMap::new();
        for (name, value) in &request.headers {
            let value = HeaderValue::from_str(&fill(value, Escape::Plain)?).ok()?;
            headers.insert(name.parse::<reqwest::header::HeaderName>().ok()?, value);
        }
        let body = match &request.body {
            None => None,
            Some(Body::Json(template)) => {
                headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
                Some(fill(template, Escape::Json)?)
            }
            Some(Body::Form(template)) => {
                let form = HeaderValue::from_static("application/x-www-form-urlencoded");
                headers.insert(CONTENT_TYPE, form);
                Some(fill(template, Escape::Percent)?)
            }
        };
        let secret = |text: &str| {
            let mut value = HeaderValue::from_str(text).ok()?;
            value.set_sensitive(true);
            Some(value)
        };
        match &self.pdu.auth {
            // Basic is added when it is sent, digest when it is known what is asked.
            Auth::None | Auth::Basic | Auth::Digest => {}
            Auth::Bearer => {
                headers.insert(AUTHORIZATION, secret(&format!("Bearer {token}"))?);
            }
            Auth::Header(name) => {
                let name = name.parse::<reqwest::header::HeaderName>().ok()?;
                headers.insert(name, secret(token)?);
            }
        }
        let method = match request.method {
            Method::Get => reqwest::Method::GET,
            Method::Post => reqwest::Method::POST,
            Method::Put => reqwest::Method::PUT,
            Method::Patch => reqwest::Method::PATCH,
        };
        Some(Filled { method, url, headers, body })
    }

    /// What the status of an answer says of the request (RFC 9110, section 15). Many a server answers what
    /// it has done by sending us to a page.
    fn verdict(
        &self,
        request: &HttpRequest,
        status: StatusCode,
        way: &Way,
    ) -> Result<(), OutletError> {
        let wanted = match request.statuses.as_slice() {
            [] => status.is_success(),
            statuses => statuses.contains(&status.as_u16()),
        };
        Err(match status.as_u16() {
            _ if wanted => return Ok(()),
            401 | 403 | 407 => self.denied(&status.to_string()),
            300..=399 => way.refused(format!(
                "the PDU sends us elsewhere ({status}), where we do not go; is its URL right (http or \
                 https)?"
            )),
            404 => OutletError::said_no(
                "the PDU answers 404 Not Found; are the port and the profile right?",
            ),
            408 => way.refused(format!("the PDU answers {status}")),
            400..=499 => OutletError::said_no(format!("the PDU refuses: {status}")),
            _ => OutletError::Unclear(format!("the PDU answers {status}")),
        })
    }

    fn denied(&self, why: &str) -> OutletError {
        let what = match self.pdu.auth {
            Auth::None if self.pdu.user.is_empty() => {
                "it wants to know who we are; see the key auth"
            }
            Auth::Bearer | Auth::Header(_) => "wrong token, or one without the right to do this",
            _ => "wrong user or password, or one without the right to do this",
        };
        OutletError::said_nobody(format!("the PDU denies us ({why}): {what}"))
    }
}

impl Filled {
    async fn send(
        &self,
        client: &Client,
        basic: Option<(&str, &str)>,
        way: &mut Way,
    ) -> Result<Response, OutletError> {
        let mut request = client.request(self.method.clone(), self.url.clone());
        request = request.headers(self.headers.clone());
        if let Some((user, password)) = basic {
            request = request.basic_auth(user, Some(password));
        }
        if let Some(body) = &self.body {
            request = request.body(body.clone());
        }
        way.sending();
        request.send().await.map_err(|error| {
            // Neither the URL nor what is in it is for everybody's eyes.
            let error = error.without_url();
            if error.is_connect() || error.is_builder() {
                way.turned_back();
                return way.unreachable(format!("no way there: {}", chain(&error)));
            }
            way.unclear(format!("the PDU is not understood: {}", chain(&error)))
        })
    }
}

/// The body of an answer, which may not be too large.
async fn read(mut response: Response, way: &Way) -> Result<Vec<u8>, OutletError> {
    let mut said = Vec::new();
    loop {
        match response.chunk().await {
            Ok(Some(piece)) if said.len() + piece.len() > MAX_ANSWER => {
                let what = format!("the PDU's answer has more than {} KiB", MAX_ANSWER / 1024);
                return Err(way.unclear(what));
            }
            Ok(Some(piece)) => said.extend_from_slice(&piece),
            Ok(None) => return Ok(said),
            Err(error) => {
                let why = chain(&error.without_url());
                return Err(way.unclear(format!("the PDU's answer breaks off: {why}")));
            }
        }
    }
}
