//! Who waits for a scan.

use domain::message::{Scanned, Wake};
use domain::ports::{Answer, Scans};
use domain::time::Timestamp;

use crate::builders::{a_digest, a_sha, name};

/// Every task that waits for an image is found by it, once, and nobody else.
///
/// # Errors
/// When the store does not answer.
///
/// # Panics
/// When somebody is missing or too much.
pub async fn who_waits_is_found_by_the_image(store: &impl Scans) -> Answer<()> {
    let image =
        |repository: &str, number| Scanned { repository: repository.to_owned(), digest: a_digest(number) };
    let waiting = |number, task: &str| Wake {
        run: name(&format!("vive-sphere.bot-manager.{}", a_sha(number))),
        task: name(task),
        timer: None,
    };
    let (one, other) = (image("vive-sphere/one", 1), image("vive-sphere/one", 2));
    let now = Timestamp(1_795_435_200_000);
    store.await_scan(&one, &waiting(2, "publish/one"), now).await?;
    store.await_scan(&one, &waiting(1, "publish/one"), now).await?;
    store.await_scan(&one, &waiting(1, "publish/one"), Timestamp(now.0 + 1)).await?;
    store.await_scan(&one, &waiting(1, "publish/one"), now).await?;
    store.await_scan(&other, &waiting(3, "publish/one"), now).await?;

    let found = store.awaiting_scan(&one).await?;
    assert_eq!(found, [waiting(1, "publish/one"), waiting(2, "publish/one")]);
    assert_eq!(store.awaiting_scan(&other).await?, [waiting(3, "publish/one")]);
    assert_eq!(store.awaiting_scan(&image("vive-sphere/two", 1)).await?, []);
    Ok(())
}
