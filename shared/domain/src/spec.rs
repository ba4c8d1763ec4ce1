//! What plan decided about a service: everything its tasks need to know, carried by each of them.

use serde::{Deserialize, Serialize};

use crate::ids::{RepositoryPath, ServiceName};

/// One microservice, or a component (manifests without an image).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServiceSpec {
    /// Its name, by default its folder's.
    pub name: ServiceName,
    /// Its folder; the build context of its image.
    pub path: RepositoryPath,
    /// How it is tested; a component has no tests.
    pub test: Option<TestSpec>,
    /// How its image is built; a component has none.
    pub image: Option<ImageSpec>,
    /// The manifests that deploy it, in order.
    pub manifests: Vec<RepositoryPath>,
    /// Where its health is probed after a rollout.
    pub health: Option<HealthSpec>,
}

/// A service's unit tests.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TestSpec {
    /// The shell command, run from the repository's root.
    pub command: String,
    /// The least line coverage in percent; none means that coverage is not judged.
    pub coverage: Option<u8>,
    /// Requirement files that exist at the commit, installed before the command.
    pub requirements: Vec<RepositoryPath>,
}

/// A service's image.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ImageSpec {
    /// The ECR repository's name, such as `vive-sphere/authentication`.
    pub repository: String,
    /// The Dockerfile.
    pub dockerfile: RepositoryPath,
}

/// A health probe through the API server's service proxy.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HealthSpec {
    /// The path of the request, beginning with `/`.
    pub path: String,
    /// The Kubernetes Service asked.
    pub service: String,
    /// Its port.
    pub port: u16,
}

/// The integration tests of the repository.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct IntegrationSpec {
    /// The shell command, run from the repository's root.
    pub command: String,
    /// Requirement files that exist at the commit, installed before the command.
    pub requirements: Vec<RepositoryPath>,
}

/// The repository-wide checks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChecksSpec {
    /// Folders for flake8; empty means that it does not run.
    pub flake8: Vec<RepositoryPath>,
    /// Folders for bandit; empty means that it does not run.
    pub bandit: Vec<RepositoryPath>,
}

/// Who hears of the run beside GitHub.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Notifications {
    /// A Slack channel, such as `#deploys`.
    pub slack: Option<String>,
    /// Addresses for the mail at the run's end.
    pub email: Vec<String>,
}

/// What the commit says must run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Plan {
    /// Services and components in the order of their names.
    pub services: Vec<ServiceSpec>,
    /// The repository-wide checks, if any.
    pub checks: Option<ChecksSpec>,
    /// The integration tests, if any.
    pub integration: Option<IntegrationSpec>,
    /// Who hears of it.
    pub notifications: Notifications,
    /// Sentences for people: what was decided by convention and why.
    pub notes: Vec<String>,
}
