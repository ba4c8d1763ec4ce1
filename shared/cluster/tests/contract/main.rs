//! What every cluster must do for Slipway; the same stories run against the small cluster and a real API server.

mod lab;

use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use domain::policy::Conflicts;
use domain::ports::{Advice, Application, Change, Cluster as _, Leftover, Rollout};
use domain::task::ObjectName;
use kube::api::{Patch, PatchParams};
use lab::{Lab, PATIENCE, config_map, namespace, service, web};
use serde_json::json;

/// Nothing had to be taken from anybody.
const DONE: Application = Application::Done(Vec::new());

/// One test, because the cluster is started once and must be stopped.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_contract_holds() -> anyhow::Result<()> {
    let lab = Lab::start().await?;
    let run = std::process::id();
    let name = |story: &str| format!("contract-{story}-{run}");
    let outcome = tokio::try_join!(
        told("delivery", a_delivery_serves_and_repeats(&lab, name("delivery"))),
        told("refusals", refusals_name_the_object(&lab, name("refusals"))),
        told("conflict", another_manager_is_named(&lab, name("conflict"))),
        told("image", a_missing_image_is_evidence(&lab, name("image"))),
        told("crash", a_crash_is_evidence(&lab, name("crash"))),
        told("rights", missing_rights_are_told(&lab, name("rights"))),
        told("prune", only_what_is_still_its_own_is_pruned(&lab, name("prune"))),
        told("rehearsal", a_rehearsal_tells_and_changes_nothing(&lab, name("rehearsal"))),
        told("patience", patience_ends(&lab, name("patience"))),
    );
    lab.stop().await?;
    outcome.map(drop)
}

async fn told(story: &str, outcome: impl Future<Output = anyhow::Result<()>>) -> anyhow::Result<()> {
    outcome.await.with_context(|| format!("story `{story}`"))
}

async fn a_delivery_serves_and_repeats(lab: &Lab, space: String) -> anyhow::Result<()> {
    let cluster = lab.cluster().await?;
    // In an order that works only if the adapter sorts them.
    let objects = [lab.serving(&space, "1"), service(&space), config_map(&space, "a"), namespace(&space)];
    for _ in 0..2 {
        ensure!(cluster.apply(&objects, Conflicts::Refuse, &()).await? == DONE);
    }
    ensure!(rolled_out(lab, &space).await? == Rollout::Complete);
    if lab.carries_traffic {
        let answer = cluster.probe(&space, "web", 8000, "/").await?;
        ensure!(answer.status == 200 && answer.body.contains("Directory listing"), "{answer:?}");
        ensure!(cluster.probe(&space, "web", 8000, "/absent").await?.status == 404);
    }
    // The next generation, and the applied ConfigMap changes in place.
    ensure!(
        cluster.apply(&[lab.serving(&space, "2"), config_map(&space, "b")], Conflicts::Refuse, &()).await?
            == DONE
    );
    ensure!(rolled_out(lab, &space).await? == Rollout::Complete);
    let stranger = lab.stranger().await?;
    let map: kube::Api<k8s_openapi::api::core::v1::ConfigMap> =
        kube::Api::namespaced(stranger.clone(), &space);
    ensure!(map.get("web").await?.data.context("data")?["key"] == "b");
    let deployments: kube::Api<k8s_openapi::api::apps::v1::Deployment> =
        kube::Api::namespaced(stranger, &space);
    let managers = deployments.get("web").await?.metadata.managed_fields.context("managed fields")?;
    ensure!(
        managers.iter().any(|entry| entry.manager.as_deref() == Some("slipway")
            && entry.operation.as_deref() == Some("Apply"))
    );
    Ok(())
}

/// A rollout right after an apply must speak of the new generation, so it is asked at once.
async fn rolled_out(lab: &Lab, space: &str) -> anyhow::Result<Rollout> {
    let begun = Instant::now();
    loop {
        match lab.cluster().await?.rollout(&web(space), Duration::from_secs(20)).await? {
            Rollout::Progressing(how_far) => ensure!(begun.elapsed() < PATIENCE, "{how_far}"),
            known => return Ok(known),
        }
    }
}

