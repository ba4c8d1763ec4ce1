//! Schema and reader say the same: what the schema allows is read, and what is read the schema allows.

use regex_lite::Regex;
use serde_json::{Value, json};

use super::super::reader::NamedText;
use super::super::{
    ChannelName, Command, ContainerImage, Dependency, DnsLabel, HealthPath, ImageName, LibraryName,
    MailAddress, SecretReference, ValueName, VariableName, VariableValue,
};
use super::*;
use crate::ids::{
    AwsRegion, BranchName, EksClusterName, EnvironmentName, KubeconfigName, RepositoryName, RepositoryPath,
    ServiceName,
};

/// The keywords that our schemas use. One that is not known here is a fault of this test, not a pass.
pub(crate) fn allows(schema: &Value, value: &Value) -> bool {
    let schema = schema.as_object().expect("a schema is an object");
    schema.iter().all(|(keyword, rule)| match keyword.as_str() {
        "$schema" | "title" | "description" => true,
        "type" => match rule.as_array() {
            Some(kinds) => kinds.iter().any(|kind| is_a(kind, value)),
            None => is_a(rule, value),
        },
        "const" => value == rule,
        "enum" => rule.as_array().expect("a list").contains(value),
        "anyOf" => rule.as_array().expect("a list").iter().any(|schema| allows(schema, value)),
        "not" => !allows(rule, value),
        "pattern" => {
            let pattern = Regex::new(rule.as_str().expect("a pattern")).expect("a pattern");
            value.as_str().is_none_or(|text| pattern.is_match(text))
        }
        "minLength" => value.as_str().is_none_or(|text| text.chars().count() as u64 >= number(rule)),
        "maxLength" => value.as_str().is_none_or(|text| text.chars().count() as u64 <= number(rule)),
        "minimum" => {
            value.as_i64().is_none_or(|value| u64::try_from(value).is_ok_and(|value| value >= number(rule)))
        }
        "maximum" => value.as_u64().is_none_or(|value| value <= number(rule)),
        "required" => value.as_object().is_none_or(|value| {
            rule.as_array()
                .expect("a list")
                .iter()
                .all(|key| value.contains_key(key.as_str().expect("a key")))
        }),
        "properties" => value.as_object().is_none_or(|value| {
            value.iter().all(|(key, value)| rule.get(key).is_none_or(|schema| allows(schema, value)))
        }),
        "additionalProperties" => value.as_object().is_none_or(|value| {
            let known = schema.get("properties").and_then(Value::as_object);
            let mut others =
                value.iter().filter(|(key, _)| known.is_none_or(|known| !known.contains_key(*key)));
            match rule {
                Value::Bool(allowed) => *allowed || others.next().is_none(),
                schema => others.all(|(_, value)| allows(schema, value)),
            }
        }),
        "propertyNames" => {
            value.as_object().is_none_or(|value| value.keys().all(|key| allows(rule, &json!(key))))
        }
        "items" => value.as_array().is_none_or(|items| items.iter().all(|item| allows(rule, item))),
        other => panic!("keyword {other}"),
    })
}

fn is_a(kind: &Value, value: &Value) -> bool {
    match kind.as_str().expect("a type") {
        "object" => value.is_object(),
        "array" => value.is_array(),
        "string" => value.is_string(),
        "integer" => value.is_u64() || value.is_i64(),
        "boolean" => value.is_boolean(),
        "null" => value.is_null(),
        other => panic!("type {other}"),
    }
}

fn number(rule: &Value) -> u64 {
    rule.as_u64().expect("a number")
}

fn yaml(text: &str) -> Value {
    serde_saphyr::from_str(text).expect("YAML")
}

/// The text and what schema and reader say of it, which must be the same.
fn agree(schema: &Value, text: &str, read: bool) {
    assert_eq!(allows(schema, &yaml(text)), read, "{text}");
}

