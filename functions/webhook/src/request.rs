//! API Gateway's HTTP API request and response, payload format 2.0
//! (<https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-integrations-lambda.html>).

use std::borrow::Cow;
use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};

/// The parts of a request that are used.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Request {
    #[serde(default)]
    headers: BTreeMap<String, String>,
    #[serde(default)]
    body: Option<String>,
    #[serde(default)]
    is_base64_encoded: bool,
}

impl Request {
    /// A header by its lower-case name.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }

    /// The body as it came over the wire; none when its base64 is broken. A text is not copied: it may have megabytes.
    pub fn bytes(&self) -> Option<Cow<'_, [u8]>> {
        let body = self.body.as_deref().unwrap_or_default();
        if self.is_base64_encoded {
            STANDARD.decode(body).ok().map(Cow::Owned)
        } else {
            Some(Cow::Borrowed(body.as_bytes()))
        }
    }
}

/// The answer.
#[derive(Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Response {
    /// The HTTP status.
    pub status_code: u16,
    headers: BTreeMap<&'static str, &'static str>,
    /// JSON with one field, `message`.
    pub body: String,
}

impl Response {
    /// A status and a sentence.
    pub fn new(status_code: u16, message: &str) -> Self {
        Self {
            status_code,
            headers: BTreeMap::from([("content-type", "application/json")]),
            body: serde_json::json!({ "message": message }).to_string(),
        }
    }
}
