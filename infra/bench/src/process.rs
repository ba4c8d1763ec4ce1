//! Processes as `/proc` shows them: what they used, who their children are.

use std::fs;
use std::path::Path;
use std::time::Duration;

use anyhow::Context;

/// Ticks of a second in `/proc/<id>/stat`: `USER_HZ`, 100 on every architecture that Lambda runs on (proc(5)).
const TICKS: u64 = 100;

/// Processor time that a process has used, its own and the system's on its behalf, in steps of 10 ms.
///
/// # Errors
/// When it has ended.
pub(crate) fn processor_time(id: u32) -> anyhow::Result<Duration> {
    let stat = fs::read_to_string(format!("/proc/{id}/stat")).with_context(|| format!("process {id}"))?;
    let ticks = ticks(&stat).with_context(|| format!("the times of process {id}"))?;
    Ok(Duration::from_millis(ticks * 1000 / TICKS))
}

/// Fields 14 and 15 of proc(5); the name in parentheses before them may hold anything.
fn ticks(stat: &str) -> Option<u64> {
    let (_, fields) = stat.rsplit_once(") ")?;
    let mut fields = fields.split(' ').skip(11).map(str::parse::<u64>);
    Some(fields.next()?.ok()? + fields.next()?.ok()?)
}

/// The most memory that a process has held, in bytes.
///
/// # Errors
/// When it has ended.
pub(crate) fn peak_memory(id: u32) -> anyhow::Result<u64> {
    let status = fs::read_to_string(format!("/proc/{id}/status")).with_context(|| format!("process {id}"))?;
    peak(&status).with_context(|| format!("the peak of process {id}"))
}

fn peak(status: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.trim().strip_suffix(" kB")?.trim().parse::<u64>().ok().map(|kilobytes| kilobytes * 1024)
}

/// The processes whose parent this one is.
pub(crate) fn children(id: u32) -> Vec<u32> {
    let Ok(threads) = fs::read_dir(format!("/proc/{id}/task")) else { return Vec::new() };
    let lists =
        threads.flatten().filter_map(|thread| fs::read_to_string(thread.path().join("children")).ok());
    lists
        .flat_map(|list| list.split_whitespace().filter_map(|id| id.parse().ok()).collect::<Vec<_>>())
        .collect()
}

/// The processes whose program lies in `folder`.
pub(crate) fn running_from(folder: &Path) -> Vec<u32> {
    let Ok(folder) = fs::canonicalize(folder) else { return Vec::new() };
    let Ok(entries) = fs::read_dir("/proc") else { return Vec::new() };
    let ids = entries.flatten().filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    let is_one =
        |id: &u32| fs::read_link(format!("/proc/{id}/exe")).is_ok_and(|path| path.starts_with(&folder));
    ids.filter(is_one).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_found_behind_any_name() {
        let stat = "71 (a) b) (c) S 1 71 71 0 -1 4194560 900 0 0 0 250 37 0 0 20 0 3 0 5000 1 1";

        assert_eq!(ticks(stat), Some(287));
        assert_eq!(ticks("71 (short) S 1"), None);
    }

    #[test]
    fn the_peak_is_in_bytes() {
        assert_eq!(peak("Name:\tx\nVmPeak:\t  9 kB\nVmHWM:\t    5120 kB\n"), Some(5_242_880));
        assert_eq!(peak("Name:\tx\n"), None);
    }

    #[test]
    fn this_process_has_used_something() {
        assert!(peak_memory(std::process::id()).expect("a peak") > 0);
        assert!(processor_time(std::process::id()).is_ok());
    }
}
