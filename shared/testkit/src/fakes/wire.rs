//! What lies between a handler and the world: every call of every fake passes here, is counted, may be interleaved
//! with others, and goes wrong where a test says so.

use std::collections::{BTreeMap, BTreeSet};
use std::future::{pending, poll_fn};
use std::task::Poll;
use std::time::Duration;

use domain::ports::{Advice, Answer, Fault};

use super::shared::Shared;

/// What goes wrong with one call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trouble {
    /// It fails and nothing has happened.
    FailBefore,
    /// It fails although its effect has happened.
    FailAfter,
    /// Its caller dies before the effect.
    CrashBefore,
    /// Its caller dies after the effect.
    CrashAfter,
}

/// What the other side refuses on its own, so that what is done twice is there once. A suite takes one of them away
/// to prove that it would see what the handlers cannot prevent alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Guard {
    /// A write that does not follow the version it was made from.
    Versions,
    /// A second build under the same token.
    Tokens,
    /// A lock that another run holds, or a higher number has taken.
    Locks,
    /// A second check run of the same name.
    CheckNames,
    /// A second comment with the same mark.
    CommentMarks,
}

/// The way of every call. Clones share it.
#[derive(Debug, Clone, Default)]
pub struct Wire(Shared<Traffic>);

#[derive(Debug, Default)]
struct Traffic {
    calls: Vec<&'static str>,
    by_number: BTreeMap<usize, Trouble>,
    by_name: Vec<(&'static str, Trouble)>,
    down: BTreeSet<&'static str>,
    refused: BTreeMap<&'static str, Advice>,
    missing: BTreeSet<Guard>,
    met: Vec<(&'static str, Trouble)>,
    interleaved: bool,
    crashed: bool,
}

impl Wire {
    /// Gives the call with this number, counted from 0 over all fakes, its trouble.
    pub fn trouble_at(&self, number: usize, trouble: Trouble) {
        self.0.with(|traffic| traffic.by_number.insert(number, trouble));
    }

    /// Gives the next call of this name its trouble; once for each time it is said.
    pub fn trouble_next(&self, name: &'static str, trouble: Trouble) {
        self.0.with(|traffic| traffic.by_name.push((name, trouble)));
    }

    /// From now on every call of this name fails before its effect, until it is up again.
    pub fn down(&self, name: &'static str) {
        self.0.with(|traffic| traffic.down.insert(name));
    }

    /// The calls of this name succeed again.
    pub fn up(&self, name: &'static str) {
        self.0.with(|traffic| (traffic.down.remove(name), traffic.refused.remove(name)));
    }

    /// From now on every call of this name is refused before its effect: the same again would be, too.
    pub fn refuse(&self, name: &'static str) {
        self.0.with(|traffic| traffic.refused.insert(name, Advice::Reject));
    }

    /// From now on every call of this name is refused before its effect, with a wait, until it is up again.
    pub fn limit(&self, name: &'static str, wait: Duration) {
        self.0.with(|traffic| traffic.refused.insert(name, Advice::Retry(Some(wait))));
    }

    /// Takes a guard away.
    pub fn remove(&self, guard: Guard) {
        self.0.with(|traffic| traffic.missing.insert(guard));
    }

    /// Whether the guard is there.
    pub(super) fn has(&self, guard: Guard) -> bool {
        self.0.with(|traffic| !traffic.missing.contains(&guard))
    }

    /// From now on every call lets others go first, once.
    pub fn interleave(&self) {
        self.0.with(|traffic| traffic.interleaved = true);
    }

    /// The names of all calls so far, such as `store.write_task`.
    pub fn calls(&self) -> Vec<&'static str> {
        self.0.with(|traffic| traffic.calls.clone())
    }

    /// How many calls of that name there were.
    pub fn count(&self, name: &str) -> usize {
        self.0.with(|traffic| traffic.calls.iter().filter(|call| **call == name).count())
    }

    /// The troubles met so far, with the call that met them.
    pub fn met(&self) -> Vec<(&'static str, Trouble)> {
        self.0.with(|traffic| traffic.met.clone())
    }

    /// Whether the caller that was polled last has died; asking forgets it. Whoever polls drops it then.
    pub fn take_crash(&self) -> bool {
        self.0.with(|traffic| std::mem::take(&mut traffic.crashed))
    }

    /// One call: its effect happens at once and as a whole, or not at all.
    pub(super) async fn call<T>(&self, name: &'static str, effect: impl FnOnce() -> Answer<T>) -> Answer<T> {
        if self.0.with(|traffic| traffic.interleaved) {
            let_others_go_first().await;
        }
        let trouble = self.0.with(|traffic| traffic.next(name));
        let refused = self.0.with(|traffic| traffic.refused.get(name).copied());
        match trouble {
            None => match refused {
                Some(advice) => Err(Fault { advice, ..Fault::reject(format!("`{name}` is refused")) }),
                None => effect(),
            },
            Some(Trouble::FailBefore) => Err(Fault::retry(format!("`{name}` failed"), "the test says so")),
            Some(Trouble::FailAfter) => {
                // The caller does not learn how it went.
                drop(effect());
                Err(Fault::retry(format!("`{name}` did not answer"), "the test says so"))
            }
            Some(Trouble::CrashBefore) => self.crash().await,
            Some(Trouble::CrashAfter) => {
                drop(effect());
                self.crash().await
            }
        }
    }

    async fn crash<T>(&self) -> Answer<T> {
        self.0.with(|traffic| traffic.crashed = true);
        pending().await
    }
}

impl Traffic {
    /// Counts the call and says what goes wrong with it.
    fn next(&mut self, name: &'static str) -> Option<Trouble> {
        let number = self.calls.len();
        self.calls.push(name);
        let named = self.by_name.iter().position(|(wanted, _)| *wanted == name);
        let trouble = match named {
            Some(index) => Some(self.by_name.remove(index).1),
            None => self.by_number.remove(&number),
        };
        self.met.extend(trouble.map(|trouble| (name, trouble)));
        if !self.down.contains(name) && (trouble.is_none() || !self.refused.contains_key(name)) {
            return trouble;
        }
        // What is down or refused has no effects; its caller may die of something else.
        match trouble {
            None | Some(Trouble::FailBefore | Trouble::FailAfter) => Some(Trouble::FailBefore),
            Some(Trouble::CrashBefore | Trouble::CrashAfter) => Some(Trouble::CrashBefore),
        }
    }
}

async fn let_others_go_first() {
    let mut waited = false;
    poll_fn(|context| {
        if waited {
            return Poll::Ready(());
        }
        waited = true;
        context.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}
