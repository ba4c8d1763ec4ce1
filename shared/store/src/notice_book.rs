//! What notify has said, and what there is to say.

use domain::ids::RunId;
use domain::ports::{Answer, Noted, NoticeBook, Picture, Told};
use domain::run::Run;
use domain::task::Task;
use domain::time::Timestamp;

use crate::Store;
use crate::item::{HEAD, Item, Key, PutOutcome, RUNS_KEPT, body, text_of};

/// The book's sort key. It sorts before head and tasks, so that a query reads the book first; the timeline's entries
/// come after the tasks.
const BOOK: &str = "book";

/// Sorts after every task and before the timeline: `$` follows `#`.
const AFTER_TASKS: &str = "task$";

impl NoticeBook for Store {
    async fn picture(&self, run: &RunId) -> Answer<Option<Picture>> {
        let what = || format!("run `{run}` and what was told of it cannot be read");
        let (mut head, mut told, mut tasks) = (None::<Run>, Told::default(), Vec::<Task>::new());
        for item in self.between(run, BOOK, AFTER_TASKS, what).await? {
            match text_of(&item, "sk")? {
                BOOK => told = body(&item)?,
                HEAD => head = Some(body(&item)?),
                _ => tasks.push(body(&item)?),
            }
        }
        // DynamoDB sorts by the keys' text, which puts `build` before `test`.
        tasks.sort_by(|one, other| one.id.cmp(&other.id));
        Ok(head.map(|head| Picture { head, tasks, told }))
    }

    async fn write_told(&self, run: &RunId, told: &Told) -> Answer<Noted> {
        let item = Item::new(&Key::in_run(run, BOOK), told)?
            .next("version", told.version)
            .kept(Timestamp::now(), RUNS_KEPT);
        Ok(match self.put(item, || format!("what was told of `{run}` cannot be written")).await? {
            PutOutcome::Written => Noted::Yes,
            PutOutcome::Conflict(known) => {
                Noted::Conflict(known.as_ref().map(body).transpose()?.unwrap_or_default())
            }
        })
    }
}
