//! Drafts that the pipeline file leaves alone.

use domain::command::{About, Command};
use domain::message::PlanRequest;
use domain::ports::{Permission, Pull};
use domain::run::{Run, RunOutcome, RunState};
use domain::spec::{Drafts, Plan};
use testkit::builders::{a_commit, a_plan, a_request, a_sha, a_strangers_pull, name};
use testkit::fakes::World;

use crate::plan::plan;
use crate::wishes::ask;

/// The repository's own pull request 7, which offers `proposal`.
fn pull(draft: bool) -> Pull {
    Pull { head_repository: Some(name("vive-sphere/bot-manager")), draft, ..a_strangers_pull() }
}

/// A world whose branch `proposal` has commit 2, with this pull request.
fn world(pull: Option<Pull>) -> World {
    let world = World::new();
    let file = Plan { drafts: Drafts::Skip, ..a_plan(1) };
    world.github.push("develop", &a_sha(1), a_commit(&file));
    world.github.push("proposal", &a_sha(2), a_commit(&file));
    world.github.allow("ada", Permission::Write);
    if let Some(pull) = pull {
        world.github.show_pull(pull);
    }
    world
}

fn push() -> PlanRequest {
    PlanRequest { branch: "proposal".to_owned(), before: Some(a_sha(1)), ..a_request(2) }
}

/// The pull request's event.
fn offer(id: &str, draft: bool) -> PlanRequest {
    let base = domain::message::Base { branch: name("develop"), sha: a_sha(1) };
    PlanRequest { delivery: name(id), pull_request: Some(7), base: Some(base), draft, before: None, ..push() }
}

fn head(world: &World) -> Run {
    world.store.heads().into_iter().find(|head| head.id.sha == a_sha(2)).expect("a run")
}

fn is_left_alone(world: &World) -> bool {
    matches!(head(world).state, RunState::Finished(RunOutcome::Skipped(_)))
}

#[tokio::test]
async fn a_draft_is_tested_once_it_is_ready() {
    let world = world(Some(pull(true)));
    plan(&world, &push()).await;
    let RunState::Finished(RunOutcome::Skipped(why)) = head(&world).state else {
        panic!("{:?}", head(&world))
    };
    insta::assert_snapshot!(why, @"Its pull request is a draft, and the pipeline file says `drafts: skip`: nothing was tested. It is tested once the pull request is ready for review; `/retest` on it, or the re-run of this check, tests it now.");
    plan(&world, &offer("synchronized", true)).await;
    assert!(is_left_alone(&world), "it is a draft still");
    plan(&world, &offer("ready", false)).await;
    assert_eq!((head(&world).state, head(&world).round), (RunState::Active, 1));
    plan(&world, &offer("ready", false)).await;
    assert_eq!(head(&world).round, 1, "once");
}

#[tokio::test]
async fn only_drafts_are_left_alone() {
    for (offers, request) in [
        (None, push()),
        (Some(pull(false)), push()),
        (Some(pull(true)), PlanRequest { branch: "develop".to_owned(), ..push() }),
        (Some(pull(true)), PlanRequest { tag: true, ..push() }),
        (None, offer("opened", false)),
    ] {
        let world = world(offers);
        plan(&world, &request).await;
        assert_eq!(head(&world).state, RunState::Active, "{request:?}");
    }
    let world = world(None);
    plan(&world, &offer("opened-as-a-draft", true)).await;
    assert!(is_left_alone(&world));
}

#[tokio::test]
async fn whoever_asks_gets_a_draft_tested() {
    let world = world(Some(pull(true)));
    plan(&world, &push()).await;
    ask(&world, "wish", "ada", About::Run(head(&world).id), vec![Command::Retest]).await;
    plan(&world, &head(&world).request()).await;
    assert_eq!((head(&world).state, head(&world).round), (RunState::Active, 1));
}

/// Words in the commit's message are another reason: a pull request that is ready changes nothing.
#[tokio::test]
async fn what_asks_for_no_run_is_not_begun_by_a_pull_request() {
    let world = world(None);
    plan(&world, &PlanRequest { skip: Some("[skip ci]".to_owned()), ..push() }).await;
    plan(&world, &offer("opened", false)).await;
    assert!(is_left_alone(&world));
}
