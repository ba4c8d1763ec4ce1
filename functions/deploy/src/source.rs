//! The manifests of a commit, out of its zip in the bucket.

use std::fs::File;
use std::io::Read;
use std::path::PathBuf;

use domain::ids::{RepositoryPath, RunId};
use domain::keys;
use domain::ports::{Answer, Artifacts, Fault};
use zip::ZipArchive;

/// As much as plan takes.
const LARGEST_SOURCE: u64 = 256 * 1024 * 1024;

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

/// Reads the named files. The zip stays in the function's scratch space for the run's other services.
///
/// # Errors
/// When the bucket does not answer, or the source has gone from it.
pub async fn files(artifacts: &impl Artifacts, run: &RunId, paths: &[RepositoryPath]) -> Answer<Vec<ManifestFile>> {
    let zip = source(artifacts, run).await?;
    let file = File::open(&zip).map_err(|error| Fault::retry("cannot open the source zip", error))?;
    let mut archive = ZipArchive::new(file).map_err(|error| Fault::retry("cannot read the source zip", error))?;
    paths.iter().map(|path| read(&mut archive, path.as_str())).collect()
}

async fn source(artifacts: &impl Artifacts, run: &RunId) -> Answer<PathBuf> {
    let path = std::env::temp_dir().join(format!("slipway-deploy-{}-{}.zip", run.sha, std::process::id()));
    if !path.exists() {
        let partial = path.with_extension(format!("{:?}", std::thread::current().id()));
        if !artifacts.get_file(&keys::source(run), &partial, LARGEST_SOURCE).await? {
            return Err(Fault::reject(format!("the bucket no longer holds the source of `{run}`")));
        }
        std::fs::rename(&partial, &path).map_err(|error| Fault::retry("cannot keep the source zip", error))?;
    }
    Ok(path)
}

fn read(archive: &mut ZipArchive<File>, path: &str) -> Answer<ManifestFile> {
    let unreadable = || format!("cannot read `{path}` in the source zip");
    let name = archive.file_names().find(|name| name.split_once('/').is_some_and(|(_, rest)| rest == path)).map(str::to_owned);
    let name = name.ok_or_else(|| Fault::reject(format!("the commit has no file `{path}`")))?;
    let entry = archive.by_name(&name).map_err(|error| Fault::retry(unreadable(), error))?;
    let mut text = String::new();
    entry.take(LARGEST_MANIFEST).read_to_string(&mut text).map_err(|error| Fault::retry(unreadable(), error))?;
    Ok(ManifestFile { path: path.to_owned(), text })
}
