//! The App against the GitHub stand-in: real git underneath, GitHub's rules on top.

#[path = "github/branches.rs"]
mod branches;
#[path = "github/comments.rs"]
mod comments;
#[path = "github/differences.rs"]
mod differences;
#[path = "github/people.rs"]
mod people;
mod world;

use std::path::Path;

use anyhow::{Context as _, ensure};
use domain::ports::{Advice, Button, Check, CheckState, Checks as _, Comparison, Secret, Source as _};
use domain::report::{Annotation, AnnotationLevel};
use github::GitHub;
use serde_json::{Value, json};
use world::{INSTALLATION, Key, World};

const SOME_MEGABYTES: u64 = 5_000_000;

#[tokio::test]
async fn a_commit_is_downloaded_compared_and_found_as_the_tip() -> anyhow::Result<()> {
    let world = World::start().await?;
    let github = world.app()?;
    let first = world.commit("README.md", "one").await?;
    let second = world.commit("README.md", "two").await?;
    let file = world.folder().join("source.zip");
    github.download(&world.repository, INSTALLATION, &second, &file, SOME_MEGABYTES).await?;
    let bytes = std::fs::read(&file)?;
    ensure!(bytes.starts_with(b"PK"), "expected a zip, got {} bytes", bytes.len());

    for (base, head, expected) in [
        (&first, &second, Comparison::Ahead),
        (&second, &first, Comparison::Behind),
        (&first, &first, Comparison::Identical),
    ] {
        assert_eq!(github.compare(&world.repository, INSTALLATION, base, head).await?, expected);
    }
    let third = world.commit_beside(&first).await?;
    assert_eq!(github.compare(&world.repository, INSTALLATION, &second, &third).await?, Comparison::Diverged);

    assert_eq!(github.branch_tip(&world.repository, INSTALLATION, "develop").await?, Some(second));
    assert_eq!(github.branch_tip(&world.repository, INSTALLATION, "feature/side#1").await?, Some(third));
    assert_eq!(github.branch_tip(&world.repository, INSTALLATION, "absent").await?, None);
    Ok(())
}

#[tokio::test]
async fn a_download_that_is_too_large_or_absent_leaves_nothing() -> anyhow::Result<()> {
    let world = World::start().await?;
    let github = world.app()?;
    let sha = world.commit("large.txt", &world::noise(200_000)).await?;
    let file = world.folder().join("source.zip");
    let fault =
        github.download(&world.repository, INSTALLATION, &sha, &file, 1000).await.expect_err("too large");
    assert_eq!(fault.advice, Advice::Reject);
    assert!(fault.what.contains("larger than"), "{}", fault.what);
    ensure!(!Path::new(&file).exists(), "a part of the download was left behind");

    let absent = "0123456789abcdef0123456789abcdef01234567".parse()?;
    let fault =
        github.download(&world.repository, INSTALLATION, &absent, &file, 1000).await.expect_err("absent");
    assert_eq!(fault.advice, Advice::Reject);
    ensure!(!Path::new(&file).exists());
    Ok(())
}

fn check(name: &str, state: CheckState, annotations: usize) -> Check {
    let annotation = |number: usize| Annotation {
        path: "backend/a.py".to_owned(),
        line: u32::try_from(number).unwrap_or(0) + 1,
        level: AnnotationLevel::Failure,
        title: format!("finding {number}"),
        message: "wrong".to_owned(),
    };
    Check {
        name: name.to_owned(),
        state,
        title: "A title".to_owned(),
        summary: "A summary".to_owned(),
        text: String::new(),
        annotations: (0..annotations).map(annotation).collect(),
        details: None,
        buttons: Vec::new(),
    }
}

fn check_runs(world: &World) -> Vec<Value> {
    let state = world.github.snapshot();
    let repositories = state["repositories"].as_array().cloned().unwrap_or_default();
    repositories
        .iter()
        .flat_map(|repository| repository["check_runs"].as_array().cloned().unwrap_or_default())
        .collect()
}

#[tokio::test]
async fn a_check_is_created_once_found_again_and_updated() -> anyhow::Result<()> {
    let world = World::start().await?;
    let run = world.run(&world.commit("README.md", "one").await?);
    let name = "slipway / test authentication";
    let id = world.app()?.show(&run, INSTALLATION, &check(name, CheckState::InProgress, 0), None).await?;

    // Another instance that remembers nothing, as after a crash.
    let again = world.app()?.show(&run, INSTALLATION, &check(name, CheckState::Failure, 0), None).await?;
    assert_eq!(again, id);
    let known =
        world.app()?.show(&run, INSTALLATION, &check(name, CheckState::Success, 0), Some(&id)).await?;
    assert_eq!(known, id);
    let vanished =
        world.app()?.show(&run, INSTALLATION, &check(name, CheckState::Success, 0), Some("999999")).await?;
    assert_eq!(vanished, id);

    let runs = check_runs(&world);
    assert_eq!(runs.len(), 1, "{runs:?}");
    assert_eq!((&runs[0]["status"], &runs[0]["conclusion"]), (&"completed".into(), &"success".into()));
    world.app()?.show(&run, INSTALLATION, &check("slipway", CheckState::ActionRequired, 0), None).await?;
    assert_eq!(check_runs(&world).len(), 2);
    Ok(())
}

