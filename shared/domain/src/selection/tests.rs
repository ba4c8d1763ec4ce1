//! What a change concerns, in words, and what keys depend on.

use std::fmt::Write as _;

use proptest::prelude::*;

use super::*;
use crate::message::PlanRequest;
use crate::planning::plan;
use crate::ports::{ChangedFile, Changes, Comparison};
use crate::spec::Reads;

mod keys;

const FILES: &[&str] = &[
    "README.md",
    "LICENSE",
    "CODEOWNERS",
    "pyproject.toml",
    "requirements-dev.txt",
    "constraints.txt",
    "backend/conftest.py",
    "backend/notes.txt",
    "backend/auth/Dockerfile",
    "backend/auth/README.md",
    "backend/auth/requirements.txt",
    "backend/auth/auth/app.py",
    "backend/auth/tests/test_auth.py",
    "backend/auth2/Dockerfile",
    "backend/auth2/app.py",
    "backend/common/tokens.py",
    "docs/conf.py",
    "infrastructure/ci_cd/pipeline.yaml",
    "infrastructure/kubernetes/auth-deployment.yaml",
    "infrastructure/kubernetes/auth2-deployment.yaml",
    "infrastructure/kubernetes/redis-deployment.yaml",
    "integration_tests/test_all.py",
];

fn a_plan() -> Plan {
    let file = b"version: 1\nglobal: [constraints.txt]\n";
    plan(Some(file), &FILES.iter().copied().collect()).expect("a plan")
}

fn a_request() -> PlanRequest {
    PlanRequest {
        delivery: "a".parse().expect("an id"),
        repository: "vive/bots".parse().expect("a repository"),
        installation: 1,
        sha: "0".repeat(40).parse().expect("a commit"),
        before: None,
        branch: "main".to_owned(),
        tag: false,
        forced: false,
        fork: None,
        pull_request: None,
        sender: "ada".to_owned(),
        title: String::new(),
        base: None,
        draft: false,
        skip: None,
        admitted: None,
    }
}

fn changed(path: &str) -> ChangedFile {
    ChangedFile { path: path.to_owned(), previous: None, patch: None }
}

fn changes(paths: &[&str]) -> Changes {
    Changes {
        comparison: Comparison::Ahead,
        merge_base: "1".repeat(40).parse().expect("a commit"),
        files: paths.iter().map(|path| changed(path)).collect(),
        truncated: false,
    }
}

/// What a change means, one line for each test.
fn told(request: &PlanRequest, changes: Option<&Changes>) -> String {
    let plan = a_plan();
    let reach = Reach::of(&plan, request, changes);
    affected(&plan, &reach).into_iter().fold(String::new(), |mut told, (subject, affected, why)| {
        let _ = writeln!(told, "{} {subject}: {why}", if affected { "+" } else { "-" });
        told
    })
}

