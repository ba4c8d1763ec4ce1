//! What may not be applied: fields of another manager, and what the environment's policy forbids.

use anyhow::{Context, ensure};
use local::Workbench;
use serde_json::{Value, json};

use super::live::Live;
use super::{CHECK, MANIFEST, failed, passed};
use crate::world::World;

pub(super) async fn play(world: &World<'_>, bench: &Workbench) -> anyhow::Result<()> {
    a_field_of_another_manager(world, bench).await.context("the conflict")?;
    what_the_policy_forbids(world, bench).await.context("the policy")
}

async fn a_field_of_another_manager(world: &World<'_>, bench: &Workbench) -> anyhow::Result<()> {
    let live = Live::of(world).await?;
    live.own("by-hand", json!({ "LEVEL": "warning" })).await?;
    bench.edit(MANIFEST, "LEVEL: info", "LEVEL: trace")?;
    let run = bench.push("develop", "Say everything").await?;
    let told = failed(world, &run).await?;
    ensure!(told.contains("`by-hand`") && told.contains("data.LEVEL"), "{told}");
    let check = world.check(&run, CHECK).await?;
    let said = format!("{:?}", check.output);
    ensure!(
        said.contains("the way back") && said.contains("is refused"),
        "the old value is another one too: {said}"
    );

    live.own("by-hand", Value::Null).await?;
    let run = bench.push("develop", "Say everything again").await?;
    passed(world, &run).await
}

async fn what_the_policy_forbids(world: &World<'_>, bench: &Workbench) -> anyhow::Result<()> {
    let live = Live::of(world).await?;
    let before = live.deployment().await?;
    bench.edit(
        MANIFEST,
        "    spec:\n      containers:",
        "    spec:\n      hostNetwork: true\n      containers:",
    )?;
    let run = bench.push("develop", "Listen on the node").await?;
    let told = failed(world, &run).await?;
    let words = "Deployment `development/service-001`: `spec.template.spec.hostNetwork`: pods do not share";
    ensure!(told.contains(words), "{told}");
    ensure!(live.deployment().await? == before, "something was applied");
    bench.edit(MANIFEST, "      hostNetwork: true\n", "")
}
