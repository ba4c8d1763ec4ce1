//! What functions log on the local AWS: how often each was invoked, how long that took, how much was written.

use anyhow::Context;
use local::{Aws, Record};
use serde_json::{Value, json};

/// What CloudWatch Logs counts beside an event's own bytes
/// (<https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_PutLogEvents.html>).
const EVENT_OVERHEAD: usize = 26;

/// One function's log.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Log {
    /// Milliseconds of each invocation.
    pub(crate) durations: Vec<f64>,
    /// Bytes as CloudWatch Logs bills them.
    pub(crate) bytes: usize,
}

/// A function's log since a moment, in milliseconds since 1970.
///
/// # Errors
/// When the local AWS does not answer.
pub(crate) async fn of(aws: &Aws, record: &Record, function: &str, since: i64) -> anyhow::Result<Log> {
    let mut log = Log::default();
    let mut token: Option<String> = None;
    loop {
        let mut body = json!({
            "logGroupName": format!("/aws/lambda/{}-{function}", record.name),
            "startTime": since,
        });
        if let Some(token) = &token {
            body["nextToken"] = json!(token);
        }
        let answer = aws.json("logs", "Logs_20140328.FilterLogEvents", &body).await?;
        let events = answer["events"].as_array().context("events")?;
        log.read(events.iter().filter_map(|event| event["message"].as_str()));
        token = answer["nextToken"].as_str().map(str::to_owned);
        if token.is_none() || events.is_empty() {
            return Ok(log);
        }
    }
}

impl Log {
    fn read<'a>(&mut self, lines: impl Iterator<Item = &'a str>) {
        for line in lines {
            self.bytes += line.len() + EVENT_OVERHEAD;
            self.durations.extend(billed(line));
        }
    }
}

/// The milliseconds that an invocation's last line reports. The local AWS cuts fractions off where AWS rounds up.
fn billed(line: &str) -> Option<f64> {
    let (_, duration) = line.strip_prefix("REPORT ")?.split_once("Billed Duration: ")?;
    let milliseconds: Value = serde_json::from_str(duration.split(' ').next()?).ok()?;
    milliseconds.as_f64().map(|milliseconds| milliseconds + 1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn invocations_and_bytes_are_read_from_lines() {
        let mut log = Log::default();

        log.read(
            [
                "START RequestId: 1",
                "{\"message\":\"rest\"}",
                "REPORT RequestId: 1\tDuration: 12 ms\tBilled Duration: 12 ms\tMemory Size: 256 MB",
            ]
            .into_iter(),
        );

        assert_eq!(log.durations, [13.0]);
        assert_eq!(log.bytes, 18 + 18 + 78 + 3 * EVENT_OVERHEAD);
    }
}
