//! The manifests of a commit, out of its zip in the bucket.

use domain::ids::{RepositoryPath, RunId};
use domain::keys;
use domain::ports::{Answer, Artifacts, Fault};
use lambda::{Commit, LARGEST_SOURCE};

/// Kubernetes refuses objects beyond about 1.5 MB; a file may hold several.
const LARGEST_MANIFEST: u64 = 8 * 1024 * 1024;

/// A manifest file of the commit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ManifestFile {
    /// Its path.
    pub path: String,
    /// Its text.
    pub text: String,
}

/// Reads the named files.
///
/// # Errors
/// When the bucket does not answer, or a file or the whole source has gone from it.
pub async fn files(
    artifacts: &impl Artifacts,
    run: &RunId,
    paths: &[RepositoryPath],
) -> Answer<Vec<ManifestFile>> {
    let commit = Commit::scratch(run.sha.short());
    if !artifacts.get_file(&keys::source(run), commit.path(), LARGEST_SOURCE).await? {
        return Err(Fault::reject(format!("the bucket no longer holds the source of `{run}`")));
    }
    paths.iter().map(|path| read(&commit, path.as_str())).collect()
}

fn read(commit: &Commit, path: &str) -> Answer<ManifestFile> {
    let bytes = commit
        .file(path, LARGEST_MANIFEST)?
        .ok_or_else(|| Fault::reject(format!("the commit has no file `{path}`")))?;
    Ok(ManifestFile { path: path.to_owned(), text: String::from_utf8_lossy(&bytes).into_owned() })
}
