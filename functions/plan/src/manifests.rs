//! What rendered manifests are made of: the folders that kustomizations lead to, and the key by which an earlier
//! rendering of the same is found.

use std::collections::BTreeSet;

use domain::ports::Answer;
use domain::selection::{Contents, bases_in, kustomizations, manifests_key};
use domain::spec::Rendering;
use domain::task::{Task, TaskSpec};
use lambda::Commit;

/// What every build does that renders: what is rendered depends on it.
const BUILDSPEC: &str = include_str!("../../../infra/buildspecs/render.yml");

/// The largest kustomization that is followed, in bytes, and the most folders.
const LARGEST_KUSTOMIZATION: u64 = 256 * 1024;
const MOST_FOLDERS: usize = 500;

/// Gives the build that renders the key by which an earlier rendering is found. One whose folders are too many, or too
/// large, to be followed has none, and is rendered each time.
pub(crate) fn key_manifests(commit: &Commit, contents: &Contents, tasks: &mut [Task]) -> Answer<()> {
    for task in tasks {
        let TaskSpec::Manifests(spec) = &task.spec else { continue };
        let renderings = spec.services.iter().map(|service| &service.rendering);
        if let Some(bases) = bases(commit, contents, renderings)? {
            task.key = Some(manifests_key(spec, &bases, contents, BUILDSPEC));
        }
    }
    Ok(())
}

/// The folders with kustomizations that these renderings lead to; none where they cannot all be followed.
pub(crate) fn bases<'a>(
    commit: &Commit,
    contents: &Contents,
    renderings: impl Iterator<Item = &'a Rendering>,
) -> Answer<Option<BTreeSet<String>>> {
    let roots = renderings.filter_map(|rendering| match rendering {
        Rendering::Kustomize { folder } => Some(folder.as_str().trim_end_matches('/').to_owned()),
        Rendering::Helm { .. } => None,
    });
    let mut next: BTreeSet<String> = roots.collect();
    let mut known = next.clone();
    while !next.is_empty() {
        if known.len() > MOST_FOLDERS {
            return Ok(None);
        }
        let files: Vec<(&String, String)> =
            next.iter().flat_map(|folder| kustomizations(folder).map(|file| (folder, file))).collect();
        let paths: Vec<&str> = files.iter().map(|(_, file)| file.as_str()).collect();
        let mut found = BTreeSet::new();
        for ((folder, _), text) in files.iter().zip(commit.files(&paths, LARGEST_KUSTOMIZATION)?) {
            let text = text.unwrap_or_default();
            if text.len() as u64 >= LARGEST_KUSTOMIZATION {
                return Ok(None);
            }
            found.extend(bases_in(&text, folder, contents));
        }
        next = found.difference(&known).cloned().collect();
        known.extend(next.iter().cloned());
    }
    Ok(Some(known))
}
