//! The variables that the template sets against those that the functions read.

use std::collections::BTreeSet;

use domain::ids::Stage;
use domain::message::QueueName;

use super::Findings;
use super::checkout::Checkout;
use super::template::{FILE, Function, Template, arn_of};

/// The only file that may read the environment.
const READER: &str = "shared/lambda/src/config.rs";

/// Where a function sets aside what it cannot read.
const DEAD_LETTERS: &str = "DEAD_LETTERS_URL";

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
        if let Some(letters) = function.variables.get(DEAD_LETTERS)
            && !own_dead_letters(function, template).any(|own| own == letters)
        {
            findings.push(format!(
                "{FILE}: `{DEAD_LETTERS}` of `{}` is set to `{letters}`; it names the dead letters of the queue that wakes it",
                function.name
            ));
        }
    }
    for path in checkout.below("functions/", ".rs").chain(checkout.below("shared/", ".rs")) {
        // Tests that write a checked-in file anew are asked by a variable to do so.
        let text = checkout.text(path)?;
        let shipped = if path.contains("/tests/") || path.ends_with("/tests.rs") {
            ""
        } else {
            text.split("#[cfg(test)]").next().unwrap_or("")
        };
        if path != READER && path.contains("/src/") && shipped.contains("env::var") {
            findings.push(format!(
                "{path}: reads the environment; only {READER} does, so that all is reported at once"
            ));
        }
    }
    Ok(findings)
}

/// The queues of the dead letters of those that wake the function.
pub(super) fn own_dead_letters<'a>(
    function: &'a Function,
    template: &'a Template,
) -> impl Iterator<Item = &'a str> {
    let redrive =
        |queue: &String| template.properties(queue)?["RedrivePolicy"]["deadLetterTargetArn"].as_str();
    function.sources.iter().filter_map(move |(queue, _)| redrive(queue)).filter_map(arn_of)
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
