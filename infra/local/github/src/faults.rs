//! GitHub on a bad day, switched on by tests: secondary limits of writes, and outages of the whole API.

use std::collections::HashMap;
use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::{HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;

use crate::answer::Problem;
use crate::state::App;

const HOUR: SignedDuration = SignedDuration::from_hours(1);
const MINUTE: SignedDuration = SignedDuration::from_mins(1);
/// GitHub's sentence, by which clients tell it from other refusals.
const MESSAGE: &str =
    "You have exceeded a secondary rate limit. Please wait a few minutes before you try again.";

/// What is broken at the moment; by default nothing.
#[derive(Debug, Default)]
pub(crate) struct Faults {
    secondary: Secondary,
    outage: Option<(StatusCode, Option<Timestamp>)>,
    /// When each actor wrote within the last hour.
    writes: HashMap<String, Vec<Timestamp>>,
}

/// A limit of requests that create content, for each actor; `None` means no limit.
///
/// GitHub takes about 80 a minute and 500 an hour:
/// <https://docs.github.com/en/rest/using-the-rest-api/rate-limits-for-the-rest-api#about-secondary-rate-limits>
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Secondary {
    per_minute: Option<usize>,
    per_hour: Option<usize>,
    /// 403 or 429; GitHub answers either. 403 when not given.
    status: Option<u16>,
    /// Seconds in `Retry-After`; GitHub may leave the header out, and so does this when not given.
    retry_after: Option<u64>,
}

/// An outage: what every request is answered with, and for how long.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Outage {
    /// Such as 502 or 503; none ends the outage.
    status: Option<u16>,
    /// None: until it is ended.
    seconds: Option<u32>,
}

impl Faults {
    pub(crate) fn limit_writes(&mut self, limit: Secondary) -> Result<(), Problem> {
        if !matches!(limit.status, None | Some(403 | 429)) {
            return Err(Problem::unprocessable("GitHub answers 403 or 429"));
        }
        self.secondary = limit;
        self.writes.clear();
        Ok(())
    }

    pub(crate) fn break_down(&mut self, outage: Outage) -> Result<(), Problem> {
        let until =
            outage.seconds.map(|seconds| Timestamp::now() + SignedDuration::from_secs(seconds.into()));
        self.outage = match outage.status.map(StatusCode::from_u16) {
            None => None,
            Some(Ok(status)) if status.is_server_error() => Some((status, until)),
            Some(_) => return Err(Problem::unprocessable("An outage answers 500 to 599")),
        };
        Ok(())
    }

    /// Counts a request that creates content, and gives the refusal when there were too many.
    pub(crate) fn refusal(&mut self, who: &str, method: &Method, path: &str) -> Option<Response> {
        let limited = self.secondary.per_minute.is_some() || self.secondary.per_hour.is_some();
        // A token for an installation is no content.
        if !limited || method == Method::GET || path.starts_with("/app/") {
            return None;
        }
        let now = Timestamp::now();
        let writes = self.writes.entry(who.to_owned()).or_default();
        writes.retain(|moment| *moment > now - HOUR);
        let within = |span: SignedDuration| writes.iter().filter(|moment| **moment > now - span).count();
        let exceeds = |limit: Option<usize>, span| limit.is_some_and(|limit| within(span) >= limit);
        if !exceeds(self.secondary.per_minute, MINUTE) && !exceeds(self.secondary.per_hour, HOUR) {
            writes.push(now);
            return None;
        }
        let status = self.secondary.status.and_then(|code| StatusCode::from_u16(code).ok());
        let mut response = Problem::new(status.unwrap_or(StatusCode::FORBIDDEN), MESSAGE).into_response();
        if let Some(seconds) = self.secondary.retry_after {
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        Some(response)
    }

    fn outage_now(&mut self) -> Option<StatusCode> {
        let (status, until) = self.outage?;
        if until.is_some_and(|until| until <= Timestamp::now()) {
            self.outage = None;
        }
        self.outage.map(|_| status)
    }
}

/// Answers everything with the outage's status while there is one.
pub(crate) async fn refuse_in_outage(State(app): State<Arc<App>>, request: Request, next: Next) -> Response {
    let outage = app.data().faults.outage_now();
    match outage {
        // What stands before GitHub's servers answers then, in no form of the API's own.
        Some(status) => {
            (status, [(header::CONTENT_TYPE, "text/html")], "<h1>Unicorn!</h1>\n").into_response()
        }
        None => next.run(request).await,
    }
}
