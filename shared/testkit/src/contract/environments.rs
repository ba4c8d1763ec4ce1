//! Fence, lock and releases of an environment.

use domain::policy::Waiting;
use domain::ports::{Answer, Environments, Fence, Locking, Release, Written};
use domain::run::Ticket;

use super::samples::{environment, name, release, repository, run_id, service, sha};

const NEWEST: Waiting = Waiting::Newest;

/// Numbers are drawn one after the other; of two who draw the same one, one is told to look again.
///
/// # Errors
/// When the store does not answer.
pub async fn numbers_only_grow(environments: &impl Environments) -> Answer<()> {
    let (repository, environment) = (repository(), environment());
    let fence = |number, of| Fence { number, sha: sha(of), run: run_id(of) };
    assert_eq!(environments.fence(&repository, &environment).await?, None);
    assert_eq!(environments.draw(&repository, &environment, &fence(2, 1)).await?, Written::Conflict);
    assert_eq!(environments.draw(&repository, &environment, &fence(1, 1)).await?, Written::Yes);
    assert_eq!(environments.draw(&repository, &environment, &fence(1, 2)).await?, Written::Conflict);
    assert_eq!(environments.fence(&repository, &environment).await?, Some(fence(1, 1)));

    let (one, other) = (fence(2, 2), fence(2, 3));
    let answers = tokio::join!(
        environments.draw(&repository, &environment, &one),
        environments.draw(&repository, &environment, &other),
    );

    let answers = [answers.0?, answers.1?];
    assert_eq!(answers.iter().filter(|written| **written == Written::Yes).count(), 1, "{answers:?}");
    let drawn = environments.fence(&repository, &environment).await?;
    assert_eq!(drawn.map(|fence| fence.number), Some(2));
    assert_eq!(environments.fence(&repository, &name("production")).await?, None);
    assert_eq!(environments.fence(&name("vive-sphere/other"), &environment).await?, None);
    Ok(())
}

/// One rollout at a time; its own lock is taken again without harm; only the holder frees it.
///
/// # Errors
/// When the store does not answer.
pub async fn a_lock_has_one_holder(environments: &impl Environments) -> Answer<()> {
    let (repository, environment) = (repository(), environment());
    let (one, two) = (run_id(1), run_id(2));
    environments.unlock(&repository, &environment, &one, ticket(9)).await?;
    assert_eq!(environments.lock(&repository, &environment, &one, ticket(1), NEWEST).await?, Locking::Held);
    assert_eq!(environments.lock(&repository, &environment, &one, ticket(1), NEWEST).await?, Locking::Held);
    let waiting = environments.lock(&repository, &environment, &two, ticket(2), NEWEST).await?;
    assert_eq!(waiting, Locking::HeldBy(one.clone()));

    environments.unlock(&repository, &environment, &two, ticket(9)).await?;
    let waiting = environments.lock(&repository, &environment, &two, ticket(2), NEWEST).await?;
    assert_eq!(waiting, Locking::HeldBy(one.clone()), "who does not hold it cannot free it");
    environments.unlock(&repository, &environment, &one, ticket(9)).await?;
    environments.unlock(&repository, &environment, &one, ticket(9)).await?;
    assert_eq!(environments.lock(&repository, &environment, &two, ticket(2), NEWEST).await?, Locking::Held);
    assert_eq!(
        environments.lock(&repository, &name("production"), &one, ticket(1), NEWEST).await?,
        Locking::Held
    );
    Ok(())
}

/// Who comes after a higher number has taken the lock is out of date, whether it is held or free.
///
/// # Errors
/// When the store does not answer.
pub async fn a_higher_number_overtakes(environments: &impl Environments) -> Answer<()> {
    let (repository, environment) = (repository(), environment());
    let (old, new) = (run_id(1), run_id(2));
    assert_eq!(environments.lock(&repository, &environment, &new, ticket(5), NEWEST).await?, Locking::Held);
    let held = environments.lock(&repository, &environment, &old, ticket(4), NEWEST).await?;
    assert_eq!(held, Locking::Overtaken { by: 5 });
    environments.unlock(&repository, &environment, &new, ticket(9)).await?;
    let free = environments.lock(&repository, &environment, &old, ticket(4), NEWEST).await?;
    assert_eq!(free, Locking::Overtaken { by: 5 });
    let again = environments.lock(&repository, &environment, &new, ticket(5), NEWEST).await?;
    assert_eq!(again, Locking::Overtaken { by: 5 }, "who freed it has ended");
    assert_eq!(environments.lock(&repository, &environment, &old, ticket(6), NEWEST).await?, Locking::Held);
    Ok(())
}

