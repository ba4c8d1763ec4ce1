//! The branches of a repository as the stand-in lists them: page by page, and not again while nothing has moved.

use anyhow::Context as _;
use domain::ports::{Advice, Branches as _};
use domain::tips::Seen;
use github::GitHub;

use crate::world::{INSTALLATION, World};

/// The list, where it has changed since these marks.
async fn list(world: &World, github: &GitHub, marks: &[String]) -> anyhow::Result<Option<Seen>> {
    Ok(github.branches(&world.repository, INSTALLATION, marks).await?)
}

#[tokio::test]
async fn branches_come_with_their_tips_and_not_again_while_nothing_moves() -> anyhow::Result<()> {
    let world = World::start().await?;
    let github = world.app()?;
    let first = world.commit("README.md", "one").await?;
    let seen = list(&world, &github, &[]).await?.context("a first list")?;
    assert_eq!(seen.branches, [("develop".parse()?, first.clone())].into());
    assert_eq!((seen.marks.len(), seen.cut), (1, false));
    assert_eq!(list(&world, &github, &seen.marks).await?, None);

    let second = world.commit("README.md", "two").await?;
    let side = world.commit_beside(&first).await?;
    let moved = list(&world, &github, &seen.marks).await?.context("two branches have moved")?;
    assert_eq!(moved.branches, [("develop".parse()?, second), ("feature/side#1".parse()?, side)].into());
    assert_eq!(list(&world, &github, &moved.marks).await?, None);

    // As on GitHub, a mark holds for the token that it was given to.
    assert_eq!(
        list(&world, &world.app()?, &moved.marks).await?.map(|seen| seen.branches),
        Some(moved.branches)
    );
    Ok(())
}

#[tokio::test]
async fn pages_are_put_together_and_each_has_its_mark() -> anyhow::Result<()> {
    // So many requests an hour that the first list fits, and not one of those below that change nothing.
    let world = World::start_with(|options| options.rate_limit = 4).await?;
    let github = world.app()?;
    let sha = world.commit("README.md", "one").await?;
    world.push_all((0..149).map(|number| format!("branch-{number:03}"))).await?;
    let seen = list(&world, &github, &[]).await?.context("a first list")?;
    assert_eq!((seen.branches.len(), seen.marks.len(), seen.cut), (150, 2, false));
    assert!(seen.branches.values().all(|tip| *tip == sha));
    for _ in 0..4 {
        assert_eq!(list(&world, &github, &seen.marks).await?, None, "what has not changed costs nothing");
    }
    Ok(())
}

#[tokio::test]
async fn a_change_on_any_page_is_seen() -> anyhow::Result<()> {
    let world = World::start().await?;
    let github = world.app()?;
    world.commit("README.md", "one").await?;
    world.push_all((0..99).map(|number| format!("branch-{number:03}"))).await?;
    let full = list(&world, &github, &[]).await?.context("a first list")?;
    assert_eq!(
        (full.branches.len(), full.marks.len()),
        (100, 2),
        "after a full page the next one is asked for"
    );
    assert_eq!(list(&world, &github, &full.marks).await?, None);

    world.push_all(["zebra".to_owned()].into_iter()).await?;
    let more = list(&world, &github, &full.marks).await?.context("a branch on the second page")?;
    assert_eq!((more.branches.len(), more.marks.len()), (101, 2));
    assert_eq!(list(&world, &github, &more.marks).await?, None);
    let tip = world.commit("README.md", "two").await?;
    let moved = list(&world, &github, &more.marks).await?.context("develop has moved")?;
    assert_eq!(moved.branches.get(&"develop".parse()?), Some(&tip));
    assert_eq!(moved.branches.len(), 101);
    Ok(())
}

#[tokio::test]
async fn a_commit_says_who_made_it() -> anyhow::Result<()> {
    let world = World::start().await?;
    let github = world.app()?;
    let sha = world.commit("README.md", "the words").await?;
    let words = github.commit_words(&world.repository, INSTALLATION, &sha).await?.context("it is there")?;
    assert_eq!((words.author.as_str(), words.message.as_str()), ("Octo", "the words"));
    Ok(())
}

#[tokio::test]
async fn who_may_not_list_is_told_for_good_and_who_asks_too_often_for_a_while() -> anyhow::Result<()> {
    let world = World::start_with(|options| options.rate_limit = 0).await?;
    let fault = list(&world, &world.app()?, &[]).await.expect_err("limited");
    let fault: &domain::ports::Fault = fault.downcast_ref().context("a fault")?;
    assert!(matches!(fault.advice, Advice::Retry(Some(_))), "{}", fault.chain());

    let world = World::start().await?;
    let elsewhere = world.app()?.branches(&world.repository, 999, &[]).await.expect_err("not installed");
    assert_eq!(elsewhere.advice, Advice::Reject, "{}", elsewhere.chain());
    let unknown = "vive-sphere/unknown".parse()?;
    let absent = world.app()?.branches(&unknown, INSTALLATION, &[]).await.expect_err("not covered");
    assert_eq!(absent.advice, Advice::Reject, "{}", absent.chain());
    Ok(())
}
