//! The JSON Schema of every message that the queues take, for whoever writes one by hand or by a program.
//!
//! Draft 7, as the schemas of the two files. The forms of names are those that [`crate::ids`] checks; a test asks the
//! parser itself which kinds, fields and values it takes, and compares.

use serde_json::{Map, Value, json};

const SHA: &str = "[0-9a-f]{40}";
const REPOSITORY: &str = "[A-Za-z0-9-]{1,39}/[A-Za-z0-9._-]{1,100}";
const SERVICE: &str = "[a-z0-9][a-z0-9_-]{0,62}";
/// What a branch's name is made of, and the beginnings, ends and rows of signs that it must not have.
const BRANCH: &str = r"[^\x00-\x20\x7f-\x9f~^:?*\[\\]+";
const NO_BRANCH: &str = r"(@$|-|/|\.|.*(/$|//|/\.|\.\.|\.$|@\{|\.lock(/|$)))";
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
        kind(
            "preview",
            "deploy's queue: tell what merging the run's pull request would change in the cluster. plan writes it; again, it changes nothing.",
            &[run()],
            &["run"],
        ),
        kind(
            "verified",
            "publish's queue: let the tags follow what a task of verify has passed. verify writes it; at any time, it finds the newest.",
            &[run(), task()],
            &["run", "task"],
        ),
        kind(
            "scanned",
            "publish's queue: look at the tasks that wait for the scan of an image. ECR's event says the same.",
            &[
                ("repository", words("The repository in the registry")),
                ("digest", text("^sha256:[0-9a-f]{64}$", "The image")),
            ],
            &["repository", "digest"],
        ),
        kind("notify", "notify's queue: tell the state of a run.", &[run()], &["run"]),
        kind(
            "tips",
            "plan's queue: compare the repository's branches with what is known of them.",
            &[("repository", repository("The repository"))],
            &["repository"],
        ),
        plan(),
        asked(),
        gone(),
        build_event(),
        scan_event(),
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
            delivery(),
            ("repository", repository("The repository whose installation sent it")),
            ("installation", number(u64::MAX, "The App installation")),
            ("sha", text(&format!("^{SHA}$"), "The commit")),
            ("before", optional(text(&format!("^{SHA}$"), "The branch's commit before the push"))),
            ("branch", words("The branch or tag pushed to, or the pull request's head branch")),
            ("fork", optional(repository("Where the commit came from when not from the repository itself"))),
            ("pull_request", optional(number(u64::MAX, "The pull request's number"))),
            ("sender", words("The login of who did it")),
            ("title", words("The first line of the commit's message or the pull request's title")),
            ("tag", flag("Whether `branch` is a tag; left out, no")),
            ("forced", flag("Whether the push was not a fast-forward; left out, no")),
            ("base", optional(base())),
            ("draft", flag("Whether the pull request is a draft; left out, no")),
            (
                "skip",
                optional(words("The words of the commit's message that ask for no run, such as `[skip ci]`")),
            ),
            ("admitted", optional(words("The login of who admitted exactly this commit of a stranger"))),
        ],
        &["delivery", "repository", "installation", "sha", "branch", "sender", "title"],
    )
}

fn asked() -> Value {
    let mut commands = json!({"description": "What is asked, in order", "type": "array"});
    commands["items"] = command();
    kind(
        "asked",
        "plan's queue: a person's wish from GitHub. Whether he may have it is looked up there when the message is read.",
        &[
            delivery(),
            ("repository", repository("The repository whose installation sent it")),
            ("installation", number(u64::MAX, "The App installation")),
            ("by", words("The login of who asks")),
            ("about", about()),
            ("comment", optional(number(u64::MAX, "The comment that asks, to be answered"))),
            ("commands", commands),
            (
                "tries",
                number(
                    u32::MAX.into(),
                    "How often it had to wait because another side did not answer; left out, never",
                ),
            ),
        ],
        &["delivery", "repository", "installation", "by", "about", "commands"],
    )
}

fn about() -> Value {
    let forms = [
        one("pull", &number(u64::MAX, "The newest commit of the pull request of this number")),
        one("commit", &text(&format!("^{SHA}$"), "A commit, whoever offered it")),
        one("run", &run().1),
    ];
    json!({"description": "What it is about", "anyOf": forms})
}

fn command() -> Value {
    let subject = format!("^({SERVICE}(\\+rollback)?|\\+checks|\\+integration)$");
    let forms = [
        json!({"const": "retest"}),
        json!({"const": "test_all"}),
        json!({"const": "cancel"}),
        one("test", &text(&subject, "A test by its subject: a service, `+checks` or `+integration`")),
        one("ok_to_test", &text(&format!("^{SHA}$"), "The commit of a stranger that is admitted")),
        one("malformed", &words("What to write instead")),
    ];
    json!({"anyOf": forms})
}

/// An object with one field, whose name is the variant.
fn one(name: &str, schema: &Value) -> Value {
    json!({"type": "object", "additionalProperties": false, "properties": {name: schema}, "required": [name]})
}

fn gone() -> Value {
    kind(
        "gone",
        "plan's queue: a branch, tag or pull request that is there no more. Nobody waits for its run.",
        &[
            delivery(),
            ("repository", repository("The repository whose installation sent it")),
            ("installation", number(u64::MAX, "The App installation")),
            line(),
            ("why", words("What became of it, as a sentence: `the branch was deleted`")),
        ],
        &["delivery", "repository", "installation", "line", "why"],
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
                "description": format!("`additional-information.environment.environment-variables` holds `{}`: `<run>/<stage>/<subject>/<attempt>`, or several with spaces between", super::TASK_VARIABLE),
            },
        },
        "required": ["detail-type", "detail"],
    })
}

/// ECR's event: of everything in it only the image is read.
fn scan_event() -> Value {
    let detail = json!({
        "type": "object",
        "properties": {
            "repository-name": words("The repository in the registry"),
            "image-digest": text("^sha256:[0-9a-f]{64}$", "The image"),
        },
        "required": ["repository-name", "image-digest"],
    });
    json!({
        "title": "ECR Image Scan",
        "description": "publish's queue: ECR tells that the scan of an image has ended.",
        "type": "object",
        "properties": {"detail-type": {"const": "ECR Image Scan"}, "detail": detail},
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

fn delivery() -> (&'static str, Value) {
    ("delivery", text("^[A-Za-z0-9-]{1,64}$", "GitHub's id of the delivery"))
}

fn line() -> (&'static str, Value) {
    let named = |kind: &str| {
        let mut schema = branch(&format!("{kind}:"));
        schema["title"] = json!(kind);
        schema
    };
    let pull = json!({"title": "pull", "type": "string", "pattern": "^pull:(0|[1-9][0-9]{0,18})$"});
    let about = "What is gone: `branch:<name>`, `tag:<name>` or `pull:<number>`";
    ("line", json!({"description": about, "anyOf": [named("branch"), named("tag"), pull]}))
}

/// A branch's name after that beginning.
fn branch(beginning: &str) -> Value {
    json!({
        "type": "string",
        "pattern": format!("^{beginning}{BRANCH}$"),
        "not": {"type": "string", "pattern": format!("^{beginning}{NO_BRANCH}")},
        "maxLength": beginning.len() + 255,
    })
}

fn base() -> Value {
    let branch = branch("");
    let sha = text(&format!("^{SHA}$"), "Its tip when the event was sent");
    json!({
        "description": "Where the pull request or the merge queue's group is to be merged",
        "type": "object",
        "properties": {"branch": branch, "sha": sha},
        "required": ["branch", "sha"],
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
mod tests;
