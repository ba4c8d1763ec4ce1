//! What a person, or a program, reads of the findings.

use std::collections::HashMap;

use domain::files::operator::OperatorFile;
use domain::run::Problem;
use serde_json::{Value, json};

use super::excerpt::{Excerpt, excerpt, visible};
use super::{Findings, Good, folder, plan, read};
use crate::output;

/// For programs: whether all is well, the problems, and the plan where one was made.
pub(super) fn json(findings: &Findings) -> Value {
    let plan = match &findings.good {
        Good::Plan(plan) => json!(plan),
        Good::Operator(_) | Good::Alone | Good::Nothing => Value::Null,
    };
    json!({
        "name": findings.name,
        "valid": findings.problems.is_empty(),
        "problems": findings.problems,
        "plan": plan,
    })
}

/// For people.
pub(super) fn print(findings: &Findings) {
    let mut sources: HashMap<&str, Option<String>> = HashMap::new();
    for problem in &findings.problems {
        let source = sources.entry(&problem.path).or_insert_with(|| {
            let bytes = read(&findings.root.join(&problem.path)).ok()?;
            Some(String::from_utf8_lossy(&bytes).into_owned())
        });
        show(findings, problem, source.as_deref());
    }
    match (&findings.good, findings.problems.len()) {
        (Good::Plan(plan), _) => plan::show(&findings.name, plan),
        (Good::Operator(file), _) => show_operator(&findings.name, file),
        (Good::Alone, _) => {
            output::good(&format!("`{}` is a good pipeline file.", findings.name));
            output::detail(
                "It lies in no repository, so nothing was held against files: name a repository's folder.",
            );
        }
        (Good::Nothing, 1) => output::bad("1 problem"),
        (Good::Nothing, count) => output::bad(&format!("{count} problems")),
    }
}

fn show(findings: &Findings, problem: &Problem, source: Option<&str>) {
    let number = |number: Option<u32>| number.map(|number| format!(":{number}")).unwrap_or_default();
    // A file's name is as hostile as what it holds.
    let path: String = folder::joined(&findings.root, &problem.path).chars().map(visible).collect();
    output::problem(&format!("{path}{}{}", number(problem.line), number(problem.column)), &problem.message);
    if let (Some(line), Some(column), Some(source)) = (problem.line, problem.column, source)
        && let Some(Excerpt { text, before, width }) = excerpt(source, line, column)
    {
        output::excerpt(line, &text, before, width);
    }
}

fn show_operator(name: &str, file: &OperatorFile) {
    output::good(&format!("`{name}` is good. The stack would serve:"));
    for repository in &file.repositories {
        output::title(repository.name.as_str());
        output::detail(&format!("installation {}", repository.installation));
        for name in &repository.environments {
            if let Some(environment) = file.environments.get(name) {
                output::detail(&format!(
                    "{} to {name}, namespace {}",
                    joined(&environment.branches),
                    environment.namespace
                ));
            }
        }
    }
}

pub(super) fn joined<T: ToString>(names: &[T]) -> String {
    names.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}
