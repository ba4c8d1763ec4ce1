//! A commit's files, read from GitHub's zip on disk.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use domain::planning::Tree;
use domain::ports::{Answer, Fault};
use zip::ZipArchive;

/// The largest source zip taken, in bytes: half of what `/tmp` of a function holds by default
/// (<https://docs.aws.amazon.com/lambda/latest/dg/configuration-ephemeral-storage.html>).
pub const LARGEST_SOURCE: u64 = 256 * 1024 * 1024;

/// GitHub's zip of a commit in the function's scratch space; removed with this value.
#[derive(Debug)]
pub struct Commit {
    path: PathBuf,
}

impl Commit {
    /// A place for a zip that no other invocation shares; nothing is there yet.
    pub fn scratch(name: &str) -> Self {
        static COUNT: std::sync::atomic::AtomicU64 = std::sync::atomic::AtomicU64::new(0);
        let number = COUNT.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        Self {
            path: std::env::temp_dir().join(format!("slipway-{name}-{}-{number}.zip", std::process::id())),
        }
    }

    /// Where the zip is to lie.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The paths of all files, without the zip's one top-level folder.
    ///
    /// # Errors
    /// When the zip cannot be read.
    pub fn tree(&self) -> Answer<Tree> {
        let archive = self.open()?;
        let names = archive
            .file_names()
            .collect::<Result<Vec<_>, _>>()
            .map_err(|error| Fault::retry("cannot read the source zip", error))?;
        Ok(names
            .iter()
            .filter(|name| !name.ends_with('/'))
            .filter_map(|name| name.split_once('/'))
            .map(|(_, path)| path)
            .collect())
    }

    /// A file by its path, at most `most` bytes of it; none where there is no such file.
    ///
    /// # Errors
    /// When the zip cannot be read.
    pub fn file(&self, path: &str, most: u64) -> Answer<Option<Vec<u8>>> {
        let mut archive = self.open()?;
        let unreadable = || format!("cannot read `{path}` in the source zip");
        let Some(folder) = archive
            .file_names()
            .flatten()
            .next()
            .and_then(|name| name.split_once('/').map(|(folder, _)| folder.to_owned()))
        else {
            return Ok(None);
        };
        let Some(index) = archive.index_for_name(&format!("{folder}/{path}")) else { return Ok(None) };
        let entry = archive.by_index(index).map_err(|error| Fault::retry(unreadable(), error))?;
        let mut bytes = Vec::new();
        entry.take(most).read_to_end(&mut bytes).map_err(|error| Fault::retry(unreadable(), error))?;
        Ok(Some(bytes))
    }

    fn open(&self) -> Answer<ZipArchive<File>> {
        let file =
            File::open(&self.path).map_err(|error| Fault::retry("cannot open the source zip", error))?;
        ZipArchive::new(file).map_err(|error| Fault::retry("cannot read the source zip", error))
    }
}

impl Drop for Commit {
    fn drop(&mut self) {
        if let Err(error) = std::fs::remove_file(&self.path) {
            tracing::debug!(%error, file = %self.path.display(), "scratch file not removed");
        }
    }
}
