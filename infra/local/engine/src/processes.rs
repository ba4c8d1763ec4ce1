//! Processes of a private engine, found by their command lines, and ended by their ids.

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use tokio::process::Command;
use tokio::time::{Instant, sleep};

/// Whether `pid` runs and its command line contains `needle`. A number alone may long belong to somebody else.
pub(crate) fn is(pid: u32, needle: &str) -> bool {
    command_line(pid).is_some_and(|line| line.contains(needle))
}

/// The ids of all processes whose command lines contain `needle`, and of all their descendants.
pub(crate) fn family(needle: &str) -> Vec<u32> {
    let all = all();
    let own = std::process::id();
    let mut family: Vec<u32> = all.iter().copied().filter(|pid| *pid != own && is(*pid, needle)).collect();
    let mut index = 0;
    while let Some(parent) = family.get(index).copied() {
        let children = all.iter().copied().filter(|pid| parent_of(*pid) == Some(parent));
        let new: Vec<u32> = children.filter(|pid| !family.contains(pid)).collect();
        family.extend(new);
        index += 1;
    }
    family
}

/// Whether any process runs a program of this name.
pub(crate) fn any_named(name: &str) -> bool {
    all().into_iter().any(|pid| {
        let comm = std::fs::read_to_string(format!("/proc/{pid}/comm"));
        comm.is_ok_and(|comm| comm.trim_end() == name)
    })
}

/// Sends `signal` (`TERM`, `KILL`) to one process; one that has gone is fine.
pub(crate) async fn signal(pid: u32, signal: &str) {
    // The shell's own `kill`: a program of that name is not installed everywhere.
    let script = format!("kill -{signal} {pid}");
    let mut command = Command::new("sh");
    command.args(["-c", &script]).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    if let Err(error) = command.status().await {
        tracing::warn!("signal {signal} to {pid}: {error}");
    }
}

/// Waits until none of `pids` runs with `needle` in its command line; says whether that came true in time.
pub(crate) async fn gone(pids: &[u32], needle: &str, limit: Duration) -> bool {
    let deadline = Instant::now() + limit;
    while pids.iter().any(|pid| is(*pid, needle)) {
        if Instant::now() >= deadline {
            return false;
        }
        sleep(Duration::from_millis(50)).await;
    }
    true
}

fn all() -> Vec<u32> {
    let Ok(entries) = std::fs::read_dir("/proc") else { return Vec::new() };
    entries.flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok()).collect()
}

fn command_line(pid: u32) -> Option<String> {
    let bytes = std::fs::read(Path::new("/proc").join(pid.to_string()).join("cmdline")).ok()?;
    let line = String::from_utf8_lossy(&bytes).replace('\0', " ");
    (!line.is_empty()).then_some(line)
}

fn parent_of(pid: u32) -> Option<u32> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The program's name stands in parentheses and may contain anything, also spaces and parentheses.
    stat.rsplit(") ").next()?.split(' ').nth(1)?.parse().ok()
}
