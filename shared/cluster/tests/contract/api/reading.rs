//! Reading: discovery, selectors, watches and the revisions that they go on from.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, bail, ensure};
use futures::StreamExt as _;
use http::Method;
use k8s_openapi::api::core::v1::ConfigMap;
use kube::Api;
use kube::api::{WatchEvent, WatchParams};
use serde_json::{Value, json};

use crate::lab::{PATIENCE, Space, config_map, with};
use crate::stories;
use crate::story::{Story, Told};

/// The most changes after which a server is believed to remember everything.
const MOST_CHANGES: usize = 6000;

pub fn stories() -> Vec<Story> {
    stories![new:
        discovery_names_what_is_served,
        lists_are_selected,
        a_watch_tells_what_enters_changes_and_leaves,
        a_forgotten_revision_is_gone,
    ]
}

async fn discovery_names_what_is_served(space: Arc<Space>) -> Told {
    let client = space.lab.client().await?;
    ensure!(space.lab.minor().await? >= 20, "an API server older than the oldest that was tried");
    let groups: Vec<String> =
        client.list_api_groups().await?.groups.into_iter().map(|group| group.name).collect();
    ensure!(["apps", "batch"].iter().all(|name| groups.iter().any(|group| group == name)), "{groups:?}");
    let expected = [
        (
            "/api/v1",
            vec![
                "configmaps",
                "namespaces",
                "nodes",
                "pods",
                "pods/log",
                "secrets",
                "services",
                "services/proxy",
            ],
        ),
        (
            "/apis/apps/v1",
            vec!["daemonsets", "deployments", "deployments/scale", "replicasets", "statefulsets"],
        ),
        ("/apis/batch/v1", vec!["jobs", "jobs/status"]),
    ];
    for (path, names) in expected {
        let list = space.send(Method::GET, path, "", String::new()).await?.expect(200)?;
        let served: Vec<&str> = list["resources"]
            .as_array()
            .context("a list")?
            .iter()
            .filter_map(|one| one["name"].as_str())
            .collect();
        for name in names {
            ensure!(served.contains(&name), "{path} serves no {name}: {served:?}");
        }
    }
    space.send(Method::GET, "/apis/shop.example.com/v1", "", String::new()).await?.expect(404)?;
    Ok(None)
}

async fn lists_are_selected(space: Arc<Space>) -> Told {
    for (name, labels) in
        [("a", json!({ "app": "web", "tier": "front" })), ("b", json!({ "app": "db" })), ("c", json!({}))]
    {
        let map = with(
            config_map(&space.name, ""),
            &[("/metadata/name", json!(name)), ("/metadata/labels", labels)],
        );
        space.apply(&map).await?.expect(201)?;
    }
    let expected = [
        ("labelSelector=app%3Dweb", "a"),
        ("labelSelector=app%3D%3Dweb%2Ctier%3Dfront", "a"),
        ("labelSelector=app+in+(web%2Cdb)", "ab"),
        ("labelSelector=app%2Capp+notin+(db)", "a"),
        ("labelSelector=app%2Capp!%3Dweb", "b"),
        ("labelSelector=!app", "c"),
        ("fieldSelector=metadata.name%3Db", "b"),
        ("fieldSelector=metadata.name!%3Db", "ac"),
    ];
    for (query, names) in expected {
        let found = space.list("ConfigMap", query).await?;
        let found = found.iter().filter_map(|map| map["metadata"]["name"].as_str());
        // A real cluster puts a map of its own into each namespace.
        let found: String = found.filter(|name| name.len() == 1).collect();
        ensure!(found == names, "{query}: {found}");
    }
    let path = format!("{}?labelSelector=app+in+web", space.path("ConfigMap", ""));
    space.send(Method::GET, &path, "", String::new()).await?.expect(400)?;
    Ok(None)
}

async fn a_watch_tells_what_enters_changes_and_leaves(space: Arc<Space>) -> Told {
    let maps: Api<ConfigMap> = Api::namespaced(space.lab.client().await?, &space.name);
    let list = space.send(Method::GET, &space.path("ConfigMap", ""), "", String::new()).await?.expect(200)?;
    let revision = list["metadata"]["resourceVersion"].as_str().context("a revision")?;
    let watched = WatchParams::default().labels("app=a").timeout(60);
    let mut events = maps.watch(&watched, revision).await?.boxed();
    let map = |app: &str, value: &str| {
        with(config_map(&space.name, value), &[("/metadata/labels", json!({ "app": app }))])
    };
    for (app, value) in [("a", "1"), ("a", "2"), ("b", "3"), ("a", "4")] {
        let answer = space.apply(&map(app, value)).await?;
        ensure!(answer.code < 300, "{}", answer.text);
    }
    space.delete("ConfigMap", "web", "").await?.expect(200)?;
    let mut seen = Vec::new();
    while seen.len() < 5 {
        let event = tokio::time::timeout(PATIENCE, events.next()).await.context("an event")?;
        let (kind, map) = match event.context("the watch goes on")?? {
            WatchEvent::Added(map) => ("added", map),
            WatchEvent::Modified(map) => ("modified", map),
            WatchEvent::Deleted(map) => ("deleted", map),
            WatchEvent::Bookmark(_) => continue,
            WatchEvent::Error(status) => bail!("{status:?}"),
        };
        seen.push((kind, map.data.and_then(|data| data.get("key").cloned()).unwrap_or_default()));
    }
    let kinds: Vec<&str> = seen.iter().map(|(kind, _)| *kind).collect();
    ensure!(kinds == ["added", "modified", "deleted", "added", "deleted"], "{seen:?}");
    ensure!(seen[0].1 == "1" && seen[1].1 == "2" && seen[3].1 == "4", "{seen:?}");
    Ok(None)
}

/// Who watches from a revision that lies too far back is told so, and reads everything anew.
async fn a_forgotten_revision_is_gone(space: Arc<Space>) -> Told {
    space.apply(&config_map(&space.name, "")).await?.expect(201)?;
    let mut done = 0;
    while !is_forgotten(&space).await? {
        if done >= MOST_CHANGES {
            return Ok(Some(format!("the server remembers more than {done} changes")));
        }
        let changes = (done..done + 500).map(async |number| {
            space
                .merge("ConfigMap", "web", &json!({ "data": { "key": number.to_string() } }))
                .await?
                .expect(200)
        });
        let outcomes: Vec<anyhow::Result<Value>> =
            futures::stream::iter(changes).buffer_unordered(8).collect().await;
        outcomes.into_iter().collect::<Result<Vec<_>, _>>()?;
        done += 500;
    }
    Ok(None)
}

async fn is_forgotten(space: &Space) -> anyhow::Result<bool> {
    let path = format!("{}?watch=true&resourceVersion=1&timeoutSeconds=1", space.path("ConfigMap", ""));
    let answer =
        tokio::time::timeout(Duration::from_secs(30), space.send(Method::GET, &path, "", String::new()));
    let answer = answer.await.context("the watch ends after its time")??;
    if answer.code == 410 {
        return Ok(true);
    }
    ensure!(answer.code == 200, "{} {}", answer.code, answer.text);
    let first: Value = answer.text.lines().next().map(serde_json::from_str).transpose()?.unwrap_or_default();
    Ok(first["type"] == "ERROR" && first["object"]["code"] == 410)
}
