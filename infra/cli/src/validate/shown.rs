//! What a person, or a program, reads of the findings.

use std::collections::HashMap;

use domain::files::operator::OperatorFile;
use domain::ids::Stage;
use domain::run::Problem;
use domain::spec::{Plan, ServiceSpec};
use serde_json::{Value, json};

use super::excerpt::{Excerpt, excerpt, visible};
use super::{Findings, Good, folder, read};
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
        (Good::Plan(plan), _) => show_plan(&findings.name, plan),
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

fn show_plan(name: &str, plan: &Plan) {
    output::good(&format!("`{name}` is good. A push would run:"));
    for service in &plan.services {
        show_service(service);
    }
    if let Some(checks) = &plan.checks {
        output::title("checks");
        for (tool, folders) in [("flake8", &checks.flake8), ("bandit", &checks.bandit)] {
            if !folders.is_empty() {
                output::detail(&format!("{tool:<8} {}", joined(folders)));
            }
        }
    }
    if let Some(integration) = &plan.integration {
        output::title("integration");
        output::detail(&format!("{:<8} {}", Stage::Test.as_str(), integration.command));
    }
    if !plan.notes.is_empty() {
        output::title("notes");
        plan.notes.iter().for_each(|note| output::detail(note));
    }
}

/// What a branch that the operator delivers goes through; any other ends after the tests.
fn show_service(service: &ServiceSpec) {
    let stage = |stage: Stage, what: &str| output::detail(&format!("{:<8} {what}", stage.as_str()));
    output::title(service.name.as_str());
    if let Some(test) = &service.test {
        let coverage = test.coverage.map(|percent| format!(" (coverage at least {percent} %)"));
        stage(Stage::Test, &format!("{}{}", test.command, coverage.unwrap_or_default()));
    }
    if let Some(image) = &service.image {
        stage(Stage::Build, &format!("{} from {}", image.repository, image.dockerfile));
    }
    stage(Stage::Deploy, &joined(&service.manifests));
    if let Some(health) = &service.health {
        stage(Stage::Verify, &format!("{}:{}{}", health.service, health.port, health.path));
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

fn joined<T: ToString>(names: &[T]) -> String {
    names.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}
