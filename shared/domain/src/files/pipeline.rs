//! The pipeline file, `infrastructure/ci_cd/pipeline.yaml`, read at the commit it describes.

use std::collections::BTreeMap;
use std::num::NonZeroU16;

use super::reader::Readable;
use super::record::record;
use super::shape::Shape;
use super::{
    Builds, ChannelName, Command, ContainerImage, Dependency, DnsLabel, FileErrors, HealthPath, ImageName,
    LibraryName, MailAddress, Minutes, OrNone, Percent, Reading, Retries, SecretReference, ValueName,
    VariableName, VariableValue, Version,
};
use crate::ids::{EnvironmentName, RepositoryPath, ServiceName};
use crate::spec::{Compute, Drafts, OlderRuns, OnFailure, Scalar, Severity};

/// Where the file lies in the repository.
pub const PIPELINE_FILE: &str = "infrastructure/ci_cd/pipeline.yaml";

// What the fields leave open is filled by convention (see [`crate::planning`]). Their comments are the reference in
// docs/pipeline-file.md and the descriptions in its schema; after `=>` stands what holds where a field is left out.

record! {
    /// What Slipway tests, builds and delivers of a repository.
    #[derive(Default)]
    pub struct PipelineFile {
        /// The version of the file's form.
        pub version: Version,
        /// Services and components by name. With it, exactly those named exist, and each field that one leaves out is
        /// filled by convention.
        pub services: Option<BTreeMap<ServiceName, Option<ServiceEntry>>> => "every `backend/<service>/` with a `Dockerfile` is a service; every `infrastructure/kubernetes/<name>-deployment.yaml` without a service is a component",
        /// Code that services share and that is no service itself, by name, for `depends_on`.
        pub libraries: Option<BTreeMap<LibraryName, Option<LibraryEntry>>> => "none",
        /// Files and folders that everything reads: a change of one of them tests all again.
        pub global: Option<Vec<RepositoryPath>> => "none",
        /// The integration tests.
        pub integration: Option<IntegrationEntry> => "`pytest integration_tests/ -v` where the folder exists, else none",
        /// The repository-wide checks.
        pub checks: Option<ChecksEntry> => "as its fields say",
        /// The most test builds of one run at a time; one that services share counts as many as they are.
        pub max_parallel_builds: Option<Builds> => "as many as CodeBuild's own limit allows",
        /// Lists of two to eight services whose tests run in one build, one after the other: of small ones, most of a
        /// build is its beginning. Their `test` sections ask for the same environment, secrets, image, compute, timeout
        /// and retries, and the timeout is that of all together. Of a run, those share a build that have to be tested at
        /// all; each has its own verdict. A re-run, and a stranger's change, has builds of its own.
        pub shared_builds: Option<Vec<Vec<ServiceName>>> => "each service has a build of its own",
        /// What becomes of a delivering branch's unfinished run when a newer commit arrives: it finishes, or it is
        /// cancelled as long as its rollout has not begun.
        pub older_runs: Option<OlderRuns> => "`finish`",
        /// What becomes of a commit that is delivered nowhere and that only draft pull requests offer: it is tested as
        /// any other, or skipped until one of them is ready for review or somebody asks for it. A branch without a pull
        /// request is tested.
        pub drafts: Option<Drafts> => "`test`",
        /// Who hears of the run beside GitHub.
        pub notifications: Option<NotificationsEntry> => "nobody",
    }
}

