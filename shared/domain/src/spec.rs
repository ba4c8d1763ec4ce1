//! What plan decided about a service: everything its tasks need to know, carried by each of them.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::ids::{RepositoryPath, ServiceName};

mod rendering;

pub use rendering::{ENVIRONMENT_PLACEHOLDER, ManifestsSpec, RenderedService, Rendering, Scalar};

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
    /// The manifest files that deploy it, in order; none where a build renders them. Without a known environment they
    /// hold [`ENVIRONMENT_PLACEHOLDER`], as those of [`ServiceSpec::rendering`] do.
    pub manifests: Vec<RepositoryPath>,
    /// How a build renders its manifests, where they are no plain files.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rendering: Option<Rendering>,
    /// What `${values.<name>}` stands for in its manifests, in the environment that the commit is delivered to.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub values: BTreeMap<String, Scalar>,
    /// What a rollout does beside applying them.
    #[serde(default, skip_serializing_if = "RolloutSpec::is_default")]
    pub rollout: RolloutSpec,
    /// Where its health is probed after a rollout.
    pub health: Option<HealthSpec>,
    /// What its tests read.
    #[serde(default)]
    pub reads: Reads,
}

impl ServiceSpec {
    /// The files of the commit that its release is made of: manifests, and Jobs of its rollout.
    pub fn files(&self) -> Vec<RepositoryPath> {
        let RolloutSpec { pre_deploy, post_deploy, .. } = &self.rollout;
        self.manifests.iter().chain(pre_deploy).chain(post_deploy).cloned().collect()
    }
}

/// One-off work of a rollout, and what becomes of one that fails.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct RolloutSpec {
    /// Files of Jobs that end well before anything but configuration is applied.
    pub pre_deploy: Vec<RepositoryPath>,
    /// Files of Jobs that end well once the new release serves, before it counts as verified.
    pub post_deploy: Vec<RepositoryPath>,
    /// What becomes of the service where the release is bad.
    pub on_failure: OnFailure,
}

impl RolloutSpec {
    /// Whether it is a rollout of manifests alone.
    pub fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

/// What becomes of a service whose new release is bad.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OnFailure {
    /// It goes back to its last verified release.
    #[default]
    RollBack,
    /// It stays as it is until a person decides.
    Hold,
}

/// The paths of a repository that something reads: a change of any of them may change its result.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Reads {
    /// Files, and folders with everything below them; without `/` at the end. `.` is the whole repository.
    pub paths: Vec<String>,
    /// Folders whose own files count, but not what lies in their subfolders, nor documentation. `.` is the root.
    pub files_in: Vec<String>,
}

/// A service's unit tests.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TestSpec {
    /// The shell command, run from the repository's root.
    pub command: String,
    /// The least line coverage in percent; none means that coverage is not judged.
    pub coverage: Option<u8>,
    /// Whether coverage may not fall below the base's.
    #[serde(default)]
    pub not_below_base: bool,
    /// Files that the command leaves beside pytest's own reports: `JUnit` XML, Cobertura XML, coverage.py's JSON, SARIF.
    #[serde(default)]
    pub reports: Vec<RepositoryPath>,
    /// Requirement files that exist at the commit, installed before the command.
    pub requirements: Vec<RepositoryPath>,
    /// What its build runs in.
    #[serde(default)]
    pub build: BuildSettings,
}

/// What a test build runs in; what is left out is the project's own.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct BuildSettings {
    /// Plain variables by name.
    pub environment: BTreeMap<String, String>,
    /// Variables whose values CodeBuild takes from Secrets Manager: `<secret>` or `<secret>:<JSON key>` by name. A run
    /// that is not trusted gets none of them.
    pub secrets: BTreeMap<String, String>,
    /// The container image.
    pub image: Option<String>,
    /// The size of the machine.
    pub compute: Option<Compute>,
    /// The most that the build may take, in minutes; CodeBuild allows 5 to 2160.
    pub timeout: Option<u16>,
    /// How often a failed test is tried again.
    pub retries: u8,
}

/// The machines that CodeBuild offers for Linux containers
/// (<https://docs.aws.amazon.com/codebuild/latest/userguide/build-env-ref-compute-types.html>).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Compute {
    /// 4 GiB of memory, 2 processors.
    Small,
    /// 8 GiB, 4 processors.
    Medium,
    /// 16 GiB, 8 processors.
    Large,
    /// 72 GiB, 36 processors.
    Xlarge,
    /// 144 GiB, 72 processors.
    #[serde(rename = "2xlarge")]
    Xxlarge,
}

