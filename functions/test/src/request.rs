//! What a build is asked for: a pure function of its task, or of the tasks that share it, so that a repeated start is
//! the same start.
//!
//! A stranger's build gets no secret and no cache. The rest of its settings stands in the pipeline file of the branch
//! that it is to be merged into.

use std::collections::{BTreeMap, BTreeSet};

use domain::ids::{AttemptId, RepositoryPath, Trust};
use domain::keys;
use domain::ports::{Answer, Artifacts, BuildOptions, BuildRequest, Fault};
use domain::spec::{BuildSettings, ChecksSpec, IntegrationSpec, StartedService, TestSpec};
use domain::task::{Task, TaskSpec};

/// What every test build does.
const BUILDSPEC: &str = include_str!("../../../infra/buildspecs/test.yml");

/// The variables `SLIPWAY_<…>` in which the services of one build differ.
const OF_EACH: [&str; 3] = ["COMMAND", "REQUIREMENTS", "REPORTS"];

/// What the names of variables begin with that are not the pipeline file's to set.
const RESERVED: [&str; 3] = ["SLIPWAY_", "CODEBUILD_", "AWS_"];

/// The request for the task's attempt. Secrets are named `<secrets_prefix><name>`.
///
/// # Errors
/// When the task has nothing to test.
pub(crate) fn of(task: &Task, artifacts: &impl Artifacts, secrets_prefix: &str) -> Answer<BuildRequest> {
    let (part, attempt) = (Part::of(&task.spec)?, task.attempt_id());
    let result = keys::result_folder(&attempt);
    Ok(request(part, vec![attempt], result, artifacts, secrets_prefix))
}

/// The request for the build that these tasks share: the tests of each, one after the other, in what the first one's
/// settings say. Planning has seen to it that the others' say the same.
///
/// # Errors
/// When one of them is no service with tests.
pub(crate) fn of_sharing(
    tasks: &[Task],
    artifacts: &impl Artifacts,
    secrets_prefix: &str,
) -> Answer<BuildRequest> {
    let part = Part::sharing(tasks)?;
    let first = tasks.first().ok_or_else(|| Fault::reject("nobody shares the build"))?;
    // As a first attempt each of them shares it, whatever has become of it since.
    let attempts = tasks.iter().map(|task| AttemptId { attempt: 1, ..task.attempt_id() }).collect();
    let result = keys::shared_result_folder(&first.run, &first.shares);
    Ok(request(part, attempts, result, artifacts, secrets_prefix))
}

fn request(
    part: Part<'_>,
    attempts: Vec<AttemptId>,
    result: String,
    artifacts: &impl Artifacts,
    secrets_prefix: &str,
) -> BuildRequest {
    let Part { mut variables, settings, requirements } = part;
    let run = &attempts[0].run;
    let secrets = settings.secrets.iter().filter(|(name, _)| is_free(name));
    let names = secrets.clone().map(|(name, _)| name.as_str()).collect::<Vec<_>>().join(" ");
    let mut options = BuildOptions {
        image: settings.image.clone(),
        compute: settings.compute,
        timeout: settings.timeout,
        ..BuildOptions::default()
    };
    match run.trust {
        Trust::Trusted => {
            variables.add("SLIPWAY_SECRETS", names);
            let reference =
                |(name, secret): (&String, &String)| (name.clone(), format!("{secrets_prefix}{secret}"));
            options.secrets = secrets.map(reference).collect();
            // Without a file that the cache's key depends on, one copy would be kept for ever.
            if !requirements.is_empty() {
                options.cache = Some(artifacts.place(&keys::cache(&run.repository)));
                // CodeBuild looks from where it has unpacked the archive, which has one top-level folder.
                let files = requirements.iter().map(|path| format!("*/{}", path.as_str()));
                variables.add("SLIPWAY_CACHE_FILES", files.collect::<Vec<_>>().join(" "));
            }
        }
        Trust::Untrusted => variables.add("SLIPWAY_WITHHELD", names),
    }
    let own = settings.environment.iter().filter(|(name, _)| is_free(name));
    variables.0.extend(own.map(|(name, value)| (name.clone(), value.clone())));
    BuildRequest {
        source: artifacts.place(&keys::source(run)),
        buildspec: BUILDSPEC,
        variables: variables.0,
        options,
        result,
        attempts,
    }
}

/// Whether the pipeline file may set the variable; the file's reader has told whoever tried another one.
fn is_free(name: &str) -> bool {
    !RESERVED.iter().any(|start| name.starts_with(start))
        && name.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_')
        && name.chars().all(|character| character.is_ascii_alphanumeric() || character == '_')
}

/// What the kinds of tasks differ in.
struct Part<'a> {
    variables: Variables,
    settings: &'a BuildSettings,
    requirements: Vec<&'a RepositoryPath>,
}

