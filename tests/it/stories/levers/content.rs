//! Commits that change manifests alone: nothing is tested or built again, the pods roll all the same, and what the
//! manifests no longer name leaves the cluster.

use anyhow::{Context, ensure};
use cluster::Cluster;
use domain::ids::RunId;
use domain::policy::Conflicts;
use domain::ports::{Application, Cluster as _, Leftover};
use domain::run::RunOutcome;
use domain::task::{ObjectName, Output, Task};
use local::Workbench;
use serde_json::json;

use super::{ended, told, until_told, written};
use crate::stories::pulls::Hub;
use crate::world::{REPOSITORY, World, eventually};

/// One object more.
const MORE: &str = "---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: more}\ndata: {key: value}\n";

const MANIFEST: &str = "infrastructure/kubernetes/service_001-deployment.yaml";

pub(super) async fn play(world: &World<'_>, bench: &Workbench, first: &RunId) -> anyhow::Result<RunId> {
    let (builds, images) = (world.builds().await?, world.image_builds().await?);
    bench.edit(MANIFEST, "LEVEL: info", "LEVEL: debug")?;
    let text = std::fs::read_to_string(bench.folder().join(MANIFEST))?;
    bench.write(MANIFEST, &format!("{text}{MORE}"))?;
    let run = bench.commit_as_it_is("Say more").await?;
    bench.push_commit("develop").await?;
    let (head, tasks) = until_told(world, &run, 0).await?;
    ended(&head, &tasks, RunOutcome::Passed)?;
    ensure!((world.builds().await?, world.image_builds().await?) == (builds, images), "something was built");

    let (_, before) = world.watch.run(first).await?.context("the first run is gone")?;
    let image = |tasks: &[Task]| output(tasks, "publish/service_001");
    ensure!(image(&tasks)? == image(&before)?, "it is another image: {tasks:#?}");
    let release = |tasks: &[Task]| output(tasks, "deploy/service_001@development");
    ensure!(release(&tasks)? != release(&before)?, "the same manifests: {tasks:#?}");
    a_dry_run_tells_what_the_cluster_would_make_of_it(world, &run).await.context("the dry run")?;
    a_pull_request_tells_what_merging_it_would_change(world, bench, &run).await.context("the preview")?;
    an_object_that_leaves_the_manifests_leaves_the_cluster(world, bench, &text).await
}

/// Its roll-up has the API server's own answer, and nothing has changed.
async fn a_pull_request_tells_what_merging_it_would_change(
    world: &World<'_>,
    bench: &Workbench,
    delivered: &RunId,
) -> anyhow::Result<()> {
    let hub = Hub::of(world);
    hub.allow("ada", "write").await?;
    bench.edit(MANIFEST, "LEVEL: debug", "LEVEL: trace")?;
    let run = bench.commit_as_it_is("Say all").await?;
    bench.push_commit("proposal").await?;
    hub.open("ada", "proposal", "develop").await?;
    until_told(world, &run, 0).await?;
    let told = eventually("the roll-up tells what merging would change", async || {
        let check = world.check(&run, "slipway").await?;
        let text = check.output.text.unwrap_or_default();
        Ok(text.contains("Once merged, `service_001`").then_some(text))
    })
    .await?;
    ensure!(told.contains("data.LEVEL: \"debug\" → \"trace\""), "{told}");
    ensure!(!told.contains("Once merged, `service_002`"), "a service whose manifests are the same: {told}");
    bench.git(&["checkout", "--quiet", "--force", "-B", "develop", &delivered.sha.to_string()]).await?;
    Ok(())
}

/// Somebody has changed an object meanwhile: another deploy of the same release would set it right.
async fn a_dry_run_tells_what_the_cluster_would_make_of_it(
    world: &World<'_>,
    run: &RunId,
) -> anyhow::Result<()> {
    let look = ["rerun", &written(run), "deploy/service_001@development", "--dry-run"];
    let said = told(world, &look).await?;
    ensure!(said.contains("; in `development` nothing would change"), "{said}");
    let kubeconfig = world.record.kubeconfig.as_ref().context("the cloud has no cluster")?;
    let cluster = Cluster::from_kubeconfig(&std::fs::read_to_string(kubeconfig)?).await?;
    let annotations = json!({ "slipway.dev/owner": format!("{REPOSITORY}/service_001") });
    let metadata = json!({ "name": "more", "namespace": "development", "annotations": annotations });
    let other =
        json!({ "apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": { "key": "other" } });
    ensure!(cluster.apply(&[other], Conflicts::Refuse, &()).await? == Application::Done(Vec::new()));
    for _ in 0..2 {
        let said = told(world, &look).await?;
        ensure!(
            said.contains("it would change ConfigMap `development/more`: data.key: \"other\" → \"value\""),
            "{said}"
        );
        ensure!(said.contains("nothing has changed"), "{said}");
    }
    Ok(())
}

async fn an_object_that_leaves_the_manifests_leaves_the_cluster(
    world: &World<'_>,
    bench: &Workbench,
    text: &str,
) -> anyhow::Result<RunId> {
    let kubeconfig = world.record.kubeconfig.as_ref().context("the cloud has no cluster")?;
    let cluster = Cluster::from_kubeconfig(&std::fs::read_to_string(kubeconfig)?).await?;
    let more = ObjectName {
        api_version: "v1".to_owned(),
        kind: "ConfigMap".to_owned(),
        namespace: "development".to_owned(),
        name: "more".to_owned(),
    };
    let of_somebody_else = cluster.prune("somebody/else", std::slice::from_ref(&more), &()).await?;
    ensure!(of_somebody_else == Some(vec![Leftover::Left]), "it is there: {of_somebody_else:?}");
    bench.write(MANIFEST, text)?;
    let run = bench.commit_as_it_is("Need no more").await?;
    bench.push_commit("develop").await?;
    let (head, tasks) = until_told(world, &run, 0).await?;
    ended(&head, &tasks, RunOutcome::Passed)?;
    let deploy = tasks.iter().find(|task| task.id.to_string() == "deploy/service_001@development");
    let summary = deploy.and_then(|task| task.verdict()).map(|verdict| verdict.summary.as_str());
    ensure!(
        summary.is_some_and(|text| text.ends_with("; pruned: ConfigMap `development/more`")),
        "{summary:?}"
    );
    ensure!(
        cluster.prune("somebody/else", &[more], &()).await? == Some(vec![Leftover::Gone]),
        "it is there still"
    );
    Ok(run)
}

fn output(tasks: &[Task], id: &str) -> anyhow::Result<Output> {
    let task = tasks.iter().find(|task| task.id.to_string() == id).with_context(|| format!("no `{id}`"))?;
    Ok(task.verdict().with_context(|| format!("no verdict of `{id}`"))?.output.clone())
}
