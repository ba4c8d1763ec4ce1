//! Repositories: when they are looked at, and what was seen of their branches.

use std::time::Duration;

use domain::ports::{Answer, Due, Repositories, Runs, Written};
use domain::time::Timestamp;
use domain::tips::{Seen, Tips};

use super::samples::{START, name, repository, run, run_id, sha};

/// A repository is due from the first watch on until nobody watches it any more; who never watched changes nothing.
///
/// # Errors
/// When the store does not answer.
pub async fn a_repository_is_due_while_it_is_watched(store: &(impl Repositories + Runs)) -> Answer<()> {
    let repository = repository();
    let due = |seconds| store.due(after(seconds), 10);
    let it = || vec![Due::Repository(repository.clone())];
    assert_eq!(store.postpone(&repository, after(10)).await?, Written::Conflict, "nobody watches it");
    assert_eq!(store.unwatch(&repository).await?, Written::Conflict, "nobody watches it");
    assert_eq!(due(1000).await?, []);

    store.watch(&repository, after(10)).await?;
    store.watch(&repository, after(5)).await?;
    assert_eq!(due(10).await?, [], "the first watch holds, and due now is not yet past");
    assert_eq!(due(11).await?, it());
    assert_eq!(store.postpone(&repository, after(20)).await?, Written::Yes);
    assert_eq!((due(20).await?, due(21).await?), (vec![], it()));
    assert_eq!(store.postpone(&repository, after(15)).await?, Written::Yes, "also to an earlier time");
    assert_eq!(due(16).await?, it());

    assert_eq!(store.unwatch(&repository).await?, Written::Yes);
    assert_eq!(store.unwatch(&repository).await?, Written::Conflict);
    assert_eq!(store.postpone(&repository, after(20)).await?, Written::Conflict);
    assert_eq!(due(1000).await?, []);
    store.watch(&repository, after(30)).await?;
    assert_eq!(due(31).await?, it(), "watched again");
    Ok(())
}

/// Runs and repositories are found by one question, the longest due first.
///
/// # Errors
/// When the store does not answer.
pub async fn runs_and_repositories_are_due_together(store: &(impl Repositories + Runs)) -> Answer<()> {
    for (number, seconds) in [(1, 30), (2, 10)] {
        let mut head = run(number);
        head.due = Some(after(seconds));
        assert_eq!(store.create_run(&head).await?, Written::Yes);
    }
    store.watch(&repository(), after(20)).await?;
    store.watch(&name("vive-sphere/other"), after(40)).await?;

    let all = [
        Due::Run(run_id(2)),
        Due::Repository(repository()),
        Due::Run(run_id(1)),
        Due::Repository(name("vive-sphere/other")),
    ];
    assert_eq!(store.due(after(50), 10).await?, all);
    assert_eq!(store.due(after(50), 3).await?, all[..3]);
    assert_eq!(store.due(after(25), 10).await?, all[..2]);
    Ok(())
}

/// Nothing was seen at first; two writers of the same version do not both succeed; a thousand branches with long names
/// find room.
///
/// # Errors
/// When the store does not answer.
pub async fn tips_are_written_version_by_version(store: &impl Repositories) -> Answer<()> {
    let repository = repository();
    assert_eq!(store.tips(&repository).await?, Tips::default());
    let seen = |number| Seen {
        branches: (0..1000).map(|branch| (name(&format!("{branch:0>255}")), sha(number))).collect(),
        marks: vec![format!("W/\"{}\"", "ab".repeat(32)); 10],
        cut: true,
    };
    let first = Tips::default().after(seen(1), &[]);
    assert_eq!(store.write_tips(&repository, &first).await?, Written::Yes);
    assert_eq!(store.write_tips(&repository, &first).await?, Written::Conflict);
    assert_eq!(store.tips(&repository).await?, first);

    let second = first.after(seen(2), &[]);
    assert_eq!(store.write_tips(&repository, &second).await?, Written::Yes);
    assert_eq!(store.tips(&repository).await?, second);
    assert_eq!(store.tips(&name("vive-sphere/other")).await?, Tips::default());
    Ok(())
}

fn after(seconds: u64) -> Timestamp {
    START.after(Duration::from_secs(seconds))
}