#[test]
fn the_files_of_the_project_fit_their_schemas() {
    let text = |path: &str| std::fs::read_to_string(workspace().join(path)).expect(path);
    let (of_pipeline, of_operator) = (schema::pipeline_file(), schema::operator_file());
    let pipelines =
        [text("infra/example/infrastructure/ci_cd/pipeline.yaml"), snippet(&text("docs/pipeline-file.md"))];
    for text in &pipelines {
        pipeline::parse(text).expect("a file that is read");
        agree(&of_pipeline, text, true);
    }
    let mut operators = vec![snippet(&text("docs/operator-file.md"))];
    for entry in workspace().join("infra/params").read_dir().expect("a folder").flatten() {
        operators.push(std::fs::read_to_string(entry.path()).expect("an operator's file"));
    }
    assert!(operators.len() >= 3);
    for text in &operators {
        operator::parse(text).expect("a file that is read");
        agree(&of_operator, text, true);
    }
}

/// The first YAML in a text of `docs/`.
fn snippet(markdown: &str) -> String {
    let (_, rest) = markdown.split_once("```yaml\n").expect("a snippet");
    rest.split_once("```").expect("the snippet's end").0.to_owned()
}

#[test]
fn schema_and_reader_agree() {
    let of_pipeline = schema::pipeline_file();
    for text in [
        "version: 1",
        "version: 2",
        "{}",
        "[]",
        "{version: 1, services: {a: {}, b: null}}",
        "{version: 1, services: {A: {}}}",
        "{version: 1, services: {a: {path: ../b}}}",
        "{version: 1, services: {a: {path: a..b/c.d}}}",
        "{version: 1, services: {a: {image: none, health: none}}}",
        "{version: 1, services: {a: {image: a__b}}}",
        "{version: 1, services: {a: {test: {coverage: 100}}}}",
        "{version: 1, services: {a: {test: {coverage: 101}}}}",
        "{version: 1, services: {a: {test: {coverage: none}}}}",
        "{version: 1, services: {a: {test: {cov: 1}}}}",
        "{version: 1, services: {a: {health: {port: 65535}}}}",
        "{version: 1, services: {a: {health: {port: 0}}}}",
        "{version: 1, services: {a: {health: {path: /a/../b}}}}",
        "{version: 1, services: {a: {manifests: [a, b]}}}",
        "{version: 1, services: {a: {manifests: [1]}}}",
        "{version: 1, services: []}",
        "{version: 1, integration: {}}",
        "{version: 1, integration: {command: ' '}}",
        "{version: 1, integration: {command: make}}",
        "{version: 1, notifications: {slack: '#a', email: [a@b]}}",
        "{version: 1, notifications: {slack: a}}",
        "{version: 1, notifications: {email: [a]}}",
        "{version: 1, notification: {}}",
        "{version: 1, services: {a: {path: null, test: null, image: null, health: null}}, checks: null}",
        "{version: 1, checks: {flake8: [null]}}",
        "{version: 1, integration: {command: null}}",
        "{version: 1, global: [a, b/], libraries: {c: null, d: {path: e, depends_on: [c, f/g]}}}",
        "{version: 1, libraries: {C: {}}}",
        "{version: 1, libraries: {c: {depends_on: [../a]}}}",
        "{version: 1, global: [1]}",
        "{version: 1, max_parallel_builds: 100, older_runs: cancel, drafts: skip}",
        "{version: 1, max_parallel_builds: 0}",
        "{version: 1, max_parallel_builds: 101}",
        "{version: 1, older_runs: null}",
        "{version: 1, older_runs: Cancel}",
        "{version: 1, drafts: true}",
        "{version: 1, services: {a: {depends_on: []}, b: {depends_on: [a, x/]}}}",
        "{version: 1, services: {a: {depends_on: a}}}",
        "{version: 1, services: {a: {test: {not_below_base: false, retries: 5, timeout: 480}}}}",
        "{version: 1, services: {a: {test: {not_below_base: 1}}}}",
        "{version: 1, services: {a: {test: {not_below_base: 'true'}}}}",
        "{version: 1, services: {a: {test: {retries: 6}}}}",
        "{version: 1, services: {a: {test: {timeout: 4}}}}",
        "{version: 1, services: {a: {test: {timeout: 481}}}}",
        "{version: 1, services: {a: {test: {compute: 2xlarge, image: 'python:3.12@sha256:0'}}}}",
        "{version: 1, services: {a: {test: {compute: null, image: null}}}}",
        "{version: 1, services: {a: {test: {compute: huge}}}}",
        "{version: 1, services: {a: {test: {image: -x}}}}",
        "{version: 1, services: {a: {test: {environment: {A: '', b_1: x y}, secrets: {C: d, E: 'f/g:h'}}}}}",
        "{version: 1, services: {a: {test: {environment: {1A: x}}}}}",
        "{version: 1, services: {a: {test: {environment: {AWS_REGION: x}}}}}",
        "{version: 1, services: {a: {test: {environment: {CODEBUILD: x}}}}}",
        "{version: 1, services: {a: {test: {environment: {A: 1}}}}}",
        "{version: 1, services: {a: {test: {environment: {A: null}}}}}",
        "{version: 1, services: {a: {test: {secrets: {A: /b}}}}}",
        "{version: 1, services: {a: {test: {secrets: {A: 'b:c:d'}}}}}",
        "{version: 1, integration: {services: [{name: a, start: b, port: 1}], reports: [x.xml], retries: 1}}",
        "{version: 1, integration: {services: [{name: a, start: b, port: 1, ready: x}]}}",
        "{version: 1, integration: {services: [{name: a, port: 1}]}}",
        "{version: 1, integration: {services: {a: {start: b, port: 1}}}}",
        "{version: 1, checks: {severity: high, command: make, depends_on: [], timeout: 5}}",
        "{version: 1, checks: {severity: critical}}",
        "{version: 1, checks: {retries: 1}}",
    ] {
        agree(&of_pipeline, text, pipeline::parse(text).is_ok());
    }
}

