//! The lifecycle policy of new repositories, against the local ECR and against one that is older or somebody else's.

use std::time::SystemTime;

use aws_sdk_ecr::Client;
use domain::ports::{Advice, Images as _};
use images::{Images, Lifecycle};
use serde_json::{Value, json};
use testkit::aws;
use testkit::aws_json::{JsonService, refusal};

use crate::{Outcome, config};

#[tokio::test]
async fn a_new_repository_gets_its_lifecycle_policy() -> Outcome {
    let (config, name) = (config(), aws::unique("vive-sphere/lifecycle"));
    let images = Images::new(&config, None).with_lifecycle(Lifecycle::parse("300", "14")?);
    images.ensure_repository(&name).await?;
    images.ensure_repository(&name).await?;

    let client = Client::new(&config);
    let found = client.get_lifecycle_policy().repository_name(&name).send().await?;
    let policy: Value = serde_json::from_str(found.lifecycle_policy_text().ok_or("it has a text")?)?;
    let rules = policy["rules"].as_array().ok_or("it has rules")?;
    let selections: Vec<Value> = rules.iter().map(|rule| rule["selection"].clone()).collect();
    assert_eq!(
        selections,
        [
            json!({
                "tagStatus": "tagged", "tagPrefixList": ["released-"],
                "countType": "imageCountMoreThan", "countNumber": 9_999,
            }),
            json!({
                "tagStatus": "untagged", "countType": "sinceImagePushed", "countUnit": "days", "countNumber": 14,
            }),
            json!({ "tagStatus": "any", "countType": "imageCountMoreThan", "countNumber": 300 }),
        ]
    );
    for (priority, rule) in (1..).zip(rules) {
        assert_eq!(
            (&rule["rulePriority"], &rule["action"]),
            (&json!(priority), &json!({ "type": "expire" }))
        );
    }

    let own = r#"{"rules":[]}"#;
    client.put_lifecycle_policy().repository_name(&name).lifecycle_policy_text(own).send().await?;
    images.ensure_repository(&name).await?;
    let kept = client.get_lifecycle_policy().repository_name(&name).send().await?;
    assert_eq!(kept.lifecycle_policy_text(), Some(own), "a person's stays");
    Ok(())
}

#[test]
fn numbers_of_a_lifecycle_are_numbers() -> Outcome {
    assert_eq!(Lifecycle::parse("0", "14")?, None, "nothing expires");
    for (kept, days) in [("", "14"), ("many", "14"), ("300", "-1")] {
        assert!(Lifecycle::parse(kept, days).is_err(), "{kept} {days}");
    }
    Ok(())
}

/// Whoever died after he had made the repository comes again, and gives it its policy; an old one is left alone.
#[tokio::test]
async fn only_a_new_repository_without_a_policy_gets_one() -> Outcome {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH)?.as_secs();
    for (made, policy, expected) in [
        (json!(now - 60), None, vec!["DescribeRepositories", "GetLifecyclePolicy", "PutLifecyclePolicy"]),
        (json!(now - 60), Some("{}"), vec!["DescribeRepositories", "GetLifecyclePolicy"]),
        (json!(now - 90_000), None, vec!["DescribeRepositories"]),
        (Value::Null, None, vec!["DescribeRepositories"]),
    ] {
        let repository = json!({ "repositoryUri": "registry/name", "createdAt": made });
        let service = JsonService::start(move |operation, _| match (operation, policy) {
            ("DescribeRepositories", _) => (200, json!({ "repositories": [repository] })),
            ("GetLifecyclePolicy", None) => refusal("LifecyclePolicyNotFoundException"),
            (_, policy) => (200, json!({ "lifecyclePolicyText": policy.unwrap_or_default() })),
        })
        .await?;
        let images = Images::new(&service.config(), None).with_lifecycle(Lifecycle::parse("300", "14")?);
        assert_eq!(images.ensure_repository("name").await?, "registry/name");
        assert_eq!(service.operations(), expected);
    }
    Ok(())
}

/// It is no success before the policy is there.
#[tokio::test]
async fn a_repository_without_its_policy_is_tried_again() -> Outcome {
    let service = JsonService::start(move |operation, _| match operation {
        "DescribeRepositories" => refusal("RepositoryNotFoundException"),
        "CreateRepository" => {
            let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(0, |now| now.as_secs());
            (200, json!({ "repository": { "repositoryUri": "registry/name", "createdAt": now } }))
        }
        "GetLifecyclePolicy" => refusal("LifecyclePolicyNotFoundException"),
        _ => refusal("ThrottlingException"),
    })
    .await?;
    let images = Images::new(&service.config(), None).with_lifecycle(Lifecycle::parse("300", "14")?);
    let fault = images.ensure_repository("name").await.err().ok_or("it is no success")?;
    assert!(matches!(fault.advice, Advice::Retry(_)), "{}", fault.chain());
    Ok(())
}
