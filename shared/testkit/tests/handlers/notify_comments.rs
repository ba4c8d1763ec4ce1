//! notify's comment on a pull request: one, edited in place, written by the pull request's newest run only.

use domain::ids::{Line, RunId};
use domain::ports::{Front, Lines as _, Written};
use domain::run::Run;
use lambda::Disposition;
use testkit::builders::a_sha;
use testkit::fakes::World;

use crate::notify::{becomes, begin, notify};

const PULL: u64 = 12;

/// The pull request's newest run is this one from now on.
async fn leads(world: &World, version: u64, run: &RunId) {
    let front = Front { version, run: run.clone(), before: None };
    let written = world.store.write_front(&run.repository, &Line::Pull(PULL), &front).await;
    assert_eq!(written.expect("the store answers"), Written::Yes);
}

fn proposing() -> (World, Run) {
    let (world, head) = begin();
    let head = Run { pulls: vec![PULL], ..head };
    world.store.put(&head, &[]);
    (world, head)
}

async fn tell(world: &World, head: &Run) {
    assert_eq!(notify(world, head).await, Disposition::Acknowledge);
}

/// What the comments say, and how often each was edited.
fn comments(world: &World) -> Vec<(String, u32)> {
    world.github.comments().into_iter().map(|comment| (comment.text, comment.edits)).collect()
}

#[tokio::test]
async fn a_pull_request_has_one_comment_that_is_edited_in_place() {
    let (world, head) = proposing();
    leads(&world, 1, &head.id).await;
    tell(&world, &head).await;
    tell(&world, &head).await;
    let first = comments(&world);
    assert_eq!((first.len(), first[0].1), (1, 0));
    assert!(first[0].0.contains("| `authentication` | ⏳ waiting |"), "{first:?}");

    becomes(&world, &head, "a change");
    tell(&world, &head).await;
    let second = comments(&world);
    assert_eq!((second.len(), second[0].1), (1, 1));
    assert!(second[0].0.contains("| `authentication` | ✅ passed |"), "{second:?}");

    // Somebody deletes it: with the next change it is there again.
    world.github.delete_comment(1);
    let stop = domain::run::Stop { why: "a test".into(), by: "ada".into(), at: world.clock.now() };
    world.store.put(&Run { stop: Some(stop), ..head.clone() }, &[]);
    tell(&world, &head).await;
    let third = comments(&world);
    assert_eq!((third.len(), third[0].1), (1, 0));
    assert!(third[0].0.contains("being cancelled: a test"), "{third:?}");
}

#[tokio::test]
async fn an_older_run_leaves_the_comment_to_the_newer_one() {
    let (world, old) = proposing();
    leads(&world, 1, &old.id).await;
    tell(&world, &old).await;
    let before = comments(&world);
    let newer = RunId { sha: a_sha(99), ..old.id.clone() };
    leads(&world, 2, &newer).await;
    becomes(&world, &old, "too late");
    tell(&world, &old).await;
    assert_eq!(comments(&world), before, "its checks changed, the comment did not");

    // The older commit is pushed again, and leads again: whatever stood there meanwhile is replaced.
    leads(&world, 3, &old.id).await;
    tell(&world, &old).await;
    assert_eq!(comments(&world)[0].1, 1);
    tell(&world, &old).await;
    assert_eq!(comments(&world)[0].1, 1, "and once only");
}

#[tokio::test]
async fn another_run_edits_the_comment_of_the_one_before() {
    let (world, old) = proposing();
    tell(&world, &old).await;
    let newer = Run { id: RunId { sha: a_sha(99), ..old.id.clone() }, ..old };
    world.store.put(&newer, &[]);
    leads(&world, 1, &newer.id).await;
    tell(&world, &newer).await;
    let comments = comments(&world);
    assert_eq!((comments.len(), comments[0].1), (1, 1), "found by its mark");
    assert!(comments[0].0.contains(newer.id.sha.short()), "{comments:?}");
}
