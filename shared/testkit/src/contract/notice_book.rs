//! What notify has said: empty at first, then written version by version.

use domain::ports::{Answer, NoticeBook, Said, Told, Written};

use super::samples::{START, run_id};

/// A new run's book is empty; two writers of the same version do not both succeed.
///
/// # Errors
/// When the store does not answer.
pub async fn a_book_is_written_version_by_version(book: &impl NoticeBook) -> Answer<()> {
    let run = run_id(1);
    assert_eq!(book.told(&run).await?, Told::default());

    let said = Said { place: "1700000000.0001".to_owned(), content: "ab".repeat(32) };
    let first = Told {
        failures: 0,
        again: false,
        version: 1,
        said: [("slack".to_owned(), said)].into(),
        lease: Some(("one".to_owned(), START)),
    };
    assert_eq!(book.write_told(&run, &first).await?, Written::Yes);
    assert_eq!(book.write_told(&run, &first).await?, Written::Conflict);
    assert_eq!(book.told(&run).await?, first);

    let second = Told { version: 2, lease: None, ..first };
    assert_eq!(book.write_told(&run, &second).await?, Written::Yes);
    assert_eq!(book.told(&run).await?, second);
    assert_eq!(book.told(&run_id(2)).await?, Told::default());
    Ok(())
}
