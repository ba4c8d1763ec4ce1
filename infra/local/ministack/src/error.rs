//! What can go wrong before MiniStack answers.

use std::path::{Path, PathBuf};

/// Why there is no local AWS.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The virtual environment with MiniStack does not exist.
    #[error("MiniStack is not installed: `{}` does not exist; `make doctor` installs it", .0.display())]
    NotInstalled(PathBuf),
    /// A file or process could not be used.
    #[error("`{}` cannot be used", path.display())]
    Io {
        /// What was to be used.
        path: PathBuf,
        /// Why it could not.
        source: std::io::Error,
    },
    /// The process ended or stayed silent.
    #[error("MiniStack did not start; its log ends with:\n{0}")]
    NotStarted(String),
}

impl Error {
    pub(crate) fn io(path: &Path, source: std::io::Error) -> Self {
        Self::Io { path: path.to_owned(), source }
    }
}