async fn refusals_name_the_object(lab: &Lab, space: String) -> anyhow::Result<()> {
    let cluster = lab.cluster().await?;
    let refused = |application| match application {
        Application::Refused(sentence) => Ok(sentence),
        other @ (Application::Done(_) | Application::Overtaken) => {
            Err(anyhow::anyhow!("expected a refusal, not {other:?}"))
        }
    };
    let nowhere = refused(cluster.apply(&[config_map(&space, "a")], Conflicts::Refuse, &()).await?)?;
    ensure!(
        nowhere.contains(&format!("ConfigMap `{space}/web` is refused")) && nowhere.contains("not found"),
        "{nowhere}"
    );

    ensure!(cluster.apply(&[namespace(&space)], Conflicts::Refuse, &()).await? == DONE);
    let mut invalid = lab.serving(&space, "1");
    invalid["spec"]["replicas"] = json!("many");
    let invalid = refused(cluster.apply(&[invalid], Conflicts::Refuse, &()).await?)?;
    ensure!(invalid.contains(&format!("Deployment `{space}/web` is refused")), "{invalid}");

    let unknown = json!({"apiVersion": "shop.example.com/v1", "kind": "Cart", "metadata": {"name": "a", "namespace": space}});
    let unknown = refused(cluster.apply(&[unknown], Conflicts::Refuse, &()).await?)?;
    ensure!(unknown.contains("does not serve `Cart` in `shop.example.com/v1`"), "{unknown}");

    let absent = cluster.rollout(&web(&space), Duration::from_secs(5)).await?;
    ensure!(
        absent == Rollout::Hopeless(vec![format!("Deployment `{space}/web` does not exist")]),
        "{absent:?}"
    );
    Ok(())
}

async fn another_manager_is_named(lab: &Lab, space: String) -> anyhow::Result<()> {
    let cluster = lab.cluster().await?;
    ensure!(cluster.apply(&[namespace(&space)], Conflicts::Refuse, &()).await? == DONE);
    let theirs = config_map(&space, "theirs");
    let maps: kube::Api<k8s_openapi::api::core::v1::ConfigMap> =
        kube::Api::namespaced(lab.stranger().await?, &space);
    maps.patch("web", &PatchParams::apply("somebody"), &Patch::Apply(&theirs)).await?;
    let application = cluster.apply(&[config_map(&space, "ours")], Conflicts::Refuse, &()).await?;
    let Application::Refused(sentence) = application else { anyhow::bail!("expected a conflict") };
    ensure!(sentence.contains("`.data.key` belongs to `somebody`"), "{sentence}");
    ensure!(maps.get("web").await?.data.context("data")?["key"] == "theirs");

    let application = cluster.apply(&[config_map(&space, "ours")], Conflicts::Take, &()).await?;
    let Application::Done(taken) = application else { anyhow::bail!("expected the field: {application:?}") };
    let words = format!("ConfigMap `{space}/web`: taken over although `.data.key` belongs to `somebody`");
    ensure!(taken == [words], "{taken:?}");
    ensure!(maps.get("web").await?.data.context("data")?["key"] == "ours");
    ensure!(
        cluster.apply(&[config_map(&space, "ours")], Conflicts::Refuse, &()).await? == DONE,
        "it is ours now"
    );
    Ok(())
}

