//! Where the manifests of a service come from: plain files, a folder that Kustomize renders, or a chart that Helm does.

use super::tree::{normal, plain};
use super::{MANIFEST_SUFFIX, MANIFESTS_FOLDER, Planner};
use crate::files::Step;
use crate::files::pipeline::{HelmEntry, PIPELINE_FILE, ServiceEntry};
use crate::ids::{EnvironmentName, RepositoryPath, ServiceName};
use crate::selection::kustomizations;
use crate::spec::{ENVIRONMENT_PLACEHOLDER, Rendering};

/// The most characters of a release's name (<https://helm.sh/docs/helm/helm_install/>).
const LONGEST_RELEASE: usize = 53;

impl Planner<'_> {
    /// The manifest files of a service, or how they are rendered.
    pub(super) fn manifests(
        &mut self,
        name: &ServiceName,
        entry: &ServiceEntry,
    ) -> (Vec<RepositoryPath>, Option<Rendering>) {
        let ways = [
            ("manifests", entry.manifests.is_some()),
            ("kustomize", entry.kustomize.is_some()),
            ("helm", entry.helm.is_some()),
        ];
        let mut named = ways.iter().filter(|(_, is_there)| *is_there).map(|(way, _)| *way);
        if let (Some(first), Some(second)) = (named.next(), named.next()) {
            let message = format!(
                "service `{name}` has `{first}` and `{second}`: its manifests come from one of `manifests`, \
                 `kustomize` and `helm`; take the others out"
            );
            self.of_service(name, &[Step::Key(second)], message);
        }
        if let Some(folder) = &entry.kustomize {
            (Vec::new(), self.kustomize(name, folder))
        } else if let Some(helm) = &entry.helm {
            (Vec::new(), self.helm(name, helm))
        } else {
            (self.files(name, entry.manifests.as_deref()), None)
        }
    }

    fn kustomize(&mut self, name: &ServiceName, folder: &RepositoryPath) -> Option<Rendering> {
        let way = [Step::Key("kustomize")];
        let path = self.in_environment(&normal(folder.as_str()));
        if !self.some(&path, |path| self.tree.has_folder(path)) {
            self.missing_at(name, &way, &path);
        } else if !self.some(&path, |path| kustomizations(path).iter().any(|file| self.tree.has_file(file))) {
            let message = format!(
                "service `{name}`: `{path}` holds no `kustomization.yaml`; add one, or name another folder with \
                 `services.{name}.kustomize`"
            );
            self.of_service(name, &way, message);
        }
        Some(Rendering::Kustomize { folder: self.path(name, "kustomize", &path)? })
    }

    fn helm(&mut self, name: &ServiceName, entry: &HelmEntry) -> Option<Rendering> {
        let way = [Step::Key("helm"), Step::Key("chart")];
        let chart = self.in_environment(&normal(entry.chart.as_str()));
        if !self.some(&chart, |path| self.tree.has_folder(path)) {
            self.missing_at(name, &way, &chart);
        } else if !self.some(&chart, |chart| self.tree.has_file(&below(chart, "Chart.yaml"))) {
            let message = format!(
                "service `{name}`: `{chart}` holds no `Chart.yaml`; add one, or name another folder with \
                 `services.{name}.helm.chart`"
            );
            self.of_service(name, &way, message);
        } else if self.tree.has_file(&below(&chart, "Chart.lock"))
            && !self.tree.has_folder(&below(&chart, "charts"))
        {
            let message = format!(
                "service `{name}`: the dependencies of the chart `{chart}` are not in the commit, and none are fetched; \
                 run `helm dependency build {chart}` and commit `{chart}/charts/`"
            );
            self.of_service(name, &way, message);
        }
        let release = match &entry.release {
            Some(release) => release.to_string(),
            None => name.dns_label(),
        };
        if release.len() > LONGEST_RELEASE {
            let message = format!(
                "service `{name}`: the release `{release}` has more than the {LONGEST_RELEASE} characters that Helm \
                 allows; name another with `services.{name}.helm.release`"
            );
            self.of_service(name, &[Step::Key("helm"), Step::Key("release")], message);
        }
        let mut values = Vec::new();
        for file in entry.values.iter().flatten() {
            let path = self.in_environment(plain(file.as_str()));
            if !self.some(&path, |path| self.tree.has_file(path)) {
                let way = [Step::Key("helm"), Step::Key("values"), Step::Item(file.as_str())];
                self.missing_at(name, &way, &path);
            }
            values.extend(self.path(name, "helm", &path));
        }
        Some(Rendering::Helm { chart: self.path(name, "helm", &chart)?, release, values })
    }

    fn files(&mut self, name: &ServiceName, named: Option<&[RepositoryPath]>) -> Vec<RepositoryPath> {
        let paths: Vec<String> = match named {
            Some([]) => {
                let message = format!("service `{name}` has an empty list of `manifests`: name at least one");
                self.of_service(name, &[Step::Key("manifests")], message);
                Vec::new()
            }
            Some(named) => named.iter().map(|path| path.as_str().to_owned()).collect(),
            None => vec![self.usual_manifest(name)],
        };
        let mut files = Vec::new();
        for written in &paths {
            let path = self.in_environment(written);
            if !self.some(&path, |path| self.tree.has_file(path)) {
                self.missing_at(name, &[Step::Key("manifests"), Step::Item(written)], &path);
            }
            files.extend(self.path(name, "manifests", plain(&path)));
        }
        files
    }

    /// Kubernetes knows no `_`, so that many write `-` in the manifest's name too.
    fn usual_manifest(&self, name: &ServiceName) -> String {
        let as_named = format!("{MANIFESTS_FOLDER}/{name}{MANIFEST_SUFFIX}");
        let as_label = format!("{MANIFESTS_FOLDER}/{}{MANIFEST_SUFFIX}", name.dns_label());
        if !self.tree.has_file(&as_named) && self.tree.has_file(&as_label) { as_label } else { as_named }
    }

    /// The path for the environment that the commit is delivered to, where that is known.
    pub(super) fn in_environment(&self, path: &str) -> String {
        match self.environment {
            Some(environment) => path.replace(ENVIRONMENT_PLACEHOLDER, environment.as_str()),
            None => path.to_owned(),
        }
    }

    /// Whether this holds for the path; where the environment is not known, for that of any environment.
    pub(super) fn some(&self, path: &str, holds: impl Fn(&str) -> bool) -> bool {
        let Some((before, _)) = path.split_once(ENVIRONMENT_PLACEHOLDER) else { return holds(path) };
        let names = self.tree.words_after(before.trim_start_matches("./"));
        names
            .iter()
            .filter(|name| name.parse::<EnvironmentName>().is_ok())
            .any(|name| holds(&path.replace(ENVIRONMENT_PLACEHOLDER, name)))
    }

    fn missing_at(&mut self, name: &ServiceName, way: &[Step<'_>], path: &str) {
        let near = self.did_you_mean(path);
        let field: Vec<&str> = way
            .iter()
            .filter_map(|step| match step {
                Step::Key(key) => Some(*key),
                Step::Item(_) => None,
            })
            .collect();
        let message = format!(
            "service `{name}`: `{path}` is not in the commit;{near} add it, or name another with `services.{name}.{}` \
             in `{PIPELINE_FILE}`",
            field.join(".")
        );
        self.of_service(name, way, message);
    }
}

/// The path of a file or folder in a folder.
fn below(folder: &str, name: &str) -> String {
    if folder == "." { name.to_owned() } else { format!("{folder}/{name}") }
}