/// Who asks while another rollout has the lock stands in line, until its turn has come or its run has ended.
///
/// # Errors
/// When the store does not answer.
pub async fn who_waits_has_its_turn_or_is_told(environments: &impl Environments) -> Answer<()> {
    let repository = repository();
    let ask = |environment: &'static str, number: u32, waiting| {
        let (repository, environment, run) = (repository.clone(), name(environment), run_id(number));
        async move { environments.lock(&repository, &environment, &run, ticket(number.into()), waiting).await }
    };
    let free = |environment: &'static str, number: u32| {
        let (repository, environment, run) = (repository.clone(), name(environment), run_id(number));
        async move { environments.unlock(&repository, &environment, &run, ticket(number.into())).await }
    };
    let order = Waiting::InOrder;
    assert_eq!(ask("staging", 1, order).await?, Locking::Held);
    for waiting in [4, 2, 3] {
        assert_eq!(ask("staging", waiting, order).await?, Locking::HeldBy(run_id(1)));
    }
    assert_eq!(free("staging", 2).await?, [], "it is not free");
    assert_eq!(free("staging", 1).await?, [run_id(3), run_id(4)]);
    assert_eq!(ask("staging", 4, order).await?, Locking::Behind { number: 3 });
    let (three, four) = tokio::join!(ask("staging", 3, order), ask("staging", 4, order));
    assert_eq!(three?, Locking::Held);
    assert_ne!(four?, Locking::Held, "two have the lock");
    assert_eq!(free("staging", 3).await?, [run_id(4)]);
    assert_eq!(ask("staging", 4, order).await?, Locking::Held);

    assert_eq!(ask("canary", 1, NEWEST).await?, Locking::Held);
    for waiting in [2, 3] {
        assert_eq!(ask("canary", waiting, NEWEST).await?, Locking::HeldBy(run_id(1)));
    }
    assert_eq!(ask("canary", 2, NEWEST).await?, Locking::Outrun { by: 3 });
    assert_eq!(free("canary", 1).await?, [run_id(3)]);
    assert_eq!(ask("canary", 3, NEWEST).await?, Locking::Held);
    assert_eq!(ask("canary", 2, NEWEST).await?, Locking::Overtaken { by: 3 });
    Ok(())
}

/// A release replaces one of a lower or the same number, never one of a higher; verified stands for itself.
///
/// # Errors
/// When the store does not answer.
pub async fn an_older_release_replaces_nothing(environments: &impl Environments) -> Answer<()> {
    let (repository, environment, service) = (repository(), environment(), service());
    assert_eq!(environments.releases(&repository, &environment, &service).await?, (None, None));

    assert_eq!(environments.set_current(&environment, &release(1, 3)).await?, Written::Yes);
    assert_eq!(environments.set_current(&environment, &release(2, 3)).await?, Written::Yes);
    assert_eq!(environments.set_current(&environment, &release(3, 2)).await?, Written::Conflict);
    let releases = environments.releases(&repository, &environment, &service).await?;
    assert_eq!(releases, (Some(release(2, 3)), None));

    // Of one number, the way back comes after the deploy it goes back from, and the next attempt after both.
    let in_turn = |turn| Release { turn, ..release(2, 3) };
    for (turn, written) in
        [(3, Written::Yes), (2, Written::Conflict), (4, Written::Yes), (3, Written::Conflict)]
    {
        assert_eq!(environments.set_current(&environment, &in_turn(turn)).await?, written, "turn {turn}");
    }

    environments.set_verified(&environment, &release(2, 3)).await?;
    environments.set_verified(&environment, &release(1, 1)).await?;
    assert_eq!(environments.set_current(&environment, &release(4, 4)).await?, Written::Yes);
    let releases = environments.releases(&repository, &environment, &service).await?;
    assert_eq!(releases, (Some(release(4, 4)), Some(release(2, 3))));
    let other = environments.releases(&repository, &environment, &name("bot_manager")).await?;
    assert_eq!(other, (None, None));
    Ok(())
}

fn ticket(number: u64) -> Ticket {
    Ticket { number, round: 0 }
}
