//! One request to GitHub and what its answer means, decided in one place.

use std::time::Duration;

use domain::ids::RepositoryName;
use domain::ports::{Advice, Answer, Fault, Secret};
use domain::time::Timestamp;
use reqwest::header::{HeaderMap, IF_NONE_MATCH};
use reqwest::{Method, Response, StatusCode};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::GitHub;

/// What GitHub asks to wait after a secondary limit that names no time
/// (<https://docs.github.com/en/rest/using-the-rest-api/rate-limits-for-the-rest-api>).
const UNNAMED_WAIT: Duration = Duration::from_mins(1);

/// A request below the API's address.
pub(crate) struct Request {
    method: Method,
    path: String,
    body: Option<Value>,
    /// The mark of the answer that the caller has already.
    known: Option<String>,
}

impl Request {
    pub(crate) fn new(method: Method, path: String) -> Self {
        Self { method, path, body: None, known: None }
    }

    pub(crate) fn get(path: String) -> Self {
        Self::new(Method::GET, path)
    }

    pub(crate) fn with_body(self, body: Value) -> Self {
        Self { body: Some(body), ..self }
    }

    /// Asks for an answer only where it differs from the one with this `ETag`; else 304 comes.
    pub(crate) fn unless(self, mark: Option<&String>) -> Self {
        Self { known: mark.cloned(), ..self }
    }
}

/// No usable answer.
pub(crate) enum Refusal {
    /// GitHub said no.
    Answered { status: StatusCode, message: String, wait: Option<Duration> },
    /// Nothing came, or not all of it.
    Broken(reqwest::Error),
}

impl GitHub {
    /// Asks with the repository's token; a token that is no longer taken is renewed once.
    pub(crate) async fn ask(
        &self,
        repository: &RepositoryName,
        installation: u64,
        request: &Request,
        what: &str,
    ) -> Answer<Result<Response, Refusal>> {
        let token = self.token(repository, installation).await?;
        match self.send(request, &token).await {
            Err(Refusal::Answered { status: StatusCode::UNAUTHORIZED, .. }) => {
                tracing::info!(what, "GitHub no longer takes the token; asking for a new one");
                self.forget_token(repository, installation, &token).await;
                let token = self.token(repository, installation).await?;
                Ok(self.send(request, &token).await)
            }
            answer => Ok(answer),
        }
    }

    /// Sends one request; an answer that is no success becomes a refusal.
    pub(crate) async fn send(&self, request: &Request, token: &Secret) -> Result<Response, Refusal> {
        let address = format!("{}{}", self.api, request.path);
        let mut builder = self.http.request(request.method.clone(), address).bearer_auth(token.reveal());
        if let Some(body) = &request.body {
            builder = builder.json(body);
        }
        if let Some(mark) = &request.known {
            builder = builder.header(IF_NONE_MATCH, mark);
        }
        let response = builder.send().await.map_err(Refusal::Broken)?;
        let is_known = response.status() == StatusCode::NOT_MODIFIED && request.known.is_some();
        if response.status().is_success() || is_known {
            Ok(response)
        } else {
            Err(Refusal::read(response).await)
        }
    }
}

/// Reads an answer of a known form.
pub(crate) async fn parse<T: DeserializeOwned>(response: Response, what: &str) -> Answer<T> {
    response.json().await.map_err(|error| Fault::retry(what, error.without_url()))
}

#[derive(Deserialize)]
struct ErrorBody {
    #[serde(default)]
    message: String,
    #[serde(default)]
    errors: Value,
}

impl Refusal {
    async fn read(response: Response) -> Self {
        let status = response.status();
        let limit = limit(status, response.headers());
        let text = response.text().await.unwrap_or_default();
        let body =
            serde_json::from_str(&text).unwrap_or(ErrorBody { message: String::new(), errors: Value::Null });
        let secondary =
            status == StatusCode::FORBIDDEN && body.message.to_lowercase().contains("secondary rate limit");
        let wait = limit.or((secondary || status == StatusCode::TOO_MANY_REQUESTS).then_some(UNNAMED_WAIT));
        Self::Answered { status, message: sentence(&body), wait }
    }

    /// Whether GitHub says that there is no such thing.
    pub(crate) fn is_absence(&self) -> bool {
        matches!(self, Self::Answered { status: StatusCode::NOT_FOUND | StatusCode::GONE, .. })
    }

    /// The one decision: retry, when, or reject. `what` says what was tried.
    pub(crate) fn fault(self, what: &str) -> Fault {
        match self {
            // The address is left out: it may carry a signature of a redirect.
            Self::Broken(error) => Fault::retry(what, error.without_url()),
            Self::Answered { status, message, wait: Some(wait) } => Fault {
                advice: Advice::Retry(Some(wait)),
                ..Fault::retry(what, format!("GitHub limits requests ({}): {message}", status.as_u16()))
            },
            Self::Answered { status, message, wait: None }
                if status.is_server_error() || status == StatusCode::REQUEST_TIMEOUT =>
            {
                Fault::retry(what, format!("GitHub answered {}: {message}", status.as_u16()))
            }
            Self::Answered { status: StatusCode::UNAUTHORIZED, message, .. } => Fault::reject(format!(
                "{what}: GitHub does not take the App's credentials ({message}); check `app_id` and `private_key` in the secret"
            )),
            Self::Answered { status, message, .. } => {
                Fault::reject(format!("{what}: GitHub answered {}: {message}", status.as_u16()))
            }
        }
    }
}

/// The wait that GitHub names: `Retry-After`, or the reset of a used-up limit.
fn limit(status: StatusCode, headers: &HeaderMap) -> Option<Duration> {
    let number = |name: &str| headers.get(name)?.to_str().ok()?.parse::<u64>().ok();
    if !matches!(
        status,
        StatusCode::FORBIDDEN | StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE
    ) {
        return None;
    }
    if let Some(seconds) = number("retry-after") {
        return Some(Duration::from_secs(seconds));
    }
    let reset = number("x-ratelimit-reset").filter(|_| number("x-ratelimit-remaining") == Some(0))?;
    // A second more, as the reset is rounded.
    Some(Duration::from_secs(reset.saturating_sub(Timestamp::now().seconds()) + 1))
}

/// GitHub's message with the details of a 422, on one line of at most 500 characters.
fn sentence(body: &ErrorBody) -> String {
    let details = body.errors.as_array().into_iter().flatten().map(|error| match error {
        Value::String(text) => text.clone(),
        error => ["resource", "field", "code", "message"]
            .iter()
            .filter_map(|key| error.get(key)?.as_str())
            .collect::<Vec<_>>()
            .join(" "),
    });
    let all: Vec<String> = std::iter::once(body.message.clone()).chain(details).collect();
    let line = all.join("; ").split_whitespace().collect::<Vec<_>>().join(" ");
    if line.is_empty() { "no reason given".to_owned() } else { line.chars().take(500).collect() }
}
