//! Lines and green results.

use domain::ids::{Line, Subject};
use domain::ports::{Answer, Front, Green, Greens, Lines, Written};
use domain::report::TestReport;
use domain::time::Timestamp;

use super::samples::{START, name, repository, run_id, sha};

/// The front of a line is written version by version; lines of one name and another kind are others.
///
/// # Errors
/// When the store does not answer.
pub async fn fronts_are_written_version_by_version(store: &impl Lines) -> Answer<()> {
    let repository = repository();
    let (branch, tag): (Line, Line) = (name("branch:develop"), name("tag:develop"));
    let front = |version, number| Front { version, run: run_id(number), before: Some(sha(number)) };
    assert_eq!(store.front(&repository, &branch).await?, None);
    assert_eq!(store.write_front(&repository, &branch, &front(2, 1)).await?, Written::Conflict);
    assert_eq!(store.write_front(&repository, &branch, &front(1, 1)).await?, Written::Yes);
    assert_eq!(store.write_front(&repository, &branch, &front(1, 2)).await?, Written::Conflict);
    assert_eq!(store.write_front(&repository, &branch, &front(2, 2)).await?, Written::Yes);
    assert_eq!(store.front(&repository, &branch).await?, Some(front(2, 2)));
    assert_eq!(store.front(&repository, &tag).await?, None);
    Ok(())
}

/// A green result is found by repository, subject and key, and only a newer one replaces it.
///
/// # Errors
/// When the store does not answer.
pub async fn greens_are_found_by_their_key(store: &impl Greens) -> Answer<()> {
    let (repository, other) = (repository(), name("vive-sphere/other"));
    let green = |number, at| Green {
        run: run_id(number),
        summary: "12 tests passed".to_owned(),
        report: TestReport { passed: true, ..TestReport::default() },
        at: Timestamp(START.0 + at),
    };
    let key = |subject: &str, key: &str| (name::<Subject>(subject), key.to_owned());
    store.record_green(&repository, &name("authentication"), "one", &green(1, 10)).await?;
    store.record_green(&repository, &name("+checks"), "one", &green(2, 10)).await?;
    let asked = [key("authentication", "one"), key("authentication", "two"), key("+checks", "one")];
    assert_eq!(
        store.greens(&repository, &asked).await?,
        [Some(green(1, 10)), None, Some(green(2, 10))],
        "in the order asked for"
    );
    assert_eq!(store.greens(&other, &asked).await?, [None, None, None], "of another repository");
    assert_eq!(store.greens(&repository, &[]).await?, []);

    store.record_green(&repository, &name("authentication"), "one", &green(3, 9)).await?;
    assert_eq!(
        store.greens(&repository, &asked[..1]).await?,
        [Some(green(1, 10))],
        "the older one comes late"
    );
    store.record_green(&repository, &name("authentication"), "one", &green(3, 11)).await?;
    assert_eq!(store.greens(&repository, &asked[..1]).await?, [Some(green(3, 11))]);

    let many: Vec<_> = (0..150).map(|number| key("authentication", &format!("many-{number}"))).collect();
    store.record_green(&repository, &name("authentication"), "many-149", &green(4, 1)).await?;
    let found = store.greens(&repository, &many).await?;
    assert_eq!((found.len(), found.last()), (150, Some(&Some(green(4, 1)))), "more than one request takes");
    Ok(())
}
