//! What CodeBuild says of a build, in our words.

use aws_sdk_codebuild::types::{Build, BuildPhase, StatusType};
use domain::ports::{BuildState, BuildStatus};

pub(crate) fn of(build: &Build) -> BuildStatus {
    let state = match build.build_status() {
        Some(StatusType::Succeeded) => BuildState::Succeeded,
        Some(StatusType::Failed) => BuildState::Failed,
        Some(StatusType::TimedOut) => BuildState::TimedOut,
        Some(StatusType::Stopped) => BuildState::Stopped,
        Some(StatusType::Fault) => BuildState::Fault,
        // A state that this SDK does not know is no end unless CodeBuild says so.
        _ if build.build_complete() => BuildState::Fault,
        _ => BuildState::InProgress,
    };
    let log = build.logs().and_then(|logs| logs.deep_link()).map(ToOwned::to_owned);
    BuildStatus { state, log, reason: build.phases().iter().find_map(reason) }
}

/// The first phase that ended badly, and why.
fn reason(phase: &BuildPhase) -> Option<String> {
    if matches!(phase.phase_status()?, StatusType::Succeeded | StatusType::InProgress) {
        return None;
    }
    let name = phase.phase_type().map_or("a phase", |kind| kind.as_str());
    let messages: Vec<&str> = phase
        .contexts()
        .iter()
        .filter_map(|context| context.message().map(without_command))
        .filter(|text| !text.is_empty())
        .collect();
    Some(if messages.is_empty() {
        format!("{name} failed")
    } else {
        format!("{name}: {}", messages.join("; "))
    })
}

/// `CodeBuild` quotes the whole command before its reason; the commands are ours and tell people nothing.
fn without_command(message: &str) -> &str {
    message.rsplit_once(". Reason: ").map_or(message, |(_, reason)| reason)
}

#[cfg(test)]
mod tests {
    use super::without_command;

    #[test]
    fn a_quoted_command_is_left_out() {
        let long = "Error while executing command: (\n set -eu\n exit 1\n). Reason: exit status 1";
        assert_eq!(without_command(long), "exit status 1");
        assert_eq!(without_command("no such image"), "no such image");
    }
}