#[test]
fn schema_and_reader_agree_on_the_operators_file() {
    let of_operator = schema::operator_file();
    for (there, instead) in [
        ("version: 1", "version: 1"),
        ("installation: 1", "installation: 0"),
        ("installation: 1", "installation: -1"),
        ("installation: 1", "installation: '1'"),
        ("a/b", "a/.."),
        ("a/b", "a"),
        ("kubeconfig: true", "kubeconfig: false"),
        ("kubeconfig: true", "kubeconfig: blue"),
        ("kubeconfig: true", "kubeconfig: Blue"),
        ("kubeconfig: true", "kubeconfig: 'true'"),
        ("kubeconfig: true", "eks: Prod_1"),
        ("kubeconfig: true", "eks: prod, region: eu-west-1"),
        ("kubeconfig: true", "eks: prod, region: null"),
        ("kubeconfig: true", "eks: prod, region: west"),
        ("kubeconfig: true", "eks: prod, kubeconfig: true"),
        ("kubeconfig: true", "kubeconfig: true, region: eu-west-1"),
        ("kubeconfig: true", "eks: true"),
        ("{kubeconfig: true}", "{}"),
        ("{kubeconfig: true}", "blue"),
        ("[main]", "[main, a..b]"),
        ("[main]", "[]"),
        ("[main]", "[feature/x.lock]"),
        (", namespace: dev", ""),
        ("notifications: {}", "notifications: {mail: a@b}"),
    ] {
        let text = "{version: 1, repositories: [{name: a/b, installation: 1, environments: [dev]}], environments: \
                    {dev: {branches: [main], cluster: {kubeconfig: true}, namespace: dev}}, notifications: {}}";
        assert!(text.contains(there), "{there}");
        let text = text.replacen(there, instead, 1);
        agree(&of_operator, &text, operator::parse(&text).is_ok());
    }
}

