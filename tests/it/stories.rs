//! Stories: the whole pipeline, through the functions' own programs, in a cloud on this machine.

mod arrivals;
mod command;
mod delivery;
mod dropped;
mod levers;
mod mended;
mod proposals;
mod pulls;
mod quota;
mod refused;
mod rendered;
mod review;
mod rollouts;

use crate::cloud::in_cloud;

/// Both acts of the demo with a redelivery between them, then the same objects by other ways, then pull requests, all with
/// real builds in one cloud.
#[tokio::test(flavor = "multi_thread")]
async fn a_push_travels_to_the_cluster_and_a_broken_test_stops_the_next() -> anyhow::Result<()> {
    in_cloud("story-delivery", async |world| {
        let (bench, first) = delivery::play(world).await?;
        rendered::play(world, &bench, &first).await?;
        review::play(world, &bench, &first).await
    })
    .await
}

/// Bad input of every kind, one after the other in one cloud: nothing of it may harm.
#[tokio::test(flavor = "multi_thread")]
async fn bad_input_is_refused_recorded_or_set_aside() -> anyhow::Result<()> {
    in_cloud("story-bad-input", async |world| {
        refused::wrong_signatures(world).await?;
        refused::what_is_not_json(world).await?;
        arrivals::what_nobody_serves(world).await?;
        dropped::a_task_that_nobody_knows(world).await?;
        dropped::messages_that_cannot_be_read(world).await?;
        mended::play(world).await?;
        proposals::play(world).await
    })
    .await
}

/// The life of pull requests, of the repository itself and of a fork, in one light cloud.
#[tokio::test(flavor = "multi_thread")]
async fn pull_requests_are_judged_cancelled_commanded_and_admitted() -> anyhow::Result<()> {
    Box::pin(pulls::play()).await
}

/// More builds than CodeBuild lets an account have, in a light cloud of its own.
#[tokio::test(flavor = "multi_thread")]
async fn builds_beyond_the_quota_wait() -> anyhow::Result<()> {
    quota::play().await
}

/// What people can do with a run, by message and by command, in one light cloud.
#[tokio::test(flavor = "multi_thread")]
async fn people_run_a_task_again_see_a_service_go_back_and_free_what_is_stuck() -> anyhow::Result<()> {
    Box::pin(levers::play()).await
}

/// One environment and all that may come between its rollouts, in one light cloud.
#[tokio::test(flavor = "multi_thread")]
async fn rollouts_wait_are_refused_and_survive_a_dead_deploy() -> anyhow::Result<()> {
    Box::pin(rollouts::play()).await
}
