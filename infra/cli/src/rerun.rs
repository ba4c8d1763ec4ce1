//! `slipway rerun`: a task of a run once more, decided here as its function will decide it, then asked for by a message.

use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::{Context, anyhow};
use clap::Args;
use domain::ids::{RequestId, RunId, Sha, Stage, TaskId, Trust};
use domain::message::{Message, QueueName};
use domain::ports::{Fault, Runs, Timeline as _, printable_reason};
use domain::rerun::{Refusal, Rerun, decide, key};
use domain::run::Run;
use domain::task::Task;
use domain::time::Timestamp;
use serde_json::{Value, json};
use store::Store;

use crate::output;
use crate::stack::{Stack, WhichStack, output_of};

/// How long deploy may take to ask the cluster, and how often its answer is looked for.
const ANSWER_LIMIT: Duration = Duration::from_secs(90);
pub(crate) const LOOK_AGAIN: Duration = Duration::from_millis(300);

#[derive(Args)]
pub(crate) struct Arguments {
    /// The run: `owner/name@sha` with all 40 digits of the SHA, or its id as check runs and logs show it.
    #[arg(value_parser = run_id)]
    run: RunId,
    /// The task: `test/authentication`, `test/+checks`, from deploy on `deploy/authentication@development`.
    task: String,
    /// Everything of the service that follows runs again too, where the task had passed.
    #[arg(long)]
    cascade: bool,
    /// Only say what would happen. Of a deploy the cluster is asked too; nothing changes.
    #[arg(long)]
    dry_run: bool,
    /// What the request is known by: the same id again does nothing. Left out, the id of the SQS message.
    #[arg(long, value_name = "ID")]
    request: Option<RequestId>,
    /// As JSON.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    stack: WhichStack,
}

pub(crate) async fn run(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    let stack = arguments.stack.open().await?;
    let store = table(&stack).await?;
    let (head, tasks) = picture(&store, &arguments.run).await?;
    let asked = Rerun {
        run: arguments.run.clone(),
        task: task_id(&arguments.task, &tasks)?,
        request: arguments.request.clone(),
        cascade: arguments.cascade,
        dry_run: false,
    };
    let says = match decide(&head, &tasks, &asked, Timestamp::now()) {
        Ok(reopening) => printable_reason(&reopening.says),
        Err(refusal) => return refused(arguments, &asked, &refusal),
    };
    if arguments.dry_run && asked.task.stage == Stage::Deploy {
        let told = rehearsed(&arguments.stack, &stack, &store, &asked).await?;
        answer(
            arguments,
            &asked,
            json!({ "would": told }),
            &[&told, "nothing has changed: this was a dry run"],
        );
        return Ok(ExitCode::SUCCESS);
    }
    if arguments.dry_run {
        answer(
            arguments,
            &asked,
            json!({ "would": says }),
            &[&format!("would open {says}"), "nothing was sent: this was a dry run"],
        );
        return Ok(ExitCode::SUCCESS);
    }
    let message = send(&stack, &asked).await?;
    let request = asked.request.as_ref().map_or(message.as_str(), RequestId::as_str);
    answer(
        arguments,
        &asked,
        json!({ "asked": says, "request": request, "message": message }),
        &[
            &format!("asked for {says}"),
            &format!("the request `{request}` is on the `{}` queue", asked.task.stage),
            &format!("follow it: slipway timeline {}{}", arguments.run, arguments.stack.as_arguments()),
        ],
    );
    Ok(ExitCode::SUCCESS)
}

/// The table of a stack.
pub(crate) async fn table(stack: &Stack) -> anyhow::Result<Store> {
    let outputs = stack.outputs().await?;
    let table = outputs.get("TableName");
    let table = table.with_context(|| format!("the stack `{}` has no output `TableName`", stack.name))?;
    Ok(Store::new(&stack.config, table))
}

/// A run with its tasks.
pub(crate) async fn picture(store: &Store, run: &RunId) -> anyhow::Result<(Run, Vec<Task>)> {
    let head = store.run(run).await.map_err(|fault| told(&fault))?;
    let head = head.with_context(|| {
        format!(
            "there is no run `{run}`; its repository's check runs tell which commits have one, and a run is kept \
             for 90 days"
        )
    })?;
    Ok((head, store.tasks(run, None).await.map_err(|fault| told(&fault))?))
}

/// A fault with its causes, for people.
pub(crate) fn told(fault: &Fault) -> anyhow::Error {
    anyhow!("{}", fault.chain())
}

