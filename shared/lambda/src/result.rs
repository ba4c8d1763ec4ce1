//! What a build left behind: the entries of its `result.zip`.

use std::io::{Cursor, Read};
use std::time::Duration;

use domain::keys;
use domain::ports::{Answer, Artifacts, Fault};
use domain::report::ResultFiles;
use sha2::{Digest, Sha256};
use zip::ZipArchive;

/// How long a task waits when the account's limit of concurrent builds is reached.
pub const BUSY_DELAY: Duration = Duration::from_secs(30);

/// The largest `result.zip` read, in bytes.
const LARGEST_RESULT: u64 = 32 * 1024 * 1024;

/// The largest entry read, in bytes; the reports' own limit lies below.
const LARGEST_ENTRY: u64 = 9 * 1024 * 1024;

/// The most of all entries together, in bytes: the functions that read them have 512 MB of memory.
const LARGEST_SUM: u64 = 40 * 1024 * 1024;

/// Entries of one service beyond this number are not ours.
const MOST_ENTRIES: usize = 64;

/// The entries of the result in a build's folder by name; none where the build left nothing. Of a build that services
/// share, those of one service lie below its name: `within`, else empty. `digest` is the SHA-256 of what
/// CodeBuild uploaded, where it told one: all builds of a project write with one role, so that one of them could leave
/// a result in the name of another.
///
/// # Errors
/// When the bucket does not answer. A zip that cannot be read counts as nothing: the verdict says what is missing.
pub async fn read_result(
    artifacts: &impl Artifacts,
    folder: &str,
    within: &str,
    digest: Option<&str>,
) -> Answer<Option<ResultFiles>> {
    let Some(bytes) = uploaded(artifacts, folder, digest).await? else { return Ok(None) };
    Ok(Some(
        unpack(bytes, within)
            .map_err(|error| Fault::retry("cannot read the build's result", error))
            .unwrap_or_else(|fault| {
                tracing::warn!(folder, fault = fault.chain(), "the build's result counts as missing");
                ResultFiles::new()
            }),
    ))
}

/// The bytes that CodeBuild uploaded.
async fn uploaded(artifacts: &impl Artifacts, folder: &str, digest: Option<&str>) -> Answer<Option<Vec<u8>>> {
    let bytes = artifacts.get(&keys::result(folder), LARGEST_RESULT).await?;
    Ok(bytes.filter(|bytes| {
        let is_other = digest.is_some_and(|digest| hex::encode(Sha256::digest(bytes)) != digest);
        if is_other {
            tracing::warn!(folder, "the result is not what CodeBuild uploaded; it counts as missing");
        }
        !is_other
    }))
}

/// What a build left behind whose entries are too many, or too large, to be held together.
#[derive(Debug)]
pub struct BuildResult(ZipArchive<Cursor<Vec<u8>>>);

impl BuildResult {
    /// The result in a build's folder; none where it cannot be read, or is not what CodeBuild says it uploaded
    /// (`digest`, as for [`read_result`]).
    ///
    /// # Errors
    /// When the bucket does not answer.
    pub async fn read(
        artifacts: &impl Artifacts,
        folder: &str,
        digest: Option<&str>,
    ) -> Answer<Option<Self>> {
        let bytes = uploaded(artifacts, folder, digest).await?;
        Ok(bytes.and_then(|bytes| ZipArchive::new(Cursor::new(bytes)).ok()).map(Self))
    }

    /// An entry of at most `most` bytes; none where there is no such entry, or it is larger or broken.
    pub fn entry(&mut self, name: &str, most: u64) -> Option<Vec<u8>> {
        let mut content = Vec::new();
        // The uncompressed size is the writer's claim: what comes out counts.
        self.0.by_name(name).ok()?.take(most + 1).read_to_end(&mut content).ok()?;
        (content.len() as u64 <= most).then_some(content)
    }
}

/// An entry's name as its service knows it; none where it is another's.
fn own_name(name: &str, within: &str) -> Option<String> {
    let own = if within.is_empty() { name } else { name.strip_prefix(within)?.strip_prefix('/')? };
    Some(own.to_owned())
}

fn unpack(bytes: Vec<u8>, within: &str) -> Result<ResultFiles, zip::result::ZipError> {
    let mut archive = ZipArchive::new(Cursor::new(bytes))?;
    let (mut files, mut left) = (ResultFiles::new(), LARGEST_SUM);
    let names: Vec<(usize, String)> = (0..archive.len())
        .filter_map(|index| Some((index, own_name(archive.name_for_index(index)?.ok()?.as_ref(), within)?)))
        .take(MOST_ENTRIES)
        .collect();
    for (index, name) in names {
        let entry = archive.by_index(index)?;
        let mut content = Vec::new();
        // The uncompressed size is the writer's claim: read no more than we would keep.
        entry.take(LARGEST_ENTRY.min(left)).read_to_end(&mut content)?;
        left -= content.len() as u64;
        files.insert(name, content);
    }
    Ok(files)
}
