//! The suite knows every function there is.

use std::collections::BTreeSet;
use std::path::Path;

use domain::ids::Stage;
use domain::message::QueueName;

use crate::Handler;
use crate::coverage::{KINDS, Met, STAGE_KINDS, STATES, handler_of};

/// What the scenarios of a handler should have met and have not.
pub fn not_met(handler: Handler, met: &BTreeSet<Met>) -> Vec<&'static str> {
    let is_stage = Stage::ALL.into_iter().any(|stage| handler_of(QueueName::Stage(stage)) == handler);
    let kinds = KINDS.into_iter().filter(|(of, _)| *of == handler).map(|(_, kind)| kind);
    // deploy concludes where it starts: nothing of it goes on by itself.
    let ends_at_once = matches!(handler, Handler::Deploy);
    let states = STATES.into_iter().filter(|state| !(ends_at_once && *state == "running"));
    let states = states.chain(STAGE_KINDS).filter(|_| is_stage);
    kinds.chain(states).filter(|word| !met.contains(&(handler, word))).collect()
}

fn root() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."))
}

fn known() -> BTreeSet<String> {
    Handler::ALL.iter().map(|handler| handler.name().to_owned()).collect()
}

#[test]
fn every_folder_of_a_function_is_in_the_suite() {
    let folders: BTreeSet<_> = std::fs::read_dir(root().join("functions"))
        .expect("the checkout has functions")
        .filter_map(Result::ok)
        .filter(|entry| entry.path().join("Cargo.toml").exists())
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .collect();
    assert_eq!(folders, known(), "list the function in tests/redelivery/main.rs and give it scenarios");
}

#[test]
fn every_function_of_the_template_is_in_the_suite() {
    let template =
        std::fs::read_to_string(root().join("template.yaml")).expect("the checkout has a template");
    let binaries: BTreeSet<_> = template
        .lines()
        .filter_map(|line| line.trim().strip_prefix("Binary: slipway-"))
        .map(str::to_owned)
        .collect();
    let functions = template.lines().filter(|line| line.trim() == "Type: AWS::Serverless::Function").count();
    assert_eq!(functions, binaries.len(), "every function names its binary");
    assert_eq!(binaries, known(), "list the function in tests/redelivery/main.rs and give it scenarios");
}

#[test]
fn every_kind_of_message_is_in_the_suite() {
    let schema = domain::message::schema::messages();
    let forms = schema["anyOf"].as_array().expect("the schema lists the forms");
    let kinds: BTreeSet<_> =
        forms.iter().filter_map(|form| form.pointer("/properties/kind/const")?.as_str()).collect();
    let known: BTreeSet<_> = KINDS.into_iter().map(|(_, kind)| kind).chain(STAGE_KINDS).collect();
    assert_eq!(kinds, known, "list the kind in tests/redelivery/coverage.rs and give it scenarios");
}

#[test]
fn every_handler_has_scenarios_with_names_of_their_own() {
    for handler in Handler::ALL {
        let names: Vec<_> = handler.scenarios().iter().map(|scenario| scenario.name).collect();
        assert!(!names.is_empty(), "{} has no scenario", handler.name());
        assert_eq!(names.iter().collect::<BTreeSet<_>>().len(), names.len(), "{names:?}");
    }
}
