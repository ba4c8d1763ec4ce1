//! One commit on its way, moved by nothing but invocations through SAM.

use std::collections::BTreeSet;
use std::fmt::Display;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, ensure};
use domain::ids::Stage;
use domain::message::QueueName;
use domain::ports::{DeliveryState, Rollout, Runs, Written};
use domain::run::{RunOutcome, RunState};
use domain::task::Output;
use domain::time::Timestamp;
use local::seen;
use serde_json::{Value, json};

use crate::command::{Answer, Sam};
use crate::http::post;
use crate::look::Look;

/// verify watches for twenty seconds at a time.
const MOST_WATCHES: usize = 6;

/// The functions that were invoked, and the way to invoke them.
struct Steps<'a> {
    sam: &'a Sam,
    look: &'a Look,
    invoked: BTreeSet<String>,
}

/// Invokes every function; gives back their names.
///
/// # Errors
/// When an invocation fails, or its effect is not there: with the function's name and its log's end.
pub(crate) async fn play(sam: &Sam, look: &Look) -> anyhow::Result<BTreeSet<String>> {
    let mut steps = Steps { sam, look, invoked: BTreeSet::new() };
    steps.webhook().await?;
    steps.plan().await?;
    steps.sweep().await?;
    steps.test().await?;
    steps.build().await?;
    steps.publish().await?;
    steps.deploy().await?;
    steps.verify().await?;
    steps.tagged().await?;
    steps.notify().await?;
    start_api(sam, look).await.context("`sam local start-api`")?;
    Ok(steps.invoked)
}

