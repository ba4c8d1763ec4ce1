//! What people may do, pull requests as they are now, and signs under comments.

use domain::ports::{People as _, Permission, Reaction};
use serde_json::{Value, json};

use crate::world::{INSTALLATION, World};

#[tokio::test]
async fn a_permission_is_what_github_says_at_this_moment() -> anyhow::Result<()> {
    let world = World::start().await?;
    let github = world.app()?;
    for (role, expected) in [
        ("admin", Permission::Write),
        ("maintain", Permission::Write),
        ("write", Permission::Write),
        ("triage", Permission::Read),
        ("read", Permission::Read),
    ] {
        let call = format!("PUT /_local/repos/{}/collaborators/ada", world.repository);
        world.as_person("owner", &call, json!({"role": role})).await?;
        let found = github.permission(&world.repository, INSTALLATION, "ada").await?;
        assert_eq!(found, expected, "{role}");
    }
    // Strangers, and what is no login at all: nothing of it gets into another place of the address.
    let hostile = ["stranger", "", "..", "../../../app", "ada/../ada", "ada?x=", "ädä", "a b"];
    for login in hostile.into_iter().map(str::to_owned).chain(["x".repeat(101)]) {
        let found = github.permission(&world.repository, INSTALLATION, &login).await?;
        assert_eq!(found, Permission::None, "{login}");
    }
    Ok(())
}

#[tokio::test]
async fn a_pull_request_is_read_as_it_is_now() -> anyhow::Result<()> {
    let world = World::start().await?;
    let github = world.app()?;
    let first = world.commit("README.md", "one").await?;
    assert_eq!(github.pull(&world.repository, INSTALLATION, 1).await?, None);
    let head = world.open_pull(&first).await?;
    let pull = github.pull(&world.repository, INSTALLATION, 1).await?.expect("it is open");
    assert_eq!((pull.number, &pull.head, pull.branch.as_str()), (1, &head, "feature/side#1"));
    assert_eq!(pull.head_repository.as_ref(), Some(&world.repository));
    assert_eq!(pull.base, ("develop".parse()?, first));
    assert_eq!((pull.open, pull.draft), (true, true));
    assert_eq!((pull.author.as_str(), pull.title.as_str()), ("ada", "Let users log in"));

    let offered = github.pulls_of(&world.repository, INSTALLATION, "feature/side#1").await?;
    assert_eq!(offered, [pull]);
    assert_eq!(github.pulls_of(&world.repository, INSTALLATION, "develop").await?, []);

    let call = format!("PATCH /repos/{}/pulls/1", world.repository);
    world.as_person("ada", &call, json!({"state": "closed"})).await?;
    assert_eq!(github.pulls_of(&world.repository, INSTALLATION, "feature/side#1").await?, []);
    let pull = github.pull(&world.repository, INSTALLATION, 1).await?.expect("it is there");
    assert!(!pull.open);
    Ok(())
}

#[tokio::test]
async fn a_sign_is_put_once_and_a_comment_that_is_gone_needs_none() -> anyhow::Result<()> {
    let world = World::start().await?;
    let github = world.app()?;
    let first = world.commit("README.md", "one").await?;
    world.open_pull(&first).await?;
    let call = format!("POST /repos/{}/issues/1/comments", world.repository);
    let id = world.as_person("ada", &call, json!({"body": "/retest"})).await?["id"].as_u64().unwrap_or(0);
    for _ in 0..2 {
        github.react(&world.repository, INSTALLATION, id, Reaction::Taken).await?;
    }
    github.react(&world.repository, INSTALLATION, id, Reaction::Refused).await?;
    let call = format!("GET /repos/{}/issues/comments/{id}/reactions", world.repository);
    let signs = world.as_person("ada", &call, Value::Null).await?;
    let signs: Vec<_> = signs.as_array().into_iter().flatten().map(|sign| sign["content"].clone()).collect();
    assert_eq!(signs, ["+1", "confused"]);
    github.react(&world.repository, INSTALLATION, 999_999, Reaction::Taken).await?;
    Ok(())
}
