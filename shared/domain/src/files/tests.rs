//! Hostile and broken text, the schemas and the references.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use proptest::prelude::*;

use super::shape::{Shape, TextShape};
use super::{operator, pipeline, reference, schema};

mod checked_in;
pub(crate) mod schemas;

fn workspace() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// What a person reads of a text that must be refused, cut where it says what the other tests show.
fn refused(text: impl AsRef<[u8]>) -> String {
    let begun = Instant::now();
    let told = pipeline::parse(text).expect_err("a hostile text").to_string();
    // Far above what it takes, far below what an expansion would take.
    assert!(begun.elapsed() < Duration::from_secs(5), "took {:?}", begun.elapsed());
    told.chars().take(140).collect()
}

/// Nine lists, each of nine aliases to the one before: a billion words in nine lines.
fn billion_laughs() -> String {
    let mut text = "version: 1\nx0: &x0 [lol, lol, lol, lol, lol, lol, lol, lol, lol, lol]\n".to_owned();
    for level in 1..10 {
        let aliases = vec![format!("*x{}", level - 1); 10].join(", ");
        let _ = writeln!(text, "x{level}: &x{level} [{aliases}]");
    }
    text
}

#[test]
fn hostile_text_is_refused_cheaply() {
    let deep = |open: &str, times: usize| format!("version: 1\nservices:\n  {}", open.repeat(times));
    let block: String = (0..400).fold("version: 1\nservices:\n".to_owned(), |mut text, level| {
        let _ = writeln!(text, "{}a:", " ".repeat(level + 1));
        text
    });
    let long = "x".repeat(100_000);
    let repeated = format!("version: 1\nservices:\n  a: {{path: &x {long}}}\n{}", aliased("*x"));
    let broad = format!("version: 1\nchecks: {{flake8: [{}]}}", "[],".repeat(80_000));
    let twice = format!("version: 1\n{}", "version: 1\n".repeat(20_000));
    let told: Vec<String> = [
        billion_laughs().into_bytes(),
        deep("[", 100_000).into_bytes(),
        deep("{a: ", 60_000).into_bytes(),
        deep("- ", 100_000).into_bytes(),
        deep("? ", 100_000).into_bytes(),
        block.into_bytes(),
        repeated.into_bytes(),
        broad.into_bytes(),
        twice.into_bytes(),
        b"version: 1\nservices: &a {b: *a}".to_vec(),
        b"version: 1\nservices: {a: {<<: {}}}".to_vec(),
        b"version: 1\nservices: {[a]: {}}".to_vec(),
        b"%YAML 1.1\n---\nversion: 1".to_vec(),
        b"version: 1\nchecks: {flake8: [caf\xe9/]}".to_vec(),
        b"\xff\xfev\0".to_vec(),
        b"version: 1\n\x00".to_vec(),
        "x".repeat(super::LARGEST_FILE + 1).into_bytes(),
    ]
    .into_iter()
    .map(refused)
    .collect();
    insta::assert_snapshot!(told.join("\n"), @r#"
    line 6, column 25: with what its aliases (`*…`) repeat, the file grows by more than 1048576 bytes
    line 3, column 27: lists and mappings lie in each other deeper than 24 levels
    line 3, column 99: lists and mappings lie in each other deeper than 24 levels
    line 3, column 49: lists and mappings lie in each other deeper than 24 levels
    line 3, column 49: lists and mappings lie in each other deeper than 24 levels
    line 26, column 25: lists and mappings lie in each other deeper than 24 levels
    line 14, column 15: with what its aliases (`*…`) repeat, the file grows by more than 1048576 bytes
    line 2, column 19: expected text, found a list; line 2, column 22: expected text, found a list; line 2, column 25: expected text, found a li
    line 2, column 1: `version` is there twice in the same mapping; keep one of them; line 3, column 1: `version` is there twice in the same map
    line 2, column 18: this alias repeats the very value that it is part of
    line 2, column 16: merge keys (`<<`) are not understood; repeat a whole value with `*name`, or write it out
    line 2, column 12: a key must be a word, not a list or mapping
    line 1, column 1: YAML directives (`%…`) are not allowed
    line 2, column 22: this byte is not UTF-8; save the file in that encoding
    line 1, column 1: this byte is not UTF-8; save the file in that encoding
    line 2, column 1: this is not YAML: the character `\u{0}` cannot stand here
    the file has more than the 262144 bytes that are allowed
    "#);
}

fn aliased(alias: &str) -> String {
    (0..4000).fold(String::new(), |mut text, number| {
        let _ = writeln!(text, "  b{number}: {{path: {alias}}}");
        text
    })
}

#[test]
fn every_problem_is_told_in_order_with_its_place() {
    let file = r"version: 1
services:
  authentication:
    test: {comand: pytest, coverage: 101}
    image: Auth
    helth: none
  authentication: {}
  Gateway: {}
  worker: {path: 7, manifests: a.yaml, health: {port: http}}
  on: {path: &shared ../outside}
  off: {path: *shared}
integration:
notifications: {slack: deploys, email: [me]}
check: {}
";
    let told = pipeline::parse(file).expect_err("many problems").0;
    let told: Vec<String> = told.iter().map(ToString::to_string).collect();
    insta::assert_snapshot!(told.join("\n"), @r"
    line 4, column 12: unknown field `comand`; did you mean `command`? allowed: `command`, `coverage`, `not_below_base`, `reports`, `retries`, `environment`, `secrets`, `image`, `compute`, `timeout`
    line 4, column 38: expected a percentage without `%`, 0 to 100, found the number `101`; `none` is allowed too
    line 5, column 12: `Auth` is not a valid image name: 2 to 256 of a-z and 0-9, single `.`, `_`, `-` or `/` between them, and no tag; `none` is allowed too
    line 6, column 5: unknown field `helth`; did you mean `health`? allowed: `path`, `test`, `depends_on`, `image`, `dockerfile`, `build`, `manifests`, `kustomize`, `helm`, `values`, `pre_deploy`, `post_deploy`, `on_failure`, `health`
    line 7, column 3: `authentication` is there twice in the same mapping; keep one of them
    line 8, column 3: `Gateway` is not a valid service name: 1 to 63 of a-z, 0-9, `_` and `-`, beginning with a letter or digit
    line 9, column 18: expected text, found the number `7`; put it in quotes
    line 9, column 32: expected a list (`[…]` or lines with `-`), found the text `a.yaml`
    line 9, column 55: expected a port, 1 to 65535, found the text `http`
    line 10, column 22: `../outside` is not a valid path: a relative path of at most 255 characters without spaces, `..`, `\` or control characters
    line 13, column 24: `deploys` is not a valid Slack channel: `#` and 1 to 80 of a-z, 0-9, `-` and `_` (in quotes, since `#` begins a comment)
    line 13, column 41: `me` is not a valid e-mail address: `name@domain` in plain ASCII, at most 254 characters
    line 14, column 1: unknown field `check`; did you mean `checks`? allowed: `version`, `services`, `libraries`, `global`, `integration`, `checks`, `max_parallel_builds`, `shared_builds`, `older_runs`, `drafts`, `notifications`
    ");
}

#[test]
fn at_most_fifty_problems_are_told_and_the_rest_counted() {
    let fields = (0..2000).fold("version: 1\n".to_owned(), |mut text, number| {
        let _ = writeln!(text, "field{number}: 1");
        text
    });
    let told = pipeline::parse(fields).expect_err("many problems").0;
    assert_eq!(told.len(), 51);
    assert_eq!(told[0].line, Some(2));
    assert_eq!(told[50].to_string(), "and 1950 more problems");
}

#[test]
fn yaml_is_read_as_people_write_it() {
    for (text, accepted) in [
        ("version: 1", true),
        ("\u{feff}version: 1", true),
        ("---\nversion: 1\n...\n", true),
        ("version: 1\r\nchecks:\r\n  flake8: []\r\n", true),
        ("version: 1\nservices: ~", true),
        ("version: 1\nservices: {a: null, b: }", true),
        ("version: 1\nchecks: {flake8: &f [a, b], bandit: *f}", true),
        ("version: 1\nintegration:\n  command: >-\n    pytest\n    -v", true),
        ("version: 1\nintegration:\n  command: |\n    pytest\n", false),
        ("version: 1\nintegration: {command: 'true'}", true),
        ("version: 1\nintegration: {command: true}", false),
        ("version: 1\nintegration: {command: 0x10}", false),
        ("version: 1\nintegration: {command: .5}", false),
        ("version: 1\nintegration: {command: 1.2.3}", true),
        ("version: 1\nintegration: {command: -v}", true),
        ("version: 1\nintegration: {command: yes}", true),
        ("version: '1'", false),
        ("version: 1.0", false),
    ] {
        assert_eq!(pipeline::parse(text).is_ok(), accepted, "{text:?}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn arbitrary_bytes_are_read_or_explained(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        explained(&bytes)?;
    }

    #[test]
    fn arbitrary_yaml_is_read_or_explained(
        pieces in prop::collection::vec(prop::sample::select(PIECES), 0..120)
    ) {
        explained(pieces.concat().as_bytes())?;
    }
}

/// What YAML is made of, so that random text gets further than its first character.
const PIECES: &[&str] = &[
    "version: 1\n",
    "services:",
    "checks:",
    "flake8:",
    "a",
    "b: ",
    "\n",
    "\n  ",
    "\n    ",
    "- ",
    "[",
    "]",
    "{",
    "}",
    ", ",
    ": ",
    "&a ",
    "*a",
    "&b ",
    "*b",
    "!!str ",
    "!x ",
    "'",
    "\"",
    "\\x",
    "|",
    ">-",
    "#",
    "? ",
    "<<: ",
    "none",
    "80",
    "---\n",
    "...\n",
    "%",
    "\t",
    "\u{feff}",
    "ü",
];

/// Whatever the text is, reading ends fast, and a refusal has words and places within the text.
fn explained(bytes: &[u8]) -> Result<(), TestCaseError> {
    let begun = Instant::now();
    let lines = bytes.split(|byte| matches!(byte, b'\n' | b'\r')).count();
    for errors in [pipeline::parse(bytes).err(), operator::parse(bytes).err()].into_iter().flatten() {
        prop_assert!(!errors.0.is_empty() && errors.0.len() <= super::MOST_PROBLEMS + 1);
        for error in errors.0 {
            prop_assert!(!error.message.is_empty() && !error.message.contains('\n'));
            prop_assert!(error.line.is_none_or(|line| line >= 1 && line as usize <= lines + 1), "{error}");
        }
    }
    prop_assert!(begun.elapsed() < Duration::from_secs(2));
    Ok(())
}
