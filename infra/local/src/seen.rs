//! What people would see of a run: check runs with annotations, Slack's messages, the mailbox.

use anyhow::Context;
use domain::ids::RunId;
use serde::Deserialize;
use serde_json::Value;

use crate::http::get_json;
use crate::record::Record;

/// A check run on a commit.
#[derive(Debug, Clone, Deserialize)]
pub struct CheckRun {
    /// Its id.
    pub id: u64,
    /// Its name.
    pub name: String,
    /// queued, `in_progress` or completed.
    pub status: String,
    /// Where completed.
    pub conclusion: Option<String>,
    /// Title and summary.
    pub output: CheckOutput,
    /// What the commit's check runs belong to.
    pub check_suite: CheckSuite,
    /// Findings on lines.
    #[serde(skip)]
    pub annotations: Vec<Annotation>,
}

/// A check run's words.
#[derive(Debug, Clone, Deserialize)]
pub struct CheckOutput {
    /// One line.
    pub title: Option<String>,
    /// Markdown.
    pub summary: Option<String>,
    /// Markdown below it: the end of the log.
    pub text: Option<String>,
}

/// All check runs of one commit.
#[derive(Debug, Clone, Deserialize)]
pub struct CheckSuite {
    /// Its id.
    pub id: u64,
}

/// A finding on a line.
#[derive(Debug, Clone, Deserialize)]
pub struct Annotation {
    /// The file.
    pub path: String,
    /// The line, from 1.
    pub start_line: u32,
    /// notice, warning or failure.
    pub annotation_level: String,
    /// What is wrong.
    pub message: String,
}

/// The check runs of a run's commit, by name.
///
/// # Errors
/// When GitHub does not answer.
pub async fn check_runs(record: &Record, run: &RunId) -> anyhow::Result<Vec<CheckRun>> {
    let token = Some(record.credentials.github_token.as_str());
    let repository = format!("{}/repos/{}", record.github_url(), run.repository);
    let list = get_json(&format!("{repository}/commits/{}/check-runs?per_page=100", run.sha), token).await?;
    let mut checks: Vec<CheckRun> =
        serde_json::from_value(list["check_runs"].clone()).context("check runs")?;
    for check in &mut checks {
        let annotations =
            get_json(&format!("{repository}/check-runs/{}/annotations?per_page=100", check.id), token)
                .await?;
        check.annotations = serde_json::from_value(annotations).context("annotations")?;
    }
    checks.sort_by(|one, other| one.name.cmp(&other.name));
    Ok(checks)
}

/// Every message that Slack holds, oldest first.
///
/// # Errors
/// When Slack does not answer.
pub async fn slack_messages(record: &Record) -> anyhow::Result<Vec<Value>> {
    let messages = get_json(&format!("{}/messages", record.slack_url()), None).await?;
    serde_json::from_value(messages).context("Slack's messages")
}

/// A mail that SES took.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Mail {
    /// The sender.
    pub source: String,
    /// Who gets it.
    pub to: Vec<String>,
    /// The subject.
    pub subject: String,
    /// The text.
    pub body_text: String,
}

/// Every mail that SES took, oldest first.
///
/// # Errors
/// When the local AWS does not answer.
pub async fn mails(record: &Record) -> anyhow::Result<Vec<Mail>> {
    let mailbox = get_json(&format!("{}/_ministack/ses/messages", record.aws_url()), None).await?;
    let mut mails = Vec::new();
    // The mailbox is grouped by account.
    for messages in mailbox["messages"].as_object().context("the mailbox")?.values() {
        mails.extend(serde_json::from_value::<Vec<Mail>>(messages.clone()).context("a mail")?);
    }
    Ok(mails)
}