/// A run as people write it, or its id.
pub(crate) fn run_id(text: &str) -> Result<RunId, String> {
    let form = || {
        format!(
            "`{}` names no run: write `owner/name@sha` with all 40 digits of the SHA (`git rev-parse` gives them), \
             or `owner.name.sha`",
            printable_reason(text)
        )
    };
    let Some((repository, sha)) = text.split_once('@') else { return text.parse().map_err(|_| form()) };
    let sha: Sha = sha.parse().map_err(|_| form())?;
    Ok(RunId { repository: repository.parse().map_err(|_| form())?, sha, trust: Trust::Trusted })
}

fn task_id(text: &str, tasks: &[Task]) -> anyhow::Result<TaskId> {
    text.parse().map_err(|invalid| {
        let known: Vec<_> = tasks.iter().take(20).map(|task| format!("`{}`", task.id)).collect();
        anyhow!("{}; the run has {}", printable_reason(&format!("{invalid}")), known.join(", "))
    })
}

/// Puts a request on the queue of its task's stage; answers the message's id.
pub(crate) async fn send(stack: &Stack, asked: &Rerun) -> anyhow::Result<String> {
    let output = output_of(QueueName::Stage(asked.task.stage));
    let outputs = stack.outputs().await?;
    let url = outputs.get(&output);
    let url = url.with_context(|| format!("the stack `{}` has no output `{output}`", stack.name))?;
    let body = serde_json::to_string(&Message::Rerun(asked.clone()))?;
    let client = aws_sdk_sqs::Client::new(&stack.config);
    let sent = client.send_message().queue_url(url).message_body(body).send().await;
    let sent = sent.with_context(|| format!("the request cannot be sent to `{url}`"))?;
    sent.message_id.context("SQS answers with an id")
}

/// What deploy says that the cluster would make of it: it alone may ask the cluster, and answers in the timeline.
pub(crate) async fn rehearsed(
    which: &WhichStack,
    stack: &Stack,
    store: &Store,
    asked: &Rerun,
) -> anyhow::Result<String> {
    let asked = Rerun { dry_run: true, ..asked.clone() };
    let message = send(stack, &asked).await?;
    taken(which, store, &asked, &message).await
}

/// What the timeline says of a request once its function has taken it.
pub(crate) async fn taken(
    which: &WhichStack,
    store: &Store,
    asked: &Rerun,
    message: &str,
) -> anyhow::Result<String> {
    let request: RequestId = match &asked.request {
        Some(request) => request.clone(),
        None => message.parse().map_err(|invalid| anyhow!("SQS's id cannot name the request: {invalid}"))?,
    };
    let begun = Instant::now();
    while begun.elapsed() < ANSWER_LIMIT {
        let entry = store.entry(&asked.run, &key(asked, &request)).await.map_err(|fault| told(&fault))?;
        if let Some(entry) = entry {
            return Ok(printable_reason(&entry.what));
        }
        tokio::time::sleep(LOOK_AGAIN).await;
    }
    Err(anyhow!(
        "{} has not answered within {} s; look later with `slipway timeline {}{}`, and into its dead letters with \
         `slipway dlq list`",
        asked.task.stage,
        ANSWER_LIMIT.as_secs(),
        asked.run,
        which.as_arguments(),
    ))
}

fn refused(arguments: &Arguments, asked: &Rerun, refusal: &Refusal) -> anyhow::Result<ExitCode> {
    let why = printable_reason(&refusal.to_string());
    if arguments.json {
        answer(arguments, asked, json!({ "refused": why }), &[]);
        return Ok(ExitCode::FAILURE);
    }
    Err(anyhow!("{why}; nothing was sent"))
}

fn answer(arguments: &Arguments, asked: &Rerun, fields: Value, lines: &[&str]) {
    if !arguments.json {
        return lines.iter().for_each(|line| output::line(line));
    }
    let mut answer = json!({ "run": asked.run, "task": asked.task, "dry_run": arguments.dry_run });
    if let (Value::Object(answer), Value::Object(fields)) = (&mut answer, fields) {
        answer.extend(fields);
    }
    output::line(&format!("{answer:#}"));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_is_named_in_two_ways_and_in_no_other() {
        let sha = "0123456789abcdef0123456789abcdef01234567";
        for (text, expected) in [
            (format!("owner/name@{sha}"), Ok(format!("owner.name.{sha}"))),
            (format!("owner.na.me.{sha}.untrusted"), Ok(format!("owner.na.me.{sha}.untrusted"))),
            ("owner/name@0123456".to_owned(), Err("all 40 digits")),
            (format!("owner@{sha}"), Err("names no run")),
            ("a\u{1b}[2Jb".to_owned(), Err("`ab` names no run")),
        ] {
            match (run_id(&text), expected) {
                (Ok(run), Ok(expected)) => assert_eq!(run.to_string(), expected),
                (Err(told), Err(expected)) => assert!(told.contains(expected), "{text}: {told}"),
                (found, expected) => panic!("{text}: {found:?}, not {expected:?}"),
            }
        }
    }
}
