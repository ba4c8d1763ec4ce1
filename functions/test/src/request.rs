//! What a task's build is asked for: a pure function of the task, so that a repeated start is the same start.
//!
//! A stranger's build gets no secret and no cache. The rest of its settings stands in the pipeline file of the branch
//! that it is to be merged into.

use std::collections::BTreeMap;

use domain::ids::{RepositoryPath, Trust};
use domain::keys;
use domain::ports::{Answer, Artifacts, BuildOptions, BuildRequest, Fault};
use domain::spec::{BuildSettings, ChecksSpec, IntegrationSpec, StartedService, TestSpec};
use domain::task::{Task, TaskSpec};

/// What every test build does.
const BUILDSPEC: &str = include_str!("../../../infra/buildspecs/test.yml");

/// What the names of variables begin with that are not the pipeline file's to set.
const RESERVED: [&str; 3] = ["SLIPWAY_", "CODEBUILD_", "AWS_"];

/// The request for the task's attempt. Secrets are named `<secrets_prefix><name>`.
///
/// # Errors
/// When the task has nothing to test.
pub(crate) fn of(task: &Task, artifacts: &impl Artifacts, secrets_prefix: &str) -> Answer<BuildRequest> {
    let attempt = task.attempt_id();
    let Part { mut variables, settings, requirements } = Part::of(&task.spec)?;
    let secrets = settings.secrets.iter().filter(|(name, _)| is_free(name));
    let names = secrets.clone().map(|(name, _)| name.as_str()).collect::<Vec<_>>().join(" ");
    let mut options = BuildOptions {
        image: settings.image.clone(),
        compute: settings.compute,
        timeout: settings.timeout,
        ..BuildOptions::default()
    };
    match attempt.run.trust {
        Trust::Trusted => {
            variables.add("SLIPWAY_SECRETS", names);
            let reference =
                |(name, secret): (&String, &String)| (name.clone(), format!("{secrets_prefix}{secret}"));
            options.secrets = secrets.map(reference).collect();
            // Without a file that the cache's key depends on, one copy would be kept for ever.
            if !requirements.is_empty() {
                options.cache = Some(artifacts.place(&keys::cache(&attempt.run.repository)));
                // CodeBuild looks from where it has unpacked the archive, which has one top-level folder.
                let files = requirements.iter().map(|path| format!("*/{}", path.as_str()));
                variables.add("SLIPWAY_CACHE_FILES", files.collect::<Vec<_>>().join(" "));
            }
        }
        Trust::Untrusted => variables.add("SLIPWAY_WITHHELD", names),
    }
    let own = settings.environment.iter().filter(|(name, _)| is_free(name));
    variables.0.extend(own.map(|(name, value)| (name.clone(), value.clone())));
    Ok(BuildRequest {
        source: artifacts.place(&keys::source(&attempt.run)),
        buildspec: BUILDSPEC,
        variables: variables.0,
        options,
        result: keys::result_folder(&attempt),
        attempt,
    })
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
    requirements: &'a [RepositoryPath],
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
        }
    }

    fn service(test: &'a TestSpec) -> Self {
        let TestSpec { command, requirements, reports, build, .. } = test;
        let mut variables = Variables::default();
        variables.add("SLIPWAY_KIND", "service");
        variables.command(command, requirements, build.retries);
        variables.add("SLIPWAY_REPORTS", joined(reports));
        Self { variables, settings: build, requirements }
    }

    fn integration(integration: &'a IntegrationSpec) -> Self {
        let IntegrationSpec { command, requirements, reports, services, build, .. } = integration;
        let mut variables = Variables::default();
        variables.add("SLIPWAY_KIND", "integration");
        variables.command(command, requirements, build.retries);
        variables.add("SLIPWAY_REPORTS", joined(reports));
        variables.services(services);
        Self { variables, settings: build, requirements }
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
        Self { variables, settings: build, requirements: if command.is_some() { requirements } else { &[] } }
    }
}

impl Variables {
    fn command(&mut self, command: &str, requirements: &[RepositoryPath], retries: u8) {
        self.add("SLIPWAY_COMMAND", command);
        self.add("SLIPWAY_REQUIREMENTS", joined(requirements));
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