/// The build's variables; one that would say nothing is left out.
#[derive(Default)]
struct Variables(BTreeMap<String, String>);

impl Variables {
    fn add(&mut self, name: impl Into<String>, value: impl Into<String>) {
        let value = value.into();
        if !value.is_empty() {
            self.0.insert(name.into(), value);
        }
    }
}

impl<'a> Part<'a> {
    fn of(spec: &'a TaskSpec) -> Answer<Self> {
        match spec {
            TaskSpec::Service(service) => match &service.test {
                Some(test) => Ok(Self::service(test)),
                None => Err(Fault::reject(format!("`{}` has nothing to test", service.name))),
            },
            TaskSpec::Integration(integration) => Ok(Self::integration(integration)),
            TaskSpec::Checks(checks) => Ok(Self::checks(checks)),
            TaskSpec::Manifests(_) => Err(Fault::reject("manifests are rendered, not tested")),
        }
    }

    /// What the services share, and each one's own under its number, from 1.
    fn sharing(tasks: &'a [Task]) -> Answer<Self> {
        let mut parts = Vec::new();
        for task in tasks {
            parts.push((task.id.subject.to_string(), Self::of(&task.spec)?));
        }
        let mut variables = Variables::default();
        variables.add("SLIPWAY_KIND", "service");
        variables.add(
            "SLIPWAY_MEMBERS",
            parts.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>().join(" "),
        );
        for (index, (_, part)) in parts.iter().enumerate() {
            for of_each in OF_EACH {
                let value = part.variables.0.get(&format!("SLIPWAY_{of_each}")).cloned();
                variables.add(format!("SLIPWAY_MEMBER_{}_{of_each}", index + 1), value.unwrap_or_default());
            }
        }
        let (_, first) = parts.first().ok_or_else(|| Fault::reject("nobody shares the build"))?;
        let settings = first.settings;
        variables.retries(settings.retries);
        let all: BTreeSet<&RepositoryPath> =
            parts.iter().flat_map(|(_, part)| part.requirements.iter().copied()).collect();
        Ok(Self { variables, settings, requirements: all.into_iter().collect() })
    }

    fn service(test: &'a TestSpec) -> Self {
        let TestSpec { command, requirements, reports, build, .. } = test;
        let mut variables = Variables::default();
        variables.add("SLIPWAY_KIND", "service");
        variables.command(command, requirements, build.retries);
        variables.add("SLIPWAY_REPORTS", joined(reports));
        Self { variables, settings: build, requirements: requirements.iter().collect() }
    }

    fn integration(integration: &'a IntegrationSpec) -> Self {
        let IntegrationSpec { command, requirements, reports, services, build, .. } = integration;
        let mut variables = Variables::default();
        variables.add("SLIPWAY_KIND", "integration");
        variables.command(command, requirements, build.retries);
        variables.add("SLIPWAY_REPORTS", joined(reports));
        variables.services(services);
        Self { variables, settings: build, requirements: requirements.iter().collect() }
    }

    fn checks(checks: &'a ChecksSpec) -> Self {
        let ChecksSpec { flake8, bandit, command, reports, requirements, build, .. } = checks;
        let mut variables = Variables::default();
        variables.add("SLIPWAY_KIND", "checks");
        variables.add("SLIPWAY_FLAKE8_PATHS", joined(flake8));
        variables.add("SLIPWAY_BANDIT_PATHS", joined(bandit));
        if let Some(command) = command {
            variables.command(command, requirements, build.retries);
        }
        variables.add("SLIPWAY_REPORTS", joined(reports));
        let requirements = requirements.iter().filter(|_| command.is_some()).collect();
        Self { variables, settings: build, requirements }
    }
}

impl Variables {
    fn command(&mut self, command: &str, requirements: &[RepositoryPath], retries: u8) {
        self.add("SLIPWAY_COMMAND", command);
        self.add("SLIPWAY_REQUIREMENTS", joined(requirements));
        self.retries(retries);
    }

    fn retries(&mut self, retries: u8) {
        if retries > 0 {
            self.add("SLIPWAY_RETRIES", retries.to_string());
        }
    }

    fn services(&mut self, services: &[StartedService]) {
        if services.is_empty() {
            return;
        }
        self.add("SLIPWAY_SERVICES", services.len().to_string());
        for (index, StartedService { name, start, port, ready }) in services.iter().enumerate() {
            let variable = |part: &str| format!("SLIPWAY_SERVICE_{}_{part}", index + 1);
            self.add(variable("NAME"), name.as_str());
            self.add(variable("START"), start);
            self.add(variable("READY"), format!("http://127.0.0.1:{port}{ready}"));
        }
    }
}

fn joined(paths: &[RepositoryPath]) -> String {
    paths.iter().map(RepositoryPath::as_str).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests;
