//! The functions' binaries, made into the packages that the local AWS runs.
//!
//! A package is a three-line script that executes the compiled binary: debug binaries are large, and the local
//! AWS keeps each package in memory. The binary is hard-linked into the cloud's folder first, so that a rebuild
//! meanwhile does not change what the cloud runs, and stray processes can be told by where they run from.

use std::fs;
use std::io::{Cursor, Write};
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use anyhow::Context;
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipWriter};

/// One function's package.
pub(crate) struct Package {
    /// What the template calls it: `functions/<name>`.
    pub(crate) code_uri: String,
    /// Where it goes in the bucket of packages; a new build has a new key.
    pub(crate) key: String,
    /// The zip.
    pub(crate) bytes: Vec<u8>,
}

/// Packages every function the template names by `CodeUri: functions/<name>`.
pub(crate) fn package_all(
    template: &str,
    functions_dir: &Path,
    state_dir: &Path,
) -> anyhow::Result<Vec<Package>> {
    let folder = state_dir.join("functions");
    fs::create_dir_all(&folder).with_context(|| format!("making {}", folder.display()))?;
    names(template).map(|name| package(name, functions_dir, &folder)).collect()
}

fn names(template: &str) -> impl Iterator<Item = &str> {
    template.lines().filter_map(|line| line.trim().strip_prefix("CodeUri: functions/"))
}

fn package(name: &str, functions_dir: &Path, folder: &Path) -> anyhow::Result<Package> {
    let binary = functions_dir.join(format!("slipway-{name}"));
    let metadata = fs::metadata(&binary)
        .with_context(|| format!("`{}` is missing; `make build` builds it", binary.display()))?;
    let built = metadata.modified()?.duration_since(UNIX_EPOCH)?.as_nanos();
    let kept = folder.join(format!("{name}-{built:x}"));
    keep(&binary, &kept)?;
    let script = format!("#!/bin/sh\nexec '{}'\n", std::path::absolute(&kept)?.display());
    Ok(Package {
        code_uri: format!("functions/{name}"),
        key: format!("{name}/{built:x}.zip"),
        bytes: zip_of(&script)?,
    })
}

/// Links the binary, or copies it where the cloud's folder lies on another file system.
fn keep(binary: &Path, kept: &PathBuf) -> anyhow::Result<()> {
    if kept.exists() || fs::hard_link(binary, kept).is_ok() {
        return Ok(());
    }
    fs::copy(binary, kept).with_context(|| format!("copying {}", binary.display()))?;
    Ok(())
}

fn zip_of(script: &str) -> anyhow::Result<Vec<u8>> {
    let options =
        SimpleFileOptions::default().compression_method(CompressionMethod::Stored).unix_permissions(0o755);
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    zip.start_file("bootstrap", options)?;
    zip.write_all(script.as_bytes())?;
    Ok(zip.finish()?.into_inner())
}