#[tokio::test]
async fn buttons_and_a_link_are_shown_once_a_check_is_completed() -> anyhow::Result<()> {
    let world = World::start().await?;
    let run = world.run(&world.commit("README.md", "one").await?);
    let button = |label: &str| Button {
        label: label.to_owned(),
        description: "Everything that failed, and a good deal more".to_owned(),
        identifier: "retest-with-a-long-identifier".to_owned(),
    };
    let shown = |state| Check {
        details: Some("https://logs.example/1".to_owned()),
        buttons: ["one", "two", "three", "four"].map(button).to_vec(),
        ..check("slipway", state, 0)
    };
    let github = world.app()?;
    let id = github.show(&run, INSTALLATION, &shown(CheckState::InProgress), None).await?;
    assert_eq!(check_runs(&world)[0]["details_url"], "https://logs.example/1");
    assert_eq!(check_runs(&world)[0]["actions"], json!([]));
    github.show(&run, INSTALLATION, &shown(CheckState::Failure), Some(&id)).await?;
    let actions = check_runs(&world)[0]["actions"].clone();
    assert_eq!(actions.as_array().map(Vec::len), Some(3), "{actions}");
    assert_eq!(
        actions[0],
        json!({
            "label": "one",
            "description": "Everything that failed, and a good deal ",
            "identifier": "retest-with-a-long-i",
        })
    );
    // Where there are none any more, the old ones go; what is no address of the web is no link.
    let bare =
        Check { details: Some("javascript:alert(1)".to_owned()), ..check("slipway", CheckState::Success, 0) };
    github.show(&run, INSTALLATION, &bare, Some(&id)).await?;
    assert_eq!(check_runs(&world)[0]["actions"], json!([]));
    assert_eq!(check_runs(&world)[0]["details_url"], "https://logs.example/1");
    Ok(())
}

#[tokio::test]
async fn many_annotations_are_all_there_and_none_twice() -> anyhow::Result<()> {
    let world = World::start().await?;
    let github = world.app()?;
    let run = world.run(&world.commit("README.md", "one").await?);
    let red = check("slipway / checks", CheckState::Failure, 120);
    let id = github.show(&run, INSTALLATION, &red, None).await?;
    for known in [Some(id.as_str()), None] {
        let mut more = red.clone();
        more.title = "Another title".to_owned();
        assert_eq!(github.show(&run, INSTALLATION, &more, known).await?, id);
    }
    let count = check_runs(&world)[0]["output"]["annotations_count"].clone();
    assert_eq!(count, 120);
    Ok(())
}

#[tokio::test]
async fn a_used_up_limit_names_the_wait() -> anyhow::Result<()> {
    let world = World::start_with(|options| options.rate_limit = 0).await?;
    let fault =
        world.app()?.branch_tip(&world.repository, INSTALLATION, "develop").await.expect_err("limited");
    let Advice::Retry(Some(wait)) = fault.advice else { anyhow::bail!("expected a wait, got {fault:?}") };
    ensure!((1..=3601).contains(&wait.as_secs()), "{wait:?}");
    Ok(())
}

#[tokio::test]
async fn a_foreign_key_or_installation_is_refused_in_words() -> anyhow::Result<()> {
    let world = World::start().await?;
    let stranger = GitHub::new(&world.url, world::APP_ID, &Key::generate("-traditional").await?.private)?;
    let fault =
        stranger.branch_tip(&world.repository, INSTALLATION, "develop").await.expect_err("a foreign key");
    assert_eq!(fault.advice, Advice::Reject);
    assert!(fault.what.contains("`private_key` in the secret"), "{}", fault.what);
    let fault =
        world.app()?.branch_tip(&world.repository, 999, "develop").await.expect_err("no such installation");
    assert_eq!(fault.advice, Advice::Reject);
    Ok(())
}

#[tokio::test]
async fn keys_are_taken_in_both_forms_and_nothing_else() -> anyhow::Result<()> {
    for form in ["-traditional", "-verbose"] {
        let key = Key::generate(form).await?;
        GitHub::new("http://127.0.0.1:9", 1, &key.private).with_context(|| form.to_owned())?;
    }
    for text in ["", "s3cr3t", "-----BEGIN PRIVATE KEY-----\ns3cr3t\n-----END PRIVATE KEY-----\n"] {
        let fault =
            GitHub::new("http://127.0.0.1:9", 1, &Secret::new(text)).err().context("expected a refusal")?;
        assert!(fault.advice == Advice::Reject && !fault.chain().contains("s3cr3t"), "{}", fault.chain());
    }
    Ok(())
}
