//! What a build leaves behind: chosen by patterns, packed, and uploaded to S3.

use std::io::{Cursor, Read, Write};

use anyhow::{Context, bail};
use bytes::Bytes;
use sha2::{Digest, Sha256};
use zip::write::SimpleFileOptions;

use crate::aws::LocalAws;
use crate::build::{ArtifactTarget, Artifacts, Build};
use crate::buildspec::ArtifactFiles;
use crate::container::Container;
use crate::glob;
use crate::logs::Log;
use crate::session::SOURCE;

/// A file of a build: its path in the artifact, whether it can be executed, what it holds.
pub(crate) struct File {
    pub(crate) path: String,
    pub(crate) mode: u32,
    pub(crate) content: Vec<u8>,
}

/// Uploads the artifacts of a build to where it was told to. Where nothing is to be kept, nothing is done.
pub(crate) async fn upload(
    aws: &LocalAws,
    build: &Build,
    files: Option<&ArtifactFiles>,
    container: &Container,
    log: &Log,
) -> anyhow::Result<Artifacts> {
    let (Some(chosen), "S3") = (files, build.target.kind.as_str()) else { return Ok(Artifacts::default()) };
    let bucket = build.target.location.as_deref().context("the artifacts have no bucket")?;
    let files = collect(container, chosen).await?;
    log.note(&format!("Found {} file(s)", files.len()));
    if files.is_empty() {
        bail!("no matching artifact paths found");
    }
    let key = key(&build.target, chosen, build.uuid());
    if build.target.packaging.as_deref() != Some("ZIP") {
        for file in files {
            let key = format!("{key}/{}", file.path);
            aws.put_object(bucket, key.trim_start_matches('/'), file.content.into()).await?;
        }
        return Ok(Artifacts { location: Some(format!("arn:aws:s3:::{bucket}/{key}")), sha256sum: None });
    }
    put_zip(aws, bucket, &key, files).await
}

/// Uploads files as one zip to where the build's artifacts go.
pub(crate) async fn store_zip(
    aws: &LocalAws,
    build: &Build,
    name: &str,
    files: Vec<File>,
) -> anyhow::Result<Artifacts> {
    let bucket = build.target.location.as_deref().context("the artifacts have no bucket")?;
    let chosen = ArtifactFiles { name: Some(name.to_owned()), ..ArtifactFiles::default() };
    put_zip(aws, bucket, &key(&build.target, &chosen, build.uuid()), files).await
}

async fn put_zip(aws: &LocalAws, bucket: &str, key: &str, files: Vec<File>) -> anyhow::Result<Artifacts> {
    let zip = tokio::task::spawn_blocking(move || pack(&files)).await??;
    let digest = hex::encode(Sha256::digest(&zip));
    aws.put_object(bucket, key, zip).await?;
    Ok(Artifacts { location: Some(format!("arn:aws:s3:::{bucket}/{key}")), sha256sum: Some(digest) })
}

/// `<path>/<build id, if asked for>/<name>`.
fn key(target: &ArtifactTarget, files: &ArtifactFiles, uuid: &str) -> String {
    let path = target.path.as_deref().unwrap_or_default().trim_matches('/');
    let namespace = if target.namespace_type.as_deref() == Some("BUILD_ID") { uuid } else { "" };
    let own_name = files.name.as_deref().filter(|_| target.override_artifact_name == Some(true));
    let name = own_name.or(target.name.as_deref()).unwrap_or("artifacts.zip").trim_matches('/');
    let parts = [path, namespace, name];
    parts.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join("/")
}

async fn collect(container: &Container, chosen: &ArtifactFiles) -> anyhow::Result<Vec<File>> {
    let base = chosen.base_directory.as_deref().unwrap_or(".");
    let inside = |script: &str| format!("cd {SOURCE} && cd \"$1\" && {script}");
    let list = inside("find -L . -type f -print0");
    let listed = container.output(&["sh", "-c", &list, "sh", base], Vec::new()).await;
    let listed = listed.with_context(|| format!("the base directory {base} cannot be read"))?;
    let listed = String::from_utf8_lossy(&listed).into_owned();
    let wanted = |path: &&str| {
        chosen.files.iter().any(|pattern| glob::matches(pattern, path))
            && !chosen.exclude_paths.iter().any(|pattern| glob::matches(pattern, path))
    };
    let paths: Vec<&str> = listed.split('\0').filter(|path| !path.is_empty()).filter(wanted).collect();
    if paths.is_empty() {
        return Ok(Vec::new());
    }
    let pack = inside("tar --create --dereference --null --verbatim-files-from --files-from=- --file=-");
    let archive = container.output(&["sh", "-c", &pack, "sh", base], paths.join("\0").into_bytes()).await?;
    let mut files = Vec::new();
    for entry in tar::Archive::new(archive.as_slice()).entries()? {
        let mut entry = entry?;
        let path = entry.path()?.display().to_string();
        let path = path.trim_start_matches("./");
        let name = if chosen.discards_paths() { path.rsplit('/').next().unwrap_or(path) } else { path };
        let mode = entry.header().mode()? & 0o777;
        let mut content = Vec::new();
        entry.read_to_end(&mut content)?;
        files.push(File { path: name.to_owned(), mode, content });
    }
    Ok(files)
}

fn pack(files: &[File]) -> anyhow::Result<Bytes> {
    let mut zip = zip::ZipWriter::new(Cursor::new(Vec::new()));
    for file in files {
        zip.start_file(file.path.as_str(), SimpleFileOptions::default().unix_permissions(file.mode))?;
        zip.write_all(&file.content)?;
    }
    Ok(zip.finish()?.into_inner().into())
}

#[cfg(test)]
mod tests {
    use super::{ArtifactFiles, ArtifactTarget, key};

    #[test]
    fn the_key_is_path_namespace_and_name() {
        let check = |path: &str, namespace: &str, name: Option<&str>, expect: &str| {
            let target = ArtifactTarget {
                path: Some(path.to_owned()),
                namespace_type: Some(namespace.to_owned()),
                name: name.map(str::to_owned),
                ..ArtifactTarget::default()
            };
            assert_eq!(key(&target, &ArtifactFiles::default(), "42"), expect);
        };
        check("results/run/task/1", "NONE", Some("result.zip"), "results/run/task/1/result.zip");
        check("results/", "BUILD_ID", Some("result.zip"), "results/42/result.zip");
        check("", "NONE", None, "artifacts.zip");
    }
}
