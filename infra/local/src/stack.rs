//! The template, deployed through the local AWS's CloudFormation.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Context, bail};
use hyper::Method;
use tokio::time::{Instant, sleep};

use crate::aws::Aws;
use crate::functions::Package;

/// Where packages lie; the stack's own bucket exists only after the deploy.
const PACKAGES: &str = "slipway-local-packages";
/// A deploy takes one or two seconds on an idle machine.
const DEPLOY_LIMIT: Duration = Duration::from_mins(2);
const POLL: Duration = Duration::from_millis(100);

/// The outputs of a deployed stack by name.
pub type Outputs = BTreeMap<String, String>;

/// Creates or updates the stack from the template's text, in which only each `CodeUri` is replaced.
pub(crate) async fn deploy(
    aws: &Aws,
    stack: &str,
    template: &str,
    packages: Vec<Package>,
    parameters: &[(&str, String)],
) -> anyhow::Result<Outputs> {
    let template = upload(aws, template, packages).await?;
    let mut form = vec![
        ("StackName".to_owned(), stack.to_owned()),
        ("TemplateURL".to_owned(), template),
        ("Capabilities.member.1".to_owned(), "CAPABILITY_IAM".to_owned()),
        ("Capabilities.member.2".to_owned(), "CAPABILITY_AUTO_EXPAND".to_owned()),
    ];
    for (number, (name, value)) in (1..).zip(parameters) {
        form.push((format!("Parameters.member.{number}.ParameterKey"), (*name).to_owned()));
        form.push((format!("Parameters.member.{number}.ParameterValue"), value.clone()));
    }
    let action = if describe(aws, stack).await.is_ok() { "UpdateStack" } else { "CreateStack" };
    form.push(("Action".to_owned(), action.to_owned()));
    match aws.query("cloudformation", &form).await {
        Err(error) if format!("{error:#}").contains("No updates are to be performed") => {}
        result => {
            result.with_context(|| format!("deploying the stack `{stack}`"))?;
        }
    }
    outputs_when_complete(aws, stack).await
}

/// Puts the packages and the template that names them where CloudFormation finds them; gives back the template's URL.
/// In a request itself CloudFormation takes 51,200 bytes at most, and the template is larger.
async fn upload(aws: &Aws, template: &str, packages: Vec<Package>) -> anyhow::Result<String> {
    aws.rest(Method::PUT, "s3", &format!("/{PACKAGES}"), "").await?;
    let mut text = template.to_owned();
    for package in packages {
        let location = format!("s3://{PACKAGES}/{}", package.key);
        text = text.replace(&format!("CodeUri: {}\n", package.code_uri), &format!("CodeUri: {location}\n"));
        aws.rest(Method::PUT, "s3", &format!("/{PACKAGES}/{}", package.key), package.bytes).await?;
    }
    aws.rest(Method::PUT, "s3", &format!("/{PACKAGES}/template.yaml"), text).await?;
    Ok(format!("{}/{PACKAGES}/template.yaml", aws.endpoint()))
}

async fn outputs_when_complete(aws: &Aws, stack: &str) -> anyhow::Result<Outputs> {
    let deadline = Instant::now() + DEPLOY_LIMIT;
    loop {
        let description = describe(aws, stack).await?;
        let status = texts(&description, "StackStatus").next().unwrap_or_default();
        match status {
            "CREATE_COMPLETE" | "UPDATE_COMPLETE" => return Ok(outputs(&description)),
            _ if !status.ends_with("_IN_PROGRESS") => {
                bail!("the stack `{stack}` is {status}: {}", reasons(aws, stack).await);
            }
            _ if Instant::now() > deadline => bail!("the stack `{stack}` is still {status}"),
            _ => sleep(POLL).await,
        }
    }
}

async fn describe(aws: &Aws, stack: &str) -> anyhow::Result<String> {
    let form = [("Action", "DescribeStacks"), ("StackName", stack)];
    aws.query("cloudformation", &form.map(|(name, value)| (name.to_owned(), value.to_owned()))).await
}

fn outputs(description: &str) -> Outputs {
    let keys = texts(description, "OutputKey").map(str::to_owned);
    keys.zip(texts(description, "OutputValue").map(unescape)).collect()
}

/// Why resources failed, as their events tell.
async fn reasons(aws: &Aws, stack: &str) -> String {
    let form = [("Action", "DescribeStackEvents"), ("StackName", stack)];
    let form = form.map(|(name, value)| (name.to_owned(), value.to_owned()));
    let events = aws.query("cloudformation", &form).await.unwrap_or_default();
    let reasons: Vec<String> = events
        .split("<member>")
        .filter(|event| event.contains("_FAILED</ResourceStatus>"))
        .filter_map(|event| {
            let resource = texts(event, "LogicalResourceId").next()?;
            Some(format!("{resource}: {}", unescape(texts(event, "ResourceStatusReason").next()?)))
        })
        .collect();
    reasons.join("; ")
}

/// The texts of all elements with this name. The answers are flat lists: a parser would add nothing.
fn texts<'a>(xml: &'a str, element: &str) -> impl Iterator<Item = &'a str> {
    let (open, close) = (format!("<{element}>"), format!("</{element}>"));
    let mut rest = xml;
    std::iter::from_fn(move || {
        let start = rest.find(&open)? + open.len();
        let end = start + rest.get(start..)?.find(&close)?;
        let text = rest.get(start..end)?;
        rest = rest.get(end..)?;
        Some(text)
    })
}

fn unescape(text: &str) -> String {
    text.replace("&lt;", "<").replace("&gt;", ">").replace("&quot;", "\"").replace("&amp;", "&")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn outputs_are_read_in_pairs() {
        let xml = "<member><OutputKey>A</OutputKey><OutputValue>1 &amp; 2</OutputValue></member>\
                   <member><OutputKey>B</OutputKey><OutputValue></OutputValue></member>";

        let outputs = outputs(xml);

        let expected = [("A", "1 & 2"), ("B", "")].map(|(key, value)| (key.to_owned(), value.to_owned()));
        assert_eq!(outputs, Outputs::from(expected));
    }
}
