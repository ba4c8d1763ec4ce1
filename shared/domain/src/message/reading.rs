//! Reads the bodies of messages, and says of those that cannot be read what is wrong and what is allowed.
//!
//! No value is ever repeated: reasons are logged, and nobody knows what was put onto a queue by mistake.

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use super::{Ask, Message, QueueName, Scanned, Wake};
use crate::ids::{AttemptId, Digest, Stage};
use crate::text;

/// The variable by which a build names its task's attempt; where tasks share it, all of theirs, with spaces between.
pub const TASK_VARIABLE: &str = "SLIPWAY_TASK";

/// The most characters shown of a field's name that is not known.
const LONGEST_NAME: usize = 40;

/// A message that cannot be understood; it goes to the dead-letter queue with this reason.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unreadable {
    /// No JSON, or not an object.
    #[error("the body is not a JSON object with a field `kind`: {0}")]
    Json(String),
    /// An object, but not of a form that is known; one sentence for each field.
    #[error("{}", .0.join("; "))]
    Fields(Vec<String>),
    /// An event about a scan, but not of the form that ECR documents.
    #[error("the body is no ECR Image Scan: {0}")]
    Scan(String),
    /// An event about a build, but not of the form that `CodeBuild` documents.
    #[error("the body is no CodeBuild Build State Change: {0}")]
    Event(String),
    /// A message of another queue.
    #[error("a message of this kind and stage belongs on the `{}` queue", .0.function())]
    Elsewhere(QueueName),
    /// A build of another system in the same project.
    #[error("the build event carries no variable `{TASK_VARIABLE}`; only builds that Slipway started do")]
    NoTask,
    /// `SLIPWAY_TASK` is not one of ours.
    #[error(
        "the build event's `{TASK_VARIABLE}` must be an attempt's id, `<run>/<stage>/<subject>/<attempt>`, or several \
         with spaces between"
    )]
    Task,
}

/// Reads the body of a message of that queue; `CodeBuild`'s event on a stage's queue is the wake of the first task
/// that it names, and ECR's is the message that an image is scanned.
///
/// # Errors
/// When it has no form that is known, or belongs on another queue.
pub fn parse_message(body: &str, queue: QueueName) -> Result<Message, Unreadable> {
    let object = object_of(body)?;
    let message = if is_scan(&object) {
        Message::Scanned(scanned_of(object)?)
    } else if is_event(&object) && matches!(queue, QueueName::Stage(_)) {
        Message::Task(wakes_of(object)?.swap_remove(0))
    } else {
        typed(&object).map_err(|first| Unreadable::Fields(problems(&object, &first)))?
    };
    let belongs = message.queue();
    if belongs == queue { Ok(message) } else { Err(Unreadable::Elsewhere(belongs)) }
}

/// Reads the body of a stage queue's message: a wake, a person's request, or an event of `CodeBuild` or ECR.
///
/// # Errors
/// As [`parse_message`].
pub fn parse_stage_message(body: &str, stage: Stage) -> Result<Ask, Unreadable> {
    let object = object_of(body)?;
    if is_event(&object) && !is_scan(&object) {
        let wakes = wakes_of(object)?;
        let elsewhere = wakes.iter().map(|wake| wake.task.stage).find(|named| *named != stage);
        return match elsewhere {
            Some(named) => Err(Unreadable::Elsewhere(QueueName::Stage(named))),
            None => Ok(Ask::Built(wakes)),
        };
    }
    match parse_message(body, QueueName::Stage(stage))? {
        Message::Task(wake) => Ok(Ask::Wake(wake)),
        Message::Rerun(rerun) => Ok(Ask::Rerun(rerun)),
        Message::Revive(revive) => Ok(Ask::Revive(revive)),
        Message::Preview { run } => Ok(Ask::Preview(run)),
        Message::Verified(verified) => Ok(Ask::Verified(verified)),
        Message::Scanned(scanned) => Ok(Ask::Scanned(scanned)),
        other @ (Message::Plan(_)
        | Message::Tips { .. }
        | Message::Asked(_)
        | Message::Gone(_)
        | Message::Notify { .. }) => Err(Unreadable::Elsewhere(other.queue())),
    }
}

