//! How source files and the Makefile look.

use std::collections::BTreeMap;

use super::Findings;
use super::checkout::Checkout;

const LONGEST_FILE: usize = 400;
const LONGEST_MAIN: usize = 40;

/// Files that are written by hand.
const WRITTEN: [&str; 9] = [".rs", ".py", ".sh", ".toml", ".yaml", ".yml", ".md", "Makefile", "Dockerfile"];

/// Texts that none of them holds, and why. Each stands here in two halves, or this file would be the first finding.
const FORBIDDEN: [(&str, &str, &str); 5] = [
    ("#[igno", "re", "a test that never runs is no test; delete it or make it run"),
    (".unw", "rap()", "say with `expect` what cannot be, or return the error"),
    ("TO", "DO", "do it, or write an issue"),
    ("FIX", "ME", "do it, or write an issue"),
    ("deny(warn", "ings)", "severity belongs to CI"),
];

/// The front door's verbs.
const VERBS: [&str; 7] = ["doctor", "build", "demo", "test", "sam", "up", "down"];

pub(super) fn check(checkout: &Checkout) -> anyhow::Result<Findings> {
    let mut findings = Findings::new();
    for path in checkout.below("", ".rs") {
        let text = checkout.text(path)?;
        let lines = text.lines().count();
        if lines > LONGEST_FILE {
            findings.push(format!("{path}: {lines} lines; split it, {LONGEST_FILE} are the most"));
        }
        if path.starts_with("functions/") && path.ends_with("src/main.rs") && lines > LONGEST_MAIN {
            findings.push(format!("{path}: {lines} lines; main only wires, {LONGEST_MAIN} are the most"));
        }
        if !text.starts_with("//!") {
            findings.push(format!("{path}: begin with a `//!` sentence that says what it is for"));
        }
        if path.contains("tests/") && text.contains(concat!("thread::sl", "eep")) {
            findings.push(format!("{path}: a test never sleeps; wait for a condition with a deadline"));
        }
    }
    for path in WRITTEN.iter().flat_map(|ending| checkout.below("", ending)) {
        let text = checkout.text(path)?;
        for (one, other, remedy) in FORBIDDEN {
            let pattern = format!("{one}{other}");
            for (number, _) in text.lines().enumerate().filter(|(_, line)| line.contains(&pattern)) {
                findings.push(format!("{path}:{}: `{pattern}`: {remedy}", number + 1));
            }
        }
    }
    findings.extend(kept_twice(checkout)?);
    Ok(findings)
}

/// Files of test data with the same content. The example is left out: its services stand alone, as in a repository
/// whose services have different owners.
fn kept_twice(checkout: &Checkout) -> anyhow::Result<Findings> {
    let mut known: BTreeMap<Vec<u8>, &str> = BTreeMap::new();
    let mut findings = Findings::new();
    let endings = ["json", "xml", "yaml", "yml", "txt", "zip", "pem", "toml"];
    for path in endings.iter().flat_map(|ending| checkout.below("", ending)) {
        let bytes = checkout.bytes(path)?;
        if bytes.is_empty() || path.starts_with("infra/example/") {
            continue;
        }
        if let Some(other) = known.insert(bytes, path) {
            findings.push(format!("{path}: the same as {other}; keep one and read it from there"));
        }
    }
    Ok(findings)
}

pub(super) fn check_makefile(text: &str) -> Findings {
    let rules: Vec<&str> =
        text.lines().filter_map(|line| line.split_once(':')).map(|(name, _)| name).collect();
    let phony = text.lines().find_map(|line| line.strip_prefix(".PHONY:")).unwrap_or_default();
    VERBS
        .iter()
        .filter(|verb| !rules.contains(verb) || !phony.split_whitespace().any(|name| name == **verb))
        .map(|verb| format!("Makefile: no phony rule `{verb}`; the README and CI call it"))
        .collect()
}

#[test]
fn a_missing_verb_is_found() {
    let complete = ".PHONY: doctor build demo test sam up down\ndoctor:\nbuild:\ndemo: build\ntest: build\nsam: build\nup: build\n\
                    down:\n";
    assert_eq!(check_makefile(complete), Findings::new());
    assert_eq!(check_makefile(&complete.replace("down:", "gone:")).len(), 1);
}
