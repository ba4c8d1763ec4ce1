//! Pull requests whose builds are real: one with every kind of finding, and a stranger's that takes what it can get.

use std::fmt::Write as _;
use std::time::Duration;

use anyhow::{Context, ensure};
use domain::ids::{RunId, Stage, Trust};
use domain::run::{RunOutcome, RunState};
use domain::task::{Outcome, Output, Task};
use local::Workbench;
use local::seen::CheckRun;
use local_github::NewRepository;
use serde_json::json;

use super::pulls::Hub;
use crate::world::{REPOSITORY, World, eventually};

/// Some builds on two cores that do other things too.
const LIMIT: Duration = Duration::from_mins(8);

const NEW_FILE: &str = "backend/api_gateway/api_gateway/report.py";
/// What flake8 finds on line 3, and bandit on line 8.
const UNLOVED: &str = "\"\"\"Reports that nobody asked for.\"\"\"\n\nimport os\nimport subprocess\n\n\n\
                       def count(command):\n    return subprocess.call(command, shell=True)\n\n\n\
                       def lines():\n    total = 0\n";
/// So many lines without a test bring the gateway below 80 %.
const UNTESTED: usize = 120;

/// The pipeline file of the same commit: a secret that the tests print, more reports, a service that is started.
const PIPELINE_FILE: &str = "infrastructure/ci_cd/pipeline.yaml";
const MORE: [(&str, &str); 3] = [
    (
        "  api_gateway: {}\n",
        "  api_gateway:
    test:
      command: pytest backend/api_gateway/tests/ --cov=backend/api_gateway --cov-report=xml:cobertura.xml; \
         code=$?; echo \"the password is $PASSWORD\"; exit $code
      reports: [cobertura.xml]
      secrets: {PASSWORD: \"sandbox:password\"}
",
    ),
    (
        "integration:\n",
        "integration:
  services:
    - name: authentication
      start: cd backend/authentication && PORT=8101 exec python -m authentication
      port: 8101
      ready: /api/v1/auth/health
",
    ),
    ("checks:\n", "checks:\n  command: python3 tools/audit.py\n  reports: [audit.sarif]\n"),
];
const PASSWORD: &str = "open-sesame-4711";

const STARTED_TEST: &str = "import urllib.request


def test_the_started_service_answers():
    url = 'http://127.0.0.1:8101/api/v1/auth/health'
    assert urllib.request.urlopen(url, timeout=10).status == 200
";

/// A check of the repository's own, which leaves SARIF.
const AUDIT: &str = "import json

PLACE = {
    'artifactLocation': {'uri': 'backend/api_gateway/api_gateway/report.py'},
    'region': {'startLine': 12},
}
RESULT = {
    'ruleId': 'no-totals',
    'level': 'error',
    'message': {'text': 'a total that nobody asked for'},
    'locations': [{'physicalLocation': PLACE}],
}
RUN = {'tool': {'driver': {'name': 'audit'}}, 'results': [RESULT]}
with open('audit.sarif', 'w') as report:
    json.dump({'version': '2.1.0', 'runs': [RUN]}, report)
raise SystemExit(1)
";

/// Two services whose tests run in one build.
const SHARING: (&str, &str) =
    ("version: 1\n", "version: 1\nshared_builds: [[authentication, bot_manager]]\n");

/// What hostile code tries with a build's credentials, and how much that is.
const ATTEMPTS: &str = include_str!("../../../infra/local/builds/tests/strangers/attempts.py");
const ASKED: usize = 31;

const ATTEMPTING_TEST: &str = r#""""What a stranger's code finds in its build."""

import os
import pathlib
import subprocess
import sys


def test_nothing_of_others_is_in_reach():
    attempts = pathlib.Path(__file__).parents[3] / "tools" / "attempts.py"
    told = subprocess.run(
        [sys.executable, str(attempts)], env={**os.environ, **NAMES}, capture_output=True, text=True
    )
    lines = told.stdout.splitlines()
    assert told.returncode == 0 and len(lines) == ASKED, (lines, told.stderr)
    reached = [line for line in lines if not line.startswith("refused ")]
    assert all("untrusted/" in line for line in reached), reached
"#;

const RED_TEST: &str = "def test_that_is_red():\n    assert False\n";

/// Appended to a `conftest.py`: the report of a green run in the place of the red one's.
const FORGERY: &str = r#"

def pytest_unconfigure(config):
    import os

    with open(config.option.xmlpath, "w") as report:
        report.write(
            '<testsuites><testsuite name="pytest" errors="0" failures="0" tests="1">'
            '<testcase classname="tests.test_registry" name="test_all_is_well" time="0.1"/>'
            "</testsuite></testsuites>"
        )
    os._exit(0)
"#;

/// What the stranger would have his own file decide.
const HIS_COMMAND: (&str, &str) =
    ("pytest backend/authentication/tests/ -v --cov=backend/authentication", "'true'");

/// Plays on from a commit that has passed.
pub(super) async fn play(world: &World<'_>, bench: &Workbench, green: &RunId) -> anyhow::Result<()> {
    let hub = Hub::of(world);
    hub.allow("ada", "write").await?;
    bench.git(&["push", "--quiet", "origin", &format!("{}:refs/heads/main", green.sha)]).await?;
    every_finding_is_shown_where_it_is(world, bench, &hub, green).await.context("the review")?;
    two_services_share_a_build(world, bench, green).await.context("the shared build")?;
    a_stranger_gets_nothing(world, bench, &hub, green).await.context("the stranger")
}

async fn every_finding_is_shown_where_it_is(
    world: &World<'_>,
    bench: &Workbench,
    hub: &Hub<'_>,
    green: &RunId,
) -> anyhow::Result<()> {
    bench.git(&["checkout", "--quiet", "--force", "-B", "review", &green.sha.to_string()]).await?;
    let mut text = UNLOVED.to_owned();
    for number in 0..UNTESTED {
        writeln!(text, "    total += {number}")?;
    }
    bench.write(NEW_FILE, &format!("{text}    return total\n"))?;
    for (there, instead) in MORE {
        bench.edit(PIPELINE_FILE, there, instead)?;
    }
    bench.write("tools/audit.py", AUDIT)?;
    bench.write("integration_tests/test_started.py", STARTED_TEST)?;
    let secret = json!({ "Name": format!("{}/test/sandbox", world.record.name), "ClientRequestToken": "sandbox-of-the-review-1",
        "SecretString": json!({ "password": PASSWORD }).to_string() });
    world.cloud.aws().json("secretsmanager", "secretsmanager.CreateSecret", &secret).await?;
    let run = bench.commit_as_it_is("Count lines").await?;
    bench.push_commit("review").await?;
    let pull = hub.open("ada", "review", "main").await?;
    let (head, tasks) = world.watch.until_told(&run, LIMIT, |_, _| {}).await?;
    ensure!(head.state == RunState::Finished(RunOutcome::Failed), "{:?}", head.state);
    for untouched in ["test/authentication", "test/bot_manager"] {
        let task = named(&tasks, untouched)?;
        ensure!(task.reused.as_ref() == Some(green), "{task:?}");
    }

    let gateway = world.check(&run, "slipway / test api_gateway").await?;
    let title = gateway.output.title.clone().unwrap_or_default();
    ensure!(gateway.conclusion.as_deref() == Some("failure"), "{gateway:?}");
    ensure!(title.contains("below the 80 % demanded"), "{title}");
    is_noted(&gateway, 3, "are not run by the tests")?;
    let told = format!("{:?}", gateway.output);
    ensure!(told.contains("the password is ***") && !told.contains(PASSWORD), "{told}");
    let integration = world.check(&run, "slipway / integration tests").await?;
    ensure!(integration.conclusion.as_deref() == Some("success"), "{integration:?}");
    let checks = world.check(&run, "slipway / checks").await?;
    ensure!(checks.conclusion.as_deref() == Some("failure"), "{checks:?}");
    is_noted(&checks, 3, "'os' imported but unused")?;
    is_noted(&checks, 8, "shell=True")?;
    is_noted(&checks, 12, "a total that nobody asked for")?;
    let comment = eventually("the comment tells of it", async || {
        Ok(hub
            .answers(pull)
            .pop()
            .filter(|text| text.contains(run.sha.short()) && text.contains("api_gateway")))
    })
    .await?;
    ensure!(comment.contains("below the 80 %"), "{comment}");
    Ok(())
}

/// One build, with a virtual environment and a verdict for each.
async fn two_services_share_a_build(
    world: &World<'_>,
    bench: &Workbench,
    green: &RunId,
) -> anyhow::Result<()> {
    bench.git(&["checkout", "--quiet", "--force", "-B", "together", &green.sha.to_string()]).await?;
    bench.edit(PIPELINE_FILE, SHARING.0, SHARING.1)?;
    bench.write("backend/authentication/tests/test_more.py", "def test_more():\n    assert True\n")?;
    bench.write("backend/bot_manager/tests/test_red.py", RED_TEST)?;
    let run = bench.commit_as_it_is("Test two together").await?;
    bench.push_commit("together").await?;
    let (_, tasks) = world.watch.until_told(&run, LIMIT, |_, _| {}).await?;
    let (authentication, manager) =
        (named(&tasks, "test/authentication")?, named(&tasks, "test/bot_manager")?);
    let outcomes = [authentication, manager].map(Task::outcome);
    ensure!(outcomes == [Some(Outcome::Passed), Some(Outcome::Failed)], "{authentication:?} {manager:?}");
    let logs = [authentication, manager].map(|task| match task.verdict().map(|verdict| &verdict.output) {
        Some(Output::Report { report, log }) => (log.clone(), report.tests.map(|tests| tests.failed)),
        _ => (None, None),
    });
    ensure!(logs[0].0.is_some() && logs[0].0 == logs[1].0, "not one build: {logs:?}");
    ensure!([logs[0].1, logs[1].1] == [Some(0), Some(1)], "{logs:?}");
    let check = world.check(&run, "slipway / test bot_manager").await?;
    let is_noted = check
        .annotations
        .iter()
        .any(|note| (note.path.as_str(), note.start_line) == ("backend/bot_manager/tests/test_red.py", 2));
    ensure!(is_noted, "{check:?}");
    let told = format!("{:?}", check.output);
    ensure!(told.contains("The whole log of the build, with the other services'"), "{told}");
    let rolled_up = format!("{:?}", world.check(&run, "slipway").await?.output);
    ensure!(rolled_up.contains("in one build: `authentication`, `bot_manager`"), "{rolled_up}");
    Ok(())
}

/// The new file has a note on this line.
fn is_noted(check: &CheckRun, line: u32, words: &str) -> anyhow::Result<()> {
    let fits = check.annotations.iter().any(|note| {
        (note.path.as_str(), note.start_line) == (NEW_FILE, line) && note.message.contains(words)
    });
    ensure!(fits, "no `{words}` on line {line}: {:?}", check.annotations);
    Ok(())
}

/// His code runs once somebody has admitted it: with no rights but to its own result, by the base's pipeline file. The
/// verdict that he forges counts for his own run, and for nobody else's.
async fn a_stranger_gets_nothing(
    world: &World<'_>,
    bench: &Workbench,
    hub: &Hub<'_>,
    green: &RunId,
) -> anyhow::Result<()> {
    let fork = NewRepository::public("mallory", "bot-manager").fork_of(REPOSITORY);
    world.cloud.github().create_repository(fork).await?;
    bench.git(&["checkout", "--quiet", "--force", "-B", "patch", &green.sha.to_string()]).await?;
    bench.write("tools/attempts.py", ATTEMPTS)?;
    let test = ATTEMPTING_TEST.replace("NAMES", &names(world).await?).replace("ASKED", &ASKED.to_string());
    bench.write("backend/authentication/tests/test_attempts.py", &test)?;
    bench.write("backend/bot_manager/tests/test_red.py", RED_TEST)?;
    let conftest = std::fs::read_to_string(bench.folder().join("backend/bot_manager/conftest.py"))?;
    bench.write("backend/bot_manager/conftest.py", &format!("{conftest}{FORGERY}"))?;
    bench.edit(PIPELINE_FILE, HIS_COMMAND.0, HIS_COMMAND.1)?;
    let run = RunId { trust: Trust::Untrusted, ..bench.commit_as_it_is("Help a little").await? };
    let token = &world.record.credentials.github_token;
    let github = world.record.github_url().replace("http://", &format!("http://mallory:{token}@"));
    bench
        .git(&["push", "--quiet", &format!("{github}/mallory/bot-manager.git"), "HEAD:refs/heads/patch"])
        .await?;
    let pull = hub.open("mallory", "mallory:patch", "main").await?;
    eventually("somebody is asked to admit it", async || {
        let picture = world.watch.run(&run).await?;
        let asks = |state: &RunState| matches!(state, RunState::Finished(RunOutcome::ActionRequired(_)));
        Ok(picture.filter(|(head, _)| asks(&head.state)).map(|_| ()))
    })
    .await?;
    hub.say("ada", pull, &format!("/ok-to-test {}", run.sha)).await?;
    eventually("it is admitted", async || {
        Ok(world.watch.run(&run).await?.filter(|(head, _)| head.round >= 1).map(|_| ()))
    })
    .await?;
    let (_, tasks) = world.watch.until_told(&run, LIMIT, |_, _| {}).await?;

    let attempting = named(&tasks, "test/authentication")?;
    ensure!(attempting.outcome() == Some(Outcome::Passed), "it reached something: {attempting:?}");
    let command = attempting.spec.service().and_then(|service| service.test.as_ref()).context("a test")?;
    ensure!(command.command.contains(HIS_COMMAND.0), "his own file decides: {command:?}");
    let forged = named(&tasks, "test/bot_manager")?;
    ensure!(forged.outcome() == Some(Outcome::Passed), "{forged:?}");

    bench.git(&["push", "--quiet", "origin", "HEAD:refs/heads/main"]).await?;
    let merged = RunId { trust: Trust::Trusted, ..run.clone() };
    let (_, tasks) = eventually("merged, it is planned", async || {
        let picture = world.watch.run(&merged).await?;
        Ok(picture.filter(|(head, _)| head.state != RunState::Planning))
    })
    .await?;
    for changed in ["test/authentication", "test/bot_manager"] {
        ensure!(named(&tasks, changed)?.reused.is_none(), "{tasks:?}");
    }
    Ok(())
}

/// What the stranger has guessed: names are no secrets.
async fn names(world: &World<'_>) -> anyhow::Result<String> {
    let output = |name: &str| world.record.outputs.get(name).with_context(|| format!("no output `{name}`"));
    let projects = [output("TestProjectName")?, output("UntrustedProjectName")?];
    let known = world
        .cloud
        .aws()
        .json("codebuild", "CodeBuild_20161006.BatchGetProjects", &json!({ "names": projects }))
        .await?;
    let role = |name: &str| -> anyhow::Result<String> {
        let projects = known["projects"].as_array().context("projects")?;
        let project = projects.iter().find(|project| project["name"] == name).context("a project")?;
        Ok(project["serviceRole"].as_str().context("a role")?.to_owned())
    };
    Ok(serde_json::to_string(&json!({
        "STACK": world.record.name,
        "BUCKET": output("BucketName")?,
        "TABLE": output("TableName")?,
        "QUEUE": output("TestQueueUrl")?,
        "TEST_ROLE": role(projects[0])?,
        "UNTRUSTED_ROLE": role(projects[1])?,
    }))?)
}

fn named<'a>(tasks: &'a [Task], id: &str) -> anyhow::Result<&'a Task> {
    let stage = |task: &&Task| task.id.stage == Stage::Test && task.id.to_string() == id;
    tasks.iter().find(stage).with_context(|| format!("no `{id}` in {tasks:?}"))
}
