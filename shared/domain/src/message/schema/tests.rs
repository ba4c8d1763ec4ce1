//! Schema and parser say the same.

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
        json!({"kind": "preview", "run": RUN}),
        json!({"kind": "verified", "run": RUN, "task": "verify/a@development"}),
        json!({"kind": "scanned", "repository": "vive-sphere/a", "digest": format!("sha256:{}", "a".repeat(64))}),
        json!({"kind": "notify", "run": RUN}),
        json!({"kind": "tips", "repository": "vive-sphere/bot-manager"}),
        json!({
            "kind": "plan", "delivery": "d-1", "repository": "vive-sphere/bot-manager", "installation": 1, "sha": sha,
            "before": sha, "branch": "develop", "fork": other, "pull_request": 7, "sender": "ada", "title": "A change",
            "tag": true, "forced": true, "base": {"branch": "main", "sha": sha}, "draft": true, "skip": "[skip ci]",
            "admitted": "ada",
        }),
        json!({
            "kind": "asked", "delivery": "d-1", "repository": "vive-sphere/bot-manager", "installation": 1, "by": "ada",
            "about": {"pull": 7}, "comment": 8,
            "commands": ["retest", "test_all", "cancel", {"test": "a"}, {"ok_to_test": sha}, {"malformed": "No."}],
            "tries": 2,
        }),
        json!({
            "kind": "gone", "delivery": "d-1", "repository": "vive-sphere/bot-manager", "installation": 1,
            "line": "pull:7", "why": "the pull request was closed",
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
    let values: Vec<Value> =
        ["null", "true", "[]", "{}", "0", "-1", "1.5", "4294967295", "4294967296", "18446744073709551615"]
            .iter()
            .map(|text| serde_json::from_str(text).expect("JSON"))
            .chain(texts().iter().map(|text| json!(text)))
            .chain(forms())
            .collect();
    let mut taken = 0;
    for message in full() {
        assert!(is_read(&message) && allows(&schema, &message), "{message}");
        for field in message.as_object().expect("fields").keys() {
            let mut left_out = message.clone();
            left_out.as_object_mut().expect("fields").remove(field);
            assert_eq!(allows(&schema, &left_out), is_read(&left_out), "{left_out}");
            for value in values.iter().chain(&of_field(field)) {
                let changed = with(&message, field, value.clone());
                let read = is_read(&changed);
                taken += usize::from(read);
                assert_eq!(allows(&schema, &changed), read, "{changed}");
            }
        }
    }
    assert!(taken > 50, "{taken} of them were read: both say no to nearly everything");
}

/// What is tried of one field alone.
fn of_field(field: &str) -> Vec<Value> {
    match field {
        "about" | "base" | "commands" => forms(),
        "line" => {
            let of_name =
                |name: String| ["branch", "tag", "pull"].map(|kind| json!(format!("{kind}:{name}")));
            let others = ["pull:7", "pull:0", "pull:-1", "line:7"].map(|text| json!(text));
            names().into_iter().flat_map(of_name).chain(others).collect()
        }
        _ => Vec::new(),
    }
}

/// Objects and lists that some field may have, and others beside them.
fn forms() -> Vec<Value> {
    let sha = "0123456789abcdef0123456789abcdef01234567";
    let mut forms = vec![
        json!({"pull": 7}),
        json!({"pull": "7"}),
        json!({"commit": sha}),
        json!({"commit": RUN}),
        json!({"run": RUN}),
        json!({"pull": 7, "commit": sha}),
        json!({"merge": 7}),
        json!({"branch": "main", "sha": sha, "more": 1}),
        json!({"branch": "main"}),
        json!({"branch": "main", "sha": "main"}),
        json!(["retest", "cancel"]),
        json!(["test"]),
        json!([{"test": "a"}, {"ok_to_test": sha}]),
        json!([{"ok_to_test": &sha[1..]}]),
        json!([{"malformed": 1}]),
    ];
    for name in names() {
        forms.push(json!({"branch": name, "sha": sha}));
        forms.push(json!([{"test": name}]));
    }
    forms
}

/// Names that git allows for a branch, and others.
fn names() -> Vec<String> {
    let names = [
        "main",
        "a/b.c",
        "v1.0",
        "@",
        "@a",
        "-a",
        "a-",
        "/a",
        "a/",
        "a//b",
        ".a",
        "a/.b",
        "a..b",
        "a.",
        "a@{b",
        "a.lock",
        "a.lock/b",
        "a.locks",
        "a b",
        "a~",
        "a:b",
        "a*",
        "a\\b",
        "a\n",
        "gh-readonly-queue/main/pr-1",
        "+checks",
        "a+rollback",
        "",
    ];
    names.map(str::to_owned).into_iter().chain([255, 256].map(|length| "a".repeat(length))).collect()
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
