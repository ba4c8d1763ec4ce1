//! plan's look at the branches: what no webhook told.

use std::time::Duration;

use domain::ids::{BranchName, Sha};
use domain::message::{Message, PlanRequest, QueueName};
use domain::ports::{Advice, Deliveries as _, DeliveryState, Repositories as _};
use domain::time::Timestamp;
use domain::tips::{GRACE, MOST_PLANNED};
use lambda::Disposition;
use slipway_plan::Planner;
use testkit::builders::{OPERATOR_FILE, a_commit, a_plan, a_request, a_sha, name};
use testkit::fakes::{MemoryArtifacts, MemoryGitHub, MemoryQueue, MemoryStore, Trouble, World};

const TIPS: &str = r#"{"kind":"tips","repository":"vive-sphere/bot-manager"}"#;

fn planner(world: &World) -> Planner<MemoryStore, MemoryQueue, MemoryArtifacts, MemoryGitHub> {
    Planner {
        store: world.store.clone(),
        queue: world.queue.clone(),
        artifacts: world.artifacts.clone(),
        source: world.github.clone(),
        build_image: "standard:5.0".to_owned(),
    }
}

/// One look.
async fn look(world: &World) -> Disposition {
    planner(world).handle(TIPS, world.clock.now()).await
}

/// A look that must end well.
async fn look_well(world: &World) {
    assert_eq!(look(world).await, Disposition::Acknowledge);
}

/// A world whose branch `develop` stands at commit 1 and has been looked at.
async fn looked_at() -> World {
    let world = World::new();
    push(&world, "develop", 1);
    world.store.watch(&name("vive-sphere/bot-manager"), world.clock.now()).await.expect("memory answers");
    look_well(&world).await;
    assert!(world.queue.is_empty(), "the first look plans nothing");
    world
}

/// A push that GitHub tells nobody.
fn push(world: &World, branch: &str, number: u64) {
    world.github.push(branch, &a_sha(number), a_commit(&a_plan(1)));
}

/// What plan is asked for on its queue.
fn asked(world: &World) -> Vec<PlanRequest> {
    let read = |body: &String| match serde_json::from_str(body) {
        Ok(Message::Plan(request)) => request,
        other => panic!("not a plan request: {other:?}"),
    };
    world.queue.waiting(QueueName::Plan).iter().map(read).collect()
}

/// Each branch asked for, with its commit before and now.
fn told(world: &World) -> Vec<String> {
    let short = |sha: &Sha| sha.short().to_owned();
    asked(world)
        .iter()
        .map(|request| {
            let before = request.before.as_ref().map_or_else(|| "new".to_owned(), short);
            format!("{} {before} → {}", request.branch, short(&request.sha))
        })
        .collect()
}

/// plan takes what waits on its queue, once it has become visible.
async fn take_all(world: &World) {
    world.clock.advance(GRACE);
    for number in world.queue.visible_on(QueueName::Plan) {
        let received = world.queue.receive(number).expect("it is alive");
        let taken = planner(world).handle(&received.body, world.clock.now()).await;
        assert_eq!(taken, Disposition::Acknowledge, "{}", received.body);
        world.queue.delete(number);
    }
}

fn due(world: &World) -> Option<Timestamp> {
    world.store.watched(&name("vive-sphere/bot-manager"))
}

