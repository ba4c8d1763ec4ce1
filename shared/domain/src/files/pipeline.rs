//! The pipeline file, `infrastructure/ci_cd/pipeline.yaml`, read at the commit it describes.

use std::collections::BTreeMap;
use std::num::NonZeroU16;

use super::reader::{Readable, record};
use super::shape::Shape;
use super::{
    ChannelName, Command, DnsLabel, FileErrors, HealthPath, ImageName, MailAddress, OrNone, Percent, Reading,
    Version,
};
use crate::ids::{RepositoryPath, ServiceName};

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
        /// The integration tests.
        pub integration: Option<IntegrationEntry> => "`pytest integration_tests/ -v` where the folder exists, else none",
        /// The repository-wide checks.
        pub checks: Option<ChecksEntry> => "as its fields say",
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
        /// The name of its ECR repository, without registry and tag. With `none` it is a component: manifests that are
        /// deployed and watched, neither built nor tested.
        pub image: Option<OrNone<ImageName>> => "`vive-sphere/<service>`",
        /// Its Dockerfile. A component takes none.
        pub dockerfile: Option<RepositoryPath> => "`<path>/Dockerfile`",
        /// The manifests that deploy it, at least one, in order.
        pub manifests: Option<Vec<RepositoryPath>> => "`infrastructure/kubernetes/<service>-deployment.yaml`, or the same with `-` for `_`",
        /// Where its health is probed after a rollout. With `none` it is not.
        pub health: Option<OrNone<HealthEntry>> => "as its fields say; a component has none",
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
    pub struct IntegrationEntry {
        /// The shell command, run from the repository's root.
        pub command: Command,
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
