//! What the registry's scans say, from the local ECR and in ECR's own words.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use aws_sdk_ecr::Client;
use domain::ids::Digest;
use domain::ports::{Advice, Images as _};
use domain::scan::{Gate, Scan, ScanPolicy};
use images::Images;
use serde_json::{Value, json};
use testkit::aws;
use testkit::aws_json::{JsonService, refusal};

use crate::{Outcome, config, digest, repository};

/// Lets the local ECR's scans of a repository come to this.
fn decide(repository: &str, verdict: &Value) -> Outcome {
    let mut connection = TcpStream::connect(("127.0.0.1", local_ministack::shared().port()))?;
    let (body, mut answer) = (verdict.to_string(), String::new());
    let length = body.len();
    write!(
        connection,
        "PUT /_slipway/scans/{repository} HTTP/1.0\r\nhost: localhost\r\ncontent-length: {length}\r\n\r\n{body}"
    )?;
    connection.read_to_string(&mut answer)?;
    assert!(answer.contains(" 200 "), "{answer}");
    Ok(())
}

/// A finding in ECR's form, of a package that a version mends.
fn finding(name: &str, severity: &str) -> Value {
    let attribute = |key: &str, value: &str| json!({ "key": key, "value": value });
    let attributes = [
        attribute("package_name", "openssl"),
        attribute("package_version", "3.0.1"),
        attribute("fixed_in_version", "3.0.2"),
    ];
    json!({ "name": name, "severity": severity, "uri": "https://cve.example", "attributes": attributes })
}

/// What the default policy makes of it at once.
fn words(scan: &Scan) -> String {
    match ScanPolicy::default().judge(scan, Duration::ZERO) {
        Gate::Open(words) => words,
        Gate::Wait(_) => "it goes on".to_owned(),
        Gate::Shut { summary, .. } => summary,
    }
}

#[tokio::test]
async fn the_local_registry_scans_as_it_is_told() -> Outcome {
    let config = config();
    let (name, one, _) = repository(&config).await?;
    let images = Images::new(&config, None);
    assert_eq!(words(&images.scan(&name, &one).await?), "the scan found nothing");

    decide(&name, &json!({ "status": "IN_PROGRESS" }))?;
    assert_eq!(images.scan(&name, &one).await?, Scan::InProgress);
    decide(
        &name,
        &json!({ "status": "COMPLETE", "findings": [finding("CVE-2", "MEDIUM"), finding("CVE-1", "CRITICAL")] }),
    )?;
    let told = words(&images.scan(&name, &one).await?);
    assert!(told.contains("the scan found 1 critical, 1 medium"), "{told}");
    assert!(told.contains("the worst is CVE-1 (critical) in openssl 3.0.1, fixed in 3.0.2"), "{told}");

    decide(&name, &json!({ "status": "UNSUPPORTED_IMAGE", "description": "no operating system" }))?;
    let told = words(&images.scan(&name, &one).await?);
    assert!(told.contains("(UNSUPPORTED_IMAGE: no operating system)"), "{told}");
    Ok(())
}

#[tokio::test]
async fn what_is_not_scanned_is_absent() -> Outcome {
    let (config, name) = (config(), aws::unique("vive-sphere/unscanned"));
    let client = Client::new(&config);
    client.create_repository().repository_name(&name).send().await?;
    let put = client.put_image().repository_name(&name).image_manifest(crate::manifest(1)).send().await?;
    let id = put.image().and_then(|image| image.image_id()).and_then(|id| id.image_digest()).map(str::parse);
    let held: Digest = id.ok_or("an image has a digest")??;
    let images = Images::new(&config, None);
    assert_eq!(images.scan(&name, &held).await?, Scan::Absent);
    let unknown = images.scan(&name, &digest(1)?).await.err().ok_or("it is not there")?;
    assert_eq!(unknown.advice, Advice::Reject);
    Ok(())
}

/// Each status that ECR documents, and findings of the enhanced kind.
#[tokio::test]
async fn every_status_has_its_meaning() -> Outcome {
    let enhanced = json!({
        "severity": "CRITICAL", "title": "CVE-7 - openssl",
        "packageVulnerabilityDetails": {
            "vulnerabilityId": "CVE-7",
            "vulnerablePackages": [{ "name": "openssl", "version": "3.0.1", "fixedInVersion": "0:3.0.2" }],
        },
    });
    let findings =
        json!({ "findingSeverityCounts": { "CRITICAL": 1, "UNTRIAGED": 2 }, "enhancedFindings": [enhanced] });
    for (status, expected) in [
        ("PENDING", "it goes on"),
        ("IN_PROGRESS", "it goes on"),
        ("COMPLETE", "found 1 critical, 2 undefined"),
        ("ACTIVE", "the worst is CVE-7 (critical) in openssl 3.0.1, fixed in 0:3.0.2"),
        ("FAILED", "(FAILED: a reason)"),
        ("UNSUPPORTED_IMAGE", "(UNSUPPORTED_IMAGE: a reason)"),
        ("FINDINGS_UNAVAILABLE", "(FINDINGS_UNAVAILABLE: a reason)"),
        ("SCAN_ELIGIBILITY_EXPIRED", "(SCAN_ELIGIBILITY_EXPIRED: a reason)"),
        ("LIMIT_EXCEEDED", "(LIMIT_EXCEEDED: a reason)"),
        ("SOMETHING_NEW", "(SOMETHING_NEW: a reason)"),
    ] {
        let body = json!({
            "imageScanStatus": { "status": status, "description": "a reason" }, "imageScanFindings": findings,
        });
        let service = JsonService::start(move |_, _| (200, body.clone())).await?;
        let scan = Images::new(&service.config(), None).scan("name", &digest(1)?).await?;
        assert!(words(&scan).contains(expected), "{status}: {}", words(&scan));
        let (operation, input) = service.requests().into_iter().next().ok_or("it was asked")?;
        assert_eq!(operation, "DescribeImageScanFindings");
        assert_eq!(input["imageId"]["imageDigest"], digest(1)?.as_str());
    }
    for (code, expected) in [("ScanNotFoundException", Some(Scan::Absent)), ("ThrottlingException", None)] {
        let service = JsonService::start(move |_, _| refusal(code)).await?;
        let scan = Images::new(&service.config(), None).scan("name", &digest(1)?).await;
        assert_eq!(scan.ok(), expected, "{code}");
    }
    Ok(())
}
