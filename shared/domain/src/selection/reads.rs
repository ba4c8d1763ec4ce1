//! Which paths something reads.

use crate::ids::RepositoryPath;
use crate::spec::Reads;
use crate::task::TaskSpec;

impl Reads {
    /// Whether a change of this path counts.
    pub fn covers(&self, path: &str) -> bool {
        self.paths.iter().any(|own| is_within(path, own))
            || self.files_in.iter().any(|folder| {
                name_in(path, folder).is_some_and(|name| is_a_name(name) && !is_documentation(name))
            })
    }
}

static NOTHING: Reads = Reads { paths: Vec::new(), files_in: Vec::new() };

/// What a test reads, and the requirement files that are installed before it.
pub(super) fn read_by(spec: &TaskSpec) -> (&Reads, &[RepositoryPath]) {
    match spec {
        TaskSpec::Service(service) => {
            let test = service.test.as_ref();
            (&service.reads, test.map_or(&[], |test| test.requirements.as_slice()))
        }
        TaskSpec::Checks(checks) => (&checks.reads, &checks.requirements),
        TaskSpec::Integration(integration) => (&integration.reads, &integration.requirements),
        // They are rendered, not tested.
        TaskSpec::Manifests(_) => (&NOTHING, &[]),
    }
}

/// Whether the path is this one or lies below it.
pub(super) fn is_within(path: &str, own: &str) -> bool {
    own == "." || path.strip_prefix(own).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// The path seen from the folder.
fn name_in<'a>(path: &'a str, folder: &str) -> Option<&'a str> {
    if folder == "." { Some(path) } else { path.strip_prefix(folder)?.strip_prefix('/') }
}

fn is_a_name(name: &str) -> bool {
    !name.is_empty() && !name.contains('/')
}

/// What people read and no test does.
fn is_documentation(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    let is_requirements = name.contains("requirements") || name.contains("constraints");
    let ending = name.rsplit_once('.').map(|(_, ending)| ending);
    matches!(ending, Some("md" | "rst"))
        || (ending == Some("txt") && !is_requirements)
        || ["license", "licence"].iter().any(|beginning| name.starts_with(beginning))
        || [".gitignore", ".gitattributes", "codeowners"].contains(&name.as_str())
}