fn object_of(body: &str) -> Result<Map<String, Value>, Unreadable> {
    match serde_json::from_str(body) {
        Ok(Value::Object(object)) => Ok(object),
        Ok(value) => Err(Unreadable::Json(format!("it is {}", kind_of(&value)))),
        Err(error) => Err(Unreadable::Json(error.to_string())),
    }
}

/// Whether it comes from `EventBridge`.
fn is_event(object: &Map<String, Value>) -> bool {
    object.contains_key("detail-type")
}

/// Whether it tells of a scan.
fn is_scan(object: &Map<String, Value>) -> bool {
    object.get("detail-type").is_some_and(|kind| kind == SCAN)
}

fn typed<T: DeserializeOwned>(object: &Map<String, Value>) -> Result<T, String> {
    serde_json::from_value(Value::Object(object.clone())).map_err(|error| error.to_string())
}

/// Everything that is wrong with the fields, where `first` is what the whole object was refused for.
fn problems(object: &Map<String, Value>, first: &str) -> Vec<String> {
    let Some(kind) = object.get("kind").filter(|_| !first.starts_with("unknown variant")) else {
        return vec![sentence("kind", first)];
    };
    // Each field alone beside the kind: what is wrong with it is said before any that is missing.
    let mut problems = Vec::new();
    let mut sound = Map::from_iter([("kind".to_owned(), kind.clone())]);
    for (name, value) in object.iter().filter(|(name, _)| *name != "kind") {
        let alone = Map::from_iter([("kind".to_owned(), kind.clone()), (name.clone(), value.clone())]);
        match typed::<Message>(&alone) {
            Err(error) if !error.starts_with("missing field") => problems.push(sentence(name, &error)),
            _ => drop(sound.insert(name.clone(), value.clone())),
        }
    }
    match typed::<Message>(&sound) {
        // A field that is there but wrong has been named already.
        Err(error) if !quoted(&error).is_some_and(|name| object.contains_key(name)) => {
            problems.push(sentence("kind", &error));
        }
        _ => {}
    }
    problems
}

/// What serde says of a field, as a sentence without the value.
fn sentence(field: &str, error: &str) -> String {
    let field = text::cut(&text::clean(field), LONGEST_NAME);
    if error.starts_with("missing field") {
        return format!("field `{}` is missing", quoted(error).unwrap_or_default());
    }
    if error.starts_with("unknown field") {
        let allowed = error.rsplit_once("expected ").map_or("no others", |(_, allowed)| allowed);
        return format!("field `{field}` is not known; allowed beside `kind`: {}", listed(allowed));
    }
    if let Some((_, rest)) = error.rsplit_once(" is not a valid ") {
        return format!("field `{field}` must be a {rest}");
    }
    match error.rsplit_once("expected ") {
        Some((_, "u32" | "u64")) => format!("field `{field}` must be a whole number from 0"),
        Some((_, "a boolean")) => format!("field `{field}` must be `true` or `false`"),
        Some((_, expected)) => format!("field `{field}` must be {}", listed(expected)),
        None => format!("field `{field}` has a form that is not allowed"),
    }
}

/// `one of a, b`, as `one of` goes without saying in a list.
fn listed(expected: &str) -> &str {
    expected.strip_prefix("one of ").unwrap_or(expected)
}

/// The first name in backticks.
fn quoted(error: &str) -> Option<&str> {
    error.split('`').nth(1)
}

fn kind_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "true or false",
        Value::Number(_) => "a number",
        Value::String(_) => "a text",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}

/// The wakes that a build's change of state is, at least one.
fn wakes_of(object: Map<String, Value>) -> Result<Vec<Wake>, Unreadable> {
    let event: BuildEvent = serde_json::from_value(Value::Object(object))
        .map_err(|error| Unreadable::Event(sentence("detail", &error.to_string())))?;
    let variables = event.detail.additional_information.environment.environment_variables;
    let named = variables.iter().find(|variable| variable.name == TASK_VARIABLE).ok_or(Unreadable::NoTask)?;
    let attempts = named.value.split(' ').map(str::parse::<AttemptId>);
    let wake = |attempt: AttemptId| Wake { run: attempt.run, task: attempt.task, timer: None };
    attempts.map(|attempt| attempt.map(wake).map_err(|_| Unreadable::Task)).collect()
}

