//! The source of a build: a zip in S3, unpacked in its container.

use std::io::{Cursor, Read};

use anyhow::{Context, bail};
use bytes::Bytes;

use crate::session::{Files, SOURCE};

/// The kind of a file in its Unix mode, and the value for symbolic links.
const KIND: u32 = 0o170_000;
const LINK: u32 = 0o120_000;

/// A source as it was downloaded.
#[derive(Debug)]
pub(crate) enum Source {
    /// Only the build specification says what to do.
    None,
    /// A zip file.
    Zip(Bytes),
}

impl Source {
    /// The files of the source, as they are put into the container.
    pub(crate) fn add_to(&self, files: &mut Files) -> anyhow::Result<()> {
        files.add_folder(SOURCE)?;
        let Self::Zip(bytes) = self else { return Ok(()) };
        let mut zip = open(bytes)?;
        for index in 0..zip.len() {
            let mut entry = zip.by_index(index).context("the source zip is damaged")?;
            let Some(name) = entry.enclosed_name().and_then(|name| Some(name.to_str()?.to_owned())) else {
                bail!("the source zip holds a file outside of its folder");
            };
            let path = format!("{SOURCE}/{name}");
            let mode = entry.unix_mode().unwrap_or(0o644);
            if entry.is_dir() {
                files.add_folder(&path)?;
                continue;
            }
            let mut content = Vec::new();
            entry
                .read_to_end(&mut content)
                .with_context(|| format!("the source zip is damaged at {name}"))?;
            if mode & KIND == LINK {
                files.add_link(&path, &String::from_utf8_lossy(&content))?;
            } else {
                files.add(&path, mode & 0o777, &content)?;
            }
        }
        Ok(())
    }

    /// One file of the source as text.
    pub(crate) fn read(&self, path: &str) -> anyhow::Result<String> {
        let Self::Zip(bytes) = self else { bail!("there is no source to read {path} from") };
        let mut zip = open(bytes)?;
        let mut entry = zip.by_name(path).with_context(|| format!("{path} does not exist in the source"))?;
        let mut text = String::new();
        entry.read_to_string(&mut text).with_context(|| format!("{path} cannot be read"))?;
        Ok(text)
    }
}

fn open(bytes: &Bytes) -> anyhow::Result<zip::ZipArchive<Cursor<Bytes>>> {
    zip::ZipArchive::new(Cursor::new(bytes.clone())).context("the source is not a zip file")
}

#[cfg(test)]
mod tests {
    use std::io::{Cursor, Read, Write};

    use zip::write::SimpleFileOptions;

    use super::{Files, Source};

    #[test]
    fn executable_bits_and_links_survive() {
        let mut zip = zip::ZipWriter::new(Cursor::new(Vec::new()));
        zip.start_file("top/run.sh", SimpleFileOptions::default().unix_permissions(0o755)).expect("a file");
        zip.write_all(b"#!/bin/sh\n").expect("written");
        zip.add_symlink("top/link", "run.sh", SimpleFileOptions::default()).expect("a link");
        let source = Source::Zip(zip.finish().expect("a zip").into_inner().into());

        let mut files = Files::new();
        source.add_to(&mut files).expect("unpacked");
        let archive = files.finish().expect("an archive");
        let mut seen = Vec::new();
        for entry in tar::Archive::new(archive.as_slice()).entries().expect("entries") {
            let mut entry = entry.expect("an entry");
            let path = entry.path().expect("a path").display().to_string();
            let link = entry.link_name().expect("readable").map(|name| name.display().to_string());
            let mode = entry.header().mode().expect("a mode");
            let mut content = String::new();
            entry.read_to_string(&mut content).expect("content");
            seen.push((path, mode, link, content));
        }
        let folder = "codebuild/output/src/src";
        assert_eq!(seen[1], (format!("{folder}/top/run.sh"), 0o755, None, "#!/bin/sh\n".to_owned()));
        assert_eq!(seen[2].0, format!("{folder}/top/link"));
        assert_eq!(seen[2].2.as_deref(), Some("run.sh"));
    }
}
