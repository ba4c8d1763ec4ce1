//! The pipeline file, `infrastructure/ci_cd/pipeline.yaml`, read at the commit it describes.

use std::collections::BTreeMap;
use std::num::NonZeroU16;

use serde::Deserialize;

use super::values::Version;
use super::{ChannelName, Command, DnsLabel, FileError, HealthPath, ImageName, MailAddress, OrNone, Percent};
use crate::ids::{RepositoryPath, ServiceName};

/// Where the file lies in the repository.
pub const PIPELINE_FILE: &str = "infrastructure/ci_cd/pipeline.yaml";

/// What the file says; what it leaves open is filled by convention (see [`crate::planning`]).
///
/// Without `services` the convention finds the services and components in the tree. With `services`, exactly those
/// named exist, none is added by convention, and each field a service leaves out is filled by convention.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PipelineFile {
    /// Checked while it is read.
    #[serde(rename = "version")]
    _version: Version,
    /// Services and components by name; none means that the convention finds them.
    pub services: Option<BTreeMap<ServiceName, Option<ServiceEntry>>>,
    /// The integration tests.
    pub integration: Option<IntegrationEntry>,
    /// The repository-wide checks.
    pub checks: Option<ChecksEntry>,
    /// Who hears of the run beside GitHub.
    pub notifications: Option<NotificationsEntry>,
}

/// One service; every field may be left to the convention.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ServiceEntry {
    /// Its folder.
    pub path: Option<RepositoryPath>,
    /// Its unit tests.
    pub test: Option<TestEntry>,
    /// Its image's name, or `none` for a component.
    pub image: Option<OrNone<ImageName>>,
    /// Its Dockerfile.
    pub dockerfile: Option<RepositoryPath>,
    /// The manifests that deploy it, in order.
    pub manifests: Option<Vec<RepositoryPath>>,
    /// Where its health is probed, or `none`.
    pub health: Option<OrNone<HealthEntry>>,
}

/// A service's unit tests.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TestEntry {
    /// The command.
    pub command: Option<Command>,
    /// The least line coverage in percent, or `none` where it is not judged.
    pub coverage: Option<OrNone<Percent>>,
}

/// Where a service's health is probed.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HealthEntry {
    /// The path of the request.
    pub path: Option<HealthPath>,
    /// The Kubernetes Service asked.
    pub service: Option<DnsLabel>,
    /// Its port.
    pub port: Option<NonZeroU16>,
}

/// The integration tests.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct IntegrationEntry {
    /// The command.
    pub command: Command,
}

/// The repository-wide checks; an empty list switches one off.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ChecksEntry {
    /// Folders for flake8.
    pub flake8: Option<Vec<RepositoryPath>>,
    /// Folders for bandit.
    pub bandit: Option<Vec<RepositoryPath>>,
}

/// Who hears of the run beside GitHub.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NotificationsEntry {
    /// A Slack channel, such as `#deploys`.
    pub slack: Option<ChannelName>,
    /// Addresses for the mail at the run's end.
    #[serde(default)]
    pub email: Vec<MailAddress>,
}

/// Reads the file.
///
/// # Errors
///
/// The first thing in the text that is not YAML, not known or not allowed, with its line.
pub fn parse(text: &str) -> Result<PipelineFile, FileError> {
    super::read(text)
}

#[cfg(test)]
mod tests;
