//! What every cluster must do for Slipway, in three parts: API, controllers, kubelet. The same stories run against the
//! small cluster and against a real API server.

mod adapter;
mod api;
mod controllers;
mod kubelet;
mod lab;
mod story;

use std::sync::Arc;

use anyhow::ensure;
use lab::{Engine, Lab};
use story::Story;

/// One test, because the clusters are started once and must be stopped.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_contract_holds() -> anyhow::Result<()> {
    let mut labs = Vec::new();
    let mut skipped = Vec::new();
    if let Ok(path) = std::env::var("KUBECONFIG_CONTRACT") {
        labs.push(Lab::named(&path).await?);
    } else {
        labs.push(Lab::pretended().await?);
        match Engine::find().await {
            Ok(engine) => labs.push(Lab::of_containers(engine).await?),
            Err(error) => skipped.push(format!("containers: no Docker engine: {error:#}")),
        }
    }
    let ended = futures::future::join_all(labs.into_iter().map(holds)).await;
    let mut failed = Vec::new();
    for outcome in ended {
        let (skips, failures) = outcome?;
        skipped.extend(skips);
        failed.extend(failures);
    }
    for line in &skipped {
        story::tell(&format!("skipped: {line}"));
    }
    story::tell(&format!("contract: {} failed, {} skipped", failed.len(), skipped.len()));
    ensure!(failed.is_empty(), "\n{}", failed.join("\n"));
    Ok(())
}

/// Runs all stories in one cluster; answers those that were skipped and those that failed.
async fn holds(lab: Lab) -> anyhow::Result<(Vec<String>, Vec<String>)> {
    let stories = [api::stories(), adapter::stories(), controllers::stories(), kubelet::stories()];
    let stories: Vec<Story> = stories.into_iter().flatten().collect();
    let lab = Arc::new(lab);
    let (mut skipped, mut failed, mut held) = (Vec::new(), Vec::new(), 0);
    for (name, outcome) in story::run_all(&lab, stories).await {
        match outcome {
            Ok(None) => held += 1,
            Ok(Some(reason)) => skipped.push(format!("{name}: {reason} ({})", lab.title)),
            Err(error) => failed.push(format!("{name} ({}): {error:#}", lab.title)),
        }
    }
    story::tell(&format!("{}: {held} stories held", lab.title));
    if let Some(lab) = Arc::into_inner(lab) {
        lab.stop().await?;
    }
    Ok((skipped, failed))
}
