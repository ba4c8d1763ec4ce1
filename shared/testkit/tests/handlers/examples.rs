//! Every example payload that GitHub's own library publishes, through webhook: `@octokit/webhooks-examples`.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use testkit::builders::a_webhook;
use testkit::fakes::World;

use crate::webhook::post;

/// Where infra/doctor.sh puts the package.
const PACKAGE: &str = ".slipway/webhooks-examples/node_modules/@octokit/webhooks-examples";

/// Of github.com, and of the versions of GitHub Enterprise Server.
const FOLDERS: [&str; 6] = ["api.github.com", "ghes-31", "ghes-32", "ghes-33", "ghes-34", "ghes-35"];

/// The examples of a folder: the event's name and its body.
fn examples(folder: &str) -> Vec<(String, Value)> {
    let package: PathBuf = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(PACKAGE);
    let file = package.join(folder).join("index.json");
    let text = std::fs::read_to_string(&file).unwrap_or_else(|error| {
        panic!("`{PACKAGE}/{folder}/index.json` cannot be read ({error}); `make doctor` fetches the package")
    });
    let events: Vec<Value> = serde_json::from_str(&text).expect("the index is a list");
    let of = |event: &Value| {
        let name = event["name"].as_str().expect("an event has a name").to_owned();
        let bodies = event["examples"].as_array().cloned().unwrap_or_default();
        bodies.into_iter().map(move |body| (name.clone(), body)).collect::<Vec<_>>()
    };
    events.iter().flat_map(of).collect()
}

/// How often each kind of answer is given to the bodies, each in a world of its own.
async fn answers(bodies: Vec<(String, Value)>) -> String {
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    for (event, body) in bodies {
        let answer = post(&World::new(), &a_webhook(&event, "delivery-1", &body.to_string())).await;
        let kind = answer.split([':', '}']).take(2).collect::<Vec<_>>().join(":");
        let is_refused = kind.starts_with("400 ");
        assert!(!is_refused || answer.contains("field `"), "{event} {}: {answer}", body["action"]);
        let kind = if is_refused { format!("{event} {answer}") } else { kind };
        *counts.entry(kind.replace(['"', '{', '}'], "")).or_default() += 1;
    }
    counts.iter().map(|(kind, count)| format!("{count:4}  {kind}")).collect::<Vec<_>>().join("\n")
}

#[tokio::test]
async fn every_published_example_is_answered() {
    let all: Vec<_> = FOLDERS.iter().flat_map(|folder| examples(folder)).collect();
    insta::assert_snapshot!(answers(all).await, @"
      4  202 message:asked
    695  202 message:ignored
     24  202 message:planned
      3  202 message:taken note of
    ");
}

/// Most examples are of a repository's own webhook; an App's say which installation they are of.
#[tokio::test]
async fn every_published_example_is_answered_as_an_apps() {
    let mut all: Vec<_> = FOLDERS.iter().flat_map(|folder| examples(folder)).collect();
    for (_, body) in &mut all {
        if body["installation"].is_null() {
            body["installation"] = json!({"id": 1});
        }
    }
    insta::assert_snapshot!(answers(all).await, @"
      4  202 message:asked
    686  202 message:ignored
     30  202 message:planned
      6  202 message:taken note of
    ");
}
