//! What a report says of itself: when, which commit, which machine.

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, ensure};
use jiff::Timestamp;

use crate::report::Report;

/// An empty report of this moment, checkout and machine.
///
/// # Errors
/// When git does not tell the commit.
pub(crate) fn describe(workspace: &Path) -> anyhow::Result<Report> {
    let commit = git(workspace, &["rev-parse", "--short", "HEAD"])?;
    let changed = !git(workspace, &["status", "--porcelain", "--untracked-files=no"])?.is_empty();
    let processors = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let processor = fs::read_to_string("/proc/cpuinfo").ok().and_then(|text| model(&text));
    let system = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    Ok(Report {
        made: Timestamp::now().round(jiff::Unit::Second)?.to_string(),
        commit: format!("{commit}{}", if changed { "+" } else { "" }),
        machine: format!(
            "{processors} × {}, Linux {}",
            processor.as_deref().unwrap_or(std::env::consts::ARCH),
            system.trim()
        ),
        ..Report::default()
    })
}

fn git(workspace: &Path, arguments: &[&str]) -> anyhow::Result<String> {
    let output = Command::new("git").args(arguments).current_dir(workspace).output().context("git")?;
    ensure!(
        output.status.success(),
        "git {}: {}",
        arguments.join(" "),
        String::from_utf8_lossy(&output.stderr)
    );
    Ok(String::from_utf8(output.stdout)?.trim().to_owned())
}

fn model(cpuinfo: &str) -> Option<String> {
    let line = cpuinfo.lines().find(|line| line.starts_with("model name"))?;
    line.split_once(": ").map(|(_, name)| name.trim().to_owned())
}
