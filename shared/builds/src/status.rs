//! What CodeBuild says of a build, in our words: how it ended, and whose doing a bad end is.
//!
//! Everything that is the repository's own happens in the phase `BUILD`. What fails before it is the machinery's
//! failure, except where what the pipeline file asks for is not to be had.

use aws_sdk_codebuild::types::{Build, BuildPhase, BuildPhaseType, StatusType};
use domain::ports::{BuildState, BuildStatus};
use domain::text::{clean, cut};

/// The longest reason handed on, in characters.
const LONGEST: usize = 500;

/// Where these words stand in a refusal, it may be none the next time.
const PASSING: [&str; 8] = [
    "timeout",
    "timed out",
    "request canceled",
    "toomanyrequests",
    "throttl",
    "rate exceeded",
    "internalservice",
    "service unavailable",
];

pub(crate) fn of(build: &Build) -> BuildStatus {
    let trouble = build.phases().iter().find_map(Trouble::of);
    let asked = trouble.as_ref().and_then(|trouble| trouble.asked_for(build));
    let before = trouble.as_ref().is_some_and(Trouble::is_before_the_commands);
    let state = match build.build_status() {
        Some(StatusType::Succeeded) => BuildState::Succeeded,
        Some(StatusType::Failed) if asked.is_some() => BuildState::Refused,
        // It never began: it waited for a machine, or its machine for it.
        Some(StatusType::Failed | StatusType::TimedOut) if before => BuildState::Fault,
        Some(StatusType::Failed) => BuildState::Failed,
        Some(StatusType::TimedOut) => BuildState::TimedOut,
        Some(StatusType::Stopped) => BuildState::Stopped,
        Some(StatusType::Fault) => BuildState::Fault,
        // A state that this SDK does not know is no end unless CodeBuild says so.
        _ if build.build_complete() => BuildState::Fault,
        _ => BuildState::InProgress,
    };
    let reason = asked.or_else(|| trouble.map(|trouble| trouble.words()));
    BuildStatus {
        state,
        log: build.logs().and_then(|logs| logs.deep_link()).map(ToOwned::to_owned),
        reason: reason.map(|reason| bounded(&reason)),
        digest: build.artifacts().and_then(|artifacts| artifacts.sha256_sum()).map(ToOwned::to_owned),
    }
}

/// The first phase that ended badly.
struct Trouble {
    phase: Option<BuildPhaseType>,
    codes: String,
    message: String,
}

impl Trouble {
    fn of(phase: &BuildPhase) -> Option<Self> {
        if matches!(phase.phase_status()?, StatusType::Succeeded | StatusType::InProgress) {
            return None;
        }
        let contexts = phase.contexts().iter();
        let codes: Vec<&str> = contexts.clone().filter_map(|context| context.status_code()).collect();
        let messages = contexts.filter_map(|context| context.message().map(without_command));
        let messages: Vec<&str> = messages.filter(|text| !text.is_empty()).collect();
        Some(Self {
            phase: phase.phase_type().cloned(),
            codes: codes.join("; "),
            message: messages.join("; "),
        })
    }

    /// The phases in which nothing of the repository runs.
    fn is_before_the_commands(&self) -> bool {
        use BuildPhaseType::{DownloadSource, Install, PreBuild, Provisioning, Queued, Submitted};
        self.phase.as_ref().is_some_and(|phase| {
            [Submitted, Queued, Provisioning, DownloadSource, Install, PreBuild].contains(phase)
        })
    }

    /// What the pipeline file asks for and cannot be had, with the remedy; none where it is not that.
    fn asked_for(&self, build: &Build) -> Option<String> {
        let message = &self.message;
        let lower = message.to_lowercase();
        if !self.is_before_the_commands() || PASSING.iter().any(|word| lower.contains(word)) {
            return None;
        }
        let codes = self.codes.to_lowercase();
        if codes.contains("unable_to_pull_image") {
            let image = build.environment().map_or("?", |environment| environment.image());
            return Some(format!(
                "the image `{image}` cannot be pulled; check `image` in the pipeline file: {message}"
            ));
        }
        if codes.contains("secrets manager")
            || lower.contains("secretsmanager")
            || lower.contains("secrets manager")
        {
            return Some(format!(
                "a secret cannot be read; check the names under `secrets` in the pipeline file, and that an operator \
                 has made the secret: {message}"
            ));
        }
        None
    }

    fn words(&self) -> String {
        let name = self.phase.as_ref().map_or("a phase", BuildPhaseType::as_str);
        if self.message.is_empty() { format!("{name} failed") } else { format!("{name}: {}", self.message) }
    }
}

/// `CodeBuild` quotes the whole command before its reason; the commands are ours and tell people nothing.
fn without_command(message: &str) -> &str {
    message.rsplit_once(". Reason: ").map_or(message, |(_, reason)| reason).trim()
}

/// One line of it: registries and programs answer with whole pages.
fn bounded(text: &str) -> String {
    let line = clean(text).split_whitespace().collect::<Vec<_>>().join(" ");
    cut(&line, LONGEST)
}

#[cfg(test)]
mod tests {
    use super::{LONGEST, bounded, without_command};

    #[test]
    fn a_quoted_command_is_left_out() {
        let long = "Error while executing command: (\n set -eu\n exit 1\n). Reason: exit status 1";
        assert_eq!(without_command(long), "exit status 1");
        assert_eq!(without_command("no such image"), "no such image");
    }

    #[test]
    fn a_reason_is_one_line_of_bounded_length() {
        assert_eq!(bounded("a\n\u{1b}[31m  b\tc"), "a b c");
        assert_eq!(bounded(&"é".repeat(2 * LONGEST)).chars().count(), LONGEST);
        assert_eq!(bounded(&"é".repeat(LONGEST)), "é".repeat(LONGEST));
    }
}
