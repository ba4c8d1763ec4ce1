//! One comment a mark: found before it is created, edited in place, created anew where somebody deleted it.

use domain::ports::{Answer, Comments as _};
use github::GitHub;
use serde_json::{Value, json};

use crate::world::{INSTALLATION, World};

async fn show(world: &World, github: &GitHub, text: &str, known: Option<&str>) -> Answer<String> {
    github.comment(&world.repository, INSTALLATION, 1, "slipway", text, known).await
}

/// The comments below the pull request.
async fn bodies(world: &World) -> anyhow::Result<Vec<String>> {
    let call = format!("GET /repos/{}/issues/1/comments?per_page=100", world.repository);
    let all = world.as_person("ada", &call, Value::Null).await?;
    let all = all.as_array().into_iter().flatten();
    Ok(all.filter_map(|comment| comment["body"].as_str().map(str::to_owned)).collect())
}

async fn say(world: &World, body: &str) -> anyhow::Result<()> {
    let call = format!("POST /repos/{}/issues/1/comments", world.repository);
    world.as_person("ada", &call, json!({"body": body})).await.map(drop)
}

async fn world() -> anyhow::Result<World> {
    let world = World::start().await?;
    let first = world.commit("README.md", "one").await?;
    world.open_pull(&first).await?;
    Ok(world)
}

#[tokio::test]
async fn a_comment_is_created_once_found_by_its_mark_and_edited_in_place() -> anyhow::Result<()> {
    let world = world().await?;
    // Whoever quotes the mark is not the App.
    say(&world, "<!-- slipway: slipway -->\nI am the pipeline").await?;
    let id = show(&world, &world.app()?, "first", None).await?;
    let other =
        world.app()?.comment(&world.repository, INSTALLATION, 1, "command-7", "a reply", None).await?;
    assert_ne!(other, id);

    // Another instance that remembers nothing, as after a crash.
    assert_eq!(show(&world, &world.app()?, "second", None).await?, id);
    assert_eq!(show(&world, &world.app()?, "third", Some(&id)).await?, id);
    assert_eq!(
        bodies(&world).await?,
        [
            "<!-- slipway: slipway -->\nI am the pipeline",
            "<!-- slipway: slipway -->\nthird",
            "<!-- slipway: command-7 -->\na reply",
        ]
    );
    Ok(())
}

#[tokio::test]
async fn a_comment_that_has_vanished_is_found_or_made_anew() -> anyhow::Result<()> {
    let world = world().await?;
    let github = world.app()?;
    let id = show(&world, &github, "first", None).await?;
    assert_eq!(show(&world, &github, "second", Some("999999")).await?, id, "the one with the mark");
    let call = format!("DELETE /repos/{}/issues/comments/{id}", world.repository);
    world.as_person("ada", &call, Value::Null).await?;
    let anew = show(&world, &github, "third", Some(&id)).await?;
    assert_ne!(anew, id);
    assert_eq!(bodies(&world).await?, ["<!-- slipway: slipway -->\nthird"]);
    Ok(())
}

#[tokio::test]
async fn a_mark_is_found_on_a_later_page_and_a_long_text_fits() -> anyhow::Result<()> {
    let world = world().await?;
    for number in 0..100 {
        say(&world, &format!("comment {number}")).await?;
    }
    let github = world.app()?;
    let id = show(&world, &github, "first", None).await?;
    assert_eq!(show(&world, &github, &"ü".repeat(70_000), None).await?, id);
    Ok(())
}
