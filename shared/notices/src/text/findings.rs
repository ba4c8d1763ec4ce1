//! What a task's verdict says beyond its one sentence: reports, images, logs, evidence.

use std::fmt::Write as _;

use domain::task::{Output, State, Task};

use super::markdown::{block, code, link, sentence};
use super::report;

/// The last lines of a log that are shown; the link leads to all of them.
const LOG_LINES: usize = 40;

/// How a line of a log begins among a rollout's evidence.
const LOG_LINE: &str = "log: ";

/// Markdown below the sentence; empty where there is nothing to add.
pub(super) fn summary(task: &Task) -> String {
    if let Some(why) = &task.waits {
        return format!("{}\n", sentence(&format!("Waits for {why}.")));
    }
    match output(task) {
        Some(Output::Report { report, .. }) => report::summary(report),
        Some(Output::Image { image, .. }) => format!("Image: {}\n", code(&image.to_string())),
        Some(Output::Release(applied)) => {
            let objects = applied
                .objects
                .iter()
                .map(|object| format!("- {}\n", code(&format!("{} {}", object.kind, object.name))));
            format!("Applied:\n\n{}", objects.collect::<String>())
        }
        Some(Output::Evidence(lines)) => evidence(lines),
        Some(Output::Manifests { rendered, .. }) => {
            let names: Vec<String> = rendered.keys().map(|name| code(name.as_str())).collect();
            format!("Rendered: {}\n", names.join(", "))
        }
        Some(Output::None | Output::Log { .. }) | None => String::new(),
    }
}

/// The last lines of the log and where the rest is; empty where there is none.
pub(super) fn log(task: &Task) -> String {
    let (tail, address): (&[String], Option<&String>) = match output(task) {
        Some(Output::Report { report, log }) => (&report.log_tail, log.as_ref()),
        Some(Output::Log { tail, log }) => (tail, log.as_ref()),
        Some(Output::Image { log, .. } | Output::Manifests { log, .. }) => (&[], log.as_ref()),
        _ => (&[], None),
    };
    let mut text = String::new();
    if !tail.is_empty() {
        text.push_str("The last lines of the log:\n\n");
        text.push_str(&block(&tail[tail.len().saturating_sub(LOG_LINES)..]));
    }
    let whole = if task.sharing().is_empty() {
        "The whole log"
    } else {
        "The whole log of the build, with the other services'"
    };
    if let Some(link) = address.and_then(|address| link(whole, address)) {
        let _ = writeln!(text, "\n{link}");
    }
    text
}

/// Why it is not green, one sentence each.
pub(super) fn reasons(task: &Task) -> Vec<String> {
    match (&task.state, task.verdict(), output(task)) {
        (State::Stuck { reason, .. }, ..) => vec![reason.clone()],
        (_, Some(_), Some(Output::Report { report, .. })) if !report.reasons.is_empty() => {
            report.reasons.clone()
        }
        (_, Some(verdict), _) => vec![verdict.summary.clone()],
        (_, None, _) => Vec::new(),
    }
}

/// What was seen beyond the reasons: the pods' own words, a line each.
pub(super) fn seen(task: &Task) -> &[String] {
    match output(task) {
        // The first line is in the verdict's sentence already.
        Some(Output::Evidence(lines)) => lines.get(1..).unwrap_or_default(),
        _ => &[],
    }
}

/// Where the whole log can be read.
pub(super) fn log_address(task: &Task) -> Option<&str> {
    match output(task)? {
        Output::Report { log, .. }
        | Output::Log { log, .. }
        | Output::Image { log, .. }
        | Output::Manifests { log, .. } => log.as_deref(),
        Output::None | Output::Release(_) | Output::Evidence(_) => None,
    }
}

pub(super) fn output(task: &Task) -> Option<&Output> {
    task.verdict().map(|verdict| &verdict.output)
}

/// What was seen, as a list; lines of a log among it in a block.
fn evidence(lines: &[String]) -> String {
    let (log, seen): (Vec<&String>, Vec<&String>) = lines.iter().partition(|line| line.starts_with(LOG_LINE));
    let seen: Vec<String> = seen.iter().map(|line| format!("- {}\n", sentence(line))).collect();
    let mut text = seen.concat();
    if !log.is_empty() {
        let log: Vec<String> = log.iter().map(|line| line.trim_start_matches(LOG_LINE).to_owned()).collect();
        let _ = write!(text, "\n{}", block(&log));
    }
    text
}
