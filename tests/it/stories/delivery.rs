//! A push that ends healthy in development, the same delivery once more, and a push whose test fails.

use std::time::Duration;

use anyhow::{Context, ensure};
use cluster::Cluster;
use domain::ids::{RunId, Stage};
use domain::message::QueueName;
use domain::ports::Cluster as _;
use domain::run::{Run, RunOutcome, RunState};
use domain::task::{State, Task};
use local::{Workbench, seen};
use serde_json::Value;

use crate::http::post;
use crate::world::{World, eventually};

/// A whole delivery on two cores that do other things too.
const LIMIT: Duration = Duration::from_mins(12);

const TEST_FILE: &str = "backend/authentication/tests/test_authentication_api.py";
const EXPECTED: &str = "(201, 3600)";
const BROKEN: &str = "(418, 3600)";

pub(super) async fn play(world: &World<'_>) -> anyhow::Result<(Workbench, RunId)> {
    let bench = world.bench(&local::workspace().join("infra/example")).await?;
    let first = bench.push("develop", "Deliver the three services").await?;
    let (head, tasks) = world.watch.until_told(&first, LIMIT, |_, _| {}).await?;
    is_delivered(world, &head, &tasks).await.context("the first push")?;
    a_redelivery_repeats_nothing(world, &first).await.context("the redelivery")?;

    let images = world.image_builds().await?;
    bench.edit(TEST_FILE, EXPECTED, BROKEN)?;
    let text = std::fs::read_to_string(bench.folder().join(TEST_FILE))?;
    let line = text.lines().position(|line| line.contains(BROKEN)).context("the broken line")? + 1;
    let second = bench.push("develop", "Break a unit test").await?;
    let (broken, tasks) = world.watch.until_told(&second, LIMIT, |_, _| {}).await?;
    is_red_and_goes_no_further(world, &broken, &tasks, line).await.context("the second push")?;
    ensure!(world.image_builds().await? == images, "an image was built");
    let (_, tasks) = world.watch.run(&first).await?.context("the first run is gone")?;
    services_answer(world, &head, &tasks).await.context("after the second push")?;
    Ok((bench, first))
}

/// What people see of a good delivery, in every channel.
async fn is_delivered(world: &World<'_>, head: &Run, tasks: &[Task]) -> anyhow::Result<()> {
    ensure!(head.state == RunState::Finished(RunOutcome::Passed), "{:?}\n{tasks:#?}", head.state);
    let checks = seen::check_runs(world.record, &head.id).await?;
    let names: Vec<&str> = checks.iter().map(|check| check.name.as_str()).collect();
    let expected = [
        "slipway",
        "slipway / checks",
        "slipway / deliver development",
        "slipway / integration tests",
        "slipway / test api_gateway",
        "slipway / test authentication",
        "slipway / test bot_manager",
    ];
    ensure!(names == expected, "{names:?}");
    let red = checks.iter().find(|check| check.conclusion.as_deref() != Some("success"));
    ensure!(red.is_none(), "{red:?}");

    let messages = slack_about(world, head).await?;
    let announced =
        messages.iter().find(|message| message["thread_ts"].is_null()).context("no Slack message")?;
    ensure!(announced["channel"] == "#vivesphere-deploys", "{announced}");
    let mails = seen::mails(world.record).await?;
    let [mail] = mails.as_slice() else { anyhow::bail!("{} mails", mails.len()) };
    ensure!(
        mail.to == ["team@vivesphere.example"] && mail.source == "slipway@vivesphere.example",
        "{mail:?}"
    );
    ensure!(format!("{}{}", mail.subject, mail.body_text).contains(head.id.sha.short()), "{mail:?}");
    services_answer(world, head, tasks).await
}

async fn slack_about(world: &World<'_>, head: &Run) -> anyhow::Result<Vec<Value>> {
    let all = seen::slack_messages(world.record).await?;
    let short = head.id.sha.short();
    let of_run = |message: &Value| message["text"].as_str().is_some_and(|text| text.contains(short));
    Ok(all.into_iter().filter(of_run).collect())
}

