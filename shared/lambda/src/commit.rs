//! A commit's files, read from GitHub's zip on disk.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use domain::planning::Tree;
use domain::ports::{Answer, Fault};
use domain::selection::{ContentHash, Contents, EntryKind};
use zip::ZipArchive;

/// The largest source zip taken, in bytes: half of what `/tmp` of a function holds by default
/// (<https://docs.aws.amazon.com/lambda/latest/dg/configuration-ephemeral-storage.html>).
pub const LARGEST_SOURCE: u64 = 256 * 1024 * 1024;

/// The most that a source zip may unpack to, in bytes: ordinary source is packed to a fifth or so, and what goes far
/// beyond is made to keep somebody busy.
const MOST_UNPACKED: u64 = 8 * LARGEST_SOURCE;
/// How much is read at a time, in bytes.
const PIECE: usize = 64 * 1024;

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
        Ok(self.files(&[path], most)?.pop().flatten())
    }

    /// Some files, each as [`Commit::file`] gives it, in one go.
    ///
    /// # Errors
    /// When the zip cannot be read.
    pub fn files(&self, paths: &[&str], most: u64) -> Answer<Vec<Option<Vec<u8>>>> {
        let mut archive = self.open()?;
        let Some(folder) = archive
            .file_names()
            .flatten()
            .next()
            .and_then(|name| name.split_once('/').map(|(folder, _)| folder.to_owned()))
        else {
            return Ok(vec![None; paths.len()]);
        };
        let read = |path: &&str| {
            let unreadable = || format!("cannot read `{path}` in the source zip");
            let Some(index) = archive.index_for_name(&format!("{folder}/{path}")) else { return Ok(None) };
            let entry = archive.by_index(index).map_err(|error| Fault::retry(unreadable(), error))?;
            let mut bytes = Vec::new();
            entry.take(most).read_to_end(&mut bytes).map_err(|error| Fault::retry(unreadable(), error))?;
            Ok(Some(bytes))
        };
        paths.iter().map(read).collect()
    }

    /// Every file with the hash of its content, without the zip's one top-level folder. Whether a file can be run counts,
    /// and whether it is a link, whose content is where it leads.
    ///
    /// # Errors
    /// When the zip cannot be read, or unpacks to more than two GiB.
    pub fn contents(&self) -> Answer<Contents> {
        self.contents_within(MOST_UNPACKED)
    }

    fn contents_within(&self, most: u64) -> Answer<Contents> {
        let mut archive = self.open()?;
        let unreadable = |error| Fault::retry("cannot read the source zip", error);
        let mut left = most;
        let mut piece = vec![0; PIECE];
        let mut hashed = Vec::with_capacity(archive.len());
        for index in 0..archive.len() {
            let mut entry = archive.by_index(index).map_err(unreadable)?;
            let name = entry.name().map_err(unreadable)?.into_owned();
            let Some((_, path)) = name.split_once('/').filter(|(_, path)| is_file(path)) else { continue };
            let mut hash = ContentHash::new(kind(entry.unix_mode()));
            // What the zip declares as a size is a claim; what comes out of it counts.
            loop {
                let count = entry.read(&mut piece).map_err(|error| {
                    Fault::retry(format!("cannot read `{path}` in the source zip"), error)
                })?;
                if count == 0 {
                    break;
                }
                left = left.checked_sub(count as u64).ok_or_else(|| too_large(most))?;
                hash.update(&piece[..count]);
            }
            hashed.push((path.to_owned(), hash.finish()));
        }
        Ok(hashed.into_iter().collect())
    }

    fn open(&self) -> Answer<ZipArchive<File>> {
        let file =
            File::open(&self.path).map_err(|error| Fault::retry("cannot open the source zip", error))?;
        ZipArchive::new(file).map_err(|error| Fault::retry("cannot read the source zip", error))
    }
}

fn is_file(path: &str) -> bool {
    !path.is_empty() && !path.ends_with('/')
}

/// What git's mode says, which GitHub keeps in the zip (`man 7 inode` for the bits).
fn kind(mode: Option<u32>) -> EntryKind {
    match mode.unwrap_or_default() {
        mode if mode & 0o170_000 == 0o120_000 => EntryKind::Link,
        mode if mode & 0o111 != 0 => EntryKind::Executable,
        _ => EntryKind::File,
    }
}

fn too_large(most: u64) -> Fault {
    Fault::reject(format!(
        "the commit unpacks to more than the {most} bytes that are read; take large files out of the repository, or \
         keep them in Git LFS"
    ))
}

impl Drop for Commit {
    fn drop(&mut self) {
        if let Err(error) = std::fs::remove_file(&self.path) {
            tracing::debug!(%error, file = %self.path.display(), "scratch file not removed");
        }
    }
}

#[cfg(test)]
mod tests;
