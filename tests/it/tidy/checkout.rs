//! The files of this checkout, as git knows them.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, ensure};

/// Every file that belongs to the project: committed, or new and not ignored.
pub(super) struct Checkout {
    root: PathBuf,
    files: Vec<String>,
}

impl Checkout {
    pub(super) fn here() -> anyhow::Result<Self> {
        let root = local::workspace();
        let output = Command::new("git")
            .args(["ls-files", "--cached", "--others", "--exclude-standard"])
            .current_dir(&root)
            .output()
            .context("git is not installed")?;
        ensure!(output.status.success(), "git ls-files: {}", String::from_utf8_lossy(&output.stderr));
        let mut files: Vec<String> = String::from_utf8(output.stdout)?
            .lines()
            .filter(|path| root.join(path).is_file())
            .map(str::to_owned)
            .collect();
        files.sort_unstable();
        files.dedup();
        ensure!(files.len() > 100, "git knows only {} files", files.len());
        Ok(Self { root, files })
    }

    pub(super) fn root(&self) -> &Path {
        &self.root
    }

    /// Paths below a folder (`functions/`) with this ending (`.rs`).
    pub(super) fn below(&self, folder: &str, ending: &str) -> impl Iterator<Item = &str> {
        self.files
            .iter()
            .map(String::as_str)
            .filter(move |path| path.starts_with(folder) && path.ends_with(ending))
    }

    pub(super) fn text(&self, path: &str) -> anyhow::Result<String> {
        String::from_utf8(self.bytes(path)?).with_context(|| format!("`{path}` is not UTF-8"))
    }

    pub(super) fn bytes(&self, path: &str) -> anyhow::Result<Vec<u8>> {
        std::fs::read(self.root.join(path)).with_context(|| format!("reading `{path}`"))
    }

    /// The text of all files below a folder with this ending.
    pub(super) fn texts(&self, folder: &str, ending: &str) -> anyhow::Result<String> {
        self.below(folder, ending).map(|path| self.text(path)).collect()
    }
}
