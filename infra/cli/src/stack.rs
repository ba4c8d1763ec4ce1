//! The stack that a command works on: that of a one-machine cloud, or one on AWS.

use anyhow::{Context, bail};
use aws_config::{BehaviorVersion, SdkConfig};
use aws_smithy_http_client::Builder;
use aws_smithy_http_client::tls::Provider;
use aws_smithy_http_client::tls::rustls_provider::CryptoMode;
use clap::Args;
use domain::message::QueueName;
use local::{Options, Outputs, Record};

use crate::local_cloud;

/// Which stack.
#[derive(Args)]
pub(crate) struct WhichStack {
    /// The CloudFormation stack on AWS. Region and credentials come from the environment, a profile or the machine's
    /// role; whoever signs in by SSO first runs `eval "$(aws configure export-credentials --format env)"`.
    #[arg(long, value_name = "STACK")]
    stack: Option<String>,
    /// The one-machine cloud, where no stack is named.
    #[arg(long, default_value = "slipway", value_parser = local_cloud::name, conflicts_with = "stack")]
    name: String,
}

/// A stack that is there.
pub(crate) struct Stack {
    /// Its name, which the names of its queues and functions begin with.
    pub(crate) name: String,
    /// How its services are reached.
    pub(crate) config: SdkConfig,
    /// Known without asking where the stack is that of a one-machine cloud.
    known: Option<Outputs>,
}

impl WhichStack {
    /// The same choice for a command that people are told to run: empty where nothing was chosen.
    pub(crate) fn as_arguments(&self) -> String {
        match &self.stack {
            Some(stack) => format!(" --stack {stack}"),
            None if self.name == "slipway" => String::new(),
            None => format!(" --name {}", self.name),
        }
    }

    /// The stack with everything that is needed to reach it.
    pub(crate) async fn open(&self) -> anyhow::Result<Stack> {
        let Some(stack) = &self.stack else { return self.local().await };
        let http = Builder::new().tls_provider(Provider::Rustls(CryptoMode::Ring)).build_https();
        let config = aws_config::defaults(BehaviorVersion::latest()).http_client(http).load().await;
        if config.region().is_none() {
            bail!(
                "no region is known for the stack `{stack}`; set AWS_REGION, or AWS_PROFILE to a profile with one"
            );
        }
        Ok(Stack { name: stack.clone(), config, known: None })
    }

    async fn local(&self) -> anyhow::Result<Stack> {
        let name = &self.name;
        let state_dir = Options::new(&local::workspace(), name).state_dir;
        let Some(record) = Record::read(&state_dir)?.filter(is_up) else {
            bail!(
                "no cloud `{name}` is up; `slipway local up --name {name}` starts one, \
                 and `--stack` names a stack on AWS"
            );
        };
        let config = local::sdk_config(&record).await;
        Ok(Stack { name: record.name, config, known: Some(record.outputs) })
    }
}

/// The output of a stack that holds the URL of a queue: `TestQueueUrl`.
pub(crate) fn output_of(queue: QueueName) -> String {
    let (first, rest) = queue.function().split_at(1);
    format!("{}{rest}QueueUrl", first.to_uppercase())
}

/// While a cloud starts, its stack is not known yet.
fn is_up(record: &Record) -> bool {
    record.is_running() && !record.outputs.is_empty()
}

impl Stack {
    /// The outputs of the stack by name: its table, its bucket, its queues.
    pub(crate) async fn outputs(&self) -> anyhow::Result<Outputs> {
        if let Some(known) = &self.known {
            return Ok(known.clone());
        }
        let client = aws_sdk_cloudformation::Client::new(&self.config);
        let answer = client.describe_stacks().stack_name(&self.name).send().await;
        let answer = answer.with_context(|| format!("the stack `{}` cannot be described", self.name))?;
        let stack = answer.stacks().first().with_context(|| format!("there is no stack `{}`", self.name))?;
        let pair = |output: &aws_sdk_cloudformation::types::Output| {
            Some((output.output_key()?.to_owned(), output.output_value()?.to_owned()))
        };
        Ok(stack.outputs().iter().filter_map(pair).collect())
    }
}
