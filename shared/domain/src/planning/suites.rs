//! What is about the repository as a whole: its checks and its integration tests.

use std::collections::BTreeSet;

use super::{INTEGRATION_FOLDER, Planner, SERVICES_FOLDER};
use crate::files::Step;
use crate::files::pipeline::{ChecksEntry, IntegrationEntry, StartedEntry};
use crate::ids::RepositoryPath;
use crate::spec::{ChecksSpec, IntegrationSpec, ServiceSpec, StartedService};

impl Planner<'_> {
    pub(super) fn checks(&mut self, entry: Option<&ChecksEntry>) -> Option<ChecksSpec> {
        let open = ChecksEntry::default();
        let entry = entry.unwrap_or(&open);
        let flake8 = self.folders("flake8", entry.flake8.as_deref(), &[SERVICES_FOLDER, "docs"]);
        let bandit = self.folders("bandit", entry.bandit.as_deref(), &[SERVICES_FOLDER]);
        let build = self.settings(&[Step::Key("checks")], &entry.build, None);
        if entry.command.is_none() && entry.reports.is_some() {
            let message = "`checks.reports` are left by `checks.command`, and there is none; add it, or take the \
                           reports out";
            self.problem(&[Step::Key("checks"), Step::Key("reports")], message.to_owned());
        }
        let command = entry.command.clone().map(Into::into);
        let requirements = if command.is_some() { self.tree.requirements(&[]) } else { Vec::new() };
        (!flake8.is_empty() || !bandit.is_empty() || command.is_some()).then(|| ChecksSpec {
            flake8,
            bandit,
            severity: entry.severity.unwrap_or_default(),
            command,
            reports: entry.reports.clone().unwrap_or_default(),
            requirements,
            build,
            ..ChecksSpec::default()
        })
    }

    fn folders(
        &mut self,
        tool: &str,
        named: Option<&[RepositoryPath]>,
        usual: &[&str],
    ) -> Vec<RepositoryPath> {
        let Some(named) = named else {
            let existing = usual.iter().filter(|folder| self.tree.has_folder(folder));
            return existing.filter_map(|folder| format!("{folder}/").parse().ok()).collect();
        };
        for path in named.iter().filter(|path| !self.tree.has_path(path.as_str())) {
            let near = self.did_you_mean(path.as_str());
            self.problem(
                &[Step::Key("checks"), Step::Key(tool), Step::Item(path.as_str())],
                format!("`{path}` is not in the commit;{near} take it from `checks.{tool}` or add it"),
            );
        }
        named.to_vec()
    }

    pub(super) fn integration(
        &mut self,
        entry: Option<&IntegrationEntry>,
        services: &[ServiceSpec],
    ) -> Option<IntegrationSpec> {
        let open = IntegrationEntry::default();
        let named = entry.unwrap_or(&open);
        let command = match &named.command {
            Some(command) => command.as_str().to_owned(),
            None if self.tree.has_folder(INTEGRATION_FOLDER) => format!("pytest {INTEGRATION_FOLDER}/ -v"),
            None if entry.is_none() => {
                self.notes.push(format!("no integration tests: there is no `{INTEGRATION_FOLDER}/`"));
                return None;
            }
            None => {
                let message = format!(
                    "there is no `{INTEGRATION_FOLDER}/`; name the tests with `integration.command`, or take \
                     `integration` out"
                );
                self.problem(&[Step::Key("integration")], message);
                return None;
            }
        };
        let built = services.iter().filter(|service| service.image.is_some());
        let mut folders: Vec<&str> = built.map(|service| service.path.as_str()).collect();
        folders.push(INTEGRATION_FOLDER);
        Some(IntegrationSpec {
            command,
            requirements: self.tree.requirements(&folders),
            reports: named.reports.clone().unwrap_or_default(),
            services: self.started(named.services.as_deref().unwrap_or_default()),
            build: self.settings(&[Step::Key("integration")], &named.build, named.retries),
            ..IntegrationSpec::default()
        })
    }

    /// What runs beside the tests: in one container, so that names and ports are taken once.
    fn started(&mut self, entries: &[StartedEntry]) -> Vec<StartedService> {
        let (mut names, mut ports) = (BTreeSet::new(), BTreeSet::new());
        for entry in entries {
            let way = [Step::Key("integration"), Step::Key("services")];
            if !names.insert(&entry.name) {
                let message =
                    format!("`{}` is twice in `integration.services`; keep one of them", entry.name);
                self.problem(&way, message);
            } else if !ports.insert(entry.port) {
                let message = format!(
                    "`{}` listens on port {}, which another of `integration.services` has; they run in one \
                     container, so give each a port of its own",
                    entry.name, entry.port
                );
                self.problem(&way, message);
            }
        }
        let started = entries.iter().map(|entry| StartedService {
            name: entry.name.clone(),
            start: entry.start.as_str().to_owned(),
            port: entry.port.get(),
            ready: entry.ready.clone().map_or_else(|| format!("/api/v1/{}/health", entry.name), Into::into),
        });
        started.collect()
    }
}