/// The health of each delivered service through the cluster's service proxy.
async fn services_answer(world: &World<'_>, head: &Run, tasks: &[Task]) -> anyhow::Result<()> {
    let namespace = &head.delivery.as_ref().context("it is delivered nowhere")?.namespace;
    let kubeconfig = world.record.kubeconfig.as_ref().context("the cloud has no cluster")?;
    let cluster = Cluster::from_kubeconfig(&std::fs::read_to_string(kubeconfig)?).await?;
    let verified: Vec<&Task> = tasks.iter().filter(|task| task.id.stage == Stage::Verify).collect();
    ensure!(verified.len() == 3, "{} services are verified", verified.len());
    for task in verified {
        let health =
            task.spec.service().and_then(|service| service.health.as_ref()).context("no health path")?;
        let answer = cluster.probe(namespace, &health.service, health.port, &health.path).await?;
        ensure!(answer.status == 200, "`{}` answers {} {}", task.id.subject, answer.status, answer.body);
    }
    Ok(())
}

/// GitHub's button sends the same delivery again: it is answered, and nothing happens twice.
async fn a_redelivery_repeats_nothing(world: &World<'_>, run: &RunId) -> anyhow::Result<()> {
    let before = picture(world, run).await?;
    let sent = world.deliveries();
    let delivery =
        sent.iter().rfind(|delivery| delivery["event"] == "push").context("no push was delivered")?;
    let url = format!("{}/_local/deliveries/{}/attempts", world.record.github_url(), delivery["id"]);
    let bearer = format!("Bearer {}", world.record.credentials.github_token);
    let (status, answer) = post(&url, &[("authorization", &bearer)], "").await?;
    ensure!(status == 202, "{status} {answer}");
    let again = eventually("the delivery is sent again", async || {
        let sent = world.deliveries().into_iter().rfind(|known| known["redelivery"] == true);
        Ok(sent.filter(|sent| !sent["status_code"].is_null()))
    })
    .await?;
    ensure!(again["guid"] == delivery["guid"] && again["status_code"] == 202, "{again}");
    for queue in [QueueName::Plan, QueueName::Notify].into_iter().chain(Stage::ALL.map(QueueName::Stage)) {
        eventually(&format!("{queue:?} is empty"), async || {
            Ok((world.queued(queue).await? == 0).then_some(()))
        })
        .await?;
    }
    let after = picture(world, run).await?;
    ensure!(after == before, "before: {before:#?}\nafter: {after:#?}");
    Ok(())
}

/// Everything that a repetition would change.
#[derive(Debug, PartialEq)]
struct Picture {
    items: u64,
    builds: usize,
    slack: Vec<Value>,
    mails: usize,
    head: Run,
    tasks: Vec<Task>,
}

async fn picture(world: &World<'_>, run: &RunId) -> anyhow::Result<Picture> {
    let (head, tasks) = world.watch.run(run).await?.context("the run is gone")?;
    Ok(Picture {
        items: world.items().await?,
        builds: world.builds().await?,
        slack: seen::slack_messages(world.record).await?,
        mails: seen::mails(world.record).await?.len(),
        head,
        tasks,
    })
}

/// A red check with the annotation on the failing line, and nothing after the tests.
async fn is_red_and_goes_no_further(
    world: &World<'_>,
    head: &Run,
    tasks: &[Task],
    line: usize,
) -> anyhow::Result<()> {
    ensure!(head.state == RunState::Finished(RunOutcome::Failed), "{:?}", head.state);
    let beyond = tasks.iter().find(|task| task.id.stage != Stage::Test && task.state != State::Pending);
    ensure!(beyond.is_none(), "{beyond:?} has begun");
    ensure!(
        world.check(&head.id, "slipway").await?.conclusion.as_deref() == Some("failure"),
        "the roll-up is not red"
    );
    let check = world.check(&head.id, "slipway / test authentication").await?;
    ensure!(check.conclusion.as_deref() == Some("failure"), "{check:?}");
    let on_line = check
        .annotations
        .iter()
        .any(|note| note.path == TEST_FILE && usize::try_from(note.start_line) == Ok(line));
    ensure!(on_line, "no annotation on line {line}: {:?}", check.annotations);
    let mails = seen::mails(world.record).await?;
    ensure!(mails.len() == 2, "{} mails after two runs", mails.len());
    Ok(())
}
