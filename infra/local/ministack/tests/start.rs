//! A MiniStack starts on a free port, answers as AWS does, and leaves nothing when dropped.

mod support;

use std::net::TcpStream;

use support::ask;

#[test]
fn answers_and_leaves_nothing_behind() -> Result<(), Box<dyn std::error::Error>> {
    let ministack = local_ministack::start_temporary()?;
    let port = ministack.port();
    let folder = ministack.log_path().parent().and_then(|path| path.parent()).map(ToOwned::to_owned);
    let folder = folder.ok_or("a log file lies in a folder")?;

    let answer = ask(port, "dynamodb", "DynamoDB_20120810.ListTables", "{}")?;

    assert!(answer.contains("TableNames"), "{answer}");
    assert_eq!(ministack.endpoint(), format!("http://127.0.0.1:{port}"));
    let process = format!("/proc/{}", ministack.process_id());
    assert!(std::fs::exists(&process)?);
    drop(ministack);
    assert!(!std::fs::exists(&process)?);
    assert!(!folder.exists());
    assert!(TcpStream::connect(("127.0.0.1", port)).is_err());
    Ok(())
}

#[test]
fn takes_state_changes_of_builds() -> Result<(), Box<dyn std::error::Error>> {
    let ministack = local_ministack::shared();

    let event =
        r#"{"Entries":[{"Source":"SOURCE","DetailType":"CodeBuild Build State Change","Detail":"{}"}]}"#;
    let of_codebuild =
        ask(ministack.port(), "events", "AWSEvents.PutEvents", &event.replace("SOURCE", "aws.codebuild"))?;
    let of_others =
        ask(ministack.port(), "events", "AWSEvents.PutEvents", &event.replace("SOURCE", "aws.s3"))?;

    assert!(of_codebuild.contains("\"FailedEntryCount\": 0"), "{of_codebuild}");
    assert!(of_others.contains("NotAuthorizedForSource"), "{of_others}");
    Ok(())
}
