//! A MiniStack starts on a free port, answers as AWS does, and leaves nothing when dropped.

use std::io::{Read, Write};
use std::net::TcpStream;

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

fn ask(port: u16, service: &str, target: &str, body: &str) -> std::io::Result<String> {
    let mut connection = TcpStream::connect(("127.0.0.1", port))?;
    let length = body.len();
    write!(
        connection,
        "POST / HTTP/1.0\r\nhost: localhost\r\nx-amz-target: {target}\r\ncontent-length: {length}\r\n\
         content-type: application/x-amz-json-1.1\r\nauthorization: AWS4-HMAC-SHA256 \
         Credential=test/20260101/us-east-1/{service}/aws4_request, SignedHeaders=host, Signature=0\r\n\r\n{body}"
    )?;
    let mut answer = String::new();
    connection.read_to_string(&mut answer)?;
    Ok(answer)
}
