//! What the tests of each part of the plan read, so that a change of it is known to concern them.
//!
//! Where the file does not say what a service depends on, it reads what lies beside it and belongs to nobody: to test
//! once too often costs minutes, once too rarely a broken release.

use std::collections::{BTreeMap, BTreeSet};

use super::tree::normal;
use super::{INTEGRATION_FOLDER, Planner, SERVICES_FOLDER};
use crate::files::pipeline::{LibraryEntry, PipelineFile, ServiceEntry};
use crate::files::{Dependency, LibraryName, Step, did_you_mean};
use crate::ids::RepositoryPath;
use crate::spec::{Plan, Reads, ServiceSpec};

use graph::Graph;

mod graph;

impl Planner<'_> {
    /// Fills in what each part of the plan reads.
    pub(super) fn fill_reads(&mut self, file: &PipelineFile, plan: &mut Plan) {
        plan.global = self.global(file.global.as_deref().unwrap_or_default());
        let mut graph = Graph::default();
        self.add_names(file, &plan.services, &mut graph);
        self.connect(file, &plan.services, &mut graph);
        for service in &mut plan.services {
            let Some(test) = &service.test else { continue };
            let own = graph.of(service.name.as_str());
            service.reads = graph.reads(own, &plan.global, &test.requirements);
        }
        if let Some(checks) = &mut plan.checks {
            let entry = file.checks.as_ref();
            let named = entry.and_then(|entry| entry.depends_on.as_deref());
            let mut from = self.resolved(named, &[Step::Key("checks")], &mut graph);
            let linted = checks.flake8.iter().chain(&checks.bandit).map(|path| normal(path.as_str()));
            from.extend(linted.map(|path| graph.path(path)).collect::<Vec<_>>());
            if checks.command.is_some() && named.is_none() {
                from.push(graph.path(".".to_owned()));
            }
            // flake8 and pytest take their settings from files of the root.
            from.push(graph.files_in("."));
            checks.reads = graph.reads(from, &plan.global, &checks.requirements);
        }
        if let Some(integration) = &mut plan.integration {
            let entry = file.integration.as_ref();
            let named = entry.and_then(|entry| entry.depends_on.as_deref());
            let mut from = self.resolved(named, &[Step::Key("integration")], &mut graph);
            from.extend(integration.services.iter().filter_map(|started| graph.of(started.name.as_str())));
            if named.is_none() {
                let tested = plan.services.iter().filter(|service| service.test.is_some());
                from.extend(tested.filter_map(|service| graph.of(service.name.as_str())));
            }
            if self.tree.has_folder(INTEGRATION_FOLDER) {
                from.push(graph.path(INTEGRATION_FOLDER.to_owned()));
            } else if named.is_none() {
                from.push(graph.path(".".to_owned()));
            }
            from.push(graph.files_in("."));
            integration.reads = graph.reads(from, &plan.global, &integration.requirements);
        }
    }

    fn global(&mut self, named: &[RepositoryPath]) -> Vec<String> {
        for path in named.iter().filter(|path| !self.tree.has_path(path.as_str())) {
            let near = self.did_you_mean(path.as_str());
            self.problem(
                &[Step::Key("global"), Step::Item(path.as_str())],
                format!("`{path}` is not in the commit;{near} take it from `global` or add it"),
            );
        }
        named.iter().map(|path| normal(path.as_str())).collect()
    }

    /// Everything that can be named by others, with what is its own.
    fn add_names(&mut self, file: &PipelineFile, services: &[ServiceSpec], graph: &mut Graph) {
        for service in services {
            graph.name(service.name.as_str(), own(service));
        }
        // One that could not be planned is told of already, so that nobody need hear that it does not exist.
        for name in self.places.keys("services") {
            graph.name(name, Reads::default());
        }
        for (name, entry) in file.libraries.iter().flatten() {
            if graph.of(name.as_str()).is_some() {
                let message = format!("`{name}` is both a service and a library; rename one of them");
                self.problem(&[Step::Key("libraries"), Step::Key(name.as_str())], message);
                continue;
            }
            let path = library_path(name, entry.as_ref());
            if !self.tree.has_path(&path) {
                let near = self.did_you_mean(&path);
                let message = format!(
                    "library `{name}`: `{path}` is not in the commit;{near} add it, or name another with \
                     `libraries.{name}.path`"
                );
                let way = [Step::Key("libraries"), Step::Key(name.as_str()), Step::Key("path")];
                self.problem(&way, message);
            }
            let files_in = above(&path);
            graph.name(name.as_str(), Reads { paths: vec![path], files_in });
        }
        for name in self.places.keys("libraries") {
            graph.name(name, Reads::default());
        }
    }

    /// What each name depends on.
    fn connect(&mut self, file: &PipelineFile, services: &[ServiceSpec], graph: &mut Graph) {
        let mut beside = BTreeMap::new();
        let open = ServiceEntry::default();
        for service in services {
            let name = &service.name;
            let entry = file.services.as_ref().and_then(|entries| entries.get(name));
            let entry = entry.and_then(Option::as_ref).unwrap_or(&open);
            let to = match &entry.depends_on {
                Some(named) => {
                    let way = [Step::Key("services"), Step::Key(name.as_str())];
                    self.resolved(Some(named), &way, graph)
                }
                None if service.test.is_some() => {
                    let parent = parent(&normal(service.path.as_str()));
                    let vertex = parent.map(|parent| {
                        *beside.entry(parent).or_insert_with_key(|parent| {
                            let shared = self.beside(parent, file, services);
                            graph.paths(shared)
                        })
                    });
                    vertex.into_iter().collect()
                }
                None => Vec::new(),
            };
            graph.connect(name.as_str(), to);
        }
        for (name, entry) in file.libraries.iter().flatten() {
            let named = entry.as_ref().and_then(|entry| entry.depends_on.as_deref());
            let way = [Step::Key("libraries"), Step::Key(name.as_str())];
            let to = self.resolved(named, &way, graph);
            graph.connect(name.as_str(), to);
        }
    }

    /// The folders directly below the parent that are no service's, hold none, and are no library's.
    fn beside(&self, parent: &str, file: &PipelineFile, services: &[ServiceSpec]) -> Vec<String> {
        let built = services.iter().filter(|service| service.image.is_some());
        let of_services: Vec<String> = built.map(|service| normal(service.path.as_str())).collect();
        let libraries = file.libraries.iter().flatten();
        let of_libraries: BTreeSet<String> =
            libraries.map(|(name, entry)| library_path(name, entry.as_ref())).collect();
        let mut taken: BTreeSet<&str> = BTreeSet::new();
        for folder in &of_services {
            taken.extend(folder.match_indices('/').map(|(end, _)| &folder[..end]));
            taken.insert(folder);
        }
        let folders = self.tree.folders_in(parent).into_iter();
        folders.filter(|folder| !taken.contains(folder.as_str()) && !of_libraries.contains(folder)).collect()
    }

    /// What the names and paths of a `depends_on` stand for.
    fn resolved(&mut self, named: Option<&[Dependency]>, way: &[Step<'_>], graph: &mut Graph) -> Vec<usize> {
        let mut found = BTreeSet::new();
        for dependency in named.unwrap_or_default() {
            let text = dependency.as_str();
            if let Some(vertex) = graph.of(text) {
                found.insert(vertex);
            } else if self.tree.has_path(&normal(text)) {
                found.insert(graph.path(normal(text)));
            } else {
                let near = did_you_mean(text, graph.names());
                let near = if near.is_empty() { self.did_you_mean(text) } else { near };
                let place = [way, &[Step::Key("depends_on"), Step::Item(text)]].concat();
                let message = format!(
                    "`{text}` is neither a service or library nor a path in the commit;{near} take it from \
                     `depends_on` or add it"
                );
                self.problem(&place, message);
            }
        }
        found.into_iter().collect()
    }
}

/// What belongs to a service or component alone, and the files above its folder: pytest looks there for its settings
/// and for `conftest.py`, Python for `__init__.py`.
fn own(service: &ServiceSpec) -> Reads {
    if service.image.is_none() {
        let paths = service.manifests.iter().map(|path| normal(path.as_str())).collect();
        return Reads { paths, files_in: Vec::new() };
    }
    let folder = normal(service.path.as_str());
    Reads { files_in: above(&folder), paths: vec![folder] }
}

fn library_path(name: &LibraryName, entry: Option<&LibraryEntry>) -> String {
    match entry.and_then(|entry| entry.path.as_ref()) {
        Some(path) => normal(path.as_str()),
        None => format!("{SERVICES_FOLDER}/{name}"),
    }
}

/// The folders that hold the path, from the root on; none for the root itself.
fn above(path: &str) -> Vec<String> {
    if path == "." {
        return Vec::new();
    }
    let between = path.match_indices('/').map(|(end, _)| path[..end].to_owned());
    std::iter::once(".".to_owned()).chain(between).collect()
}

/// The folder that holds the path; none for the root itself.
fn parent(path: &str) -> Option<String> {
    above(path).pop()
}
