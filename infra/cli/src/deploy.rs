//! `slipway deploy`: the services of a run once more in their environment, one after the other, until each is verified.
//!
//! It is the re-run of their deploy tasks: what was rendered and pinned for that run goes out under its number, so that a
//! run which a newer one has overtaken is refused by the environment's fence.

mod verdict;

use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::{anyhow, bail};
use clap::Args;
use domain::files::did_you_mean;
use domain::ids::{EnvironmentName, RunId, ServiceName, Stage, TaskId};
use domain::ports::printable_reason;
use domain::rerun::{Refusal, Rerun, decide};
use domain::run::Run;
use domain::task::Task;
use domain::time::Timestamp;
use serde_json::{Value, json};
use store::Store;

use crate::output;
use crate::rerun::{LOOK_AGAIN, picture, rehearsed, run_id, send, table, taken};
use crate::stack::{Stack, WhichStack};
use verdict::Ended;

/// How long the run may take to let the next service go, after the one before has ended.
const TURN_LIMIT: Duration = Duration::from_mins(2);

#[derive(Args)]
pub(crate) struct Arguments {
    /// The environment, as the operator's file calls it.
    environment: EnvironmentName,
    /// The run: `owner/name@sha` with all 40 digits of the SHA, or its id as check runs and logs show it.
    #[arg(long, value_name = "RUN", value_parser = run_id)]
    run: RunId,
    /// Only this service; may be given more than once. Left out, all that the run delivers.
    #[arg(long, value_name = "SERVICE")]
    service: Vec<ServiceName>,
    /// Only say what the cluster would make of it; nothing changes.
    #[arg(long)]
    dry_run: bool,
    /// Ask, and wait for no verdict. One service only, since a run rolls out one at a time.
    #[arg(long, conflicts_with = "dry_run")]
    no_wait: bool,
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
    let wanted = wanted(arguments, &head, &tasks)?;
    if arguments.no_wait && wanted.len() > 1 {
        bail!(
            "a run rolls out one service at a time: name one with `--service`, or leave `--no-wait` out; it delivers {}",
            listed(&wanted)
        );
    }
    let deploy = Deploy { arguments, stack, store };
    let mut told = Vec::new();
    let mut is_good = true;
    for (index, task) in wanted.iter().enumerate() {
        let answer = deploy.one(task, index > 0).await?;
        is_good = answer.is_good;
        told.push(answer.json);
        if !is_good {
            deploy.leave(&wanted[index + 1..]);
            break;
        }
    }
    if arguments.dry_run && is_good {
        deploy.say(&["nothing has changed: this was a dry run"]);
    }
    if arguments.json {
        let result = if is_good { "good" } else { "bad" };
        let answer = json!({
            "run": arguments.run, "environment": arguments.environment, "dry_run": arguments.dry_run,
            "result": result, "services": told,
        });
        output::line(&format!("{answer:#}"));
    }
    Ok(if is_good { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// The deploy tasks that are meant.
fn wanted(arguments: &Arguments, head: &Run, tasks: &[Task]) -> anyhow::Result<Vec<TaskId>> {
    let Arguments { environment, run, service: services, .. } = arguments;
    match &head.delivery {
        Some(delivery) if delivery.environment == *environment => {}
        Some(delivery) => bail!(
            "run `{run}` is delivered to `{}`, not to `{environment}`; a commit goes to another environment by a push \
             to its branch",
            delivery.environment
        ),
        None => {
            bail!("run `{run}` is delivered nowhere: no environment of the operator's file names its branch")
        }
    }
    let all: Vec<TaskId> = tasks
        .iter()
        .map(|task| &task.id)
        .filter(|id| id.stage == Stage::Deploy && !id.subject.is_rollback() && id.subject.service().is_some())
        .cloned()
        .collect();
    if all.is_empty() {
        bail!(
            "run `{run}` has nothing to deploy yet; `slipway timeline` and its check runs tell how far it is"
        );
    }
    let of = |service: &ServiceName| all.iter().find(|id| id.subject.service() == Some(service)).cloned();
    let unknown = |service: &ServiceName| {
        let names = all.iter().filter_map(|id| id.subject.service()).map(ServiceName::as_str);
        let near = did_you_mean(service.as_str(), names);
        anyhow!("run `{run}` does not deliver `{service}`;{near} it delivers {}", listed(&all))
    };
    if services.is_empty() {
        return Ok(all);
    }
    services.iter().map(|service| of(service).ok_or_else(|| unknown(service))).collect()
}

/// The services of these tasks.
fn listed(tasks: &[TaskId]) -> String {
    let names = tasks.iter().filter_map(|id| id.subject.service()).map(|name| format!("`{name}`"));
    names.collect::<Vec<_>>().join(", ")
}

/// What came of one service.
struct Answer {
    is_good: bool,
    json: Value,
}

struct Deploy<'a> {
    arguments: &'a Arguments,
    stack: Stack,
    store: Store,
}

impl Deploy<'_> {
    /// Asks for one service, after others where `waits`, and follows it to its end.
    async fn one(&self, task: &TaskId, waits: bool) -> anyhow::Result<Answer> {
        let asked = Rerun {
            run: self.arguments.run.clone(),
            task: task.clone(),
            request: None,
            cascade: false,
            dry_run: false,
        };
        let says = match self.turn(&asked, waits).await? {
            Ok(says) => says,
            Err(why) => return Ok(self.refused(task, &why)),
        };
        if self.arguments.dry_run {
            let would = rehearsed(&self.arguments.stack, &self.stack, &self.store, &asked).await?;
            self.say(&[&would]);
            return Ok(Answer { is_good: true, json: json!({ "task": task, "would": would }) });
        }
        let message = send(&self.stack, &asked).await?;
        output::progress(&format!("asked for {says}"));
        if self.arguments.no_wait {
            let follow = format!(
                "follow it: slipway timeline {}{}",
                self.arguments.run,
                self.arguments.stack.as_arguments()
            );
            self.say(&[&format!("asked for {says}"), &follow]);
            return Ok(Answer {
                is_good: true,
                json: json!({ "task": task, "asked": says, "message": message }),
            });
        }
        taken(&self.arguments.stack, &self.store, &asked, &message).await?;
        let Ended { is_good, lines, json } = verdict::of(&self.store, &self.arguments.run, task).await?;
        self.say(&lines.iter().map(String::as_str).collect::<Vec<_>>());
        Ok(Answer { is_good, json })
    }

    /// What the request comes to; the sentence why not where it cannot be granted. After another service the run needs a
    /// moment to be ready for the next.
    async fn turn(&self, asked: &Rerun, waits: bool) -> anyhow::Result<Result<String, String>> {
        let begun = Instant::now();
        loop {
            let (head, tasks) = picture(&self.store, &asked.run).await?;
            match decide(&head, &tasks, asked, Timestamp::now()) {
                Ok(reopening) => return Ok(Ok(printable_reason(&reopening.says))),
                Err(Refusal::OneAtATime(_) | Refusal::RunUnderWay(_) | Refusal::UnderWay(_))
                    if waits && begun.elapsed() < TURN_LIMIT =>
                {
                    tokio::time::sleep(LOOK_AGAIN).await;
                }
                Err(refusal) => return Ok(Err(printable_reason(&refusal.to_string()))),
            }
        }
    }

    fn refused(&self, task: &TaskId, why: &str) -> Answer {
        if !self.arguments.json {
            output::bad(&format!("{task} is refused: {why}; nothing was sent"));
        }
        Answer { is_good: false, json: json!({ "task": task, "refused": why }) }
    }

    /// Tells of what nobody has asked for any more.
    fn leave(&self, rest: &[TaskId]) {
        if !rest.is_empty() {
            self.say(&[&format!("left alone because of that: {}", listed(rest))]);
        }
    }

    fn say(&self, lines: &[&str]) {
        if !self.arguments.json {
            for line in lines {
                output::line(line);
            }
        }
    }
}
