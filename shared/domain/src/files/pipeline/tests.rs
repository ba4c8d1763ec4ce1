//! The pipeline file: what is read, and what is refused with its line.

use proptest::prelude::*;

use super::*;

const FULL: &str = r##"version: 1
services:
  authentication:
    path: backend/authentication
    test: {command: "pytest backend/authentication/tests/ -v", coverage: 80}
    depends_on: [common, proto/]
    image: vive-sphere/authentication
    dockerfile: backend/authentication/Dockerfile
    manifests: [infrastructure/kubernetes/auth-deployment.yaml]
    health: {path: /api/v1/auth/health, service: api-gateway, port: 8000}
  bot_manager: {}
  api_gateway:
  redis: {image: none, health: none, manifests: [infrastructure/kubernetes/redis.yaml]}
libraries: {common: {path: backend/common, depends_on: [proto/]}}
global: [constraints.txt]
integration:
  command: "pytest integration_tests/ -v"
  services: [{name: redis, start: "redis-server --port 6379", port: 6379, ready: /}]
checks: {flake8: [backend/, docs/], bandit: [backend/], severity: high, command: make lint, compute: small}
max_parallel_builds: 10
older_runs: cancel
drafts: skip
notifications: {slack: "#vivesphere-deploys", email: [team@vivesphere.example]}
"##;

fn error(text: &str) -> String {
    match parse(text) {
        Ok(file) => panic!("accepted: {file:?}"),
        Err(errors) => errors.to_string().replace("; line", "\nline"),
    }
}

#[test]
fn the_full_form_is_read() {
    let services = parse(FULL).expect("the documented form").services.expect("services");
    let names: Vec<&str> = services.keys().map(ServiceName::as_str).collect();
    assert_eq!(names, ["api_gateway", "authentication", "bot_manager", "redis"]);
    let entry = |name: &str| services[&name.parse::<ServiceName>().expect("a name")].clone();
    let authentication = entry("authentication").expect("an entry");
    let coverage = authentication.test.and_then(|test| test.coverage);
    assert_eq!(coverage.as_ref().and_then(OrNone::value).map(|percent| percent.get()), Some(80));
    assert_eq!(
        authentication.health.as_ref().and_then(OrNone::value).and_then(|health| health.port?.get().into()),
        Some(8000)
    );
    assert_eq!(entry("redis").expect("an entry").image, Some(OrNone::None));
    assert_eq!(entry("api_gateway"), None);
    assert!(parse("version: 1").is_ok());
}

