//! The JSON Schema of every message that the queues take, for whoever writes one by hand or by a program.
//!
//! Draft 7, as the schemas of the two files. The forms of names are those that [`crate::ids`] checks; a test asks the
//! parser itself which kinds, fields and values it takes, and compares.

use serde_json::{Map, Value, json};

const SHA: &str = "[0-9a-f]{40}";
const REPOSITORY: &str = "[A-Za-z0-9-]{1,39}/[A-Za-z0-9._-]{1,100}";
const SERVICE: &str = "[a-z0-9][a-z0-9_-]{0,62}";
const ENVIRONMENT: &str = "[a-z][a-z0-9-]{0,31}";

/// The schema of all messages.
pub fn messages() -> Value {
    let kinds = [
        kind(
            "task",
            "A stage's queue: look at a task. Harmless at any time.",
            &[run(), task(), timer()],
            &["run", "task"],
        ),
        kind(
            "rerun",
            "The queue of the task's stage: run the task again as its next attempt.",
            &[
                run(),
                task(),
                (
                    "request",
                    optional(text(
                        "^[A-Za-z0-9._-]{1,128}$",
                        "What the request is known by, so that it is carried out once for this task; left out, the id of the SQS message",
                    )),
                ),
                (
                    "cascade",
                    flag("Whether everything of the service that follows runs again too; left out, no"),
                ),
                ("dry_run", flag("Whether only to say in the timeline what would happen; left out, no")),
            ],
            &["run", "task"],
        ),
        kind(
            "revive",
            "The queue of the task's stage: let a stuck task go on. It lies among the dead letters until somebody redrives it.",
            &[
                run(),
                task(),
                (
                    "version",
                    number(u64::MAX, "The version of the stuck task; another trouble has another one"),
                ),
            ],
            &["run", "task", "version"],
        ),
        kind("notify", "notify's queue: tell the state of a run.", &[run()], &["run"]),
        kind(
            "tips",
            "plan's queue: compare the repository's branches with what is known of them.",
            &[("repository", repository("The repository"))],
            &["repository"],
        ),
        plan(),
        build_event(),
    ];
    json!({
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": "A message on one of Slipway's queues",
        "description": "`kind` decides. A body that fits no kind, or lies on the queue of another one, is set aside among the dead letters with the reason. `events/messages/` has examples.",
        "anyOf": kinds,
    })
}

fn plan() -> Value {
    kind(
        "plan",
        "plan's queue: a commit to look at. The webhook writes it.",
        &[
            ("delivery", text("^[A-Za-z0-9-]{1,64}$", "GitHub's id of the delivery")),
            ("repository", repository("The repository whose installation sent it")),
            ("installation", number(u64::MAX, "The App installation")),
            ("sha", text(&format!("^{SHA}$"), "The commit")),
            ("before", optional(text(&format!("^{SHA}$"), "The branch's commit before the push"))),
            ("branch", words("The branch or tag pushed to, or the pull request's head branch")),
            ("fork", optional(repository("Where the commit came from when not from the repository itself"))),
            ("pull_request", optional(number(u64::MAX, "The pull request's number"))),
            ("sender", words("The login of who did it")),
            ("title", words("The first line of the commit's message or the pull request's title")),
        ],
        &["delivery", "repository", "installation", "sha", "branch", "sender", "title"],
    )
}

/// EventBridge hands `CodeBuild`'s events on as they are: of everything in them only the variable is read.
fn build_event() -> Value {
    json!({
        "title": "CodeBuild Build State Change",
        "description": "The queues of test and build: CodeBuild tells that a build has changed, which is a wake of its task.",
        "type": "object",
        "properties": {
            "detail-type": {"const": "CodeBuild Build State Change"},
            "detail": {
                "type": "object",
                "description": format!("`additional-information.environment.environment-variables` holds `{}`: `<run>/<stage>/<subject>/<attempt>`", super::TASK_VARIABLE),
            },
        },
        "required": ["detail-type", "detail"],
    })
}

fn kind(name: &str, about: &str, fields: &[(&str, Value)], required: &[&str]) -> Value {
    let mut properties = Map::from_iter([("kind".to_owned(), json!({"const": name}))]);
    properties.extend(fields.iter().map(|(name, schema)| ((*name).to_owned(), schema.clone())));
    let required: Vec<&str> = std::iter::once("kind").chain(required.iter().copied()).collect();
    json!({
        "title": name,
        "description": about,
        "type": "object",
        "additionalProperties": false,
        "properties": properties,
        "required": required,
    })
}

fn run() -> (&'static str, Value) {
    let mut schema = text(
        &format!("^[A-Za-z0-9-]{{1,39}}\\.[A-Za-z0-9._-]{{1,100}}\\.{SHA}(\\.untrusted)?$"),
        "The run: `<owner>.<repository>.<sha>`, of a fork's commit with `.untrusted`",
    );
    schema["not"] = json!({"type": "string", "pattern": format!("^[^.]*\\.\\.\\.?\\.{SHA}(\\.untrusted)?$")});
    ("run", schema)
}