impl Compute {
    /// As CodeBuild calls it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Small => "BUILD_GENERAL1_SMALL",
            Self::Medium => "BUILD_GENERAL1_MEDIUM",
            Self::Large => "BUILD_GENERAL1_LARGE",
            Self::Xlarge => "BUILD_GENERAL1_XLARGE",
            Self::Xxlarge => "BUILD_GENERAL1_2XLARGE",
        }
    }
}

/// A service's image.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ImageSpec {
    /// The ECR repository's name, such as `vive-sphere/authentication`.
    pub repository: String,
    /// The Dockerfile.
    pub dockerfile: RepositoryPath,
    /// Build arguments.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub arguments: BTreeMap<String, String>,
    /// Secrets of the build: `<secret>` or `<secret>:<JSON key>` by the id under which a Dockerfile mounts them.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub secrets: BTreeMap<String, String>,
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
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct IntegrationSpec {
    /// The shell command, run from the repository's root.
    pub command: String,
    /// Requirement files that exist at the commit, installed before the command.
    pub requirements: Vec<RepositoryPath>,
    /// Files that the command leaves, as of [`TestSpec::reports`].
    #[serde(default)]
    pub reports: Vec<RepositoryPath>,
    /// What the tests read.
    #[serde(default)]
    pub reads: Reads,
    /// The services that run beside the tests, started in this order.
    #[serde(default)]
    pub services: Vec<StartedService>,
    /// What its build runs in.
    #[serde(default)]
    pub build: BuildSettings,
}

/// A service that the integration tests' build starts before their command.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StartedService {
    /// Its name.
    pub name: ServiceName,
    /// The shell command that starts it, run from the repository's root.
    pub start: String,
    /// The port on which it listens.
    pub port: u16,
    /// The path that answers with success once it is ready, beginning with `/`.
    pub ready: String,
}

/// The repository-wide checks.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChecksSpec {
    /// Folders for flake8; empty means that it does not run.
    pub flake8: Vec<RepositoryPath>,
    /// Folders for bandit; empty means that it does not run.
    pub bandit: Vec<RepositoryPath>,
    /// The least severity of a bandit or SARIF finding that fails the check.
    #[serde(default)]
    pub severity: Severity,
    /// A shell command of the repository's own beside them.
    #[serde(default)]
    pub command: Option<String>,
    /// Files that the command leaves, as of [`TestSpec::reports`].
    #[serde(default)]
    pub reports: Vec<RepositoryPath>,
    /// Requirement files installed before the command; flake8 and bandit need none.
    #[serde(default)]
    pub requirements: Vec<RepositoryPath>,
    /// What the checks read.
    #[serde(default)]
    pub reads: Reads,
    /// What their build runs in.
    #[serde(default)]
    pub build: BuildSettings,
}

/// How bad a finding of a security tool is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// Worth knowing.
    Low,
    /// Worth mending.
    #[default]
    Medium,
    /// Dangerous.
    High,
}

/// What becomes of a delivering branch's unfinished run when a newer commit arrives.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OlderRuns {
    /// It goes on, and delivers unless the newer one was faster.
    #[default]
    Finish,
    /// It is cancelled as long as its rollout has not begun.
    Cancel,
}

/// What becomes of a commit that nothing but draft pull requests offers.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Drafts {
    /// It is tested as any other.
    #[default]
    Test,
    /// It is left alone until one of them is ready for review, or somebody asks.
    Skip,
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
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Plan {
    /// Services and components in the order of their names.
    pub services: Vec<ServiceSpec>,
    /// The repository-wide checks, if any.
    pub checks: Option<ChecksSpec>,
    /// The integration tests, if any.
    pub integration: Option<IntegrationSpec>,
    /// Who hears of it.
    pub notifications: Notifications,
    /// The paths that everything reads; they are in each one's [`Reads`] too.
    #[serde(default)]
    pub global: Vec<String>,
    /// The most test builds of the run at a time; none leaves it to CodeBuild's own limit.
    #[serde(default)]
    pub max_parallel_builds: Option<u16>,
    /// Services whose tests run in one build, one after the other. Each has tests, is in one group at most, and asks for
    /// the same [`BuildSettings`] as the others of its group.
    #[serde(default)]
    pub shared_builds: Vec<Vec<ServiceName>>,
    /// What becomes of a delivering branch's older run.
    #[serde(default)]
    pub older_runs: OlderRuns,
    /// What becomes of a draft's commit.
    #[serde(default)]
    pub drafts: Drafts,
    /// Sentences for people: what was decided by convention and why.
    pub notes: Vec<String>,
}
