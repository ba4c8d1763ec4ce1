//! GitHub as an App: tokens, contents, comparisons, check runs, comments, and what people may do.

mod app;
mod branches;
mod checks;
mod comments;
mod credentials;
mod differences;
mod download;
mod exchange;
mod limits;
mod paths;
mod people;
mod source;
mod tokens;

use std::time::Duration;

use domain::ports::{Fault, Secret};
use reqwest::header::{ACCEPT, HeaderMap, HeaderValue};
use reqwest::redirect::Policy;

pub use crate::credentials::Credentials;

/// The newest stable version of the REST API (<https://docs.github.com/en/rest/about-the-rest-api/api-versions>).
const API_VERSION: &str = "2026-03-10";

/// Time for a connection, and for silence within an answer.
const PATIENCE: Duration = Duration::from_secs(8);

const MOST_REDIRECTS: usize = 5;

/// GitHub, spoken to as one App. Cheap to keep between invocations: connections and tokens are reused.
pub struct GitHub {
    http: reqwest::Client,
    api: String,
    app: app::App,
    tokens: tokens::Tokens,
}

impl GitHub {
    /// An App at an API's address (`https://api.github.com`), with its private key in PEM. Nothing is sent yet.
    ///
    /// # Errors
    /// When the key is no RSA key in PEM, in PKCS#1 or PKCS#8.
    pub fn new(api_url: &str, app_id: u64, private_key: &Secret) -> Result<Self, Fault> {
        // Whoever has chosen a provider before keeps it.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let app = app::App::new(app_id, private_key)?;
        let headers = HeaderMap::from_iter([
            (ACCEPT, HeaderValue::from_static("application/vnd.github+json")),
            (
                reqwest::header::HeaderName::from_static("x-github-api-version"),
                HeaderValue::from_static(API_VERSION),
            ),
        ]);
        let http = reqwest::Client::builder()
            .user_agent("slipway")
            .default_headers(headers)
            .connect_timeout(PATIENCE)
            .read_timeout(PATIENCE)
            .redirect(redirects())
            .build()
            .map_err(|error| Fault::retry("could not prepare requests to GitHub", error))?;
        Ok(Self {
            http,
            api: api_url.trim_end_matches('/').to_owned(),
            app,
            tokens: tokens::Tokens::default(),
        })
    }
}

/// Redirects are followed, never out of TLS; reqwest drops `Authorization` on the way to another host.
fn redirects() -> Policy {
    Policy::custom(|attempt| {
        let leaves_tls = attempt.url().scheme() != "https"
            && attempt.previous().last().is_some_and(|previous| previous.scheme() == "https");
        if leaves_tls {
            attempt.error("the redirect leaves TLS")
        } else if attempt.previous().len() > MOST_REDIRECTS {
            attempt.error("too many redirects")
        } else {
            attempt.follow()
        }
    })
}