#[test]
fn errors_read_well() {
    let bomb = format!("version: 1\nservices: {}", "[".repeat(100_000));
    let mut told: Vec<String> = [
        ("services:", "servces:"),
        ("coverage: 80", "coverage: 180"),
        ("coverage: 80", "coverage: lots"),
        ("coverage: 80", "cov: 80"),
        ("image: vive-sphere/authentication", "image: false"),
        ("image: vive-sphere/authentication", "image: Vive:1"),
        ("path: /api", "path: api"),
        ("port: 8000", "port: 0"),
        ("port: 8000", "port: 80000"),
        ("health: {path: /api/v1/auth/health, service: api-gateway, port: 8000}", "health: /health"),
        ("version: 1", "version: 2"),
        ("version: 1\n", ""),
        ("  bot_manager: {}", "  Bot: {}"),
        ("  bot_manager: {}", "  authentication: {}"),
        ("path: backend/authentication", "path: ../x"),
        ("path: backend/authentication", "path: [x]"),
        ("\"pytest integration_tests/ -v\"", "\" \""),
        ("\"pytest integration_tests/ -v\"", "\"a\\0b\""),
        ("severity: high", "severity: hihg"),
        ("compute: small", "compute: 4"),
        ("compute: small", "timeout: 3"),
        ("compute: small", "environment: {AWS_REGION: x, B: 1, C: \"a\\nb\"}"),
        ("compute: small", "secrets: {TOKEN: /stack/test/pypi, B: \"a:b:c\"}"),
        ("compute: small", "retries: 1"),
        ("compute: small", "image: -v"),
        ("older_runs: cancel", "older_runs: stop"),
        ("drafts: skip", "drafts: never"),
        ("max_parallel_builds: 10", "max_parallel_builds: 1000"),
        ("[common, proto/]", "[common, ../proto]"),
        ("{common: {path: backend/common, depends_on: [proto/]}}", "{Common: {pth: a}}"),
        ("name: redis, ", ""),
        (", port: 6379", ", prt: 6379"),
        ("\"#vivesphere-deploys\"", "vivesphere"),
        ("[team@vivesphere.example]", "[team]"),
        ("[team@vivesphere.example]", "team@vivesphere.example"),
        ("checks:", "checks: *a"),
        ("checks:", "\tchecks:"),
        ("services:", "services: !ruby/object"),
        ("services:", "---\nservices:"),
    ]
    .into_iter()
    .map(|(there, instead)| {
        assert!(FULL.contains(there), "{there}");
        error(&FULL.replacen(there, instead, 1))
    })
    .collect();
    told.extend([error(""), error("[]"), error(&bomb), error(&" ".repeat(300_000))]);
    insta::assert_snapshot!(told.join("\n"), @r"
    line 2, column 1: unknown field `servces`; did you mean `services`? allowed: `version`, `services`, `libraries`, `global`, `integration`, `checks`, `max_parallel_builds`, `shared_builds`, `older_runs`, `drafts`, `notifications`
    line 5, column 74: expected a percentage without `%`, 0 to 100, found the number `180`; `none` is allowed too
    line 5, column 74: expected a percentage without `%`, 0 to 100, found the text `lots`; `none` is allowed too
    line 5, column 64: unknown field `cov`; allowed: `command`, `coverage`, `not_below_base`, `reports`, `retries`, `environment`, `secrets`, `image`, `compute`, `timeout`
    line 7, column 12: expected text, found `false`; put it in quotes; `none` is allowed too
    line 7, column 12: `Vive:1` is not a valid image name: 2 to 256 of a-z and 0-9, single `.`, `_`, `-` or `/` between them, and no tag; `none` is allowed too
    line 10, column 20: `api/v1/auth/health` is not a valid health path: begins with `/`, at most 255 of letters, digits and `-._~/%?=&`, no `..`
    line 10, column 69: expected a port, 1 to 65535, found the number `0`
    line 10, column 69: expected a port, 1 to 65535, found the number `80000`
    line 10, column 13: expected a mapping (`key: value`), found the text `/health`; allowed keys: `path`, `service`, `port`; `none` is allowed too
    line 1, column 10: version 2 is not known; this Slipway reads `version: 1`
    line 1, column 1: the field `version` is missing: it must be `1`
    line 11, column 3: `Bot` is not a valid service name: 1 to 63 of a-z, 0-9, `_` and `-`, beginning with a letter or digit
    line 11, column 3: `authentication` is there twice in the same mapping; keep one of them
    line 4, column 11: `../x` is not a valid path: a relative path of at most 255 characters without spaces, `..`, `\` or control characters
    line 4, column 11: expected text, found a list
    line 17, column 12: `` is not a valid command: one line of 1 to 4096 characters without control characters
    line 17, column 12: `ab` is not a valid command: one line of 1 to 4096 characters without control characters
    line 19, column 67: expected a severity, one of `low`, `medium`, `high`, found the text `hihg`; did you mean `high`?
    line 19, column 102: expected a size, one of `small`, `medium`, `large`, `xlarge`, `2xlarge`, found the number `4`
    line 19, column 102: expected a number of minutes, 5 to 480, found the number `3`
    line 19, column 107: `AWS_REGION` is not a valid variable name: 1 to 128 of letters, digits and `_`, not beginning with a digit, nor with `SLIPWAY_`, `CODEBUILD_` or `AWS_`, which the build itself sets
    line 19, column 125: expected text, found the number `1`; put it in quotes
    line 19, column 131: `a` is not a valid value of a variable: one line of at most 4096 bytes without control characters
    line 19, column 110: `/stack/test/pypi` is not a valid secret: `<secret>` or `<secret>:<JSON key>`; a secret's name is 1 to 256 of letters, digits and `/_+=.@-`, not beginning with `/`; a key is 1 to 128 of the same
    line 19, column 131: `a:b:c` is not a valid secret: `<secret>` or `<secret>:<JSON key>`; a secret's name is 1 to 256 of letters, digits and `/_+=.@-`, not beginning with `/`; a key is 1 to 128 of the same
    line 19, column 93: unknown field `retries`; allowed: `flake8`, `bandit`, `severity`, `command`, `reports`, `depends_on`, `environment`, `secrets`, `image`, `compute`, `timeout`
    line 19, column 100: `-v` is not a valid container image: 1 to 255 of letters, digits and `._-/:@`, beginning with a letter or digit
    line 21, column 13: expected what becomes of older runs, one of `finish`, `cancel`, found the text `stop`
    line 22, column 9: expected what becomes of drafts, one of `test`, `skip`, found the text `never`
    line 20, column 22: expected a number of builds, 1 to 100, found the number `1000`
    line 6, column 26: `../proto` is not a valid dependency: the name of a service or library, or a relative path of at most 255 characters without spaces, `..`, `\` or control characters
    line 14, column 13: `Common` is not a valid library name: 1 to 63 of a-z, 0-9, `_` and `-`, beginning with a letter or digit
    line 14, column 22: unknown field `pth`; did you mean `path`? allowed: `path`, `depends_on`
    line 18, column 14: the field `name` is missing: it must be text (service name: 1 to 63 of a-z, 0-9, `_` and `-`, beginning with a letter or digit)
    line 18, column 63: unknown field `prt`; did you mean `port`? allowed: `name`, `start`, `port`, `ready`
    line 23, column 24: `vivesphere` is not a valid Slack channel: `#` and 1 to 80 of a-z, 0-9, `-` and `_` (in quotes, since `#` begins a comment)
    line 23, column 55: `team` is not a valid e-mail address: `name@domain` in plain ASCII, at most 254 characters
    line 23, column 54: expected a list (`[…]` or lines with `-`), found the text `team@vivesphere.example`
    line 19, column 9: `*a` repeats nothing: no `&a` stands before it
    line 19, column 12: this is not YAML: while parsing a block mapping, did not find expected key
    line 19, column 2: a tab stands where YAML wants spaces
    line 2, column 11: the tag `!ruby/object` is not allowed; quotes make text of a value, and no tag is needed
    line 2, column 1: the file must be one document, without a second `---`
    the file is empty; it begins with `version: 1`
    line 1, column 1: expected a mapping (`key: value`), found a list; allowed keys: `version`, `services`, `libraries`, `global`, `integration`, `checks`, `max_parallel_builds`, `shared_builds`, `older_runs`, `drafts`, `notifications`
    line 2, column 35: lists and mappings lie in each other deeper than 24 levels
    the file has more than the 262144 bytes that are allowed
    ");
}

#[test]
fn repetition_stays_cheap() {
    let mut bomb = "version: 1\nchecks:\n  flake8: &x0 [a, a, a, a, a, a, a, a, a]\n".to_owned();
    bomb.push_str("  bandit: [*x0, *x0]\n");
    assert!(parse(&bomb).is_err());
    let levels =
        (1..12).map(|level| format!("&x{level} [{}]", vec![format!("*x{}", level - 1); 9].join(", ")));
    let nested = format!("version: 1\nservices: [&x0 [a], {}]", levels.collect::<Vec<_>>().join(", "));
    assert!(parse(&nested).is_err());
}

proptest! {
    #[test]
    fn arbitrary_text_never_panics(text in "(version: 1\n)?.{0,200}") {
        let _ = parse(&text);
    }

    #[test]
    fn a_damaged_file_never_panics(place in 0..FULL.len(), character in any::<char>()) {
        let place = FULL.floor_char_boundary(place);
        let mut text = FULL.to_owned();
        text.insert(place, character);
        let _ = parse(&text);
        let _ = parse(&FULL[..place]);
    }
}
