//! What the adapter makes of a cluster: apply, conflicts, prune, rehearsal, rights.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, bail, ensure};
use cluster::Cluster;
use domain::policy::Conflicts;
use domain::ports::{Advice, Answer, Application, Change, Cluster as _, Leftover, Standing};
use domain::task::ObjectName;
use serde_json::{Value, json};

use crate::lab::{Fate, Space, config_map, deployment, name_of, service, with};
use crate::stories;
use crate::story::{Story, Told};

pub fn stories() -> Vec<Story> {
    stories![new:
        refusals_name_the_object,
        another_manager_is_named,
        a_rehearsal_tells_and_changes_nothing,
        only_what_is_still_its_own_is_pruned,
        what_there_is_no_time_for_is_left_to_others,
        missing_rights_are_told,
    ]
}

/// Applies as a deploy does; nothing had to be taken from anybody.
pub async fn applied(cluster: &Cluster, objects: &[Value]) -> anyhow::Result<()> {
    let application = cluster.apply(objects, Conflicts::Refuse, &()).await?;
    ensure!(application == Application::Done(Vec::new()), "{application:?}");
    Ok(())
}

async fn refused(cluster: &Cluster, objects: &[Value]) -> anyhow::Result<String> {
    match cluster.apply(objects, Conflicts::Refuse, &()).await? {
        Application::Refused(sentence) => Ok(sentence),
        other => bail!("expected a refusal, not {other:?}"),
    }
}

async fn refusals_name_the_object(space: Arc<Space>) -> Told {
    let (cluster, here) = (space.lab.cluster().await?, &space.name);
    let elsewhere = format!("{here}-nowhere");
    let sentence = refused(&cluster, &[config_map(&elsewhere, "a")]).await?;
    let words = format!("ConfigMap `{elsewhere}/web` is refused");
    ensure!(sentence.contains(&words) && sentence.contains("not found"), "{sentence}");

    let invalid =
        with(deployment(here, "1", space.lab.pod(Fate::Serves)), &[("/spec/replicas", json!("many"))]);
    let sentence = refused(&cluster, &[invalid]).await?;
    ensure!(sentence.contains(&format!("Deployment `{here}/web` is refused")), "{sentence}");

    let cart = json!({
        "apiVersion": "shop.example.com/v1", "kind": "Cart", "metadata": { "name": "a", "namespace": here },
    });
    let sentence = refused(&cluster, &[cart]).await?;
    ensure!(sentence.contains("does not serve `Cart` in `shop.example.com/v1`"), "{sentence}");
    Ok(None)
}

async fn another_manager_is_named(space: Arc<Space>) -> Told {
    let (cluster, here) = (space.lab.cluster().await?, &space.name);
    let ours = [config_map(here, "ours")];
    space.apply_with(&config_map(here, "theirs"), "fieldManager=somebody").await?.expect(201)?;
    let sentence = refused(&cluster, &ours).await?;
    ensure!(sentence.contains("`.data.key` belongs to `somebody`"), "{sentence}");
    ensure!(space.get("ConfigMap", "web").await?.body["data"]["key"] == "theirs");

    let application = cluster.apply(&ours, Conflicts::Take, &()).await?;
    let Application::Done(taken) = application else { bail!("expected the field: {application:?}") };
    let words = format!("ConfigMap `{here}/web`: taken over although `.data.key` belongs to `somebody`");
    ensure!(taken == [words], "{taken:?}");
    ensure!(space.get("ConfigMap", "web").await?.body["data"]["key"] == "ours");
    applied(&cluster, &ours).await.context("it is ours now")?;
    Ok(None)
}

/// Asks for so long whether a change is wanted that little time is left for it.
struct Slow;

impl Standing for Slow {
    async fn holds(&self) -> Answer<bool> {
        tokio::time::sleep(self.patience()).await;
        Ok(true)
    }

    fn patience(&self) -> Duration {
        Duration::from_millis(200)
    }
}

