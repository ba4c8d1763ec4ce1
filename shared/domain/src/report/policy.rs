//! What a test task ran, and with it the policy that its results are judged by.

use crate::ids::RepositoryPath;
use crate::spec::Severity;
use crate::task::TaskSpec;

/// The policy of one task: which results there must be and what they must say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Policy {
    /// What ran.
    pub(super) ran: Ran,
    /// The least line coverage in percent; none means that it is not judged.
    pub(super) coverage: Option<u8>,
    /// Whether coverage may not fall below the base's.
    pub(super) not_below_base: bool,
    /// The least severity of a finding that fails.
    pub(super) severity: Severity,
    /// The files that the command leaves, in the order of the list.
    pub(super) reports: Vec<RepositoryPath>,
    /// The service's folder: a report may name files from there.
    pub(super) folder: Option<RepositoryPath>,
}

/// What ran.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ran {
    /// Unit tests or the integration tests.
    Tests,
    /// The repository-wide checks, those that are true.
    Checks { flake8: bool, bandit: bool, command: bool },
}

impl Policy {
    /// The policy that a task's own words make.
    pub fn of(spec: &TaskSpec) -> Self {
        let tests = Self {
            ran: Ran::Tests,
            coverage: None,
            not_below_base: false,
            severity: Severity::default(),
            reports: Vec::new(),
            folder: None,
        };
        match spec {
            TaskSpec::Service(service) => {
                let tests = Self { folder: Some(service.path.clone()), ..tests };
                match &service.test {
                    None => tests,
                    Some(test) => Self {
                        coverage: test.coverage,
                        not_below_base: test.not_below_base,
                        reports: test.reports.clone(),
                        ..tests
                    },
                }
            }
            // They are rendered, not tested: nothing is judged by this.
            TaskSpec::Manifests(_) => tests,
            TaskSpec::Integration(integration) => Self { reports: integration.reports.clone(), ..tests },
            TaskSpec::Checks(checks) => Self {
                ran: Ran::Checks {
                    flake8: !checks.flake8.is_empty(),
                    bandit: !checks.bandit.is_empty(),
                    command: checks.command.is_some(),
                },
                severity: checks.severity,
                reports: checks.reports.clone(),
                ..tests
            },
        }
    }

    /// The name in the build's result of the report that stands at this index of the list.
    pub(super) fn entry(index: usize, path: &RepositoryPath) -> String {
        let path = path.as_str();
        let file = path.trim_end_matches('/').rsplit('/').next().unwrap_or(path);
        format!("reports/{}-{file}", index + 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::{ChecksSpec, IntegrationSpec};

    #[test]
    fn a_policy_is_what_the_task_says() {
        let reports: Vec<RepositoryPath> =
            ["out/scan.sarif", "out/"].map(|path| path.parse().expect("a path")).to_vec();
        let integration = IntegrationSpec { reports: reports.clone(), ..IntegrationSpec::default() };
        let policy = Policy::of(&TaskSpec::Integration(integration));
        assert_eq!((policy.ran, policy.coverage, policy.severity), (Ran::Tests, None, Severity::Medium));
        let entries: Vec<String> =
            policy.reports.iter().enumerate().map(|(index, path)| Policy::entry(index, path)).collect();
        assert_eq!(entries, ["reports/1-scan.sarif", "reports/2-out"]);

        let checks = ChecksSpec {
            bandit: reports,
            severity: Severity::High,
            command: Some("semgrep".to_owned()),
            ..ChecksSpec::default()
        };
        let policy = Policy::of(&TaskSpec::Checks(checks));
        assert_eq!(policy.ran, Ran::Checks { flake8: false, bandit: true, command: true });
        assert_eq!((policy.severity, policy.reports), (Severity::High, Vec::new()));
    }
}
