//! How much a result weighs.

use super::form::{Finding, Run, Score};
use crate::spec::Severity;

/// How much a result weighs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Weight {
    /// It is no problem, or one that was suppressed or is gone.
    None,
    /// The tool says how bad it is.
    Is(Severity),
    /// It is a problem, and nobody says how bad it is in words that are known: it counts.
    Unknown,
}

/// The weight: `security-severity` of the result or its rule, as GitHub's code scanning reads it (a score as of CVSS:
/// 7 and above is high, 4 and above medium;
/// <https://docs.github.com/en/code-security/code-scanning/integrating-with-code-scanning/sarif-support-for-code-scanning>),
/// else the level of the result, else the level that its rule has by default, else `warning` (§3.27.10). `error` is
/// high, `warning` medium, `note` low.
///
/// A run that overrides the levels of its rules in `ruleConfigurationOverrides` leaves the level of a result that has
/// none of its own unknown.
pub(super) fn weigh(run: &Run, finding: &Finding) -> Weight {
    let kind = finding.kind.as_deref().unwrap_or("fail");
    let is_gone = finding.baseline_state.as_deref() == Some("absent");
    if is_gone || is_suppressed(finding) || matches!(kind, "pass" | "informational" | "notApplicable") {
        return Weight::None;
    }
    let rule = run.rule(finding);
    let score = by_score(&finding.properties.security_severity)
        .or_else(|| by_score(&rule?.properties.security_severity));
    if let Some(severity) = score {
        return Weight::Is(severity);
    }
    if let Some(level) = &finding.level {
        return by_level(level);
    }
    match kind {
        "fail" if overrides_levels(run) => Weight::Unknown,
        "fail" => rule
            .and_then(|rule| rule.default_configuration.as_ref()?.level.as_deref())
            .map_or(Weight::Is(Severity::Medium), by_level),
        // The tool could not decide, or asks a person to: without a level these weigh nothing (§3.27.10).
        "open" | "review" => Weight::None,
        _ => Weight::Unknown,
    }
}

/// As people call it.
pub(super) fn word(severity: Severity) -> &'static str {
    match severity {
        Severity::Low => "low",
        Severity::Medium => "medium",
        Severity::High => "high",
    }
}

/// Whether it is suppressed: somebody asked for it, and nobody has yet to agree or has declined (§3.27.23, §3.35.3).
fn is_suppressed(finding: &Finding) -> bool {
    let suppressions = &finding.suppressions.0;
    let is_accepted = |status: &Option<String>| status.as_deref().is_none_or(|status| status == "accepted");
    !suppressions.is_empty() && suppressions.iter().all(|suppression| is_accepted(&suppression.status))
}

/// None where the score is no number above 0 and up to 10.
fn by_score(score: &Score) -> Option<Severity> {
    match score.0 {
        Some(score) if score > 10.0 => None,
        Some(score) if score >= 7.0 => Some(Severity::High),
        Some(score) if score >= 4.0 => Some(Severity::Medium),
        Some(score) if score > 0.0 => Some(Severity::Low),
        _ => None,
    }
}

fn by_level(level: &str) -> Weight {
    match level {
        "error" => Weight::Is(Severity::High),
        "warning" => Weight::Is(Severity::Medium),
        "note" => Weight::Is(Severity::Low),
        "none" => Weight::None,
        _ => Weight::Unknown,
    }
}

fn overrides_levels(run: &Run) -> bool {
    run.invocations.0.iter().any(|invocation| invocation.rule_configuration_overrides.0.is_some())
}
