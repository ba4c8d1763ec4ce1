//! Secrets against a local Secrets Manager, and against one that goes away.

use std::error::Error;
use std::time::Duration;

use aws_sdk_secretsmanager::Client;
use domain::ports::{Advice, Secret, Secrets as _};
use secrets::Secrets;
use serde_json::json;
use testkit::aws;
use testkit::aws_json::{JsonService, refusal};

type Outcome = Result<(), Box<dyn Error>>;

#[tokio::test]
async fn a_secret_is_asked_for_once_and_anew_when_refused() -> Outcome {
    let config = aws::config(local_ministack::shared().endpoint());
    let (client, id, secrets) = (Client::new(&config), aws::unique("secret"), Secrets::new(&config));
    client.create_secret().name(&id).secret_string("tulip").send().await?;
    assert_eq!(secrets.secret(&id).await?, Secret::new("tulip"));

    client.put_secret_value().secret_id(&id).secret_string("hyacinth").send().await?;

    assert_eq!(secrets.secret(&id).await?, Secret::new("tulip"), "it is kept");
    assert_eq!(secrets.fresh(&id).await?, Secret::new("hyacinth"));
    assert_eq!(secrets.secret(&id).await?, Secret::new("hyacinth"));
    assert!(!format!("{secrets:?}").contains("hyacinth"), "it must not show itself");
    Ok(())
}

#[tokio::test]
async fn a_secret_is_not_believed_for_ever() -> Outcome {
    let config = aws::config(local_ministack::shared().endpoint());
    let (client, id) = (Client::new(&config), aws::unique("secret"));
    let secrets = Secrets::new(&config).kept_for(Duration::ZERO);
    client.create_secret().name(&id).secret_string("tulip").send().await?;
    assert_eq!(secrets.secret(&id).await?, Secret::new("tulip"));
    client.put_secret_value().secret_id(&id).secret_string("hyacinth").send().await?;
    assert_eq!(secrets.secret(&id).await?, Secret::new("hyacinth"));
    Ok(())
}

#[tokio::test]
async fn what_is_no_text_is_refused() -> Outcome {
    let config = aws::config(local_ministack::shared().endpoint());
    let (client, id, secrets) = (Client::new(&config), aws::unique("secret"), Secrets::new(&config));
    let bytes = aws_sdk_secretsmanager::primitives::Blob::new([1, 2, 3]);
    client.create_secret().name(&id).secret_binary(bytes).send().await?;

    let binary = secrets.secret(&id).await.err().ok_or("it was read")?;
    let missing = secrets.secret("nowhere").await.err().ok_or("it was read")?;

    assert_eq!(binary.advice, Advice::Reject, "{}", binary.chain());
    assert!(binary.chain().ends_with("it holds no text"), "{}", binary.chain());
    assert_eq!(missing.advice, Advice::Reject, "{}", missing.chain());
    assert!(missing.chain().contains("secret `nowhere` cannot be read: ResourceNotFoundException"));
    Ok(())
}

#[tokio::test]
async fn what_was_known_serves_while_secrets_manager_is_away() -> Outcome {
    let mut asked = 0;
    let service = JsonService::start(move |_, _| {
        asked += 1;
        match asked {
            1 => (200, json!({ "SecretString": "known" })),
            2 | 3 => (503, json!({ "__type": "InternalServiceError" })),
            _ => refusal("AccessDeniedException"),
        }
    })
    .await?;
    let secrets = Secrets::new(&service.config()).kept_for(Duration::ZERO);
    assert_eq!(secrets.secret("id").await?, Secret::new("known"));
    assert_eq!(secrets.secret("id").await?, Secret::new("known"));

    let fresh = secrets.fresh("id").await.err().ok_or("it was read")?;
    let withdrawn = secrets.secret("id").await.err().ok_or("it was read")?;

    assert_eq!(fresh.advice, Advice::Retry(None), "who wants it fresh gets no old one");
    assert_eq!(withdrawn.advice, Advice::Reject, "a withdrawn right is no outage");
    Ok(())
}
