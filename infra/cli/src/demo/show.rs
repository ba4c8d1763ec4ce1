//! What a person would look at after a run: check runs, Slack, the mailbox, the services themselves.

use std::collections::BTreeMap;
use std::fs;

use anyhow::{Context, ensure};
use cluster::Cluster;
use domain::ids::Stage as TaskStage;
use domain::ports::Cluster as _;
use domain::run::Run;
use domain::spec::HealthSpec;
use domain::task::{Outcome, Output, Task};
use local::seen;

use super::Stage;
use crate::output;

/// Prints check runs, Slack's thread, the mail and the times of a finished run.
pub(crate) async fn run(stage: &Stage, head: &Run, tasks: &[Task]) -> anyhow::Result<()> {
    let record = stage.cloud.record();
    output::title(&format!("check runs of {} on {}", head.id.sha.short(), record.github_url()));
    let checks = seen::check_runs(record, &head.id).await?;
    ensure!(!checks.is_empty(), "GitHub shows no check run");
    for check in &checks {
        let word = check.conclusion.as_deref().unwrap_or(&check.status);
        output::check(word, &check.name, check.output.title.as_deref().unwrap_or_default());
        for note in check.annotations.iter().take(3) {
            output::detail(&format!("{}:{} {}", note.path, note.start_line, first_line(&note.message)));
        }
    }
    output::title(&format!("Slack, {}", record.slack_url()));
    let messages = seen::slack_messages(record).await?;
    let of_run = messages
        .iter()
        .filter_map(|message| message["text"].as_str())
        .filter(|text| text.contains(head.id.sha.short()));
    let shown: Vec<_> = of_run.collect();
    ensure!(!shown.is_empty(), "Slack holds no message about the run");
    shown.iter().flat_map(|text| text.lines()).for_each(output::detail);
    output::title("mail");
    let mails = seen::mails(record).await?;
    let about = |mail: &&seen::Mail| {
        mail.subject.contains(head.id.sha.short()) || mail.body_text.contains(head.id.sha.short())
    };
    let mail = mails.iter().find(about).context("no mail was sent about the run")?;
    output::detail(&format!("to {}: {}", mail.to.join(", "), mail.subject));
    mail.body_text.lines().for_each(|line| output::detail(&format!("| {line}")));
    times(head, tasks);
    Ok(())
}

/// What was seen of rollouts that failed.
pub(crate) fn evidence(tasks: &[Task]) {
    output::title("what the pods said");
    for verdict in tasks.iter().filter_map(Task::verdict) {
        if let (Outcome::Failed, Output::Evidence(lines)) = (verdict.outcome, &verdict.output) {
            for line in lines {
                output::detail(line);
            }
        }
    }
}

/// The time from the first begun task of a stage to its last verdict.
fn times(head: &Run, tasks: &[Task]) {
    output::title("time by stage");
    let mut stages: BTreeMap<TaskStage, (u64, u64)> = BTreeMap::new();
    for task in tasks {
        if let (Some(started), Some(finished)) = (task.started, task.finished) {
            let span = stages.entry(task.id.stage).or_insert((u64::MAX, 0));
            *span = (span.0.min(started.0), span.1.max(finished.0));
        }
    }
    for (stage, (from, to)) in &stages {
        output::detail(&format!("{:<8} {:6.1} s", stage.to_string(), seconds(to.saturating_sub(*from))));
    }
    if let Some(finished) = head.finished {
        output::detail(&format!("{:<8} {:6.1} s", "all", finished.since(head.created).as_secs_f64()));
    }
}

#[expect(clippy::cast_precision_loss, reason = "milliseconds of a demo fit")]
fn seconds(milliseconds: u64) -> f64 {
    milliseconds as f64 / 1000.0
}

/// Fetches the health of each delivered service through the cluster's service proxy.
pub(crate) async fn services(stage: &Stage, head: &Run) -> anyhow::Result<()> {
    let record = stage.cloud.record();
    let delivery = head.delivery.as_ref().context("the run is delivered nowhere")?;
    let path = record.kubeconfig.as_ref().context("the cloud has no cluster")?;
    let cluster = Cluster::from_kubeconfig(&fs::read_to_string(path)?).await?;
    output::title(&format!("services in namespace {}", delivery.namespace));
    let (_, tasks) = stage.watch.run(&head.id).await?.context("the run is gone")?;
    for task in tasks.iter().filter(|task| task.id.stage == TaskStage::Verify) {
        let Some(HealthSpec { path, service, port }) =
            task.spec.service().and_then(|service| service.health.as_ref())
        else {
            continue;
        };
        let answer = cluster.probe(&delivery.namespace, service, *port, path).await?;
        output::detail(&format!(
            "GET {service}:{port}{path} → {} {}",
            answer.status,
            first_line(&answer.body)
        ));
        ensure!(answer.status == 200, "`{}` does not answer", task.id.subject);
    }
    Ok(())
}

/// How to play on in a cloud that stays up.
pub(crate) fn ways_in(stage: &Stage) {
    let record = stage.cloud.record();
    output::title("the cloud stays up until Ctrl-C");
    output::entry("checkout", &stage.bench.folder().display().to_string());
    crate::local_cloud::show(record);
    output::detail("git push origin HEAD:develop          from the checkout: another run");
    output::detail(&format!("aws --endpoint-url {} sqs list-queues", record.aws_url()));
    if let Some(kubeconfig) = &record.kubeconfig {
        output::detail(&format!("kubectl --kubeconfig {} get pods -A", kubeconfig.display()));
    }
}

fn first_line(text: &str) -> &str {
    text.lines().next().unwrap_or_default()
}