async fn a_rehearsal_tells_and_changes_nothing(lab: &Lab, space: String) -> anyhow::Result<()> {
    let cluster = lab.cluster().await?;
    ensure!(cluster.apply(&[namespace(&space)], Conflicts::Refuse, &()).await? == DONE);
    let objects = [lab.serving(&space, "1"), config_map(&space, "a")];
    let rehearsed = cluster.rehearse(&objects, Conflicts::Refuse).await?;
    ensure!(rehearsed == [Change::Created, Change::Created], "{rehearsed:?}");
    ensure!(cluster.apply(&objects, Conflicts::Refuse, &()).await? == DONE);
    let rehearsed = cluster.rehearse(&objects, Conflicts::Refuse).await?;
    ensure!(rehearsed == [Change::Nothing, Change::Nothing], "{rehearsed:?}");

    let mut scaled = lab.serving(&space, "1");
    scaled["spec"]["replicas"] = json!(2);
    let mut wrong = config_map(&space, "a");
    wrong["data"] = json!("no mapping");
    let rehearsed = cluster.rehearse(&[scaled, config_map(&space, "b"), wrong], Conflicts::Refuse).await?;
    let [Change::Fields(replicas), Change::Fields(data), Change::Refused(sentence)] = rehearsed.as_slice()
    else {
        anyhow::bail!("{rehearsed:?}")
    };
    ensure!(*replicas == ["spec.replicas: 1 → 2"], "{replicas:?}");
    ensure!(*data == [r#"data.key: "a" → "b""#], "{data:?}");
    ensure!(sentence.contains(&format!("ConfigMap `{space}/web` is refused")), "{sentence}");
    let rehearsed = cluster.rehearse(&objects, Conflicts::Refuse).await?;
    ensure!(rehearsed == [Change::Nothing, Change::Nothing], "a rehearsal changed it: {rehearsed:?}");

    // What belongs to another service: that it differs is told, and nothing of what it holds.
    let annotated = |owner: &str, value: &str| {
        let mut map = config_map(&space, value);
        map["metadata"]["name"] = json!("other");
        map["metadata"]["annotations"] = json!({ "slipway.dev/owner": owner });
        map
    };
    ensure!(cluster.apply(&[annotated("a", "private")], Conflicts::Refuse, &()).await? == DONE);
    let rehearsed = cluster.rehearse(&[annotated("b", "curious")], Conflicts::Refuse).await?;
    ensure!(!format!("{rehearsed:?}").contains("private"), "{rehearsed:?}");
    ensure!(format!("{rehearsed:?}").contains("data.key: (hidden) → (hidden)"), "{rehearsed:?}");

    // What somebody else has set.
    let maps: kube::Api<k8s_openapi::api::core::v1::ConfigMap> =
        kube::Api::namespaced(lab.stranger().await?, &space);
    let force = PatchParams::apply("somebody").force();
    maps.patch("web", &force, &Patch::Apply(&config_map(&space, "theirs"))).await?;
    let ours = [config_map(&space, "ours")];
    let [Change::Refused(sentence)] = &cluster.rehearse(&ours, Conflicts::Refuse).await?[..] else {
        anyhow::bail!("it is not ours")
    };
    ensure!(sentence.contains("`.data.key` belongs to `somebody`"), "{sentence}");
    let taking = cluster.rehearse(&ours, Conflicts::Take).await?;
    ensure!(taking == [Change::Fields(vec![r#"data.key: "theirs" → "ours""#.to_owned()])], "{taking:?}");
    Ok(())
}

async fn only_what_is_still_its_own_is_pruned(lab: &Lab, space: String) -> anyhow::Result<()> {
    let cluster = lab.cluster().await?;
    let map = |name: &str, owner: &str, prune: &str| {
        let annotations = json!({ "slipway.dev/owner": owner, "slipway.dev/prune": prune });
        let metadata = json!({ "name": name, "namespace": space, "annotations": annotations });
        json!({ "apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": { "key": name } })
    };
    let claim = |name: &str, prune: &str| {
        let mut claim = map(name, "a", prune);
        claim["kind"] = json!("PersistentVolumeClaim");
        claim.as_object_mut().expect("an object").remove("data");
        let resources = json!({ "requests": { "storage": "1Mi" } });
        claim["spec"] = json!({ "accessModes": ["ReadWriteOnce"], "resources": resources });
        claim
    };
    let mut serving = lab.serving(&space, "1");
    serving["metadata"]["annotations"] = json!({ "slipway.dev/owner": "a" });
    let objects = [
        namespace(&space),
        map("old", "a", ""),
        map("kept", "a", "keep"),
        map("moved", "b", ""),
        claim("data", ""),
        claim("scratch", "allow"),
        serving,
    ];
    ensure!(cluster.apply(&objects, Conflicts::Refuse, &()).await? == DONE);
    let called = |api_version: &str, kind: &str, name: &str| ObjectName {
        api_version: api_version.to_owned(),
        kind: kind.to_owned(),
        namespace: space.clone(),
        name: name.to_owned(),
    };
    let left = [
        called("v1", "ConfigMap", "old"),
        called("v1", "ConfigMap", "kept"),
        called("v1", "ConfigMap", "moved"),
        called("v1", "ConfigMap", "never"),
        called("v1", "PersistentVolumeClaim", "data"),
        called("v1", "PersistentVolumeClaim", "scratch"),
        called("apps/v1", "Deployment", "web"),
        called("shop.example.com/v1", "Cart", "a"),
    ];
    let outcomes = cluster.prune("a", &left, &()).await?.context("nobody else is at work")?;
    let [old, kept, moved, never, data, scratch, web, cart] = outcomes.as_slice() else {
        anyhow::bail!("{outcomes:?}")
    };
    ensure!([old, scratch, web].iter().all(|outcome| **outcome == Leftover::Pruned), "{outcomes:?}");
    ensure!(*moved == Leftover::Left && [never, cart].iter().all(|outcome| **outcome == Leftover::Gone));
    for (outcome, words) in [(kept, "says `keep`"), (data, "goes only where its annotation")] {
        ensure!(matches!(outcome, Leftover::Kept(why) if why.contains(words)), "{outcome:?}");
    }
    let maps: kube::Api<k8s_openapi::api::core::v1::ConfigMap> =
        kube::Api::namespaced(lab.stranger().await?, &space);
    let names: Vec<_> = maps.list(&kube::api::ListParams::default()).await?.items;
    let names: Vec<_> = names.iter().filter_map(|map| map.metadata.name.as_deref()).collect();
    ensure!(
        ["kept", "moved"].iter().all(|name| names.contains(name)) && !names.contains(&"old"),
        "{names:?}"
    );
    // Its pods go with the Deployment, by the controllers.
    let pods: kube::Api<k8s_openapi::api::core::v1::Pod> =
        kube::Api::namespaced(lab.stranger().await?, &space);
    let begun = Instant::now();
    while !pods.list(&kube::api::ListParams::default()).await?.items.is_empty() {
        ensure!(begun.elapsed() < PATIENCE, "the pods outlive their Deployment");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    Ok(())
}

async fn a_missing_image_is_evidence(lab: &Lab, space: String) -> anyhow::Result<()> {
    let cluster = lab.cluster().await?;
    let objects = [namespace(&space), lab.serving(&space, "1")];
    ensure!(cluster.apply(&objects, Conflicts::Refuse, &()).await? == DONE);
    ensure!(rolled_out(lab, &space).await? == Rollout::Complete);
    // The old version goes on serving, and must not be taken for the new one.
    ensure!(cluster.apply(&[Lab::without_image(&space, "2")], Conflicts::Refuse, &()).await? == DONE);
    let rollout = rolled_out(lab, &space).await?;
    let Rollout::Hopeless(evidence) = rollout else { anyhow::bail!("expected evidence, got {rollout:?}") };
    ensure!(evidence[0].contains("the image `127.0.0.1:9/nopull:1` cannot be pulled"), "{evidence:?}");
    // Back to the version that worked: its pods still run.
    ensure!(cluster.apply(&[lab.serving(&space, "1")], Conflicts::Refuse, &()).await? == DONE);
    ensure!(rolled_out(lab, &space).await? == Rollout::Complete);
    Ok(())
}

async fn a_crash_is_evidence(lab: &Lab, space: String) -> anyhow::Result<()> {
    let cluster = lab.cluster().await?;
    ensure!(
        cluster.apply(&[namespace(&space), lab.crashing(&space, "1")], Conflicts::Refuse, &()).await? == DONE
    );
    let rollout = rolled_out(lab, &space).await?;
    let Rollout::Hopeless(evidence) = rollout else { anyhow::bail!("expected evidence, got {rollout:?}") };
    ensure!(evidence[0].contains("container `app`") && evidence[0].contains("exit code 1"), "{evidence:?}");
    ensure!(evidence.iter().any(|line| line.starts_with("log: ")), "{evidence:?}");
    Ok(())
}

/// Without rights nothing is tried again, and the words are the API server's.
async fn missing_rights_are_told(lab: &Lab, space: String) -> anyhow::Result<()> {
    let Some(powerless) = lab.powerless().await? else { return Ok(()) };
    ensure!(
        lab.cluster().await?.apply(&[namespace(&space), service(&space)], Conflicts::Refuse, &()).await?
            == DONE
    );
    let application = powerless.apply(&[config_map(&space, "a")], Conflicts::Refuse, &()).await?;
    let Application::Refused(sentence) = application else { anyhow::bail!("expected a refusal") };
    ensure!(
        sentence.contains(&format!("ConfigMap `{space}/web` is refused"))
            && sentence.contains("cannot patch"),
        "{sentence}"
    );
    let watched = powerless.rollout(&web(&space), Duration::from_secs(5)).await;
    let probed = powerless.probe(&space, "web", 8000, "/").await;
    for fault in [watched.err(), probed.err()] {
        let fault = fault.context("expected a fault")?;
        ensure!(fault.advice == Advice::Reject && fault.what.contains("cannot get"), "{}", fault.chain());
    }
    Ok(())
}

/// A pod that no node takes, or that is not ready, is no evidence: it may heal.
async fn patience_ends(lab: &Lab, space: String) -> anyhow::Result<()> {
    let cluster = lab.cluster().await?;
    let mut never_ready = lab.serving(&space, "1");
    let pod = &mut never_ready["spec"]["template"]["spec"];
    pod["nodeSelector"] = json!({"no-such": "node"});
    pod["containers"][0]["readinessProbe"]["httpGet"]["path"] = json!("/absent");
    ensure!(cluster.apply(&[namespace(&space), never_ready], Conflicts::Refuse, &()).await? == DONE);
    let begun = Instant::now();
    let rollout = cluster.rollout(&web(&space), Duration::from_secs(3)).await?;
    ensure!(matches!(rollout, Rollout::Progressing(_)), "{rollout:?}");
    ensure!((2..15).contains(&begun.elapsed().as_secs()), "{:?}", begun.elapsed());
    Ok(())
}
