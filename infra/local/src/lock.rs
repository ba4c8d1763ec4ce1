//! Who may make, change and clear a cloud: whoever holds the lock in its folder.
//!
//! The system frees it when its holder ends, however that happens, so that it never has to be cleared away.

use std::fs::{self, File, TryLockError};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, bail};
use tokio::time::{Instant, sleep};

const POLL: Duration = Duration::from_millis(50);

/// The right to make, change and clear the cloud in one folder; dropped, it is free.
#[derive(Debug)]
pub(crate) struct Lock {
    _file: File,
}

impl Lock {
    /// Takes it, or says by `None` that somebody has it.
    pub(crate) fn try_take(state_dir: &Path) -> anyhow::Result<Option<Self>> {
        let path = path(state_dir);
        fs::create_dir_all(state_dir).with_context(|| format!("making {}", state_dir.display()))?;
        let file = File::create(&path).with_context(|| format!("writing {}", path.display()))?;
        match file.try_lock() {
            Ok(()) => Ok(Some(Self { _file: file })),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(error)) => {
                Err(error).with_context(|| format!("locking {}", path.display()))
            }
        }
    }

    /// Takes it as soon as it is free.
    pub(crate) async fn take(state_dir: &Path, limit: Duration) -> anyhow::Result<Self> {
        let deadline = Instant::now() + limit;
        loop {
            if let Some(lock) = Self::try_take(state_dir)? {
                return Ok(lock);
            }
            if Instant::now() > deadline {
                bail!(
                    "another process still works on this cloud after {limit:?}: `fuser {}` names it",
                    path(state_dir).display()
                );
            }
            sleep(POLL).await;
        }
    }

    /// Whether somebody has it; makes nothing.
    pub(crate) fn is_taken(state_dir: &Path) -> bool {
        let Ok(file) = File::open(path(state_dir)) else { return false };
        matches!(file.try_lock(), Err(TryLockError::WouldBlock))
    }
}

fn path(state_dir: &Path) -> PathBuf {
    state_dir.join("lock")
}
