//! The bucket against a local S3.

use std::error::Error;
use std::path::PathBuf;

use artifacts::Artifacts;
use aws_sdk_s3::Client;
use domain::ports::{Advice, Artifacts as _};
use testkit::aws;

type Outcome = Result<(), Box<dyn Error>>;

/// A new bucket, and a client that looks at it from outside.
async fn bucket() -> Result<(Artifacts, Client, String), Box<dyn Error>> {
    let config = aws::config(local_ministack::shared().endpoint());
    let settings = aws_sdk_s3::config::Builder::from(&config).force_path_style(true).build();
    let (client, name) = (Client::from_conf(settings), aws::unique("bucket"));
    client.create_bucket().bucket(&name).send().await?;
    Ok((Artifacts::new(&config, &name), client, name))
}

/// A file of this process and test.
fn file(name: &str) -> PathBuf {
    std::env::temp_dir().join(format!("slipway-artifacts-{}-{name}", std::process::id()))
}

#[tokio::test]
async fn an_object_is_read_back_as_it_was_written() -> Outcome {
    let (artifacts, client, bucket) = bucket().await?;
    let key = "manifests/ab cd+ü.yaml";

    artifacts.put(key, b"kind: Service\n".to_vec()).await?;

    assert_eq!(artifacts.get(key, 14).await?, Some(b"kind: Service\n".to_vec()));
    assert!(artifacts.exists(key).await?);
    let head = client.head_object().bucket(&bucket).key(key).send().await?;
    assert_eq!(head.content_type(), Some("application/yaml"));
    assert_eq!(artifacts.place("sources/a.zip"), format!("{bucket}/sources/a.zip"));
    Ok(())
}

#[tokio::test]
async fn a_missing_object_is_none() -> Outcome {
    let (artifacts, ..) = bucket().await?;
    let path = file("missing");
    assert_eq!(artifacts.get("nowhere", 10).await?, None);
    assert!(!artifacts.exists("nowhere").await?);
    assert!(!artifacts.get_file("nowhere", &path, 10).await?);
    assert!(!path.exists());
    Ok(())
}

#[tokio::test]
async fn a_larger_object_than_allowed_is_refused() -> Outcome {
    let (artifacts, ..) = bucket().await?;
    let path = file("larger");
    artifacts.put("large", vec![7; 1000]).await?;

    let read = artifacts.get("large", 999).await.err().ok_or("it was read")?;
    let copied = artifacts.get_file("large", &path, 999).await.err().ok_or("it was copied")?;

    assert_eq!(read.advice, Advice::Reject);
    assert_eq!(read.chain(), "`large` is larger than 999 bytes");
    assert_eq!(copied.advice, Advice::Reject);
    assert!(!path.exists(), "half a file must not stay");
    Ok(())
}

#[tokio::test]
async fn a_file_goes_up_and_comes_down() -> Outcome {
    let (artifacts, client, bucket) = bucket().await?;
    let (up, down) = (file("up"), file("down"));
    let bytes: Vec<u8> =
        (0..3_000_000_u32).flat_map(|number| number.to_le_bytes().into_iter().take(2)).collect();
    std::fs::write(&up, &bytes)?;

    artifacts.put_file("sources/a.zip", &up).await?;
    let there = artifacts.get_file("sources/a.zip", &down, bytes.len() as u64).await?;

    assert!(there);
    assert!(std::fs::read(&down)? == bytes, "the bytes differ");
    let head = client.head_object().bucket(&bucket).key("sources/a.zip").send().await?;
    assert_eq!(head.content_type(), Some("application/zip"));
    std::fs::remove_file(&up)?;
    std::fs::remove_file(&down)?;
    Ok(())
}

#[tokio::test]
async fn a_bucket_that_does_not_exist_is_refused() -> Outcome {
    let config = aws::config(local_ministack::shared().endpoint());
    let artifacts = Artifacts::new(&config, "no-such-bucket");
    let read = artifacts.get("key", 10).await.err().ok_or("it was read")?;
    let written = artifacts.put("key", Vec::new()).await.err().ok_or("it was written")?;
    assert_eq!(read.advice, Advice::Reject, "{}", read.chain());
    assert_eq!(written.advice, Advice::Reject, "{}", written.chain());
    Ok(())
}