impl Steps<'_> {
    /// Invokes a function and looks for the effect, which answers with a sentence about it.
    async fn invoke<T: Display>(
        &mut self,
        function: &str,
        event: &str,
        effect: impl AsyncFnOnce(&Look, &Answer) -> anyhow::Result<T>,
    ) -> anyhow::Result<()> {
        let what = format!("sam local invoke {function} -e events/{event}.json");
        let answer = self.sam.invoke(function, event).await.with_context(|| what.clone())?;
        let seen = effect(self.look, &answer).await;
        let seen = seen.with_context(|| format!("{what}: its effect is not there\n{}", answer.tail()))?;
        say(answer.took, &format!("{function:<16} {event:<28} {seen}"));
        self.invoked.insert(function.to_owned());
        Ok(())
    }

    async fn webhook(&mut self) -> anyhow::Result<()> {
        let (event, id) = example("github-push")?;
        ensure!(self.look.delivery(&id).await?.is_none(), "the delivery is there before it came");
        self.invoke("WebhookFunction", "github-push", async |look: &Look, answer: &Answer| {
            ensure!(answer.value["statusCode"] == 202, "{}", answer.value);
            let state = look.delivery(&id).await?;
            ensure!(state == Some(DeliveryState::Enqueued), "the delivery is {state:?}");
            ensure!(look.waiting(QueueName::Plan).await? == 1, "no message waits for plan");
            Ok(format!("202; delivery {id} is recorded, a message waits for plan"))
        })
        .await?;
        ensure!(event["body"].as_str().is_some_and(|body| body.contains(self.look.run.sha.as_str())));
        Ok(())
    }

    async fn plan(&mut self) -> anyhow::Result<()> {
        let (_, delivery) = example("github-push")?;
        self.invoke("PlanFunction", "plan", async |look: &Look, answer: &Answer| {
            all_taken(answer)?;
            let (head, tasks) = (look.head().await?, look.store.tasks(&look.run, None).await?);
            ensure!(head.state == RunState::Active, "{:?}", head.state);
            let state = look.delivery(&delivery).await?;
            ensure!(state == Some(DeliveryState::Planned(look.run.clone())), "the delivery is {state:?}");
            let waiting = look.waiting(QueueName::Stage(Stage::Test)).await?;
            ensure!(waiting == 2, "{waiting} messages wait for test");
            Ok(format!("run {} is active with {} tasks, two are woken", head.id.sha.short(), tasks.len()))
        })
        .await
    }

    /// The run is made to look silent for a while, as if its messages were lost.
    async fn sweep(&mut self) -> anyhow::Result<()> {
        let mut silent = self.look.head().await?;
        silent.version += 1;
        silent.due = Some(Timestamp(1));
        ensure!(self.look.store.write_run(&silent).await? == Written::Yes, "somebody else wrote the run");
        let before = self.look.waiting(QueueName::Stage(Stage::Test)).await?;
        self.invoke("SweepFunction", "sweep", async |look: &Look, _: &Answer| {
            let waiting = look.waiting(QueueName::Stage(Stage::Test)).await?;
            ensure!(waiting == before + 2, "{waiting} messages wait for test");
            let due = look.head().await?.due;
            ensure!(due > Some(Timestamp::now()), "the run is still due");
            Ok("the silent run's two tests are woken again, its due time lies ahead")
        })
        .await
    }

    async fn test(&mut self) -> anyhow::Result<()> {
        let (unit, checks) = ("test/authentication", "test/+checks");
        self.invoke("TestFunction", "test", async |look: &Look, answer: &Answer| {
            all_taken(answer)?;
            look.build_of(checks).await?;
            Ok(format!("builds are started, one is {}", look.build_of(unit).await?))
        })
        .await?;
        for task in [unit, checks] {
            self.look.build_ends(&self.look.build_of(task).await?).await?;
        }
        self.invoke("TestFunction", "codebuild-test-state-change", async |look: &Look, answer: &Answer| {
            all_taken(answer)?;
            Ok(look.passed(unit).await?.summary)
        })
        .await?;
        self.invoke("TestFunction", "test", async |look: &Look, answer: &Answer| {
            all_taken(answer)?;
            let summary = look.passed(checks).await?.summary;
            ensure!(look.waiting(QueueName::Stage(Stage::Build)).await? == 1, "build is not woken");
            Ok(format!("{summary}; the last test has woken build"))
        })
        .await
    }

    async fn build(&mut self) -> anyhow::Result<()> {
        let task = "build/authentication";
        self.invoke("BuildFunction", "build", async |look: &Look, answer: &Answer| {
            all_taken(answer)?;
            Ok(format!("build {} is started", look.build_of(task).await?))
        })
        .await?;
        self.look.build_ends(&self.look.build_of(task).await?).await?;
        self.invoke("BuildFunction", "build", async |look: &Look, answer: &Answer| {
            all_taken(answer)?;
            let verdict = look.passed(task).await?;
            ensure!(matches!(verdict.output, Output::Image { .. }), "{:?}", verdict.output);
            Ok(verdict.summary)
        })
        .await
    }

    async fn publish(&mut self) -> anyhow::Result<()> {
        self.invoke("PublishFunction", "publish", async |look: &Look, answer: &Answer| {
            all_taken(answer)?;
            let summary = look.passed("publish/authentication").await?.summary;
            ensure!(summary.contains(look.run.sha.short()), "{summary}");
            Ok(summary)
        })
        .await
    }

    async fn deploy(&mut self) -> anyhow::Result<()> {
        let before = self.look.rollout("development", "authentication").await;
        ensure!(!matches!(before, Ok(Rollout::Complete)), "the Deployment is there before the deploy");
        self.invoke("DeployFunction", "deploy", async |look: &Look, answer: &Answer| {
            all_taken(answer)?;
            let summary = look.passed("deploy/authentication@development").await?.summary;
            let rollout = look.rollout("development", "authentication").await?;
            ensure!(!matches!(rollout, Rollout::Hopeless(_)), "{rollout:?}");
            Ok(format!("{summary}; the cluster holds the Deployment"))
        })
        .await
    }

    async fn verify(&mut self) -> anyhow::Result<()> {
        let task = "verify/authentication@development";
        for _ in 0..MOST_WATCHES {
            self.invoke("VerifyFunction", "verify", async |look: &Look, answer: &Answer| {
                all_taken(answer)?;
                let task = look.task(task).await?;
                let words = |verdict: &domain::task::Verdict| verdict.summary.clone();
                Ok(task.verdict().map_or_else(|| "the rollout goes on".to_owned(), words))
            })
            .await?;
            if self.look.task(task).await?.verdict().is_some() {
                break;
            }
        }
        self.look.passed(task).await?;
        let state = self.look.head().await?.state;
        ensure!(state == RunState::Finished(RunOutcome::Passed), "the run is {state:?}");
        Ok(())
    }

    /// verify has sent publish a message, which lies on its queue: the example says the same.
    async fn tagged(&mut self) -> anyhow::Result<()> {
        let tag = "env-development";
        ensure!(!self.look.is_tagged(tag).await?, "`{tag}` is there before the release was verified");
        self.invoke("PublishFunction", "ecr-publish-scan", async |_: &Look, answer: &Answer| {
            all_taken(answer)?;
            Ok("nobody waits for the scan of that image any more")
        })
        .await?;
        self.invoke("PublishFunction", "publish-verified", async |look: &Look, answer: &Answer| {
            all_taken(answer)?;
            ensure!(look.is_tagged(tag).await?, "no image is tagged `{tag}`");
            Ok(format!("the verified image is tagged `{tag}`"))
        })
        .await
    }

    async fn notify(&mut self) -> anyhow::Result<()> {
        ensure!(seen::check_runs(&self.look.record, &self.look.run).await?.is_empty(), "check runs before");
        self.invoke("NotifyFunction", "notify", async |look: &Look, answer: &Answer| {
            all_taken(answer)?;
            let checks = seen::check_runs(&look.record, &look.run).await?;
            let whole =
                checks.iter().find(|check| check.name == "slipway").context("no check run `slipway`")?;
            ensure!(whole.conclusion.as_deref() == Some("success"), "{whole:?}");
            let messages = seen::slack_messages(&look.record).await?;
            ensure!(!messages.is_empty(), "nothing was said in Slack");
            let title = whole.output.title.as_deref().unwrap_or_default();
            Ok(format!("{} check runs, {} messages in Slack: {title}", checks.len(), messages.len()))
        })
        .await
    }
}

