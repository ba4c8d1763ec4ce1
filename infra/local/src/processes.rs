//! Processes by their ids and start times: a number alone may long belong to somebody else.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::process::Command;
use tokio::time::{Instant, sleep};

const POLL: Duration = Duration::from_millis(50);

/// One process, told apart from a later one with the same number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Process {
    /// Its number.
    pub id: u32,
    /// When it started, in clock ticks since the machine did.
    pub started: u64,
}

impl Process {
    /// The process that has this number now.
    pub fn running(id: u32) -> Option<Self> {
        let stat = std::fs::read_to_string(format!("/proc/{id}/stat")).ok()?;
        // The name in parentheses may hold anything; state is field 3 and start time field 22 of proc(5).
        let (_, fields) = stat.rsplit_once(") ")?;
        let mut fields = fields.split(' ');
        let zombie = fields.next()? == "Z";
        let started = fields.nth(18)?.parse().ok()?;
        (!zombie).then_some(Self { id, started })
    }

    /// This process.
    ///
    /// # Errors
    /// Where there is no `/proc`.
    pub fn own() -> anyhow::Result<Self> {
        Self::running(std::process::id()).ok_or_else(|| anyhow::anyhow!("this system has no /proc"))
    }

    /// Whether it still runs.
    pub fn is_running(self) -> bool {
        Self::running(self.id) == Some(self)
    }

    /// Sends a signal (`TERM`, `KILL`) if it still runs.
    pub(crate) async fn signal(self, signal: &str) {
        if self.is_running() {
            kill(signal, &self.id.to_string()).await;
        }
    }

    /// Sends a signal to its whole process group, which has its number.
    pub(crate) async fn signal_group(self, signal: &str) {
        if self.is_running() {
            kill(signal, &format!("-- -{}", self.id)).await;
        }
    }

    /// Waits until it has ended; says whether it did in time.
    pub(crate) async fn has_ended(self, limit: Duration) -> bool {
        let deadline = Instant::now() + limit;
        while self.is_running() {
            if Instant::now() > deadline {
                return false;
            }
            sleep(POLL).await;
        }
        true
    }
}

/// Every process whose program file lies in `folder`.
pub(crate) fn running_from(folder: &Path) -> Vec<Process> {
    let Ok(folder) = std::fs::canonicalize(folder) else { return Vec::new() };
    let Ok(entries) = std::fs::read_dir("/proc") else { return Vec::new() };
    let ids = entries.flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    ids.filter(|id| program_of(*id).is_some_and(|path| path.starts_with(&folder)))
        .filter_map(Process::running)
        .collect()
}

fn program_of(id: u32) -> Option<PathBuf> {
    std::fs::read_link(format!("/proc/{id}/exe")).ok()
}

async fn kill(signal: &str, whom: &str) {
    // The shell's own `kill`: a program of that name is not installed everywhere.
    let mut command = Command::new("sh");
    command.args(["-c", &format!("kill -{signal} {whom}")]);
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    if let Err(error) = command.status().await {
        tracing::warn!("signal {signal} to {whom}: {error}");
    }
}
