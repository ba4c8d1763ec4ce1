//! What notify has said: empty at first, then written version by version, and read together with what there is to say.

use domain::ports::{Answer, Lease, Noted, NoticeBook, Parked, Picture, Runs, Said, Timeline, Told, Written};
use domain::timeline::Entry;

use super::samples::{START, run, run_id, task};

/// A new run's book is empty; of two writers of the same version the second gets to know what the first wrote.
///
/// # Errors
/// When the store does not answer.
pub async fn a_book_is_written_version_by_version(book: &(impl NoticeBook + Runs)) -> Answer<()> {
    let head = run(1);
    assert_eq!(book.create_run(&head).await?, Written::Yes);
    let told = async || Ok(book.picture(&head.id).await?.map(|picture| picture.told));
    assert_eq!(told().await?, Some(Told::default()));

    let said = Said { place: "1700000000.0001".to_owned(), content: "ab".repeat(32) };
    let saying = [("mail".to_owned(), "cd".repeat(32))].into();
    let first = Told {
        failures: 0,
        version: 1,
        said: [("slack".to_owned(), said)].into(),
        lease: Some(Lease { holder: "one".to_owned(), until: START, saying, again: false }),
        parked: Some(Parked { since: START, until: START, looks: START, times: 1 }),
    };
    assert_eq!(book.write_told(&head.id, &first).await?, Noted::Yes);
    let other = Told { failures: 1, ..first.clone() };
    assert_eq!(book.write_told(&head.id, &other).await?, Noted::Conflict(first.clone()));
    assert_eq!(told().await?, Some(first.clone()));

    let second = Told { version: 2, lease: None, ..first };
    assert_eq!(book.write_told(&head.id, &second).await?, Noted::Yes);
    assert_eq!(told().await?, Some(second.clone()));
    let skipping = Told { version: 4, ..second.clone() };
    assert_eq!(book.write_told(&head.id, &skipping).await?, Noted::Conflict(second));
    Ok(())
}

/// Head, tasks and book come together; a run without a head has no picture, and other runs are not in it.
///
/// # Errors
/// When the store does not answer.
pub async fn a_picture_holds_head_tasks_and_book(book: &(impl NoticeBook + Runs + Timeline)) -> Answer<()> {
    let head = run(1);
    let told = Told { version: 1, ..Told::default() };
    let tasks = ["test/a", "build/a", "verify/a@development"].map(|id| task(&head.id, id));
    let (by, what) = ("someone".to_owned(), "asked for it".to_owned());
    let entry = Entry { key: "request".to_owned(), at: START, by, what };
    book.create_tasks(&tasks).await?;
    book.record(&head.id, &entry).await?;
    assert_eq!(book.write_told(&head.id, &told).await?, Noted::Yes);
    assert_eq!(book.picture(&head.id).await?, None, "there is no head");

    assert_eq!(book.create_run(&head).await?, Written::Yes);
    assert_eq!(book.create_run(&run(2)).await?, Written::Yes);
    assert_eq!(book.picture(&head.id).await?, Some(Picture { head, tasks: tasks.to_vec(), told }));
    let other = Picture { head: run(2), tasks: Vec::new(), told: Told::default() };
    assert_eq!(book.picture(&run_id(2)).await?, Some(other));
    Ok(())
}
