//! What the registry's scan of an image says, and whether the image may go on: pure, so that the gate needs no registry.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::text;

/// How many findings a verdict names.
pub const FINDINGS_NAMED: usize = 5;

/// The tag that a release's image gets once it is verified begins so; lifecycle rules never expire such an image.
pub const RELEASED: &str = "released-";

/// How long after its push an image may have no scan at all: the registry enters it a moment later.
const ENTERED_WITHIN: Duration = Duration::from_mins(2);

/// The most characters shown of anything that a scan names.
const LONGEST: usize = 80;

/// Which findings keep an image from being published, by the operator's file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ScanPolicy {
    /// The least severity that is not let through.
    pub block: Block,
    /// What becomes of an image that the registry cannot judge.
    pub unsupported: Unsupported,
    /// How long an unfinished scan is waited for, in minutes.
    pub wait: u16,
}

impl Default for ScanPolicy {
    fn default() -> Self {
        Self { block: Block::default(), unsupported: Unsupported::default(), wait: 30 }
    }
}

/// The least severity that is not let through.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Block {
    /// Critical findings.
    #[default]
    Critical,
    /// High and critical findings.
    High,
    /// Medium, high and critical findings.
    Medium,
    /// No finding at all keeps an image back; nobody asks for the scan.
    None,
}

impl Block {
    fn least(self) -> Option<FindingSeverity> {
        match self {
            Self::Critical => Some(FindingSeverity::Critical),
            Self::High => Some(FindingSeverity::High),
            Self::Medium => Some(FindingSeverity::Medium),
            Self::None => None,
        }
    }
}

/// What becomes of an image that the registry cannot judge.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Unsupported {
    /// It goes on, and the verdict says so.
    #[default]
    Pass,
    /// It is not published.
    Refuse,
}

/// ECR's severities, the worst last
/// (<https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_ImageScanFinding.html>).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum FindingSeverity {
    /// `UNDEFINED`, `UNTRIAGED` and whatever else is not known here.
    Undefined,
    /// `INFORMATIONAL`
    Informational,
    /// `LOW`
    Low,
    /// `MEDIUM`
    Medium,
    /// `HIGH`
    High,
    /// `CRITICAL`
    Critical,
}

impl FindingSeverity {
    /// The severity that ECR calls so.
    pub fn named(name: &str) -> Self {
        match name {
            "CRITICAL" => Self::Critical,
            "HIGH" => Self::High,
            "MEDIUM" => Self::Medium,
            "LOW" => Self::Low,
            "INFORMATIONAL" => Self::Informational,
            _ => Self::Undefined,
        }
    }
}

impl fmt::Display for FindingSeverity {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Undefined => "undefined",
            Self::Informational => "informational",
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
            Self::Critical => "critical",
        })
    }
}

/// One weakness of an image. Package names come from the image, and are clean and cut.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    name: String,
    severity: FindingSeverity,
    package: Option<String>,
    fixed_in: Option<String>,
}

impl Finding {
    /// A finding by its name, such as a CVE's number, with the package and its version, and the version that mends it,
    /// where the scan says so.
    pub fn new(name: &str, severity: FindingSeverity, package: Option<&str>, fixed_in: Option<&str>) -> Self {
        let clean = |text: &str| Some(text::first_line(text, LONGEST)).filter(|text| !text.is_empty());
        Self {
            name: clean(name).unwrap_or_else(|| "a finding without a name".to_owned()),
            severity,
            package: package.and_then(clean),
            fixed_in: fixed_in.and_then(clean),
        }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} ({})", self.name, self.severity)?;
        if let Some(package) = &self.package {
            write!(formatter, " in {package}")?;
        }
        match &self.fixed_in {
            Some(version) => write!(formatter, ", fixed in {version}"),
            None => Ok(()),
        }
    }
}

/// What a scan has found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Findings {
    /// How many of each severity.
    counts: BTreeMap<FindingSeverity, u32>,
    /// The worst of those that were listed, at most [`FINDINGS_NAMED`].
    worst: Vec<Finding>,
}

impl Findings {
    /// The counts of a scan, and of what it lists the worst.
    pub fn new(counts: impl IntoIterator<Item = (FindingSeverity, u32)>, listed: Vec<Finding>) -> Self {
        let mut by_severity = BTreeMap::new();
        for (severity, count) in counts {
            *by_severity.entry(severity).or_default() += count;
        }
        by_severity.retain(|_, count| *count > 0);
        let mut worst = listed;
        worst.sort_by(|one, other| other.severity.cmp(&one.severity).then_with(|| one.name.cmp(&other.name)));
        worst.truncate(FINDINGS_NAMED);
        Self { counts: by_severity, worst }
    }

