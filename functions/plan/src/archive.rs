//! The commit's zip: fetched from GitHub once, kept in the bucket, read from a file.

use std::fs::File;
use std::io::Read;
use std::path::PathBuf;

use domain::files::LARGEST_FILE;
use domain::keys;
use domain::planning::Tree;
use domain::ports::{Answer, Artifacts, Fault, Source};
use domain::run::Run;
use zip::ZipArchive;

/// The largest source zip taken, in bytes: half of what `/tmp` of a function holds by default
/// (<https://docs.aws.amazon.com/lambda/latest/dg/configuration-ephemeral-storage.html>).
const LARGEST_SOURCE: u64 = 256 * 1024 * 1024;

/// A commit's files in GitHub's zip.
#[derive(Debug)]
pub struct Commit {
    file: Scratch,
}

/// A file that goes with its owner.
#[derive(Debug)]
struct Scratch(PathBuf);

impl Drop for Scratch {
    fn drop(&mut self) {
        if let Err(error) = std::fs::remove_file(&self.0) {
            tracing::debug!(%error, file = %self.0.display(), "scratch file not removed");
        }
    }
}

/// Reads the source from the bucket, or from GitHub into the bucket.
///
/// # Errors
/// When neither has it, or it is too large.
pub async fn fetch(artifacts: &impl Artifacts, source: &impl Source, head: &Run) -> Answer<Commit> {
    let file = Scratch(scratch_path(head));
    let key = keys::source(&head.id);
    if !artifacts.get_file(&key, &file.0, LARGEST_SOURCE).await? {
        source.download(&head.id.repository, head.installation, &head.id.sha, &file.0, LARGEST_SOURCE).await?;
        artifacts.put_file(&key, &file.0).await?;
    }
    Ok(Commit { file })
}

/// Two invocations of one environment never share a file.
fn scratch_path(head: &Run) -> PathBuf {
    static COUNT: std::sync::atomic::AtomicU64 = std::sync::atomic::AtomicU64::new(0);
    let number = COUNT.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
    std::env::temp_dir().join(format!("slipway-{}-{}-{number}.zip", head.id.sha.short(), std::process::id()))
}

impl Commit {
    /// The paths of all files, without the zip's one top-level folder.
    ///
    /// # Errors
    /// When the zip cannot be read.
    pub fn tree(&self) -> Answer<Tree> {
        let archive = self.open()?;
        Ok(archive.file_names().filter(|name| !name.ends_with('/')).filter_map(|name| name.split_once('/')).map(|(_, path)| path).collect())
    }

    /// A file by its path; none where there is no such file.
    ///
    /// # Errors
    /// When the zip cannot be read.
    pub fn file(&self, path: &str) -> Answer<Option<Vec<u8>>> {
        let mut archive = self.open()?;
        let Some(name) = archive.file_names().find(|name| name.split_once('/').is_some_and(|(_, rest)| rest == path)).map(str::to_owned) else {
            return Ok(None);
        };
        let entry = archive.by_name(&name).map_err(|error| unreadable(path, error))?;
        let mut bytes = Vec::new();
        // One byte more than is allowed shows the parser that the file is too large.
        entry.take(LARGEST_FILE as u64 + 1).read_to_end(&mut bytes).map_err(|error| unreadable(path, error))?;
        Ok(Some(bytes))
    }

    fn open(&self) -> Answer<ZipArchive<File>> {
        let file = File::open(&self.file.0).map_err(|error| Fault::retry("cannot open the source zip", error))?;
        ZipArchive::new(file).map_err(|error| Fault::retry("cannot read the source zip", error))
    }
}

fn unreadable(path: &str, error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Fault {
    Fault::retry(format!("cannot read `{path}` in the source zip"), error)
}