/// The webhook over HTTP: a signed delivery is taken, one with another signature is not.
async fn start_api(sam: &Sam, look: &Look) -> anyhow::Result<()> {
    let api = sam.start_api().await?;
    let asked = ask(&api.url(), look).await.with_context(|| api.tail());
    api.end().await?;
    asked
}

async fn ask(url: &str, look: &Look) -> anyhow::Result<()> {
    let (event, _) = example("github-push")?;
    let body = event["body"].as_str().context("a body")?;
    let good = event["headers"]["x-hub-signature-256"].as_str().context("a signature")?;
    let bad = format!("sha256={}", "0".repeat(64));
    for (id, signature, status) in [("over-http", good, 202), ("over-http-forged", bad.as_str(), 401)] {
        let begun = std::time::Instant::now();
        let headers =
            [("x-github-event", "push"), ("x-github-delivery", id), ("x-hub-signature-256", signature)];
        let (answered, words) = post(url, &headers, body.to_owned()).await?;
        ensure!(answered == status, "{answered} {words} instead of {status}");
        let recorded = look.delivery(id).await?;
        ensure!(recorded.is_some() == (status == 202), "the delivery is {recorded:?}");
        say(begun.elapsed(), &format!("{:<16} {:<28} {answered} {}", "start-api", id, words["message"]));
    }
    Ok(())
}

/// An example event and the id of its delivery.
fn example(name: &str) -> anyhow::Result<(Value, String)> {
    let path = local::workspace().join(Path::new("events")).join(format!("{name}.json"));
    let event: Value = serde_json::from_slice(&std::fs::read(path)?)?;
    let id = event["headers"]["x-github-delivery"].as_str().context("a delivery's id")?.to_owned();
    Ok((event, id))
}

/// No message is to come again.
fn all_taken(answer: &Answer) -> anyhow::Result<()> {
    ensure!(answer.value == json!({ "batchItemFailures": [] }), "{}", answer.value);
    Ok(())
}

#[expect(clippy::print_stdout, reason = "people read along")]
fn say(took: Duration, line: &str) {
    println!("{:6.1} s  {line}", took.as_secs_f64());
}
