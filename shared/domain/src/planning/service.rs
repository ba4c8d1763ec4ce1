//! One service or component of the plan.

use std::collections::BTreeMap;

use super::tree::{normal, plain};
use super::{MANIFESTS_FOLDER, Planner, SERVICES_FOLDER};
use crate::files::pipeline::{HealthEntry, PIPELINE_FILE, ServiceEntry};
use crate::files::{DnsLabel, ImageName, OrNone, Step};
use crate::ids::{RepositoryPath, ServiceName};
use crate::spec::{HealthSpec, ImageSpec, Reads, RolloutSpec, Scalar, ServiceSpec, TestSpec};
use crate::text;

const IMAGE_PREFIX: &str = "vive-sphere";
const COVERAGE: u8 = 80;
const PORT: u16 = 8000;

impl Planner<'_> {
    /// A service as the file and the convention describe it; none where a problem was found.
    pub(super) fn service(&mut self, name: &ServiceName, entry: &ServiceEntry) -> Option<ServiceSpec> {
        if entry.image == Some(OrNone::None) {
            return self.named_component(name, entry);
        }
        let problems = self.problems.len();
        let folder = match &entry.path {
            Some(path) => normal(path.as_str()),
            None => format!("{SERVICES_FOLDER}/{name}"),
        };
        let path = self.path(name, "path", &folder);
        if !self.tree.has_folder(&folder) {
            self.missing(name, "path", &folder);
            return None;
        }
        let test = self.test(name, entry, &folder);
        let image = self.image(name, entry, &folder);
        let (manifests, rendering) = self.manifests(name, entry);
        let health = match &entry.health {
            Some(OrNone::None) => None,
            Some(OrNone::Value(health)) => self.health(name, health),
            None => self.health(name, &HealthEntry::default()),
        };
        let rollout = self.rollout(name, entry);
        if self.problems.len() > problems {
            return None;
        }
        Some(ServiceSpec {
            name: name.clone(),
            path: path?,
            test: Some(test),
            image: Some(image?),
            manifests,
            rendering,
            values: self.values(entry),
            rollout,
            health,
            reads: Reads::default(),
        })
    }

    /// A component by convention: its manifests, nothing else.
    pub(super) fn component(
        &mut self,
        name: &ServiceName,
        manifests: Vec<RepositoryPath>,
    ) -> Option<ServiceSpec> {
        let path = self.path(name, "path", MANIFESTS_FOLDER)?;
        let (name, reads) = (name.clone(), Reads::default());
        Some(ServiceSpec {
            name,
            path,
            test: None,
            image: None,
            manifests,
            rendering: None,
            values: BTreeMap::new(),
            rollout: RolloutSpec::default(),
            health: None,
            reads,
        })
    }

    /// A component that the file names with `image: none`.
    fn named_component(&mut self, name: &ServiceName, entry: &ServiceEntry) -> Option<ServiceSpec> {
        let problems = self.problems.len();
        for (field, is_there) in [
            ("test", entry.test.is_some()),
            ("dockerfile", entry.dockerfile.is_some()),
            ("build", entry.build.is_some()),
            ("depends_on", entry.depends_on.is_some()),
        ] {
            if is_there {
                let message = format!(
                    "service `{name}` has `image: none` and `{field}`: a component is neither built nor tested; take \
                     one of them out"
                );
                self.of_service(name, &[Step::Key(field)], message);
            }
        }
        let (manifests, rendering) = self.manifests(name, entry);
        let health = match &entry.health {
            Some(OrNone::Value(health)) => self.health(name, health),
            // Unlike a service's, a component's answer cannot be guessed.
            Some(OrNone::None) | None => None,
        };
        let rollout = self.rollout(name, entry);
        let component = self.component(name, manifests)?;
        let path = entry.path.clone().unwrap_or(component.path);
        let values = self.values(entry);
        (self.problems.len() == problems).then_some(ServiceSpec {
            path,
            rendering,
            values,
            rollout,
            health,
            ..component
        })
    }

    fn test(&mut self, name: &ServiceName, entry: &ServiceEntry, folder: &str) -> TestSpec {
        let entry = entry.test.clone().unwrap_or_default();
        let way = [Step::Key("services"), Step::Key(name.as_str()), Step::Key("test")];
        let build = self.settings(&way, &entry.build, entry.retries);
        let not_below_base = entry.not_below_base.unwrap_or_default();
        if not_below_base && entry.coverage == Some(OrNone::None) {
            let message = format!(
                "service `{name}` has `coverage: none` and `not_below_base`: what is not judged cannot be compared; \
                 write `coverage: 0`, or take one of them out"
            );
            self.of_service(name, &[Step::Key("test"), Step::Key("not_below_base")], message);
        }
        let tests = format!("{folder}/tests");
        let command = entry.command.map_or_else(
            || {
                if !self.tree.has_folder(&tests) {
                    self.notes
                        .push(format!("service `{name}` has no tests in `{tests}/`: its test will be red"));
                }
                format!("pytest {} -v --cov={}", quoted(&format!("{tests}/")), quoted(folder))
            },
            Into::into,
        );
        let coverage = match entry.coverage {
            Some(OrNone::None) => None,
            Some(OrNone::Value(percent)) => Some(percent.get()),
            None => Some(COVERAGE),
        };
        let requirements = self.tree.requirements(&[folder]);
        let reports = entry.reports.unwrap_or_default();
        TestSpec { command, coverage, not_below_base, reports, requirements, build }
    }

    fn image(&mut self, name: &ServiceName, entry: &ServiceEntry, folder: &str) -> Option<ImageSpec> {
        let dockerfile = match &entry.dockerfile {
            Some(path) => plain(path.as_str()).to_owned(),
            None => format!("{folder}/Dockerfile"),
        };
        if !self.tree.has_file(&dockerfile) {
            self.missing(name, "dockerfile", &dockerfile);
        }
        let repository = match &entry.image {
            Some(OrNone::Value(image)) => image.as_str().to_owned(),
            _ => format!("{IMAGE_PREFIX}/{name}"),
        };
        if let Err(invalid) = repository.parse::<ImageName>() {
            let message = format!("service `{name}`: {invalid}; name another with `services.{name}.image`");
            self.of_service(name, &[Step::Key("image")], message);
        }
        let dockerfile = self.path(name, "dockerfile", &dockerfile)?;
        let (arguments, secrets) = self.image_build(name, entry);
        Some(ImageSpec { repository, dockerfile, arguments, secrets })
    }

    fn health(&mut self, name: &ServiceName, entry: &HealthEntry) -> Option<HealthSpec> {
        let service = match &entry.service {
            Some(service) => service.clone(),
            None => match name.dns_label().parse::<DnsLabel>() {
                Ok(service) => service,
                Err(invalid) => {
                    let message = format!(
                        "service `{name}`: {invalid}; name another with `services.{name}.health.service`"
                    );
                    self.of_service(name, &[Step::Key("health")], message);
                    return None;
                }
            },
        };
        Some(HealthSpec {
            path: entry.path.clone().map_or_else(|| format!("/api/v1/{name}/health"), Into::into),
            service: service.into(),
            port: entry.port.map_or(PORT, std::num::NonZeroU16::get),
        })
    }

    /// What placeholders stand for in the environment that the commit is delivered to.
    fn values(&self, entry: &ServiceEntry) -> BTreeMap<String, Scalar> {
        let of_all = entry.values.as_ref();
        let own = self.environment.and_then(|environment| of_all?.get(environment)).cloned().flatten();
        own.into_iter().flatten().map(|(name, value)| (name.into(), value)).collect()
    }

    fn missing(&mut self, name: &ServiceName, field: &str, path: &str) {
        let near = self.did_you_mean(path);
        let message = format!(
            "service `{name}`: `{path}` is not in the commit;{near} add it, or name another with \
             `services.{name}.{field}` in `{PIPELINE_FILE}`"
        );
        self.of_service(name, &[Step::Key(field), Step::Item(path)], message);
    }

    /// A path that the convention put together; too long a folder is a problem like any other.
    pub(super) fn path(&mut self, name: &ServiceName, field: &str, path: &str) -> Option<RepositoryPath> {
        match path.parse() {
            Ok(path) => Some(path),
            Err(invalid) => {
                let invalid = text::first_line(&format!("{invalid}"), 300);
                self.of_service(name, &[Step::Key(field)], format!("service `{name}`, `{field}`: {invalid}"));
                None
            }
        }
    }
}

/// The word as a shell takes it; the usual ones stay as they are.
fn quoted(word: &str) -> String {
    let plain =
        word.chars().all(|c| c.is_ascii_alphanumeric() || "_-./".contains(c)) && !word.starts_with('-');
    if plain { word.to_owned() } else { format!("'{}'", word.replace('\'', r"'\''")) }
}