#[test]
fn a_change_concerns_who_reads_it() {
    let told: Vec<String> = [
        &["backend/auth/auth/app.py"][..],
        &["backend/auth2/app.py", "README.md", "backend/auth2/tests/test_new.py"],
        &["backend/common/tokens.py", "backend/common/more.py", "backend/auth/README.md"],
        &["backend/conftest.py", "pyproject.toml"],
        &["README.md", "LICENSE", "backend/notes.txt", "CODEOWNERS", "backend/CHANGELOG.RST"],
        &["infrastructure/kubernetes/auth-deployment.yaml"],
        &["integration_tests/test_all.py", "docs/conf.py"],
        &["backend/auth.py", "backend/auth-old/app.py"],
        &[],
    ]
    .into_iter()
    .map(|paths| format!("{}\n{}", paths.join(" "), told(&a_request(), Some(&changes(paths)))))
    .collect();
    insta::assert_snapshot!(told.join("\n"), @"
    backend/auth/auth/app.py
    + auth: `backend/auth/auth/app.py` changed, which lies in its folder
    - auth2: it does not read the 1 changed file
    + +checks: `backend/auth/auth/app.py` changed, which the checks read
    + +integration: `backend/auth/auth/app.py` changed, which the integration tests read

    backend/auth2/app.py README.md backend/auth2/tests/test_new.py
    - auth: it reads none of the 3 changed files
    + auth2: `backend/auth2/app.py` changed, which lies in its folder, and 1 more file
    + +checks: `backend/auth2/app.py` changed, which the checks read, and 1 more file
    + +integration: `backend/auth2/app.py` changed, which the integration tests read, and 1 more file

    backend/common/tokens.py backend/common/more.py backend/auth/README.md
    + auth: `backend/common/tokens.py` changed, which it depends on, and 2 more files
    + auth2: `backend/common/tokens.py` changed, which it depends on, and 1 more file
    + +checks: `backend/common/tokens.py` changed, which the checks read, and 2 more files
    + +integration: `backend/common/tokens.py` changed, which the integration tests read, and 2 more files

    backend/conftest.py pyproject.toml
    + auth: `backend/conftest.py` changed, which it depends on, and 1 more file
    + auth2: `backend/conftest.py` changed, which it depends on, and 1 more file
    + +checks: `backend/conftest.py` changed, which the checks read, and 1 more file
    + +integration: `backend/conftest.py` changed, which the integration tests read, and 1 more file

    README.md LICENSE backend/notes.txt CODEOWNERS backend/CHANGELOG.RST
    - auth: it reads none of the 5 changed files
    - auth2: it reads none of the 5 changed files
    + +checks: `backend/notes.txt` changed, which the checks read, and 1 more file
    - +integration: it reads none of the 5 changed files

    infrastructure/kubernetes/auth-deployment.yaml
    - auth: it does not read the 1 changed file
    - auth2: it does not read the 1 changed file
    - +checks: it does not read the 1 changed file
    - +integration: it does not read the 1 changed file

    integration_tests/test_all.py docs/conf.py
    - auth: it reads none of the 2 changed files
    - auth2: it reads none of the 2 changed files
    + +checks: `docs/conf.py` changed, which the checks read
    + +integration: `integration_tests/test_all.py` changed, which the integration tests read

    backend/auth.py backend/auth-old/app.py
    + auth: `backend/auth.py` changed, which it depends on
    + auth2: `backend/auth.py` changed, which it depends on
    + +checks: `backend/auth.py` changed, which the checks read, and 1 more file
    + +integration: `backend/auth.py` changed, which the integration tests read


    - auth: no file changed
    - auth2: no file changed
    - +checks: no file changed
    - +integration: no file changed
    ");
}

#[test]
fn a_move_counts_where_the_file_lay_too() {
    let mut moved = changes(&["elsewhere/app.py"]);
    moved.files[0].previous = Some("backend/auth2/app.py".to_owned());
    insta::assert_snapshot!(told(&a_request(), Some(&moved)), @"
    - auth: it does not read the 1 changed file
    + auth2: `backend/auth2/app.py` changed, which lies in its folder
    + +checks: `backend/auth2/app.py` changed, which the checks read
    + +integration: `backend/auth2/app.py` changed, which the integration tests read
    ");
    moved.files[0].previous = Some("constraints.txt".to_owned());
    insta::assert_snapshot!(told(&a_request(), Some(&moved)), @"
    + auth: everything counts as changed: `constraints.txt` changed, which is `global`
    + auth2: everything counts as changed: `constraints.txt` changed, which is `global`
    + +checks: everything counts as changed: `constraints.txt` changed, which is `global`
    + +integration: everything counts as changed: `constraints.txt` changed, which is `global`
    ");
}

/// Where nobody can tell what changed, the sentence that says why; none where the files are known.
fn doubt(request: &PlanRequest, changes: Option<&Changes>) -> Option<String> {
    match Reach::of(&a_plan(), request, changes) {
        Reach::Everything { why } => Some(why),
        Reach::Files(_) => None,
    }
}

#[test]
fn in_doubt_everything_counts_as_changed() {
    let push = a_request();
    let pull = PlanRequest { pull_request: Some(7), ..a_request() };
    let with = |comparison| Changes { comparison, ..changes(&["backend/auth/auth/app.py"]) };
    let many: Vec<String> = (0..300).map(|number| format!("docs/{number}.md")).collect();
    let many = changes(&many.iter().map(String::as_str).collect::<Vec<_>>());
    let told: Vec<Option<String>> = vec![
        doubt(&PlanRequest { tag: true, ..a_request() }, Some(&with(Comparison::Ahead))),
        doubt(&PlanRequest { forced: true, ..a_request() }, Some(&with(Comparison::Ahead))),
        doubt(&push, None),
        doubt(&push, Some(&with(Comparison::Diverged))),
        doubt(&push, Some(&with(Comparison::Behind))),
        doubt(&push, Some(&many)),
        doubt(&pull, Some(&Changes { truncated: true, ..changes(&[]) })),
        doubt(&pull, None),
        doubt(&push, Some(&changes(&["README.md", "infrastructure/ci_cd/pipeline.yaml"]))),
        doubt(&pull, Some(&changes(&["constraints.txt"]))),
    ];
    let told: Vec<String> = told.into_iter().map(|why| why.expect("a doubt")).collect();
    insta::assert_snapshot!(told.join("\n"), @"
    a tag is compared with nothing
    the branch was pushed with force
    there is no commit to compare with: the one before is unknown, or has no history in common with this one
    the branch was pushed with force
    the branch was moved back
    GitHub shows no more than 300 changed files, and there may be more
    GitHub shows no more than 300 changed files, and there may be more
    there is no commit to compare with: the one before is unknown, or has no history in common with this one
    `infrastructure/ci_cd/pipeline.yaml` changed, which says how everything is tested
    `constraints.txt` changed, which is `global`
    ");
    for comparison in [Comparison::Ahead, Comparison::Behind, Comparison::Identical, Comparison::Diverged] {
        assert_eq!(doubt(&pull, Some(&with(comparison))), None, "{comparison:?}");
        let forced = PlanRequest { forced: true, ..pull.clone() };
        assert_eq!(doubt(&forced, Some(&with(comparison))), None, "forced, {comparison:?}");
    }
    assert_eq!(doubt(&push, Some(&with(Comparison::Ahead))), None);
    assert_eq!(doubt(&push, Some(&with(Comparison::Identical))), None);
}

#[test]
fn hostile_paths_are_shown_cut_and_clean() {
    let long = format!("backend/auth2/{}", "x".repeat(5000));
    for (path, expected) in [
        (
            "backend/auth2/`](http://evil) **\u{202e}bold**\n# Title",
            "`backend/auth2/'](http://evil) **bold** # Title` changed",
        ),
        ("backend/auth2/\u{1b}[31mred\u{0}", "`backend/auth2/red` changed"),
        ("backend/\u{1b}[31m", "`backend/` changed"),
        ("\u{202e}", "a file whose name cannot be shown changed, which it depends on"),
        (long.as_str(), "xxx…` changed"),
        ("../../backend/auth2/app.py", "it does not read the 1 changed file"),
        ("/backend/auth2/app.py", "it does not read the 1 changed file"),
        ("", "it does not read the 1 changed file"),
    ] {
        let told = told(&a_request(), Some(&changes(&[path])));
        let line = told.lines().find(|line| line.contains(" auth2: ")).expect("a line for the service");
        assert!(line.contains(expected), "{line}");
        assert!(line.chars().count() < 300 && told.lines().count() == 4, "{told}");
    }
}

proptest! {
    #[test]
    fn any_paths_are_judged_without_a_panic(paths in prop::collection::vec("\\PC{0,30}|(backend|docs|\\.)(/\\PC{0,9}){0,3}", 0..9)) {
        let paths: Vec<&str> = paths.iter().map(String::as_str).collect();
        for (_, _, why) in affected(&a_plan(), &Reach::of(&a_plan(), &a_request(), Some(&changes(&paths)))) {
            prop_assert!(!why.is_empty() && !why.contains('\n'));
        }
    }
}
