//! The variables that the template sets against those that the functions read.

use std::collections::BTreeSet;

use domain::ids::Stage;
use domain::message::QueueName;

use super::Findings;
use super::checkout::Checkout;
use super::template::{FILE, Function, Template};

/// The only file that may read the environment.
const READER: &str = "shared/lambda/src/config.rs";

pub(super) fn check(template: &Template, checkout: &Checkout) -> anyhow::Result<Findings> {
    let mut findings = Findings::new();
    for function in &template.functions {
        let path = format!("functions/{}/src/main.rs", function.name);
        let read = read_by(function, checkout)?;
        for name in read.iter().filter(|name| !function.variables.contains_key(*name)) {
            findings.push(format!(
                "{path}: reads `{name}`; set it for the function `{}` in {FILE}",
                function.name
            ));
        }
        for name in function.variables.keys().filter(|name| !read.contains(*name)) {
            findings.push(format!(
                "{FILE}: function `{}` is given `{name}`, which nobody reads; remove it",
                function.name
            ));
        }
        for (name, value) in &function.variables {
            if let Some(expected) = queue_resource(name)
                && expected != *value
            {
                findings.push(format!(
                    "{FILE}: `{name}` of `{}` is set to `{value}`; it names `{expected}`",
                    function.name
                ));
            }
        }
    }
    for path in checkout.below("functions/", ".rs").chain(checkout.below("shared/", ".rs")) {
        if path != READER && path.contains("/src/") && checkout.text(path)?.contains("env::var") {
            findings.push(format!(
                "{path}: reads the environment; only {READER} does, so that all is reported at once"
            ));
        }
    }
    Ok(findings)
}

/// The queues whose names stand in the function's main.
pub(super) fn queues_named(function: &Function, checkout: &Checkout) -> anyhow::Result<Vec<QueueName>> {
    let main = checkout.text(&format!("functions/{}/src/main.rs", function.name))?;
    let stages = Stage::ALL
        .into_iter()
        .map(|stage| (QueueName::Stage(stage), format!("QueueName::Stage(Stage::{stage:?})")));
    let others = [QueueName::Plan, QueueName::Notify].map(|name| (name, format!("QueueName::{name:?}")));
    Ok(others
        .into_iter()
        .chain(stages)
        .filter(|(_, text)| main.contains(text))
        .map(|(name, _)| name)
        .collect())
}

fn read_by(function: &Function, checkout: &Checkout) -> anyhow::Result<BTreeSet<String>> {
    let source = checkout.texts(&format!("functions/{}/src/", function.name), ".rs")?;
    let mut names: BTreeSet<String> = BTreeSet::new();
    for call in [".text(\"", "::optional(\""] {
        let arguments = source.split(call).skip(1).filter_map(|rest| rest.split_once('"'));
        names.extend(arguments.map(|(name, _)| name.to_owned()));
    }
    names.extend(queues_named(function, checkout)?.into_iter().map(|queue| queue.variable().to_owned()));
    Ok(names)
}

/// The queue that a variable like `PLAN_QUEUE_URL` holds: `PlanQueue`.
pub(super) fn queue_resource(variable: &str) -> Option<String> {
    let name = variable.strip_suffix("_QUEUE_URL")?;
    let (first, rest) = name.split_at_checked(1)?;
    Some(format!("{first}{}Queue", rest.to_lowercase()))
}
