//! Answers in GitHub's form: problems, pages, bodies.

use axum::body::Bytes;
use axum::extract::{FromRequest, FromRequestParts, Request};
use axum::http::request::Parts;
use axum::http::{HeaderValue, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

/// What a handler gives back.
pub(crate) type Answer = Result<Response, Problem>;

/// A refusal as GitHub words it.
#[derive(Debug)]
pub(crate) struct Problem {
    status: StatusCode,
    message: String,
    errors: Vec<Value>,
}

impl Problem {
    pub(crate) fn new(status: StatusCode, message: impl Into<String>) -> Self {
        Self { status, message: message.into(), errors: Vec::new() }
    }

    pub(crate) fn not_found() -> Self {
        Self::new(StatusCode::NOT_FOUND, "Not Found")
    }

    pub(crate) fn forbidden() -> Self {
        Self::new(StatusCode::FORBIDDEN, "Resource not accessible by integration")
    }

    /// What tokens of a suspended installation get.
    pub(crate) fn suspended() -> Self {
        Self::new(StatusCode::FORBIDDEN, "This installation has been suspended")
    }

    pub(crate) fn unauthorized(message: impl Into<String>) -> Self {
        Self::new(StatusCode::UNAUTHORIZED, message)
    }

    /// 422 with one sentence.
    pub(crate) fn unprocessable(message: impl Into<String>) -> Self {
        Self::new(StatusCode::UNPROCESSABLE_ENTITY, message)
    }

    /// 422 `Validation Failed` with entries of the usual kind.
    pub(crate) fn invalid(errors: Vec<Value>) -> Self {
        Self { errors, ..Self::unprocessable("Validation Failed") }
    }

    /// 422 about one field: code `missing`, `missing_field`, `invalid`, `custom`, …
    pub(crate) fn field(resource: &str, field: &str, code: &str) -> Self {
        Self::invalid(vec![json!({ "resource": resource, "field": field, "code": code })])
    }

    /// 422 with a sentence of its own about a resource.
    pub(crate) fn custom(resource: &str, message: impl Into<String>) -> Self {
        Self::invalid(vec![json!({ "resource": resource, "code": "custom", "message": message.into() })])
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let mut body = json!({
            "message": self.message,
            "documentation_url": "https://docs.github.com/rest",
            "status": self.status.as_u16().to_string(),
        });
        if !self.errors.is_empty() {
            body["errors"] = Value::Array(self.errors);
        }
        (self.status, axum::Json(body)).into_response()
    }
}

impl From<anyhow::Error> for Problem {
    fn from(error: anyhow::Error) -> Self {
        tracing::error!(error = format!("{error:#}"), "the GitHub stand-in failed");
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "Server Error")
    }
}

/// 200 with a JSON body.
pub(crate) fn ok(body: Value) -> Response {
    axum::Json(body).into_response()
}

/// 201 with a JSON body and its address.
pub(crate) fn created(body: Value) -> Response {
    let location = body["url"].as_str().and_then(|url| HeaderValue::from_str(url).ok());
    let mut response = (StatusCode::CREATED, axum::Json(body)).into_response();
    if let Some(location) = location {
        response.headers_mut().insert(header::LOCATION, location);
    }
    response
}

/// A JSON body: 400 when it is no JSON, 422 when it is not of the wanted shape.
pub(crate) struct Body<T>(pub(crate) T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for Body<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        let bytes = Bytes::from_request(request, state)
            .await
            .map_err(|_| Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "Payload too large"))?;
        let source = if bytes.is_empty() { &b"{}"[..] } else { &bytes };
        let value: Value = serde_json::from_slice(source)
            .map_err(|_| Problem::new(StatusCode::BAD_REQUEST, "Problems parsing JSON"))?;
        if !value.is_object() {
            return Err(Problem::new(StatusCode::BAD_REQUEST, "Body should be a JSON object"));
        }
        let parsed = serde_json::from_value(value);
        parsed.map(Self).map_err(|error| Problem::unprocessable(format!("Invalid request.\n\n{error}.")))
    }
}

/// The `page` and `per_page` of a listing, with the address its links are made of.
pub(crate) struct Listing {
    page: usize,
    per_page: usize,
    /// Whether the client has named a page or its size.
    is_asked: bool,
    address: String,
}

impl<S: Send + Sync> FromRequestParts<S> for Listing {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Self::Rejection> {
        Ok(Self::of(&parts.uri, parts.headers.get(header::HOST)))
    }
}

impl Listing {
    fn of(uri: &Uri, host: Option<&HeaderValue>) -> Self {
        let query = uri.query().unwrap_or_default();
        let number = |name: &str| {
            let pairs = query.split('&').filter_map(|pair| pair.split_once('='));
            pairs.filter(|(key, _)| *key == name).find_map(|(_, value)| value.parse::<usize>().ok())
        };
        let kept = query.split('&').filter(|pair| !pair.is_empty() && !pair.starts_with("page="));
        let kept: String = kept.flat_map(|pair| [pair, "&"]).collect();
        let host = host.and_then(|host| host.to_str().ok()).unwrap_or("127.0.0.1");
        Self {
            page: number("page").unwrap_or(1).max(1),
            per_page: number("per_page").unwrap_or(30).clamp(1, 100),
            is_asked: number("page").or(number("per_page")).is_some(),
            address: format!("http://{host}{}?{kept}page=", uri.path()),
        }
    }

    pub(crate) fn is_asked(&self) -> bool {
        self.is_asked
    }

    pub(crate) fn is_first(&self) -> bool {
        self.page == 1
    }

    /// This page of the items, and the `Link` header of the whole.
    pub(crate) fn cut<T>(&self, items: Vec<T>) -> (Vec<T>, Option<HeaderValue>) {
        let last = items.len().div_ceil(self.per_page).max(1);
        let mut links = Vec::new();
        if self.page > 1 {
            links.push((self.page - 1, "prev"));
        }
        if self.page < last {
            links.extend([(self.page + 1, "next"), (last, "last")]);
        }
        if self.page > 1 {
            links.push((1, "first"));
        }
        let links: Vec<String> = links
            .iter()
            .map(|(page, relation)| format!("<{}{page}>; rel=\"{relation}\"", self.address))
            .collect();
        let link = (!links.is_empty()).then(|| HeaderValue::from_str(&links.join(", ")).ok()).flatten();
        let start = (self.page - 1).saturating_mul(self.per_page);
        (items.into_iter().skip(start).take(self.per_page).collect(), link)
    }

    /// A bare array.
    pub(crate) fn array(&self, items: Vec<Value>) -> Response {
        let (items, link) = self.cut(items);
        with_link(ok(Value::Array(items)), link)
    }

    /// `{"total_count": n, "<name>": […]}`.
    pub(crate) fn counted(&self, name: &str, items: Vec<Value>) -> Response {
        let total = items.len();
        let (items, link) = self.cut(items);
        let mut body = json!({ "total_count": total });
        body[name] = Value::Array(items);
        with_link(ok(body), link)
    }
}

pub(crate) fn with_link(mut response: Response, link: Option<HeaderValue>) -> Response {
    if let Some(link) = link {
        response.headers_mut().insert(header::LINK, link);
    }
    response
}