#[test]
fn schema_and_reader_agree_on_where_manifests_come_from() {
    let of_pipeline = schema::pipeline_file();
    for text in [
        "{version: 1, services: {a: {kustomize: 'k/{environment}'}}}",
        "{version: 1, services: {a: {kustomize: [k]}}}",
        "{version: 1, services: {a: {helm: {chart: c, release: r, values: [v, 'w-{environment}']}}}}",
        "{version: 1, services: {a: {helm: {release: r}}}}",
        "{version: 1, services: {a: {helm: {chart: c, set: {}}}}}",
        "{version: 1, services: {a: {values: {dev: {a: 1, b: -2, c: true, d: text, e-f: '1'}, prod: null}}}}",
        "{version: 1, services: {a: {values: {dev: {a: 1.5}}}}}",
        "{version: 1, services: {a: {values: {dev: {a: null}}}}}",
        "{version: 1, services: {a: {values: {dev: {a: [1]}}}}}",
        "{version: 1, services: {a: {values: {dev: {1a: x}}}}}",
        "{version: 1, services: {a: {values: {Dev: {a: x}}}}}",
    ] {
        agree(&of_pipeline, text, pipeline::parse(text).is_ok());
    }
}

/// Whether a type accepts a text.
type Check = fn(&str) -> bool;

/// A text form with the check of its type.
fn forms() -> Vec<(TextShape, Check)> {
    fn form<T: NamedText + std::str::FromStr>() -> (TextShape, Check) {
        (T::text_shape(), |text| text.parse::<T>().is_ok())
    }
    vec![
        form::<Command>(),
        form::<ImageName>(),
        form::<HealthPath>(),
        form::<DnsLabel>(),
        form::<ChannelName>(),
        form::<MailAddress>(),
        form::<RepositoryPath>(),
        form::<ServiceName>(),
        form::<EnvironmentName>(),
        form::<RepositoryName>(),
        form::<BranchName>(),
        form::<KubeconfigName>(),
        form::<EksClusterName>(),
        form::<AwsRegion>(),
        form::<VariableName>(),
        form::<VariableValue>(),
        form::<SecretReference>(),
        form::<ContainerImage>(),
        form::<LibraryName>(),
        form::<Dependency>(),
        form::<ValueName>(),
    ]
}

fn fits(form: &TextShape, text: &str) -> bool {
    let matches = |pattern: &str| Regex::new(pattern).expect("a pattern").is_match(text);
    let length = u32::try_from(text.chars().count()).expect("a short text");
    matches(form.pattern)
        && !form.unless.is_some_and(matches)
        && form.length.is_none_or(|(fewest, most)| (fewest..=most).contains(&length))
}

proptest! {
    /// ASCII only: some checks count bytes, all patterns count characters.
    #[test]
    fn patterns_say_what_the_checks_say(text in "[ -~]{0,12}|[A-Z_]{0,4}(AWS|SLIPWAY)?_?[A-Za-z0-9_]{0,130}|[a-z/]{0,9}:?[a-z@=+/]{0,9}|[a-z0-9./@#_-]{0,90}|[a-z]{1,9}(/|//|[.][.]?|@|#)[a-z]{0,9}|/[a-z./]{0,9}") {
        for (form, check) in forms() {
            prop_assert_eq!(fits(&form, &text), check(&text), "{} {:?}", form.kind, &text);
        }
    }

    /// What fits a pattern is what nobody else would think of writing.
    #[test]
    fn what_fits_a_pattern_is_read(
        text in prop::sample::select(forms().into_iter().map(|(form, _)| form.pattern).collect::<Vec<_>>())
            .prop_flat_map(|pattern| prop::string::string_regex(pattern.trim_matches(['^', '$'])).expect("a pattern"))
    ) {
        prop_assume!(text.is_ascii());
        for (form, check) in forms() {
            prop_assert_eq!(fits(&form, &text), check(&text), "{} {:?}", form.kind, &text);
        }
    }
}