fn task() -> (&'static str, Value) {
    let whole = "\\+checks|\\+integration";
    let pattern = format!(
        "^((test|build|publish)/({SERVICE}|{whole})|(deploy|verify)/({SERVICE}(\\+rollback)?|{whole})@{ENVIRONMENT})$"
    );
    (
        "task",
        text(&pattern, "The task: `<stage>/<service>`, from deploy on `<stage>/<service>@<environment>`"),
    )
}

fn timer() -> (&'static str, Value) {
    ("timer", optional(number(u32::MAX.into(), "The number of the timer whose delayed message this is")))
}

fn repository(about: &str) -> Value {
    let mut schema = text(&format!("^{REPOSITORY}$"), about);
    schema["not"] = json!({"type": "string", "pattern": "/\\.\\.?$"});
    schema
}

fn text(pattern: &str, about: &str) -> Value {
    json!({"description": about, "type": "string", "pattern": pattern})
}

fn words(about: &str) -> Value {
    json!({"description": about, "type": "string"})
}

fn flag(about: &str) -> Value {
    json!({"description": about, "type": "boolean"})
}

fn number(most: u64, about: &str) -> Value {
    match most {
        u64::MAX => json!({"description": about, "type": "integer", "minimum": 0}),
        most => json!({"description": about, "type": "integer", "minimum": 0, "maximum": most}),
    }
}