#[tokio::test]
async fn a_push_without_a_webhook_is_planned_and_says_so() {
    let world = looked_at().await;
    push(&world, "develop", 2);
    look_well(&world).await;
    insta::assert_snapshot!(world.queue.waiting(QueueName::Plan)[0], @r#"{"kind":"plan","delivery":"tip-0a00002000000000000000000000000000000002","repository":"vive-sphere/bot-manager","installation":1,"sha":"0a00002000000000000000000000000000000002","before":"0a00001000000000000000000000000000000001","branch":"develop","fork":null,"pull_request":null,"sender":"ada","title":"Change 0a00002"}"#);
    assert!(world.queue.visible_on(QueueName::Plan).is_empty(), "a webhook that is only late comes first");

    take_all(&world).await;
    let head = &world.store.heads()[0];
    insta::assert_snapshot!(head.notes.join("\n"), @"
    Found by the tip check: no webhook was received for it.
    services by convention: `service-1`
    To be delivered to `development`, as number 1 there.
    ");
    let delivery = world.store.delivery(&head.origin.delivery).expect("it is recorded like a webhook's");
    assert_eq!(delivery.state, DeliveryState::Planned(head.id.clone()));

    look_well(&world).await;
    assert_eq!(asked(&world), [], "it is known now");
}

#[tokio::test]
async fn a_webhook_that_was_only_late_is_not_called_lost() {
    let world = looked_at().await;
    push(&world, "develop", 2);
    look_well(&world).await;
    let late = Message::Plan(a_request(2));
    let delivery = domain::ports::Delivery {
        id: a_request(2).delivery,
        event: "push".to_owned(),
        body: String::new(),
        received: world.clock.now(),
        state: DeliveryState::Enqueued,
    };
    world.store.record(&delivery).await.expect("memory answers");
    let body = serde_json::to_string(&late).expect("plain data");
    assert_eq!(planner(&world).handle(&body, world.clock.now()).await, Disposition::Acknowledge);
    let before = world.store.heads();
    take_all(&world).await;
    assert_eq!(world.store.heads(), before, "the same run is found");
    assert!(!before[0].notes.iter().any(|note| note.contains("tip check")), "{:?}", before[0].notes);
}

#[tokio::test]
async fn only_what_no_run_knows_is_asked_for() {
    let world = looked_at().await;
    push(&world, "develop", 2);
    look_well(&world).await;
    take_all(&world).await;
    // A branch at a commit that has its run, a new one, and one that is gone again.
    world.github.move_branch("release", &a_sha(2));
    push(&world, "feature", 3);
    look_well(&world).await;
    assert_eq!(told(&world), ["feature new → 0a00003"]);
    take_all(&world).await;

    world.github.delete_branch("feature");
    look_well(&world).await;
    let known = world.store.tips_of(&name("vive-sphere/bot-manager")).branches.expect("it was looked at");
    assert_eq!(known.keys().map(BranchName::as_str).collect::<Vec<_>>(), ["develop", "release"]);

    // Tested on a branch that is delivered nowhere, then merged: the merge is what no webhook told.
    push(&world, "feature", 4);
    look_well(&world).await;
    take_all(&world).await;
    world.github.move_branch("develop", &a_sha(4));
    look_well(&world).await;
    assert_eq!(told(&world), ["develop 0a00002 → 0a00004"]);
}

#[tokio::test]
async fn a_quiet_look_reads_twice_and_writes_nothing() {
    let world = looked_at().await;
    let before = world.wire.calls().len();
    look_well(&world).await;
    assert_eq!(world.wire.calls()[before..], ["artifacts.get", "store.tips", "branches.list"]);
}

#[tokio::test]
async fn what_is_delivered_is_looked_at_however_many_branches_there_are() {
    let world = looked_at().await;
    push(&world, "a", 2);
    world.github.list_at_most(1);
    look_well(&world).await;
    assert_eq!(told(&world), ["a new → 0a00002"]);
    take_all(&world).await;
    for number in [3, 4] {
        push(&world, "develop", number);
        look_well(&world).await;
        take_all(&world).await;
        let found = world.store.heads().iter().any(|head| head.id.sha == a_sha(number));
        assert!(found, "commit {number} is found although GitHub's list does not show its branch");
    }
    let writes = world.wire.count("store.write_tips");
    look_well(&world).await;
    assert_eq!(world.wire.count("store.write_tips"), writes, "nothing has moved");
}

#[tokio::test]
async fn githubs_limits_and_failures_put_the_next_look_off() {
    let world = looked_at().await;
    let known = world.store.tips_of(&name("vive-sphere/bot-manager"));
    push(&world, "develop", 2);
    for (wait, seconds) in [(Some(Duration::from_secs(1700)), 1700), (None, 120)] {
        world.github.refuse_branches(Some(Advice::Retry(wait)));
        look_well(&world).await;
        assert_eq!(due(&world), Some(world.clock.now().after(Duration::from_secs(seconds))));
    }
    assert_eq!(world.store.tips_of(&name("vive-sphere/bot-manager")), known);
    world.github.refuse_branches(None);
    look_well(&world).await;
    assert_eq!(told(&world), ["develop 0a00001 → 0a00002"]);
}

#[tokio::test]
async fn who_is_served_no_more_is_looked_at_no_more_until_the_next_event() {
    let unserved = OPERATOR_FILE.replace("vive-sphere/bot-manager", "vive-sphere/other");
    for refused_by_github in [true, false] {
        let world = looked_at().await;
        if refused_by_github {
            world.github.refuse_branches(Some(Advice::Reject));
        } else {
            world.artifacts.store("operator.yaml", unserved.as_str());
        }
        for _ in 0..2 {
            look_well(&world).await;
            assert_eq!(due(&world), None);
        }
        push(&world, "feature", 2);
        world.github.refuse_branches(None);
        world.artifacts.store("operator.yaml", OPERATOR_FILE);

        push(&world, "develop", 3);
        crate::plan::plan(&world, &a_request(3)).await;
        assert_eq!(due(&world), Some(world.clock.now().after(Duration::from_mins(2))));
        look_well(&world).await;
        assert_eq!(asked(&world), [], "what came while nobody looked is not planned");
        push(&world, "feature", 4);
        look_well(&world).await;
        assert_eq!(told(&world), ["feature 0a00002 → 0a00004"]);
    }
}

#[tokio::test]
async fn many_tips_at_once_are_planned_look_by_look() {
    let world = looked_at().await;
    let count = MOST_PLANNED as u64 + 3;
    for number in 0..count {
        world.github.push(&format!("branch-{number:03}"), &a_sha(100 + number), Vec::new());
    }
    look_well(&world).await;
    assert_eq!(asked(&world).len(), MOST_PLANNED);
    assert_eq!(due(&world), Some(world.clock.now().after(Duration::from_mins(2))), "soon again");
    look_well(&world).await;
    let mut branches: Vec<_> = asked(&world).into_iter().map(|request| request.branch).collect();
    branches.sort();
    branches.dedup();
    assert_eq!((asked(&world).len() as u64, branches.len() as u64), (count, count), "each once");
}

#[tokio::test]
async fn a_look_that_failed_anywhere_asks_for_the_same_on_redelivery() {
    let good = looked_at().await;
    push(&good, "develop", 2);
    push(&good, "feature", 3);
    let before = good.wire.calls().len();
    look_well(&good).await;
    let calls = good.wire.calls().len();
    for number in before..calls {
        for trouble in [Trouble::FailBefore, Trouble::FailAfter] {
            let world = looked_at().await;
            push(&world, "develop", 2);
            push(&world, "feature", 3);
            world.wire.trouble_at(number, trouble);
            let met = look(&world).await;
            look_well(&world).await;
            let mut requests = asked(&world);
            requests.sort_by(|one, other| one.branch.cmp(&other.branch));
            requests.dedup();
            let case = format!("{trouble:?} at {}: {met:?}", good.wire.calls()[number]);
            assert_eq!(requests, asked(&good), "{case}");
            let repository = name("vive-sphere/bot-manager");
            assert_eq!(world.store.tips_of(&repository).branches, good.store.tips_of(&repository).branches);
            take_all(&world).await;
            assert_eq!(world.store.heads().len(), 2, "{case}");
        }
    }
}
