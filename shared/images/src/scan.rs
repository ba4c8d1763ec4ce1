//! Asks for the registry's own scan of an image.

use aws_sdk_ecr::operation::describe_image_scan_findings::{
    DescribeImageScanFindingsError, DescribeImageScanFindingsOutput,
};
use aws_sdk_ecr::types::{
    EnhancedImageScanFinding, ImageIdentifier, ImageScanFinding, ImageScanStatus, ScanStatus,
};
use domain::ids::Digest;
use domain::ports::Answer;
use domain::scan::{Finding, FindingSeverity, Findings, Scan};

use crate::Images;

/// The most that one answer lists
/// (<https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_DescribeImageScanFindings.html>). The counts are of
/// all findings; the worst are looked for among these.
const LISTED: i32 = 1000;

impl Images {
    pub(crate) async fn ask_for_scan(&self, repository: &str, digest: &Digest) -> Answer<Scan> {
        let sent = self
            .client
            .describe_image_scan_findings()
            .repository_name(repository)
            .image_id(ImageIdentifier::builder().image_digest(digest.as_str()).build())
            .max_results(LISTED)
            .send()
            .await;
        match sent {
            Ok(answer) => Ok(scan_from(answer)),
            Err(error)
                if error
                    .as_service_error()
                    .is_some_and(DescribeImageScanFindingsError::is_scan_not_found_exception) =>
            {
                Ok(Scan::Absent)
            }
            Err(error) => {
                Err(aws::fault(format!("the scan of `{repository}@{digest}` cannot be read"), error))
            }
        }
    }
}

fn scan_from(answer: DescribeImageScanFindingsOutput) -> Scan {
    let status = answer.image_scan_status.unwrap_or_else(|| ImageScanStatus::builder().build());
    match status.status() {
        Some(ScanStatus::InProgress | ScanStatus::Pending) => Scan::InProgress,
        Some(ScanStatus::Complete | ScanStatus::Active) => {
            let found = answer.image_scan_findings;
            let found = found.as_ref();
            let counts = found.and_then(|found| found.finding_severity_counts());
            let counts = counts.into_iter().flatten().map(|(severity, count)| {
                (FindingSeverity::named(severity.as_str()), u32::try_from(*count).unwrap_or_default())
            });
            let basic = found.into_iter().flat_map(|found| found.findings().iter().map(basic));
            let enhanced = found.into_iter().flat_map(|found| found.enhanced_findings().iter().map(enhanced));
            Scan::Complete(Findings::new(counts, basic.chain(enhanced).collect()))
        }
        // It failed, the image is of no kind that can be scanned, or its findings are gone.
        other => {
            let name = other.map_or("no status", ScanStatus::as_str);
            let words = status.description().map(|words| format!(": {words}"));
            Scan::Unusable(format!("{name}{}", words.unwrap_or_default()))
        }
    }
}

/// A finding of the basic kind: what it knows of the package stands among its attributes.
fn basic(finding: &ImageScanFinding) -> Finding {
    let attribute = |name: &str| {
        finding.attributes().iter().find(|known| known.key() == name).and_then(|known| known.value())
    };
    let package = match (attribute("package_name"), attribute("package_version")) {
        (Some(name), Some(version)) => Some(format!("{name} {version}")),
        (name, _) => name.map(str::to_owned),
    };
    let fixed_in = attribute("fixed_in_version").or_else(|| attribute("patched_versions"));
    let severity = finding.severity().map_or("", |severity| severity.as_str());
    Finding::new(
        finding.name().unwrap_or_default(),
        FindingSeverity::named(severity),
        package.as_deref(),
        fixed_in,
    )
}

/// A finding of the enhanced kind, with the first of its packages.
fn enhanced(finding: &EnhancedImageScanFinding) -> Finding {
    let details = finding.package_vulnerability_details();
    let package = details.and_then(|details| details.vulnerable_packages().first());
    let named = package
        .and_then(|package| Some(format!("{} {}", package.name()?, package.version().unwrap_or_default())));
    Finding::new(
        details.and_then(|details| details.vulnerability_id()).or(finding.title()).unwrap_or_default(),
        FindingSeverity::named(finding.severity().unwrap_or_default()),
        named.as_deref(),
        package.and_then(|package| package.fixed_in_version()),
    )
}
