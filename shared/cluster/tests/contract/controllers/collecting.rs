//! What goes with what: owners and their dependents, namespaces, endpoints.

use std::sync::Arc;

use anyhow::ensure;
use http::Method;
use serde_json::{Value, json};

use crate::lab::{Fate, PATIENCE, Space, config_map, deployment, namespace, service, with};
use crate::stories;
use crate::story::{Story, Told};

pub fn stories() -> Vec<Story> {
    stories![new:
        dependents_go_after_before_or_not_with_their_owner,
        a_namespace_goes_with_all_it_holds,
        endpoints_follow_the_pods_that_are_ready,
    ]
}

async fn dependents_go_after_before_or_not_with_their_owner(space: Arc<Space>) -> Told {
    let here = &space.name;
    let web = |name: &str| {
        let labels = json!({ "app": name });
        let fields = [
            ("/metadata/name", json!(name)),
            ("/spec/selector/matchLabels", labels.clone()),
            ("/spec/template/metadata/labels", labels),
        ];
        with(deployment(here, "1", space.lab.pod(Fate::Serves)), &fields)
    };
    for name in ["background", "foreground", "orphan"] {
        space.apply(&web(name)).await?.expect(201)?;
        space.until("Deployment", name, "a ready pod", |web| web["status"]["readyReplicas"] == 1).await?;
    }
    for (name, policy) in [("background", ""), ("foreground", "Foreground"), ("orphan", "Orphan")] {
        space.delete("Deployment", name, policy).await?.expect(200)?;
    }
    let is = |object: &Value, name: &str| object["metadata"]["labels"]["app"] == name;
    space
        .until_listed("Pod", "the end of two pods", |pods| pods.len() == 1 && is(&pods[0], "orphan"))
        .await?;
    let alone = |sets: &[Value]| sets.len() == 1 && sets[0]["metadata"]["ownerReferences"].is_null();
    space.until_listed("ReplicaSet", "the set that stays alone", alone).await?;
    space.until_listed("Deployment", "the end of all Deployments", <[Value]>::is_empty).await?;
    // The owner that waited for its dependents went last, so nothing of it is left either.
    ensure!(space.list("ReplicaSet", "labelSelector=app%3Dforeground").await?.is_empty());
    // A Deployment takes in the set that has its template.
    space.apply(&web("orphan")).await?.expect(201)?;
    let taken = |sets: &[Value]| sets.len() == 1 && !sets[0]["metadata"]["ownerReferences"].is_null();
    space.until_listed("ReplicaSet", "its new owner", taken).await?;
    Ok(None)
}

async fn a_namespace_goes_with_all_it_holds(space: Arc<Space>) -> Told {
    let inner = format!("{}-inner", space.name);
    space.apply(&namespace(&inner)).await?.expect(201)?;
    let maps = format!("/api/v1/namespaces/{inner}/configmaps");
    let map =
        with(config_map(&inner, "a"), &[("/metadata/finalizers", json!(["example.com/wait"]))]).to_string();
    space.send(Method::POST, &maps, "application/json", map).await?.expect(201)?;
    let path = format!("/api/v1/namespaces/{inner}");
    space.send(Method::DELETE, &path, "", String::new()).await?.expect(200)?;
    let going = space.send(Method::GET, &path, "", String::new()).await?.expect(200)?;
    ensure!(going["status"]["phase"] == "Terminating", "{going}");
    let late = with(config_map(&inner, "b"), &[("/metadata/name", json!("late"))]).to_string();
    let refused = space.send(Method::POST, &maps, "application/json", late).await?.expect(403)?;
    ensure!(
        refused["message"].as_str().is_some_and(|text| text.contains("is being terminated")),
        "{refused}"
    );
    let free = json!({ "metadata": { "finalizers": null } }).to_string();
    let map = format!("{maps}/web");
    space.send(Method::PATCH, &map, "application/merge-patch+json", free).await?.expect(200)?;
    let begun = std::time::Instant::now();
    while space.send(Method::GET, &path, "", String::new()).await?.code != 404 {
        ensure!(begun.elapsed() < PATIENCE, "the namespace is still there");
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    Ok(None)
}

async fn endpoints_follow_the_pods_that_are_ready(space: Arc<Space>) -> Told {
    let addresses = |endpoints: &Value, field: &str| -> usize {
        let subsets = endpoints["subsets"].as_array();
        subsets.into_iter().flatten().filter_map(|subset| subset[field].as_array()).map(Vec::len).sum()
    };
    let here = &space.name;
    space.apply(&service(here)).await?.expect(201)?;
    space.until("Endpoints", "web", "endpoints of nobody", |ends| addresses(ends, "addresses") == 0).await?;
    let two = [("/spec/replicas", json!(2))];
    space.apply(&with(deployment(here, "1", space.lab.pod(Fate::Serves)), &two)).await?.expect(201)?;
    let ready =
        space.until("Endpoints", "web", "two addresses", |ends| addresses(ends, "addresses") == 2).await?;
    let port = &ready["subsets"][0]["ports"][0];
    ensure!(port["port"] == 8000 && port["name"] == "http", "{ready}");
    let one = with(deployment(here, "1", space.lab.pod(Fate::Serves)), &[("/spec/replicas", json!(1))]);
    space.apply(&one).await?.expect(200)?;
    space.until("Endpoints", "web", "one address", |ends| addresses(ends, "addresses") == 1).await?;
    space.apply(&with(one, &[("/spec/replicas", json!(0))])).await?.expect(200)?;
    space.until("Endpoints", "web", "no address", |ends| addresses(ends, "addresses") == 0).await?;
    space.delete("Service", "web", "").await?.expect(200)?;
    space.until_listed("Endpoints", "the end of the endpoints", <[Value]>::is_empty).await?;
    Ok(None)
}
