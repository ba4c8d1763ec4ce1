//! The example's three services once more, one by Kustomize, one by Helm and one by placeholders: what reaches the cluster
//! is what plain files have brought there before.

use std::time::Duration;

use anyhow::{Context, ensure};
use domain::ids::RunId;
use domain::run::{RunOutcome, RunState};
use domain::task::{Outcome, Output, Task};
use kube::api::{Api, ApiResource, DynamicObject, GroupVersionKind, ListParams};
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Client, Config};
use local::Workbench;
use serde_json::Value;

use crate::world::World;

/// A build with real tools and three rollouts, on two cores that do other things too.
const LIMIT: Duration = Duration::from_mins(8);

const FOLDER: &str = "infrastructure/kubernetes";
const PIPELINE_FILE: &str = "infrastructure/ci_cd/pipeline.yaml";

/// The pipeline file, with each service's manifests from somewhere else.
const ENTRIES: [(&str, &str); 3] = [
    (
        "    manifests: [infrastructure/kubernetes/auth-deployment.yaml]\n",
        "    manifests: ['infrastructure/kubernetes/auth-{environment}.yaml']
    values:
      development: {replicas: 1, lifetime: \"3600\"}
      production: {replicas: 3, lifetime: \"60\"}
",
    ),
    (
        "  bot_manager: {}\n",
        "  bot_manager:\n    kustomize: infrastructure/kubernetes/bots/overlays/{environment}\n",
    ),
    (
        "  api_gateway: {}\n",
        "  api_gateway:
    helm:
      chart: infrastructure/helm/api-gateway
      values: ['infrastructure/helm/values-{environment}.yaml']
",
    ),
];

const OVERLAY: &str = "resources: [../../base]
patches:
  - target: {kind: ConfigMap, name: bot-manager}
    patch: |
      - {op: replace, path: /data/MAXIMUM_BOTS, value: \"100\"}
";

const TEST_HOOK: &str = "apiVersion: v1
kind: Pod
metadata: {name: \"{{ .Release.Name }}-test\", annotations: {helm.sh/hook: test}}
spec: {containers: [{name: test, image: busybox}]}
";

pub(super) async fn play(world: &World<'_>, bench: &Workbench, first: &RunId) -> anyhow::Result<()> {
    let (before, images) = (live(world).await?, world.image_builds().await?);
    // What the first run has tested and built is taken over: this commit differs in its manifests alone.
    bench.git(&["checkout", "--quiet", "--force", &first.sha.to_string(), "--", "."]).await?;
    write(bench)?;
    let run = bench.commit_as_it_is("Render the manifests").await?;
    bench.push_commit("develop").await?;
    let (head, tasks) = world.watch.until_told(&run, LIMIT, |_, _| {}).await?;
    ensure!(head.state == RunState::Finished(RunOutcome::Passed), "{:?}\n{tasks:#?}", head.state);
    ensure!(world.image_builds().await? == images, "an image was built");

    let rendering = named(&tasks, "build/+manifests")?.verdict().context("a verdict")?;
    ensure!(rendering.summary == "manifests of 2 services: rendered", "{rendering:?}");
    let Output::Manifests { rendered, log } = &rendering.output else { anyhow::bail!("{rendering:?}") };
    ensure!(rendered.len() == 2 && log.is_some(), "{rendering:?}");
    let after = live(world).await?;
    ensure!(before == after, "before: {before:#?}\nafter: {after:#?}");
    // Byte by byte, where not even the order of the objects has changed.
    let (_, earlier) = world.watch.run(first).await?.context("the first run is gone")?;
    let release = |tasks: &[Task]| release(tasks, "deploy/authentication@development");
    ensure!(release(&tasks)? == release(&earlier)?, "{tasks:#?}");
    Ok(())
}

/// The same objects, from other files.
fn write(bench: &Workbench) -> anyhow::Result<()> {
    let take = |path: &str| {
        let file = bench.folder().join(path);
        let text = std::fs::read_to_string(&file).with_context(|| format!("reading `{path}`"))?;
        std::fs::remove_file(&file)?;
        anyhow::Ok(text)
    };
    let [auth, bots, gateway] =
        ["auth", "bot_manager", "api_gateway"].map(|name| take(&format!("{FOLDER}/{name}-deployment.yaml")));

    let auth = replaced(
        &auth?,
        &[
            ("replicas: 1\n", "replicas: ${values.replicas}\n"),
            ("\"3600\"", "\"${values.lifetime}\""),
            ("image: vive-sphere/authentication\n", "image: ${slipway.image}\n"),
        ],
    )?;
    bench.write(&format!("{FOLDER}/auth-development.yaml"), &auth)?;

    let bots = replaced(&bots?, &[("MAXIMUM_BOTS: \"100\"", "MAXIMUM_BOTS: \"1\"")])?;
    bench.write(&format!("{FOLDER}/bots/base/all.yaml"), &bots)?;
    bench.write(&format!("{FOLDER}/bots/base/kustomization.yaml"), "resources: [all.yaml]\n")?;
    bench.write(&format!("{FOLDER}/bots/overlays/development/kustomization.yaml"), OVERLAY)?;

    let gateway = replaced(
        &gateway?,
        &[
            ("replicas: 2\n", "replicas: {{ .Values.replicas }}\n"),
            ("image: vive-sphere/api_gateway\n", "image: {{ .Values.image | quote }}\n"),
            ("name: api-gateway\n", "name: {{ .Release.Name }}\n"),
        ],
    )?;
    let chart = "infrastructure/helm/api-gateway";
    bench.write(&format!("{chart}/Chart.yaml"), "apiVersion: v2\nname: gateway\nversion: 1.0.0\n")?;
    bench.write(&format!("{chart}/values.yaml"), "replicas: 1\nimage: ${slipway.image}\n")?;
    bench.write(&format!("{chart}/templates/all.yaml"), &gateway)?;
    bench.write(&format!("{chart}/templates/tests/answers.yaml"), TEST_HOOK)?;
    bench.write("infrastructure/helm/values-development.yaml", "replicas: 2\n")?;
    for (from, to) in ENTRIES {
        bench.edit(PIPELINE_FILE, from, to)?;
    }
    Ok(())
}

fn replaced(text: &str, pairs: &[(&str, &str)]) -> anyhow::Result<String> {
    let mut text = text.to_owned();
    for (from, to) in pairs {
        ensure!(text.contains(from), "no `{from}` in {text}");
        text = text.replace(from, to);
    }
    Ok(text)
}

/// The services' objects as the cluster has them, without what counts writes alone.
async fn live(world: &World<'_>) -> anyhow::Result<Vec<Value>> {
    let kubeconfig = Kubeconfig::read_from(world.record.kubeconfig.as_ref().context("no cluster")?)?;
    let config = Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default()).await?;
    let client = Client::try_from(config)?;
    let mut objects = Vec::new();
    for (group, kind) in [("apps", "Deployment"), ("", "Service"), ("", "ConfigMap")] {
        let kind = ApiResource::from_gvk(&GroupVersionKind::gvk(group, "v1", kind));
        let of_kind: Api<DynamicObject> = Api::namespaced_with(client.clone(), "development", &kind);
        for mut object in of_kind.list(&ListParams::default()).await?.items {
            (object.metadata.managed_fields, object.metadata.resource_version) = (None, None);
            let mut object = serde_json::to_value(object)?;
            // The generation tells whether the specification has ever been another one.
            object["status"] = Value::Null;
            objects.push(object);
        }
    }
    ensure!(objects.len() == 9, "three services have three objects each: {objects:#?}");
    Ok(objects)
}

fn release(tasks: &[Task], id: &str) -> anyhow::Result<Output> {
    let task = named(tasks, id)?;
    ensure!(task.outcome() == Some(Outcome::Passed), "{task:?}");
    Ok(task.verdict().context("a verdict")?.output.clone())
}

fn named<'a>(tasks: &'a [Task], id: &str) -> anyhow::Result<&'a Task> {
    tasks.iter().find(|task| task.id.to_string() == id).with_context(|| format!("no `{id}` in {tasks:?}"))
}