record! {
    /// One service or component. Every field may be left to the convention.
    #[derive(Default)]
    pub struct ServiceEntry {
        /// Its folder, which is the build context of its image.
        pub path: Option<RepositoryPath> => "`backend/<service>`",
        /// Its unit tests. A component takes none.
        pub test: Option<TestEntry> => "as its fields say",
        /// What its tests read beside its own folder: services, libraries, files and folders. A component takes none.
        pub depends_on: Option<Vec<Dependency>> => "every folder beside its own that is neither a service's nor a library's",
        /// The name of its ECR repository, without registry and tag. With `none` it is a component: manifests that are
        /// deployed and watched, neither built nor tested.
        pub image: Option<OrNone<ImageName>> => "`vive-sphere/<service>`",
        /// Its Dockerfile. A component takes none.
        pub dockerfile: Option<RepositoryPath> => "`<path>/Dockerfile`",
        /// What the build of its image gets beside its folder. A component takes none.
        pub build: Option<ImageBuildEntry> => "nothing",
        /// The manifest files that deploy it, at least one, in order. In paths of manifests, here and in `kustomize`,
        /// `helm` and those of Jobs, `{environment}` stands for the name of the environment.
        pub manifests: Option<Vec<RepositoryPath>> => "`infrastructure/kubernetes/<service>-deployment.yaml`, or the same with `-` for `_`",
        /// Instead of `manifests`: the folder with the kustomization that gives them.
        pub kustomize: Option<RepositoryPath> => "none",
        /// Instead of `manifests`: the chart that gives them.
        pub helm: Option<HelmEntry> => "none",
        /// By environment, the values that `${values.<name>}` stands for in its manifests.
        pub values: Option<BTreeMap<EnvironmentName, Option<BTreeMap<ValueName, Scalar>>>> => "none",
        /// Manifests of Jobs, such as a database migration, that run before the release's pods: once its configuration is
        /// applied, each has to end well before anything else is. They run once for each attempt of the deploy.
        pub pre_deploy: Option<Vec<RepositoryPath>> => "none",
        /// Manifests of Jobs that run once the release serves; it counts as verified when each has ended well.
        pub post_deploy: Option<Vec<RepositoryPath>> => "none",
        /// What becomes of the service where the new release, or one of these Jobs, fails: it goes back to its last
        /// verified release, or stays as it is until a person decides, where what a Job has done must not be met by the
        /// release before. Going back runs no Jobs.
        pub on_failure: Option<OnFailure> => "`roll_back`",
        /// Where its health is probed after a rollout. With `none` it is not.
        pub health: Option<OrNone<HealthEntry>> => "as its fields say; a component has none",
    }
}

record! {
    /// A chart of the repository that Helm renders.
    pub struct HelmEntry {
        /// Its folder, with `Chart.yaml`. The charts that it depends on lie in its `charts/`; none is fetched.
        pub chart: RepositoryPath,
        /// The name of the release.
        pub release: Option<DnsLabel> => "the service's name with `-` for `_`",
        /// Files of values, later ones over earlier ones, all over the chart's own.
        pub values: Option<Vec<RepositoryPath>> => "none",
    }
}

record! {
    /// A service's unit tests.
    #[derive(Default)]
    pub struct TestEntry {
        /// The shell command, run from the repository's root.
        pub command: Option<Command> => "`pytest <path>/tests/ -v --cov=<path>`",
        /// The least line coverage in percent. With `none` it is not judged.
        pub coverage: Option<OrNone<Percent>> => "80",
        /// Whether line coverage may not fall below that of the branch which a pull request is to be merged into.
        pub not_below_base: Option<bool> => "`false`",
        /// Files that the command leaves beside pytest's own reports: `JUnit` XML, Cobertura XML, coverage.py's
        /// JSON or SARIF.
        pub reports: Option<Vec<RepositoryPath>> => "none",
        /// How often pytest tries a failed test again.
        pub retries: Option<Retries> => "0",
        ..pub build: BuildEntry,
    }
}

record! {
    /// What a build runs in.
    #[derive(Default)]
    pub struct BuildEntry {
        /// Environment variables, at most 50 together with `secrets`.
        pub environment: Option<BTreeMap<VariableName, VariableValue>> => "none",
        /// Environment variables whose values come from Secrets Manager, each from a secret below `<stack>/test/`:
        /// `pypi` means `<stack>/test/pypi`.
        pub secrets: Option<BTreeMap<VariableName, SecretReference>> => "none",
        /// The image of the build's container.
        pub image: Option<ContainerImage> => "the stack's",
        /// The size of the machine.
        pub compute: Option<Compute> => "the stack's",
        /// The most minutes that the build may take.
        pub timeout: Option<Minutes> => "the stack's",
    }
}