/// The image whose scan has ended.
fn scanned_of(object: Map<String, Value>) -> Result<Scanned, Unreadable> {
    let event: ScanEvent = serde_json::from_value(Value::Object(object))
        .map_err(|error| Unreadable::Scan(sentence("detail", &error.to_string())))?;
    Ok(Scanned { repository: event.detail.repository_name, digest: event.detail.image_digest })
}

/// The `detail-type` of ECR's event about a scan of the basic kind. The enhanced kind has others, which nobody reads.
const SCAN: &str = "ECR Image Scan";

/// The part of that event that names the image
/// (<https://docs.aws.amazon.com/AmazonECR/latest/userguide/ecr-eventbridge.html>). What was found is asked for.
#[derive(Deserialize)]
struct ScanEvent {
    detail: ScanDetail,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct ScanDetail {
    repository_name: String,
    image_digest: Digest,
}

/// The part of `CodeBuild Build State Change` that names the task
/// (<https://docs.aws.amazon.com/codebuild/latest/userguide/sample-build-notifications.html>).
#[derive(Deserialize)]
struct BuildEvent {
    detail: BuildDetail,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct BuildDetail {
    additional_information: BuildInformation,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct BuildInformation {
    environment: BuildEnvironment,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct BuildEnvironment {
    #[serde(default)]
    environment_variables: Vec<BuildVariable>,
}

#[derive(Deserialize)]
struct BuildVariable {
    name: String,
    value: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    const RUN: &str = "owner.repository.0123456789abcdef0123456789abcdef01234567";

    fn reason(body: &str, queue: QueueName) -> String {
        match parse_message(body, queue) {
            Ok(message) => format!("read: {message:?}"),
            Err(unreadable) => unreadable.to_string(),
        }
    }

    #[test]
    fn a_reason_names_each_field_and_what_is_allowed() {
        let test = QueueName::Stage(Stage::Test);
        for (body, expected) in [
            (
                "{\"kind\": \"task\", …",
                "the body is not a JSON object with a field `kind`: key must be a string at line 1 column 18",
            ),
            (
                "",
                "the body is not a JSON object with a field `kind`: EOF while parsing a value at line 1 column 0",
            ),
            ("[1]", "the body is not a JSON object with a field `kind`: it is a list"),
            ("{}", "field `kind` is missing"),
            (r#"{"kind": "task", "run": "RUN"}"#, "field `task` is missing"),
            (
                r#"{"kind": "task", "run": "RUN", "task": "test"}"#,
                "field `task` must be a task id: `<stage>/<service>`, from deploy on `<stage>/<service>@<environment>`",
            ),
            (
                r#"{"kind": "task", "run": 5, "task": "test/a", "timer": "soon", "color": 1}"#,
                "field `color` is not known; allowed beside `kind`: `run`, `task`, `timer`; \
                 field `run` must be a string; field `timer` must be a whole number from 0",
            ),
            (
                r#"{"kind": "notify", "run": "RUN"}"#,
                "a message of this kind and stage belongs on the `notify` queue",
            ),
            (
                r#"{"kind": "task", "run": "RUN", "task": "build/a"}"#,
                "a message of this kind and stage belongs on the `build` queue",
            ),
            (
                r#"{"detail-type": "CodeBuild Build State Change", "detail": {}}"#,
                "the body is no CodeBuild Build State Change: field `additional-information` is missing",
            ),
        ] {
            assert_eq!(reason(&body.replace("RUN", RUN), test), expected, "{body}");
        }
    }

    #[test]
    fn an_event_about_a_scan_names_the_image() {
        let digest = format!("sha256:{}", "a".repeat(64));
        let event = |detail: Value| serde_json::json!({ "detail-type": SCAN, "detail": detail }).to_string();
        let detail = serde_json::json!({
            "scan-status": "COMPLETE", "repository-name": "vive-sphere/a", "image-digest": digest, "image-tags": [],
        });
        let Ok(Ask::Scanned(scanned)) = parse_stage_message(&event(detail.clone()), Stage::Publish) else {
            panic!("it is a scan")
        };
        assert_eq!(
            (scanned.repository.as_str(), scanned.digest.as_str()),
            ("vive-sphere/a", digest.as_str())
        );
        assert_eq!(
            reason(&event(detail), QueueName::Stage(Stage::Test)),
            "a message of this kind and stage belongs on the `publish` queue"
        );
        for (detail, expected) in [
            (serde_json::json!({}), "field `repository-name` is missing"),
            (
                serde_json::json!({ "repository-name": "a", "image-digest": "secret" }),
                "field `detail` must be a image digest: `sha256:` and 64 lower-case hexadecimal digits",
            ),
        ] {
            let told = reason(&event(detail), QueueName::Stage(Stage::Publish));
            assert_eq!(told, format!("the body is no ECR Image Scan: {expected}"));
        }
    }

    #[test]
    fn an_unknown_kind_is_told_the_known_ones() {
        let reason = reason(r#"{"kind": "tusk", "run": 5}"#, QueueName::Plan);
        assert!(reason.starts_with("field `kind` must be `plan`, "), "{reason}");
        assert!(reason.contains("`task`") && reason.contains("`notify`"), "{reason}");
    }

    #[test]
    fn no_value_is_repeated() {
        for body in [
            r#"{"kind": "secret, expected secret"}"#,
            r#"{"kind": "task", "run": "secret is not a valid secret", "task": "secret"}"#,
            r#"{"kind": "task", "run": "secret", "task": ["secret"], "timer": "secret, expected secret"}"#,
            r#"{"kind": ["secret"]}"#,
            r#"{"detail-type": "secret", "detail": "secret, expected secret"}"#,
            r#"{"kind": "task", "run": secret}"#,
            r#""secret""#,
        ] {
            for queue in [QueueName::Plan, QueueName::Notify, QueueName::Stage(Stage::Test)] {
                let reason = reason(body, queue);
                assert!(!reason.contains("secret"), "{body}: {reason}");
            }
        }
    }

    #[test]
    fn what_can_be_read_is_read() {
        let body = format!(r#"{{"kind": "task", "run": "{RUN}", "task": "test/a", "timer": 3}}"#);
        let Ok(Ask::Wake(wake)) = parse_stage_message(&body, Stage::Test) else { panic!("it is a wake") };
        assert_eq!((wake.run.to_string().as_str(), wake.timer), (RUN, Some(3)));
    }

    /// The event of a build whose `SLIPWAY_TASK` this is.
    fn event(tasks: &str) -> String {
        let variable = serde_json::json!({ "name": TASK_VARIABLE, "value": tasks.replace("RUN", RUN) });
        let environment = serde_json::json!({ "environment": { "environment-variables": [variable] } });
        let detail = serde_json::json!({ "additional-information": environment });
        serde_json::json!({ "detail-type": "CodeBuild Build State Change", "detail": detail }).to_string()
    }

    #[test]
    fn a_builds_event_wakes_all_tasks_that_share_it() {
        let woken = |tasks: &str| match parse_stage_message(&event(tasks), Stage::Test) {
            Ok(ask) => ask.wakes().iter().map(|wake| wake.task.to_string()).collect::<Vec<_>>().join(" "),
            Err(unreadable) => unreadable.to_string(),
        };
        assert_eq!(woken("RUN/test/a/1"), "test/a");
        assert_eq!(woken("RUN/test/a/1 RUN/test/b/1"), "test/a test/b");
        assert_eq!(
            woken("RUN/test/a/1 RUN/build/a/1"),
            "a message of this kind and stage belongs on the `build` queue"
        );
        for tasks in ["", " ", "RUN/test/a/1 ", "RUN/test/a/1,RUN/test/b/1"] {
            assert!(woken(tasks).contains("must be an attempt's id"), "{tasks}");
        }
    }
}
