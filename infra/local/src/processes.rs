//! Processes by their ids and start times: a number alone may long belong to somebody else.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
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
        let fields = stat(id)?;
        // State is field 3 and start time field 22 of proc(5); the first two are cut off.
        let zombie = fields.first()? == "Z";
        let started = fields.get(19)?.parse().ok()?;
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

    /// The process that started it, or took it over.
    pub(crate) fn parent(self) -> Option<Self> {
        Self::running(stat(self.id)?.get(1)?.parse().ok()?)
    }

    /// The name of the program that it runs, without its folder.
    pub(crate) fn program(self) -> Option<String> {
        let path = program_of(self.id)?;
        Some(path.file_name()?.to_string_lossy().into_owned())
    }

    /// Sends a signal (`TERM`, `KILL`) if it still runs.
    pub(crate) async fn signal(self, signal: &str) {
        if self.is_running() {
            kill(signal, &self.id.to_string()).await;
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

/// Kills whatever `list` names until it names nothing: those that are being killed may start others. Gives back
/// what still runs after `limit`.
pub(crate) async fn kill_all(limit: Duration, list: impl Fn() -> Vec<Process>) -> Vec<Process> {
    let deadline = Instant::now() + limit;
    loop {
        let running = list();
        if running.is_empty() || Instant::now() > deadline {
            return running;
        }
        let ids: Vec<String> = running.iter().map(|process| process.id.to_string()).collect();
        kill("KILL", &ids.join(" ")).await;
        sleep(POLL).await;
    }
}

/// Every process whose program file lies in `folder`.
pub(crate) fn running_from(folder: &Path) -> Vec<Process> {
    let Ok(folder) = std::path::absolute(folder) else { return Vec::new() };
    all(|id| program_of(id).is_some_and(|path| path.starts_with(&folder)))
}

/// Every process that was started with this variable. Children inherit it, also those that outlive their parents.
pub(crate) fn with_variable(name: &str, value: &Path) -> Vec<Process> {
    let entry = [name.as_bytes(), b"=", value.as_os_str().as_bytes()].concat();
    all(|id| has_entry(&format!("/proc/{id}/environ"), &entry))
}

/// Every process that was started with this argument.
pub(crate) fn with_argument(argument: &str) -> Vec<Process> {
    all(|id| has_entry(&format!("/proc/{id}/cmdline"), argument.as_bytes()))
}

fn has_entry(file: &str, entry: &[u8]) -> bool {
    std::fs::read(file).is_ok_and(|bytes| bytes.split(|byte| *byte == 0).any(|one| one == entry))
}

fn all(fits: impl Fn(u32) -> bool) -> Vec<Process> {
    let Ok(entries) = std::fs::read_dir("/proc") else { return Vec::new() };
    let number = |name: &OsStr| name.to_str()?.parse().ok();
    let ids = entries.flatten().filter_map(|entry| number(&entry.file_name()));
    ids.filter(|id| *id != std::process::id() && fits(*id)).filter_map(Process::running).collect()
}

/// The fields of proc(5)'s `stat` from the third on. The name in parentheses before them may hold anything.
fn stat(id: u32) -> Option<Vec<String>> {
    let stat = std::fs::read_to_string(format!("/proc/{id}/stat")).ok()?;
    let (_, fields) = stat.rsplit_once(") ")?;
    Some(fields.split(' ').map(str::to_owned).collect())
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