    /// Such as `2 critical, 1 high`; `nothing`.
    fn counted(&self) -> String {
        let counts: Vec<String> =
            self.counts.iter().rev().map(|(severity, count)| format!("{count} {severity}")).collect();
        if counts.is_empty() { "nothing".to_owned() } else { counts.join(", ") }
    }

    fn judged(&self, block: Block) -> Gate {
        let counted = self.counted();
        let blocks = |severity: &FindingSeverity| block.least().is_some_and(|least| *severity >= least);
        let Some(severity) = self.counts.keys().copied().find(blocks) else {
            return Gate::Open(format!("the scan found {counted}"));
        };
        let of_worst = self.worst.first().map(|finding| format!("; the worst is {finding}"));
        let summary = format!(
            "not published: the scan found {counted}, and {severity} findings are not let through{}. Update the package \
             or the base image; only the operator's file can let it pass, by `policy: {{scan: {{block: …}}}}`",
            of_worst.unwrap_or_default()
        );
        let named = self.worst.iter().map(ToString::to_string);
        Gate::Shut {
            summary,
            evidence: [format!("the scan found {counted}")].into_iter().chain(named).collect(),
        }
    }
}

/// How the scan of an image stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Scan {
    /// It has not ended.
    InProgress,
    /// The registry knows of none.
    Absent,
    /// The registry cannot scan it, or has no findings of it any more: the status, and its words where it has any.
    Unusable(String),
    /// It has ended.
    Complete(Findings),
}

/// Whether an image may go on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Gate {
    /// It may; the words are what the scan said.
    Open(String),
    /// That is not known yet; at the latest after so long it will be.
    Wait(Duration),
    /// It may not.
    Shut {
        /// Why, and what to do.
        summary: String,
        /// What was found, a line each; the first is in the summary.
        evidence: Vec<String>,
    },
}

impl ScanPolicy {
    /// Whether the scan of an image matters.
    pub fn asks(&self) -> bool {
        self.block != Block::None
    }

    /// Judges an image whose scan has been waited for so long.
    pub fn judge(&self, scan: &Scan, waited: Duration) -> Gate {
        let longest = Duration::from_mins(self.wait.into());
        let entered = ENTERED_WITHIN.min(longest);
        match scan {
            Scan::Complete(findings) => findings.judged(self.block),
            Scan::InProgress if waited < longest => Gate::Wait(longest.saturating_sub(waited)),
            Scan::Absent if waited < entered => Gate::Wait(entered.saturating_sub(waited)),
            Scan::InProgress => {
                let summary = format!(
                    "not published: the registry's scan has not ended after {} minutes. Run this task again; only the \
                     operator's file can go without, by `policy: {{scan: {{block: none}}}}`",
                    self.wait
                );
                Gate::Shut { summary, evidence: Vec::new() }
            }
            Scan::Absent => self.unjudged("it has never scanned it; let the repository scan on push"),
            Scan::Unusable(why) => self.unjudged(&text::first_line(why, 2 * LONGEST)),
        }
    }

