//! What surrounds every REST answer: the rate limit, `ETag` and 304.

use std::sync::Arc;

use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use jiff::{SignedDuration, Timestamp};
use ring::digest::{SHA256, digest};

use crate::answer::Problem;
use crate::state::App;

const WINDOW: SignedDuration = SignedDuration::from_hours(1);
const LARGEST_TAGGED_BODY: usize = 128 * 1024 * 1024;

/// How much of its hour one actor has used.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Window {
    used: u32,
    reset: Timestamp,
}

/// Counts the request, refuses it beyond the limit, and answers 304 to what the client already has.
pub(crate) async fn surround(State(app): State<Arc<App>>, request: Request, next: Next) -> Response {
    let who = request.headers().get(header::AUTHORIZATION).map_or(b"".as_slice(), HeaderValue::as_bytes);
    // The token itself is not kept.
    let who = hex::encode(digest(&SHA256, who));
    let conditional = (request.method() == Method::GET)
        .then(|| request.headers().get(header::IF_NONE_MATCH).cloned())
        .flatten();
    let is_get = request.method() == Method::GET;
    let actor = actor(&app, request.headers(), &who);
    let (limit, window) = count(&app, &actor);
    let refusal = app.data().faults.refusal(&actor, request.method(), request.uri().path());
    let mut response = if window.used > limit {
        Problem::new(StatusCode::FORBIDDEN, "API rate limit exceeded").into_response()
    } else if let Some(refusal) = refusal {
        refusal
    } else {
        let response = in_github_words(next.run(request).await).await;
        if is_get && response.status() == StatusCode::OK {
            tagged(response, conditional.as_ref(), &who).await
        } else {
            response
        }
    };
    let mut used = window.used.min(limit);
    if response.status() == StatusCode::NOT_MODIFIED {
        // A 304 costs nothing.
        used = used.saturating_sub(1);
        if let Some(window) = app.data().requests.get_mut(&actor) {
            window.used = window.used.saturating_sub(1);
        }
    }
    describe(response.headers_mut(), limit, used, window.reset);
    response
}

/// Whose hour a request counts in: all tokens of an installation share one.
///
/// <https://docs.github.com/en/rest/using-the-rest-api/rate-limits-for-the-rest-api#primary-rate-limit-for-github-app-installations>
fn actor(app: &App, headers: &HeaderMap, who: &str) -> String {
    let token = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok()?.split_once(' '));
    let data = app.data();
    let known = token.and_then(|(_, token)| data.tokens.get(token.trim()));
    known.map_or_else(|| who.to_owned(), |known| format!("installation {}", known.installation))
}

/// Refusals that the router makes itself, before any handler of ours, told as GitHub tells them.
async fn in_github_words(response: Response) -> Response {
    let kind = response.headers().get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let is_text = kind.is_some_and(|kind| kind.starts_with("text/plain"));
    match response.status() {
        StatusCode::METHOD_NOT_ALLOWED if kind.is_none() => Problem::not_found().into_response(),
        StatusCode::BAD_REQUEST if is_text => {
            let text = to_bytes(response.into_body(), LARGEST_TAGGED_BODY).await.unwrap_or_default();
            let text = crate::git::lossy(&text);
            if text.starts_with("Invalid URL") {
                return Problem::not_found().into_response();
            }
            Problem::unprocessable(format!("Invalid request.\n\n{text}")).into_response()
        }
        _ => response,
    }
}

fn count(app: &App, who: &str) -> (u32, Window) {
    let mut data = app.data();
    let limit = data.rate_limit;
    let now = Timestamp::now();
    data.requests.retain(|_, window| window.reset > now);
    let fresh = Window { used: 0, reset: crate::state::whole_seconds(now + WINDOW) };
    let window = data.requests.entry(who.to_owned()).or_insert(fresh);
    window.used = window.used.saturating_add(1);
    (limit, *window)
}

fn describe(headers: &mut HeaderMap, limit: u32, used: u32, reset: Timestamp) {
    let numbers = [
        ("x-ratelimit-limit", i64::from(limit)),
        ("x-ratelimit-remaining", i64::from(limit.saturating_sub(used))),
        ("x-ratelimit-used", i64::from(used)),
        ("x-ratelimit-reset", reset.as_second()),
    ];
    for (name, number) in numbers {
        headers.insert(HeaderName::from_static(name), HeaderValue::from(number));
    }
    headers.insert(HeaderName::from_static("x-ratelimit-resource"), HeaderValue::from_static("core"));
    let id = crate::state::random_hex(8);
    if let Ok(id) = HeaderValue::from_str(&id) {
        headers.insert(HeaderName::from_static("x-github-request-id"), id);
    }
}

/// Adds the `ETag` of the body, or drops a body that the client has. As GitHub's, a tag holds for one token only.
async fn tagged(response: Response, conditional: Option<&HeaderValue>, who: &str) -> Response {
    let (mut parts, body) = response.into_parts();
    let Ok(bytes) = to_bytes(body, LARGEST_TAGGED_BODY).await else {
        return Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "Server Error").into_response();
    };
    let tag = format!("W/\"{}\"", hex::encode(digest(&SHA256, &[who.as_bytes(), &bytes].concat())));
    let known = conditional.and_then(|value| value.to_str().ok()).is_some_and(|sent| holds(sent, &tag));
    if let Ok(value) = HeaderValue::from_str(&tag) {
        parts.headers.insert(header::ETAG, value);
    }
    parts.headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("private, max-age=60, s-maxage=60"));
    parts
        .headers
        .insert(header::VARY, HeaderValue::from_static("Accept, Authorization, Cookie, X-GitHub-OTP"));
    if known {
        parts.status = StatusCode::NOT_MODIFIED;
        parts.headers.remove(header::CONTENT_LENGTH);
        return Response::from_parts(parts, Body::empty());
    }
    Response::from_parts(parts, Body::from(bytes))
}

/// Whether a list of tags holds this one, by weak comparison.
fn holds(sent: &str, tag: &str) -> bool {
    let strong = |tag: &str| tag.trim().trim_start_matches("W/").to_owned();
    sent.split(',').any(|one| strong(one) == strong(tag) || one.trim() == "*")
}