async fn what_there_is_no_time_for_is_left_to_others(space: Arc<Space>) -> Told {
    let (cluster, here) = (space.lab.cluster().await?, &space.name);
    let named =
        |number: usize| with(config_map(here, "a"), &[("/metadata/name", json!(format!("map-{number:02}")))]);
    let objects: Vec<Value> = (0..20).map(named).collect();
    let application = cluster.apply(&objects, Conflicts::Refuse, &Slow).await?;
    let Application::Partly { applied: done, taken } = application else { bail!("{application:?}") };
    ensure!(0 < done && done < objects.len() && taken.is_empty(), "{done} of them");
    for (number, object) in objects.iter().enumerate() {
        let name = name_of(object).name;
        let status = space.get("ConfigMap", &name).await?.code;
        ensure!(status == if number < done { 200 } else { 404 }, "{name}: {status}, {done} were applied");
    }
    applied(&cluster, &objects[done..]).await?;
    space.get("ConfigMap", "map-19").await?.expect(200)?;
    Ok(None)
}

async fn a_rehearsal_tells_and_changes_nothing(space: Arc<Space>) -> Told {
    let (cluster, here) = (space.lab.cluster().await?, &space.name);
    let serving = deployment(here, "1", space.lab.pod(Fate::Serves));
    let objects = [serving.clone(), config_map(here, "a")];
    let rehearsed = cluster.rehearse(&objects, Conflicts::Refuse).await?;
    ensure!(rehearsed == [Change::Created, Change::Created], "{rehearsed:?}");
    applied(&cluster, &objects).await?;
    // What its controller writes meanwhile would be told as well.
    space.until("Deployment", "web", "its rollout", |web| web["status"]["availableReplicas"] == 1).await?;
    let rehearsed = cluster.rehearse(&objects, Conflicts::Refuse).await?;
    ensure!(rehearsed == [Change::Nothing, Change::Nothing], "{rehearsed:?}");

    let scaled = with(serving, &[("/spec/replicas", json!(2))]);
    let wrong = with(config_map(here, "a"), &[("/data", json!("no mapping"))]);
    let rehearsed = cluster.rehearse(&[scaled, config_map(here, "b"), wrong], Conflicts::Refuse).await?;
    let [Change::Fields(replicas), Change::Fields(data), Change::Refused(sentence)] = rehearsed.as_slice()
    else {
        bail!("{rehearsed:?}")
    };
    ensure!(*replicas == ["spec.replicas: 1 → 2"], "{replicas:?}");
    ensure!(*data == [r#"data.key: "a" → "b""#], "{data:?}");
    ensure!(sentence.contains(&format!("ConfigMap `{here}/web` is refused")), "{sentence}");
    let rehearsed = cluster.rehearse(&objects, Conflicts::Refuse).await?;
    ensure!(rehearsed == [Change::Nothing, Change::Nothing], "a rehearsal changed it: {rehearsed:?}");

    // What belongs to another service: that it differs is told, and nothing of what it holds.
    let annotated = |owner: &str, value: &str| {
        let annotations = json!({ "slipway.dev/owner": owner });
        with(
            config_map(here, value),
            &[("/metadata/name", json!("other")), ("/metadata/annotations", annotations)],
        )
    };
    applied(&cluster, &[annotated("a", "private")]).await?;
    let rehearsed = cluster.rehearse(&[annotated("b", "curious")], Conflicts::Refuse).await?;
    ensure!(!format!("{rehearsed:?}").contains("private"), "{rehearsed:?}");
    ensure!(format!("{rehearsed:?}").contains("data.key: (hidden) → (hidden)"), "{rehearsed:?}");

    // What somebody else has set.
    space.apply_with(&config_map(here, "theirs"), "fieldManager=somebody&force=true").await?.expect(200)?;
    let ours = [config_map(here, "ours")];
    let [Change::Refused(sentence)] = &cluster.rehearse(&ours, Conflicts::Refuse).await?[..] else {
        bail!("it is not ours")
    };
    ensure!(sentence.contains("`.data.key` belongs to `somebody`"), "{sentence}");
    let taking = cluster.rehearse(&ours, Conflicts::Take).await?;
    ensure!(taking == [Change::Fields(vec![r#"data.key: "theirs" → "ours""#.to_owned()])], "{taking:?}");
    Ok(None)
}

async fn only_what_is_still_its_own_is_pruned(space: Arc<Space>) -> Told {
    let (cluster, here) = (space.lab.cluster().await?, &space.name);
    let map = |name: &str, owner: &str, prune: &str| {
        let annotations = json!({ "slipway.dev/owner": owner, "slipway.dev/prune": prune });
        with(
            config_map(here, name),
            &[("/metadata/name", json!(name)), ("/metadata/annotations", annotations)],
        )
    };
    let claim = |name: &str, prune: &str| {
        let mut claim = with(map(name, "a", prune), &[("/kind", json!("PersistentVolumeClaim"))]);
        claim.as_object_mut().expect("an object").remove("data");
        let resources = json!({ "requests": { "storage": "1Mi" } });
        with(claim, &[("/spec", json!({ "accessModes": ["ReadWriteOnce"], "resources": resources }))])
    };
    let owner = json!({ "slipway.dev/owner": "a" });
    let serving =
        with(deployment(here, "1", space.lab.pod(Fate::Serves)), &[("/metadata/annotations", owner)]);
    let objects = [
        map("old", "a", ""),
        map("kept", "a", "keep"),
        map("moved", "b", ""),
        claim("data", ""),
        claim("scratch", "allow"),
        serving,
    ];
    applied(&cluster, &objects).await?;
    let called = |api_version: &str, kind: &str, name: &str| ObjectName {
        api_version: api_version.to_owned(),
        kind: kind.to_owned(),
        namespace: here.clone(),
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
        bail!("{outcomes:?}")
    };
    ensure!([old, scratch, web].iter().all(|outcome| **outcome == Leftover::Pruned), "{outcomes:?}");
    ensure!(*moved == Leftover::Left && [never, cart].iter().all(|outcome| **outcome == Leftover::Gone));
    for (outcome, words) in [(kept, "says `keep`"), (data, "goes only where its annotation")] {
        ensure!(matches!(outcome, Leftover::Kept(why) if why.contains(words)), "{outcome:?}");
    }
    for (name, code) in [("old", 404), ("kept", 200), ("moved", 200)] {
        space.get("ConfigMap", name).await?.expect(code)?;
    }
    // Its pods go with the Deployment, by the controllers.
    space.until_listed("Pod", "the end of the pods with their Deployment", <[Value]>::is_empty).await?;
    Ok(None)
}

/// Without rights nothing is tried again, and the words are the API server's.
async fn missing_rights_are_told(space: Arc<Space>) -> Told {
    let here = &space.name;
    let kubeconfig = match space.lab.powerless() {
        Ok(kubeconfig) => kubeconfig,
        Err(reason) => return Ok(Some(format!("nobody without rights: {reason}"))),
    };
    let powerless = Cluster::from_kubeconfig(kubeconfig).await?;
    space.apply(&service(here)).await?.expect(201)?;
    let sentence = refused(&powerless, &[config_map(here, "a")]).await?;
    let words = format!("ConfigMap `{here}/web` is refused");
    ensure!(sentence.contains(&words) && sentence.contains("cannot patch"), "{sentence}");
    let web = name_of(&deployment(here, "1", Value::Null));
    let watched = powerless.rollout(&web, Duration::from_secs(5)).await;
    let probed = powerless.probe(here, "web", 8000, "/").await;
    for fault in [watched.err(), probed.err()] {
        let fault = fault.context("expected a fault")?;
        ensure!(fault.advice == Advice::Reject && fault.what.contains("cannot get"), "{}", fault.chain());
    }
    Ok(None)
}
