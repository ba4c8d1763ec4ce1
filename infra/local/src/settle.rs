//! What an operator does once after a deploy, done for the local cloud: secrets, sender, operator's file.

use std::path::Path;
use std::process::Stdio;

use anyhow::{Context, ensure};
use hyper::Method;
use serde_json::json;
use tokio::process::Command;

use crate::aws::Aws;
use crate::stack::Outputs;

/// The number of the local GitHub App.
pub(crate) const APP_ID: u64 = 1;

/// The secret that the events in `events/` are signed with.
const WEBHOOK_SECRET: &str = "slipway-local-webhook-secret";

/// The GitHub App's key pair, PEM.
pub(crate) struct AppKey {
    pub(crate) private: String,
    pub(crate) public: String,
}

/// Makes the App's key pair with openssl, once for each cloud's folder.
pub(crate) async fn app_key(state_dir: &Path) -> anyhow::Result<AppKey> {
    let path = state_dir.join("github-app.pem");
    if !path.exists() {
        // Written beside and moved: a start that is killed now leaves no half key for the next one.
        let new = path.with_extension(format!("{}.new", std::process::id()));
        openssl(&["genrsa", "-out"], &new, &["2048"]).await?;
        std::fs::rename(&new, &path).with_context(|| format!("writing {}", path.display()))?;
    }
    let public = openssl(&["rsa", "-pubout", "-in"], &path, &[]).await?;
    let private = std::fs::read_to_string(&path).with_context(|| format!("reading {}", path.display()))?;
    Ok(AppKey { private, public })
}

async fn openssl(before: &[&str], path: &Path, after: &[&str]) -> anyhow::Result<String> {
    let mut command = Command::new("openssl");
    command.args(before).arg(path).args(after).stdin(Stdio::null());
    let output =
        command.output().await.context("openssl is not installed; `make doctor` lists what is missing")?;
    let complaint = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "openssl {}: {complaint}", before.join(" "));
    Ok(String::from_utf8(output.stdout)?)
}

/// What the local AWS drops from a template: the table's time to live.
pub(crate) async fn enable_time_to_live(aws: &Aws, outputs: &Outputs) -> anyhow::Result<()> {
    let specification = json!({ "AttributeName": "expires_at", "Enabled": true });
    let body =
        json!({ "TableName": output(outputs, "TableName")?, "TimeToLiveSpecification": specification });
    aws.json("dynamodb", "DynamoDB_20120810.UpdateTimeToLive", &body).await?;
    Ok(())
}

/// Fills the secret whose id is this output of the stack.
pub(crate) async fn fill_secret(aws: &Aws, outputs: &Outputs, id: &str, text: &str) -> anyhow::Result<()> {
    let body = json!({ "SecretId": output(outputs, id)?, "SecretString": text });
    aws.json("secretsmanager", "secretsmanager.PutSecretValue", &body).await?;
    Ok(())
}

/// Replaces the secret that the deploy has generated for GitHub's deliveries by the one that the example events are
/// signed with, so that they can be sent to every local cloud as they are.
pub(crate) async fn webhook_secret(aws: &Aws, outputs: &Outputs) -> anyhow::Result<String> {
    let body = json!({ "SecretId": output(outputs, "WebhookSecretId")? });
    let value = aws.json("secretsmanager", "secretsmanager.GetSecretValue", &body).await?;
    let generated = value["SecretString"].as_str().is_some_and(|secret| !secret.is_empty());
    ensure!(generated, "the webhook's secret has no value");
    fill_secret(aws, outputs, "WebhookSecretId", WEBHOOK_SECRET).await?;
    Ok(WEBHOOK_SECRET.to_owned())
}

/// Lets mail be sent from this address.
pub(crate) async fn verify_sender(aws: &Aws, sender: &str) -> anyhow::Result<()> {
    let body = json!({ "EmailIdentity": sender }).to_string();
    aws.rest(Method::POST, "ses", "/v2/email/identities", body).await?;
    Ok(())
}

/// Puts the operator's file where functions read it.
pub(crate) async fn upload_operator_file(aws: &Aws, outputs: &Outputs, text: Vec<u8>) -> anyhow::Result<()> {
    let bucket = output(outputs, "BucketName")?;
    aws.rest(Method::PUT, "s3", &format!("/{bucket}/operator.yaml"), text).await?;
    Ok(())
}

/// An output that the template promises.
pub(crate) fn output<'a>(outputs: &'a Outputs, name: &str) -> anyhow::Result<&'a str> {
    outputs.get(name).map(String::as_str).with_context(|| format!("the stack has no output `{name}`"))
}