/// null counts as left out.
fn optional(mut schema: Value) -> Value {
    let kind = schema["type"].take();
    schema["type"] = json!([kind, "null"]);
    schema
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::path::{Path, PathBuf};

    use super::*;
    use crate::files::tests::schemas::allows;
    use crate::message::{QueueName, Unreadable, parse_message};

    const SCHEMA: &str = "events/messages.schema.json";
    const RUN: &str = "vive-sphere.bot-manager.0123456789abcdef0123456789abcdef01234567";

    fn workspace() -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
    }

    /// Whether the queue that the message belongs on would take it.
    fn is_read(message: &Value) -> bool {
        let body = message.to_string();
        QueueName::ALL.into_iter().any(|queue| parse_message(&body, queue).is_ok())
    }

    fn reason(message: &Value) -> String {
        match parse_message(&message.to_string(), QueueName::Notify) {
            Ok(_) => "read".to_owned(),
            Err(Unreadable::Elsewhere(_)) => "read elsewhere".to_owned(),
            Err(unreadable) => unreadable.to_string(),
        }
    }

    /// The names in backticks after a text.
    fn names_after(reason: &str, text: &str) -> BTreeSet<String> {
        let (_, names) = reason.split_once(text).unwrap_or_else(|| panic!("{reason}"));
        names.split('`').skip(1).step_by(2).map(str::to_owned).collect()
    }

    fn kinds() -> Vec<Value> {
        let all = messages()["anyOf"].as_array().cloned().unwrap_or_default();
        all.into_iter().filter(|kind| !kind["properties"]["kind"].is_null()).collect()
    }

    /// A message of each kind with all its fields.
    fn full() -> Vec<Value> {
        let (sha, other) = ("0123456789abcdef0123456789abcdef01234567", "octo-cat/fork");
        vec![
            json!({"kind": "task", "run": RUN, "task": "test/a", "timer": 3}),
            json!({"kind": "rerun", "run": RUN, "task": "deploy/a@development", "request": "fix-1", "cascade": true, "dry_run": true}),
            json!({"kind": "revive", "run": RUN, "task": "test/a", "version": 7}),
            json!({"kind": "notify", "run": RUN}),
            json!({"kind": "tips", "repository": "vive-sphere/bot-manager"}),
            json!({
                "kind": "plan", "delivery": "d-1", "repository": "vive-sphere/bot-manager", "installation": 1, "sha": sha,
                "before": sha, "branch": "develop", "fork": other, "pull_request": 7, "sender": "ada", "title": "A change",
            }),
        ]
    }

    #[test]
    fn the_schema_is_checked_in() {
        let expected = serde_json::to_string_pretty(&messages()).expect("JSON") + "\n";
        let file = workspace().join(SCHEMA);
        if std::env::var_os("SLIPWAY_REWRITE").is_some() {
            std::fs::write(&file, &expected).expect("the file can be written");
        }
        let found = std::fs::read_to_string(&file).unwrap_or_default();
        assert!(found == expected, "`{SCHEMA}` is not what the parser says; `make reference` writes it anew");
    }

    #[test]
    fn kinds_and_fields_are_those_that_the_parser_takes() {
        let named = |kind: &Value| kind["properties"]["kind"]["const"].as_str().expect("a kind").to_owned();
        let known: BTreeSet<String> = kinds().iter().map(named).collect();
        let told = names_after(&reason(&json!({"kind": "none of them"})), "must be");
        assert_eq!(known, told);
        for message in full() {
            let kind = kinds().into_iter().find(|kind| named(kind) == message["kind"]).expect("a kind");
            let fields: BTreeSet<String> =
                kind["properties"].as_object().expect("fields").keys().cloned().collect();
            let told = names_after(&reason(&with(&message, "no_such_field", json!(1))), "beside `kind`: ");
            let told: BTreeSet<String> = told.into_iter().chain(["kind".to_owned()]).collect();
            assert_eq!(fields, told, "{message}");
            let in_full: BTreeSet<String> = message.as_object().expect("fields").keys().cloned().collect();
            assert_eq!(in_full, fields, "the sample of this test has every field");
        }
    }

    /// Each field once left out and once with each of many values.
    #[test]
    fn schema_and_parser_agree_on_every_field() {
        let schema = messages();
        let values: Vec<Value> = [
            "null",
            "true",
            "[]",
            "{}",
            "0",
            "-1",
            "1.5",
            "4294967295",
            "4294967296",
            "18446744073709551615",
        ]
        .iter()
        .map(|text| serde_json::from_str(text).expect("JSON"))
        .chain(texts().iter().map(|text| json!(text)))
        .collect();
        let mut taken = 0;
        for message in full() {
            assert!(is_read(&message) && allows(&schema, &message), "{message}");
            for field in message.as_object().expect("fields").keys() {
                let mut left_out = message.clone();
                left_out.as_object_mut().expect("fields").remove(field);
                assert_eq!(allows(&schema, &left_out), is_read(&left_out), "{left_out}");
                for value in &values {
                    let changed = with(&message, field, value.clone());
                    let read = is_read(&changed);
                    taken += usize::from(read);
                    assert_eq!(allows(&schema, &changed), read, "{changed}");
                }
            }
        }
        assert!(taken > 50, "{taken} of them were read: both say no to nearly everything");
    }

    fn texts() -> Vec<String> {
        let sha = "0123456789abcdef0123456789abcdef01234567";
        let mut texts: Vec<String> = [
            "",
            "x",
            "X",
            "fix_1.2",
            "a b",
            "a/b",
            "a/.",
            "a/..",
            "a/...",
            "a.b/c",
            "-",
            "d-1",
            "test/a",
            "test/A",
            "test/a_b-c",
            "test/_a",
            "test/+checks",
            "test/+other",
            "test/a@development",
            "build/a",
            "publish/a",
            "deploy/a",
            "deploy/a@development",
            "deploy/a@Development",
            "deploy/a+rollback@development",
            "test/a+rollback",
            "verify/+integration@development",
            "verify/a@1",
            "tset/a",
            "test/a/b",
            "true",
        ]
        .map(str::to_owned)
        .to_vec();
        texts.extend([sha.to_owned(), sha.to_uppercase(), RUN.to_owned(), format!("{RUN}.untrusted")]);
        for name in [".", "..", "...", "a.b", "a/b", ""] {
            texts.push(format!("owner.{name}.{sha}"));
        }
        texts.extend([format!("o_o.a.{sha}"), format!("owner.a.{}", &sha[1..]), format!("owner.{sha}")]);
        for (length, letter) in [(63, "a"), (64, "a"), (128, "a"), (129, "a")] {
            texts.push(letter.repeat(length));
            texts.push(format!("test/{}", letter.repeat(length)));
            texts.push(format!("verify/a@{}", letter.repeat(length / 2)));
        }
        texts
    }

    fn with(message: &Value, field: &str, value: Value) -> Value {
        let mut changed = message.clone();
        changed[field] = value;
        changed
    }

    #[test]
    fn every_example_fits() {
        let schema = messages();
        let mut seen = BTreeSet::new();
        let mut check = |path: &Path, message: &Value| {
            assert!(is_read(message), "{}: {}", path.display(), reason(message));
            assert!(allows(&schema, message), "{}: the schema forbids {message}", path.display());
            seen.extend(message["kind"].as_str().map(str::to_owned));
        };
        let json = |path: &Path| -> Value {
            let text = std::fs::read_to_string(path).expect("an example");
            serde_json::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
        };
        let files = |folder: &str| {
            let entries = workspace().join(folder).read_dir().expect("a folder").flatten();
            entries.map(|entry| entry.path()).filter(|path| path.extension().is_some_and(|end| end == "json"))
        };
        for path in files("events/messages") {
            check(&path, &json(&path));
        }
        for path in files("events") {
            for record in json(&path)["Records"].as_array().into_iter().flatten() {
                let body = record["body"].as_str().expect("a body");
                check(&path, &serde_json::from_str(body).expect("JSON in a body"));
            }
        }
        let all: BTreeSet<String> =
            full().iter().filter_map(|one| one["kind"].as_str().map(str::to_owned)).collect();
        assert_eq!(seen, all, "every kind has an example");
    }
}
