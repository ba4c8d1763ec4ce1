//! The log of a build: masked line by line, and written to CloudWatch Logs while the build runs.

use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use serde_json::{Value, json};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use crate::aws::LocalAws;
use crate::build::Logs;

/// How long lines are collected before they are written.
const PACE: Duration = Duration::from_millis(250);
const MOST_LINES: usize = 1000;
/// CloudWatch Logs takes 256 KiB for one event.
const LONGEST_LINE: usize = 200_000;

/// What is shown in the place of a secret.
const MASK: &str = "***";
/// Shorter values are no secrets: masking them would only tear the log apart.
const SHORTEST_SECRET: usize = 4;

/// A log that lines are added to; cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct Log {
    lines: mpsc::UnboundedSender<(i64, String)>,
    secrets: Arc<RwLock<Vec<String>>>,
}

/// The end of a log: everything is written once this has been awaited.
#[derive(Debug)]
pub(crate) struct Writing(JoinHandle<()>);

impl Log {
    /// Opens the log that `logs` names.
    pub(crate) fn open(aws: LocalAws, logs: Logs) -> (Self, Writing) {
        let (lines, receiver) = mpsc::unbounded_channel();
        let writing = tokio::spawn(write(aws, logs, receiver));
        (Self { lines, secrets: Arc::default() }, Writing(writing))
    }

    /// Values that must not be shown from now on; each line of one counts by itself.
    pub(crate) fn hide(&self, values: &[String]) {
        let mut secrets = self.secrets.write().unwrap_or_else(PoisonError::into_inner);
        let lines = values.iter().flat_map(|value| value.lines().map(str::trim));
        secrets.extend(lines.filter(|line| line.len() >= SHORTEST_SECRET).map(str::to_owned));
        // The longest first: one secret may be part of another.
        secrets.sort_by_key(|secret| std::cmp::Reverse(secret.len()));
    }

    /// `text` without secrets.
    pub(crate) fn mask(&self, text: &str) -> String {
        let secrets = self.secrets.read().unwrap_or_else(PoisonError::into_inner);
        secrets.iter().fold(text.to_owned(), |text, secret| text.replace(secret.as_str(), MASK))
    }

    /// Adds a line.
    pub(crate) fn line(&self, line: &str) {
        let mut line = self.mask(line);
        if line.len() > LONGEST_LINE {
            line.truncate(line.floor_char_boundary(LONGEST_LINE));
        }
        // The other end only goes with the whole build.
        let _ = self.lines.send((jiff::Timestamp::now().as_millisecond(), line));
    }

    /// Adds a line of CodeBuild's own.
    pub(crate) fn note(&self, text: &str) {
        let time = jiff::Timestamp::now().strftime("%Y/%m/%d %H:%M:%S");
        self.line(&format!("[Container] {time} {text}"));
    }
}

impl Writing {
    /// Waits until everything is written; all copies of the log must be gone.
    pub(crate) async fn finish(self) {
        let _ = self.0.await;
    }
}

async fn write(aws: LocalAws, logs: Logs, mut lines: mpsc::UnboundedReceiver<(i64, String)>) {
    // Both may exist already; if they do not exist then, PutLogEvents will say so.
    let group = json!({ "logGroupName": logs.group_name });
    let _ = aws.call("logs", "Logs_20140328.CreateLogGroup", &group).await;
    let stream = json!({ "logGroupName": logs.group_name, "logStreamName": logs.stream_name });
    let _ = aws.call("logs", "Logs_20140328.CreateLogStream", &stream).await;
    let mut batch = Vec::new();
    while lines.recv_many(&mut batch, MOST_LINES).await > 0 {
        let events: Vec<Value> = batch
            .drain(..)
            // An empty message is refused.
            .map(
                |(timestamp, line)| {
                    if line.is_empty() { (timestamp, " ".to_owned()) } else { (timestamp, line) }
                },
            )
            .map(|(timestamp, message)| json!({ "timestamp": timestamp, "message": message }))
            .collect();
        let request = json!({
            "logGroupName": logs.group_name, "logStreamName": logs.stream_name, "logEvents": events,
        });
        if let Err(error) = aws.call("logs", "Logs_20140328.PutLogEvents", &request).await {
            tracing::warn!("the log of a build is incomplete: {error:#}");
        }
        if !lines.is_closed() {
            tokio::time::sleep(PACE).await;
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::sync::mpsc;

    use super::Log;

    #[test]
    fn secrets_are_masked_line_by_line() {
        let (lines, _receiver) = mpsc::unbounded_channel();
        let log = Log { lines, secrets: std::sync::Arc::default() };
        log.hide(&["swordfish".to_owned(), "swordfish-and-more".to_owned(), "-----KEY\nabcdef\n".to_owned()]);
        let check = |text: &str, expect: &str| assert_eq!(log.mask(text), expect);
        check("the word is swordfish-and-more, swordfish", "the word is ***, ***");
        check("abcdef", "***");
        check("nothing to hide", "nothing to hide");
    }
}
