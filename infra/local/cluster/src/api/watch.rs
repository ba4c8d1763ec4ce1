//! `watch=true`: changes as lines of JSON, from the history and then as they happen.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::http::{HeaderMap, header};
use axum::response::{IntoResponse, Response};
use futures::stream;
use serde_json::{Value, json};
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};

use crate::api::failure::Failure;
use crate::api::request::{Parameters, Target};
use crate::api::table;
use crate::objects::lifecycle::Objects;
use crate::objects::selectors::Selection;
use crate::objects::store::Change;

/// Ends a watch that set no limit itself; clients start a new one.
const LONGEST: i64 = 3600;

struct Watch {
    objects: Arc<Objects>,
    target: Target,
    selection: Selection,
    revision: u64,
    news: watch::Receiver<u64>,
    pending: VecDeque<Value>,
    until: Instant,
    bookmarks: bool,
    as_table: bool,
    ended: bool,
}

/// Starts a watch.
///
/// # Errors
/// 400 for a broken selector or revision, 422 for an initial list within the stream.
pub fn start(
    objects: Arc<Objects>,
    target: Target,
    parameters: &Parameters,
    headers: &HeaderMap,
) -> Result<Response, Failure> {
    let as_table = table::wanted(headers);
    if parameters.flag("sendInitialEvents") {
        let mut failure = Failure::bad_request(
            "sendInitialEvents: Forbidden: sendInitialEvents is forbidden for watch unless the WatchList feature gate is enabled",
        );
        (failure.code, failure.reason) = (422, "Invalid");
        return Err(failure);
    }
    let selection = Selection::parse(parameters.text("labelSelector"), parameters.text("fieldSelector"))?;
    let news = objects.store.subscribe();
    let mut pending = VecDeque::new();
    let revision = match parameters.text("resourceVersion") {
        "" | "0" => {
            let namespace = Some(target.namespace.as_str()).filter(|namespace| !namespace.is_empty());
            let (revision, list) = objects.store.list(target.resource, namespace);
            let wanted =
                list.into_iter().filter(|object| is_named(&target, object) && selection.matches(object));
            pending.extend(wanted.map(|object| line("ADDED", &target, &object, as_table)));
            revision
        }
        text => {
            text.parse().map_err(|_| Failure::bad_request(format!("invalid resource version: `{text}`")))?
        }
    };
    let seconds = parameters.number("timeoutSeconds").filter(|seconds| (1..LONGEST).contains(seconds));
    let seconds = Duration::from_secs(u64::try_from(seconds.unwrap_or(LONGEST)).unwrap_or_default());
    let watch = Watch {
        objects,
        target,
        selection,
        revision,
        news,
        pending,
        until: Instant::now() + seconds,
        bookmarks: parameters.flag("allowWatchBookmarks"),
        as_table,
        ended: false,
    };
    let lines = stream::unfold(watch, |mut watch| async move {
        let line = watch.next().await?;
        Some((Ok::<_, std::convert::Infallible>(Bytes::from(format!("{line}\n"))), watch))
    });
    Ok(([(header::CONTENT_TYPE, "application/json")], Body::from_stream(lines)).into_response())
}

impl Watch {
    async fn next(&mut self) -> Option<Value> {
        loop {
            if let Some(event) = self.pending.pop_front() {
                return Some(event);
            }
            if self.ended {
                return None;
            }
            // Marked as seen before the history is read, so that no change falls between.
            self.news.mark_unchanged();
            self.read_history();
            if !self.pending.is_empty() {
                continue;
            }
            tokio::select! {
                changed = self.news.changed() => self.ended |= changed.is_err(),
                () = sleep_until(self.until) => {
                    self.ended = true;
                    if self.bookmarks {
                        self.pending.push_back(self.bookmark());
                    }
                }
            }
        }
    }

    fn read_history(&mut self) {
        let Some(changes) = self.objects.store.changes_after(self.revision) else {
            let failure = Failure::expired(format!("too old resource version: {}", self.revision));
            self.pending.push_back(json!({ "type": "ERROR", "object": failure.status() }));
            self.ended = true;
            return;
        };
        for change in changes {
            self.revision = change.revision;
            self.pending.extend(self.event(&change));
        }
    }

    /// A change as this watch sees it: objects may enter and leave its selection.
    fn event(&self, change: &Change) -> Option<Value> {
        let elsewhere = !self.target.namespace.is_empty() && self.target.namespace != change.key.namespace;
        if change.key.plural != self.target.resource.plural
            || elsewhere
            || !is_named(&self.target, &change.after)
        {
            return None;
        }
        let was = change.before.as_ref().is_some_and(|before| self.selection.matches(before));
        let is = !change.deleted && self.selection.matches(&change.after);
        let kind = match (was, is) {
            (false, true) => "ADDED",
            (true, true) => "MODIFIED",
            (true, false) => "DELETED",
            (false, false) => return None,
        };
        Some(line(kind, &self.target, &change.after, self.as_table))
    }

    fn bookmark(&self) -> Value {
        json!({ "type": "BOOKMARK", "object": {
            "kind": self.target.resource.kind, "apiVersion": self.target.resource.api_version(),
            "metadata": { "resourceVersion": self.revision.to_string(), "creationTimestamp": null },
        } })
    }
}

/// One event; as a table of one row where kubectl asks for tables.
fn line(kind: &str, target: &Target, object: &Arc<Value>, as_table: bool) -> Value {
    if as_table {
        return json!({ "type": kind, "object": table::render(target.resource, &[Arc::clone(object)], 0) });
    }
    json!({ "type": kind, "object": **object })
}

fn is_named(target: &Target, object: &Value) -> bool {
    target.name.as_ref().is_none_or(|name| object["metadata"]["name"] == name.as_str())
}