record! {
    /// What the build of an image gets beside its folder.
    #[derive(Default)]
    pub struct ImageBuildEntry {
        /// Build arguments, for `ARG` in the Dockerfile. They can be read in the image: nothing secret belongs here.
        pub arguments: Option<BTreeMap<VariableName, VariableValue>> => "none",
        /// Secrets for `RUN --mount=type=secret,id=<name>`, each from a secret below `<stack>/build/`: `pypi` means
        /// `<stack>/build/pypi`. No layer keeps them. Which secret it is counts for whether an image is built anew, its
        /// value does not.
        pub secrets: Option<BTreeMap<VariableName, SecretReference>> => "none",
    }
}

record! {
    /// Code that services share and that is no service itself.
    #[derive(Default)]
    pub struct LibraryEntry {
        /// Its file or folder.
        pub path: Option<RepositoryPath> => "`backend/<library>`",
        /// What it reads itself: services, libraries, files and folders.
        pub depends_on: Option<Vec<Dependency>> => "nothing",
    }
}

record! {
    /// Where a service's health is probed.
    #[derive(Default)]
    pub struct HealthEntry {
        /// The path of the request.
        pub path: Option<HealthPath> => "`/api/v1/<service>/health`",
        /// The Kubernetes Service asked.
        pub service: Option<DnsLabel> => "the service's name with `-` for `_`",
        /// Its port.
        pub port: Option<NonZeroU16> => "8000",
    }
}

record! {
    /// The integration tests.
    #[derive(Default)]
    pub struct IntegrationEntry {
        /// The shell command, run from the repository's root.
        pub command: Option<Command> => "`pytest integration_tests/ -v`",
        /// Files that the command leaves, as of a service's tests.
        pub reports: Option<Vec<RepositoryPath>> => "none",
        /// What the tests read beside `integration_tests/` and the services that they start: services, libraries, files
        /// and folders.
        pub depends_on: Option<Vec<Dependency>> => "all that the services' tests read; without `integration_tests/` the whole repository",
        /// What the build starts before the command, in this order.
        pub services: Option<Vec<StartedEntry>> => "nothing",
        /// How often pytest tries a failed test again.
        pub retries: Option<Retries> => "0",
        ..pub build: BuildEntry,
    }
}

record! {
    /// What the build starts before the command.
    pub struct StartedEntry {
        /// Its name, a service's or another.
        pub name: ServiceName,
        /// The shell command that starts it, run from the repository's root.
        pub start: Command,
        /// The port on which it listens.
        pub port: NonZeroU16,
        /// The path that answers with a status of 200 to 299 once it is ready.
        pub ready: Option<HealthPath> => "`/api/v1/<name>/health`",
    }
}

record! {
    /// The repository-wide checks.
    #[derive(Default)]
    pub struct ChecksEntry {
        /// Files or folders for flake8. An empty list switches it off.
        pub flake8: Option<Vec<RepositoryPath>> => "those of `backend/` and `docs/` that exist",
        /// Files or folders for bandit. An empty list switches it off.
        pub bandit: Option<Vec<RepositoryPath>> => "`backend/` where it exists",
        /// The least severity of a bandit or SARIF finding that fails the checks.
        pub severity: Option<Severity> => "`medium`",
        /// A shell command beside them, run from the repository's root.
        pub command: Option<Command> => "none",
        /// Files that the command leaves, as of a service's tests.
        pub reports: Option<Vec<RepositoryPath>> => "none",
        /// What the checks read beside the files and folders of flake8 and bandit: services, libraries, files and
        /// folders.
        pub depends_on: Option<Vec<Dependency>> => "nothing; with a `command` the whole repository",
        ..pub build: BuildEntry,
    }
}

record! {
    /// Who hears of the run beside GitHub.
    #[derive(Default)]
    pub struct NotificationsEntry {
        /// A Slack channel.
        pub slack: Option<ChannelName> => "no Slack",
        /// Who gets a mail at the run's end.
        pub email: Option<Vec<MailAddress>> => "no mail",
    }
}

/// Reads the file.
///
/// # Errors
///
/// Everything in the text that is not YAML, not known or not allowed, with its places.
pub fn parse(source: impl AsRef<[u8]>) -> Result<PipelineFile, FileErrors> {
    read(source.as_ref()).strict()
}

/// The form of the file.
pub(super) fn shape() -> Shape {
    PipelineFile::shape()
}

/// Reads the file as far as it can be read.
pub(crate) fn read(source: &[u8]) -> Reading<PipelineFile> {
    super::read(source)
}

#[cfg(test)]
mod tests;
