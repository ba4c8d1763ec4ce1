//! What a build keeps in S3 for those after it, with its role's credentials.
//!
//! A copy that has a key is made once and never changes. What goes wrong with a cache is said in the log and fails
//! nothing, as on AWS. How CodeBuild packs a copy and names its object is nobody's business; here it is a tar archive.

use anyhow::{Context, ensure};

use crate::aws::LocalAws;
use crate::build::Build;
use crate::buildspec::CacheFiles;
use crate::container::Container;
use crate::glob;
use crate::logs::Log;
use crate::session;

/// The name of the copy of a build specification without a key.
const ONLY: &str = "cache";

/// The place of a build's copy.
#[derive(Debug)]
pub(crate) struct Cache {
    bucket: String,
    object: String,
    paths: Vec<String>,
    /// There is one with this key, which must not change.
    is_kept: bool,
}

impl Cache {
    /// Unpacks the copy, where there is one. None where the build has no cache.
    pub(crate) async fn restore(
        aws: &LocalAws,
        build: &Build,
        files: &CacheFiles,
        container: &Container,
        log: &Log,
    ) -> Option<Self> {
        if build.cache.kind != "S3" {
            return None;
        }
        match Self::found(aws, build, files, container, log).await {
            Ok(cache) => Some(cache),
            Err(error) => {
                log.note(&format!("Unable to download cache: {error:#}"));
                None
            }
        }
    }

    async fn found(
        aws: &LocalAws,
        build: &Build,
        files: &CacheFiles,
        container: &Container,
        log: &Log,
    ) -> anyhow::Result<Self> {
        ensure!(!files.paths.is_empty(), "no paths specified to be cached");
        let location = build.cache.location.as_deref().unwrap_or_default();
        let (bucket, prefix) = location.split_once('/').unwrap_or((location, ""));
        let key = match &files.key {
            Some(key) => filled(key, container).await.with_context(|| format!("the key {key}"))?,
            None => ONLY.to_owned(),
        };
        let object = [prefix.trim_matches('/'), &key].join("/");
        let mut cache = Self {
            bucket: bucket.to_owned(),
            object: object.trim_matches('/').to_owned(),
            paths: files.paths.clone(),
            is_kept: false,
        };
        match aws.get_object(&cache.bucket, &cache.object, None).await {
            Ok((archive, _)) => {
                log.note(&format!("Unarchiving cache {}", cache.object));
                container.unpack(archive.to_vec()).await?;
                cache.is_kept = files.key.is_some();
            }
            Err(error) => log.note(&format!("No cache is restored: {error:#}")),
        }
        Ok(cache)
    }

    /// Keeps what the build leaves in the paths, unless the copy of this key is there already.
    pub(crate) async fn save(&self, aws: &LocalAws, container: &Container, log: &Log) {
        if self.is_kept {
            return;
        }
        match self.put(aws, container).await {
            Ok(count) => log.note(&format!("Uploaded cache {}: {count} file(s)", self.object)),
            Err(error) => log.note(&format!("Unable to upload cache: {error:#}")),
        }
    }

    async fn put(&self, aws: &LocalAws, container: &Container) -> anyhow::Result<usize> {
        let mut files = Vec::new();
        for pattern in &self.paths {
            let list = "[ ! -d \"$1\" ] || find \"$1\" -type f -print0";
            let listed = container.output(&["sh", "-c", list, "sh", folder_of(pattern)], Vec::new()).await?;
            let listed = String::from_utf8_lossy(&listed).into_owned();
            let wanted = |path: &&str| !path.is_empty() && glob::matches(pattern, path);
            files.extend(listed.split('\0').filter(wanted).map(str::to_owned));
        }
        if files.is_empty() {
            return Ok(0);
        }
        let pack = "tar --create --absolute-names --null --verbatim-files-from --files-from=- --file=-";
        let archive = container.output(&["sh", "-c", pack], files.join("\0").into_bytes()).await?;
        aws.put_object(&self.bucket, &self.object, archive.into()).await?;
        Ok(files.len())
    }
}

/// The key with what the shell makes of it.
async fn filled(key: &str, container: &Container) -> anyhow::Result<String> {
    let filled = container.output(&["sh", "-c", &session::print_filled(), "sh", key], Vec::new()).await?;
    let filled = String::from_utf8(filled)?;
    let is_plain = |character: char| character.is_ascii_alphanumeric() || "-_.".contains(character);
    ensure!(!filled.is_empty() && filled.chars().all(is_plain), "it became `{filled}`");
    Ok(filled)
}

/// The folder below which all that the pattern names lies.
fn folder_of(pattern: &str) -> &str {
    let plain = pattern.find(['*', '?']).map_or(pattern, |first| &pattern[..first]);
    plain.rfind('/').map_or("/", |end| &plain[..=end])
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_folder_of_a_pattern_ends_before_the_first_wildcard() {
        let check = |pattern: &str, expect: &str| assert_eq!(super::folder_of(pattern), expect);
        check("/root/.cache/pip/**/*", "/root/.cache/pip/");
        check("/root/.cache/p?p/a", "/root/.cache/");
        check("/root/file", "/root/");
        check("*", "/");
    }
}
