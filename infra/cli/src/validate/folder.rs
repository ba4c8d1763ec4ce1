//! A repository's folder, seen as the commit that it would become.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::Context as _;
use domain::files::pipeline::PIPELINE_FILE;
use domain::planning::Tree;

/// The files that a commit of everything would hold: what git knows or would add. Where git does not know the folder,
/// all files in it.
pub(super) fn tree(root: &Path) -> anyhow::Result<Tree> {
    match known_to_git(root) {
        Some(paths) => Ok(paths.into_iter().collect()),
        None => Ok(found(root)?.into_iter().collect()),
    }
}

/// The repository that a pipeline file belongs to, by the place where it lies.
pub(super) fn of_pipeline_file(file: &Path) -> anyhow::Result<Option<PathBuf>> {
    let steps = Path::new(PIPELINE_FILE).components().count();
    if file.ends_with(PIPELINE_FILE) {
        let root = file.ancestors().nth(steps).map(Path::to_owned);
        return Ok(root.map(|root| if root.as_os_str().is_empty() { PathBuf::from(".") } else { root }));
    }
    // Named from within its folder.
    let whole = file.canonicalize().with_context(|| format!("`{}` cannot be found", file.display()))?;
    Ok(if whole.ends_with(PIPELINE_FILE) { whole.ancestors().nth(steps).map(Path::to_owned) } else { None })
}

/// The path as a person would write it.
pub(super) fn joined(root: &Path, path: &str) -> String {
    let joined = root.join(path);
    joined.strip_prefix(".").unwrap_or(&joined).display().to_string()
}

/// None where there is no git, or no repository.
fn known_to_git(root: &Path) -> Option<Vec<String>> {
    // A file-system monitor is a program that the folder's own configuration may name.
    let listed = Command::new("git")
        .args(["-c", "core.fsmonitor=false", "-C"])
        .arg(root)
        .args(["ls-files", "-z", "--cached", "--others", "--exclude-standard"])
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .output()
        .ok()
        .filter(|output| output.status.success())?;
    let paths = listed.stdout.split(|byte| *byte == 0).filter_map(|path| std::str::from_utf8(path).ok());
    // What is removed from the folder would be removed by the commit.
    Some(paths.filter(|path| is_file(&root.join(path))).map(ToOwned::to_owned).collect())
}

/// A file or a link, which a commit holds as such.
fn is_file(path: &Path) -> bool {
    path.symlink_metadata().is_ok_and(|metadata| !metadata.is_dir())
}

fn found(root: &Path) -> anyhow::Result<Vec<String>> {
    let (mut folders, mut paths) = (vec![root.to_owned()], Vec::new());
    while let Some(folder) = folders.pop() {
        let unreadable = || format!("the folder `{}` cannot be read", folder.display());
        for entry in folder.read_dir().with_context(unreadable)? {
            let entry = entry.with_context(unreadable)?;
            if entry.file_type().with_context(unreadable)?.is_dir() {
                folders.extend((entry.file_name() != ".git").then(|| entry.path()));
            } else if let Ok(path) = entry.path().strip_prefix(root) {
                paths.extend(path.to_str().map(ToOwned::to_owned));
            }
        }
    }
    Ok(paths)
}
