//! ECR scans what is pushed, and tells it by its event.

mod support;

use support::ask;

type Outcome = Result<(), Box<dyn std::error::Error>>;

#[test]
fn an_image_that_is_pushed_is_scanned_and_the_event_tells_it() -> Outcome {
    let ministack = local_ministack::shared();
    let port = ministack.port();
    let json = |service: &str, target: &str, body: &str| {
        let answer = ask(port, service, target, body)?;
        assert!(answer.starts_with("HTTP/1.1 200"), "{target}: {answer}");
        Ok::<String, std::io::Error>(answer)
    };
    json("sqs", "AmazonSQS.CreateQueue", r#"{"QueueName": "scans"}"#)?;
    let pattern = r#"{\"source\": [\"aws.ecr\"], \"detail-type\": [\"ECR Image Scan\"], \"detail\": {\"repository-name\": [{\"prefix\": \"mine/\"}]}}"#;
    json("events", "AWSEvents.PutRule", &format!(r#"{{"Name": "scans", "EventPattern": "{pattern}"}}"#))?;
    json(
        "events",
        "AWSEvents.PutTargets",
        r#"{"Rule": "scans", "Targets": [{"Id": "queue", "Arn": "arn:aws:sqs:us-east-1:000000000000:scans"}]}"#,
    )?;
    for (repository, scans) in [("mine/one", true), ("other/two", true), ("mine/three", false)] {
        let create = format!(
            r#"{{"repositoryName": "{repository}", "imageScanningConfiguration": {{"scanOnPush": {scans}}}}}"#
        );
        json("ecr", "AmazonEC2ContainerRegistry_V20150921.CreateRepository", &create)?;
        for tag in ["first", "second"] {
            // The same image under two tags is scanned once.
            let put = format!(
                r#"{{"repositoryName": "{repository}", "imageManifest": "{{}}", "imageTag": "{tag}"}}"#
            );
            json("ecr", "AmazonEC2ContainerRegistry_V20150921.PutImage", &put)?;
        }
    }

    let queue = format!("http://127.0.0.1:{port}/000000000000/scans");
    let receive = format!(r#"{{"QueueUrl": "{queue}", "MaxNumberOfMessages": 10, "WaitTimeSeconds": 5}}"#);
    let received = json("sqs", "AmazonSQS.ReceiveMessage", &receive)?;
    assert_eq!(received.matches("\"MessageId\"").count(), 1, "{received}");
    for part in ["ECR Image Scan", "mine/one", "COMPLETE", "sha256:", "first"] {
        assert!(received.contains(part), "{part}: {received}");
    }
    Ok(())
}