    /// An image that the registry cannot judge.
    fn unjudged(self, why: &str) -> Gate {
        let words = format!("the registry has no findings of the image ({why})");
        match self.unsupported {
            Unsupported::Pass => Gate::Open(format!("not judged: {words}")),
            Unsupported::Refuse => Gate::Shut {
                summary: format!(
                    "not published: {words}. Use a base image that it can scan; only the operator's file can let it \
                     pass, by `policy: {{scan: {{unsupported: pass}}}}`"
                ),
                evidence: Vec::new(),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: Duration = Duration::from_mins(1);

    fn findings(counts: &[(&str, u32)]) -> Scan {
        let listed = ["CVE-3", "CVE-2", "CVE-1"]
            .map(|name| Finding::new(name, FindingSeverity::Low, Some("zlib 1.2"), None))
            .into_iter()
            .chain([Finding::new(
                "CVE-9\u{1b}[31m\nnext",
                FindingSeverity::Critical,
                Some("openssl 3.0.1"),
                Some("3.0.2"),
            )]);
        let counts = counts.iter().map(|(name, count)| (FindingSeverity::named(name), *count));
        Scan::Complete(Findings::new(counts, listed.collect()))
    }

    fn judged(policy: ScanPolicy, scan: &Scan, waited: Duration) -> String {
        match policy.judge(scan, waited) {
            Gate::Open(words) => format!("open: {words}"),
            Gate::Wait(longest) => format!("wait: {} s", longest.as_secs()),
            Gate::Shut { summary, .. } => format!("shut: {summary}"),
        }
    }

    fn blocking(block: Block) -> ScanPolicy {
        ScanPolicy { block, ..ScanPolicy::default() }
    }

    #[test]
    fn the_worst_findings_decide() {
        for (block, counts, open) in [
            (Block::Critical, vec![], true),
            (Block::Critical, vec![("HIGH", 9), ("UNTRIAGED", 9)], true),
            (Block::Critical, vec![("CRITICAL", 0), ("LOW", 1)], true),
            (Block::Critical, vec![("CRITICAL", 1)], false),
            (Block::High, vec![("MEDIUM", 9)], true),
            (Block::High, vec![("HIGH", 1)], false),
            (Block::High, vec![("CRITICAL", 1)], false),
            (Block::Medium, vec![("LOW", 9), ("INFORMATIONAL", 1), ("UNDEFINED", 1)], true),
            (Block::Medium, vec![("MEDIUM", 1)], false),
            (Block::None, vec![("CRITICAL", 9)], true),
        ] {
            let told = judged(blocking(block), &findings(&counts), Duration::ZERO);
            assert_eq!(told.starts_with("open: "), open, "{block:?} {counts:?}: {told}");
        }
        assert!(!blocking(Block::None).asks());
    }

    #[test]
    fn a_verdict_counts_and_names_the_worst() {
        let scan = findings(&[("CRITICAL", 1), ("MEDIUM", 3), ("UNTRIAGED", 1)]);
        insta::assert_snapshot!(judged(ScanPolicy::default(), &scan, Duration::ZERO), @"shut: not published: the scan found 1 critical, 3 medium, 1 undefined, and critical findings are not let through; the worst is CVE-9 (critical) in openssl 3.0.1, fixed in 3.0.2. Update the package or the base image; only the operator's file can let it pass, by `policy: {scan: {block: …}}`");
        let Gate::Shut { evidence, .. } = ScanPolicy::default().judge(&scan, Duration::ZERO) else {
            panic!("it is shut");
        };
        insta::assert_snapshot!(evidence.join("\n"), @"
        the scan found 1 critical, 3 medium, 1 undefined
        CVE-9 (critical) in openssl 3.0.1, fixed in 3.0.2
        CVE-1 (low) in zlib 1.2
        CVE-2 (low) in zlib 1.2
        CVE-3 (low) in zlib 1.2
        ");
        let many =
            (0..9).map(|number| Finding::new(&format!("CVE-{number}"), FindingSeverity::Low, None, None));
        let Findings { worst, .. } = Findings::new([], many.collect());
        assert_eq!(worst.len(), FINDINGS_NAMED);
    }

    #[test]
    fn no_scan_is_waited_for_without_end_and_none_passes_in_silence() {
        let (default, refusing) = (
            ScanPolicy::default(),
            ScanPolicy { unsupported: Unsupported::Refuse, wait: 1, ..ScanPolicy::default() },
        );
        let unusable = Scan::Unusable("UNSUPPORTED_IMAGE: no operating system".to_owned());
        let told = [
            judged(default, &Scan::InProgress, Duration::ZERO),
            judged(default, &Scan::InProgress, 29 * MINUTE),
            judged(default, &Scan::InProgress, 30 * MINUTE),
            judged(default, &Scan::Absent, MINUTE),
            judged(default, &Scan::Absent, 2 * MINUTE),
            judged(default, &unusable, Duration::ZERO),
            judged(refusing, &Scan::InProgress, MINUTE),
            judged(refusing, &Scan::Absent, MINUTE),
            judged(refusing, &unusable, Duration::ZERO),
        ];
        insta::assert_snapshot!(told.join("\n"), @"
        wait: 1800 s
        wait: 60 s
        shut: not published: the registry's scan has not ended after 30 minutes. Run this task again; only the operator's file can go without, by `policy: {scan: {block: none}}`
        wait: 60 s
        open: not judged: the registry has no findings of the image (it has never scanned it; let the repository scan on push)
        open: not judged: the registry has no findings of the image (UNSUPPORTED_IMAGE: no operating system)
        shut: not published: the registry's scan has not ended after 1 minutes. Run this task again; only the operator's file can go without, by `policy: {scan: {block: none}}`
        shut: not published: the registry has no findings of the image (it has never scanned it; let the repository scan on push). Use a base image that it can scan; only the operator's file can let it pass, by `policy: {scan: {unsupported: pass}}`
        shut: not published: the registry has no findings of the image (UNSUPPORTED_IMAGE: no operating system). Use a base image that it can scan; only the operator's file can let it pass, by `policy: {scan: {unsupported: pass}}`
        ");
    }
}
