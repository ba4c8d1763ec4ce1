//! A test's key: the same key means that nothing differs which could make the result another one.

use serde::Serialize;
use sha2::{Digest as _, Sha256};

use super::contents::Contents;
use super::reads::read_by;
use crate::ids::{RepositoryPath, ServiceName};
use crate::spec::{BuildSettings, ManifestsSpec, Severity, StartedService, TestSpec};
use crate::task::TaskSpec;

/// What a key begins with; whoever changes what it is made of counts on.
const FORM: &str = "slipway test key 1";

/// What a result depends on beside the commit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KeyFacts<'a> {
    /// The buildspec's text.
    pub buildspec: &'a str,
    /// The image that a build runs in where its settings name none.
    pub build_image: &'a str,
}

/// What the result of a test depends on: everything that it reads, how it is run and judged, the buildspec and the
/// image of the build. SHA-256 in hexadecimal. Where the image's name is a tag, what the tag names may change without
/// the key.
pub fn key(spec: &TaskSpec, tree: &Contents, beside: &KeyFacts<'_>) -> String {
    let form = Form::of(spec);
    let mut hash = Sha256::new();
    let mut feed = |part: &[u8]| {
        // Its length before each part, so that no part can pass for another one or for two.
        hash.update((part.len() as u64).to_le_bytes());
        hash.update(part);
    };
    feed(FORM.as_bytes());
    feed(form.text().as_bytes());
    feed(beside.buildspec.as_bytes());
    feed(form.image().unwrap_or(beside.build_image).as_bytes());
    let (reads, requirements) = read_by(spec);
    let mut files = tree.read(reads);
    let named = requirements.iter().map(RepositoryPath::as_str);
    files.extend(named.filter_map(|path| Some((path, tree.get(path)?))));
    for (path, content) in files {
        feed(path.as_bytes());
        feed(content);
    }
    hex::encode(hash.finalize())
}

/// What of a spec decides the result. What only concerns delivery is left out, and what is read counts by its content.
#[derive(Serialize)]
#[serde(rename_all = "snake_case")]
enum Form<'a> {
    Service {
        name: &'a ServiceName,
        path: &'a RepositoryPath,
        test: Option<&'a TestSpec>,
    },
    Checks {
        flake8: &'a [RepositoryPath],
        bandit: &'a [RepositoryPath],
        severity: Severity,
        command: Option<&'a str>,
        reports: &'a [RepositoryPath],
        requirements: &'a [RepositoryPath],
        build: &'a BuildSettings,
    },
    Integration {
        command: &'a str,
        reports: &'a [RepositoryPath],
        requirements: &'a [RepositoryPath],
        services: &'a [StartedService],
        build: &'a BuildSettings,
    },
    Manifests(&'a ManifestsSpec),
}

impl<'a> Form<'a> {
    fn of(spec: &'a TaskSpec) -> Self {
        match spec {
            TaskSpec::Service(service) => {
                // Taken apart, so that a new field is not forgotten here.
                let crate::spec::ServiceSpec {
                    name,
                    path,
                    test,
                    image: _,
                    manifests: _,
                    rendering: _,
                    values: _,
                    rollout: _,
                    health: _,
                    reads: _,
                } = service;
                Self::Service { name, path, test: test.as_ref() }
            }
            TaskSpec::Checks(checks) => {
                let crate::spec::ChecksSpec {
                    flake8,
                    bandit,
                    severity,
                    command,
                    reports,
                    requirements,
                    reads: _,
                    build,
                } = checks;
                let (severity, command) = (*severity, command.as_deref());
                Self::Checks { flake8, bandit, severity, command, reports, requirements, build }
            }
            TaskSpec::Manifests(manifests) => Self::Manifests(manifests),
            TaskSpec::Integration(integration) => {
                let crate::spec::IntegrationSpec {
                    command,
                    requirements,
                    reports,
                    reads: _,
                    services,
                    build,
                } = integration;
                Self::Integration { command, reports, requirements, services, build }
            }
        }
    }

    /// The image that the build is to run in.
    fn image(&self) -> Option<&'a str> {
        let build = match self {
            Self::Service { test, .. } => test.map(|test| &test.build),
            Self::Checks { build, .. } | Self::Integration { build, .. } => Some(*build),
            Self::Manifests(_) => None,
        };
        build.and_then(|build| build.image.as_deref())
    }

    /// As JSON: fields in the order of their declaration, names and values of variables sorted.
    fn text(&self) -> String {
        serde_json::to_string(self).expect("texts and numbers under text keys are always JSON")
    }
}
