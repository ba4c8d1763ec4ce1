//! What differs between the stages: their effects.

use std::future::Future;

use domain::message::{Scanned, Verified, Wake};
use domain::next::Learned;
use domain::ports::{Answer, Fault};
use domain::run::{Preview, Run};
use domain::task::Task;
use domain::time::Timestamp;

/// What a stage's effect may look at.
#[derive(Debug)]
pub struct Case<'a> {
    /// The run.
    pub head: &'a Run,
    /// The task.
    pub task: &'a Task,
    /// The task whose output this one works on.
    pub previous: Option<&'a Task>,
    /// The time.
    pub now: Timestamp,
}

/// A stage's own work: all that differs between test, build, publish, deploy and verify.
pub trait StageWork: Sync {
    /// Performs the effect. With `adopt`, an earlier attempt may have performed it already.
    fn start(&self, case: &Case<'_>, adopt: bool) -> impl Future<Output = Answer<Learned>> + Send;
    /// Looks how the effect fares.
    fn observe(&self, case: &Case<'_>, handle: &str) -> impl Future<Output = Answer<Learned>> + Send;
    /// What is known of the effect beforehand, as a part of a sentence; changes nothing.
    fn rehearse(&self, _case: &Case<'_>) -> impl Future<Output = Answer<Option<String>>> + Send {
        async { Ok(None) }
    }
    /// What merging the run's pull request would change, a sentence each; only deploy knows.
    fn preview(&self, _head: &Run, _preview: &Preview) -> impl Future<Output = Answer<Vec<String>>> + Send {
        async { Err(Fault::reject("this stage previews nothing")) }
    }
    /// Acts on a verified release; only publish does.
    fn verified(&self, _verified: &Verified) -> impl Future<Output = Answer<()>> + Send {
        async { Err(Fault::reject("this stage has nothing to do for a verified release")) }
    }
    /// The tasks that wait for the scan of an image; only publish knows them.
    fn awaiting(&self, _scanned: &Scanned) -> impl Future<Output = Answer<Vec<Wake>>> + Send {
        async { Err(Fault::reject("nothing of this stage waits for a scan")) }
    }
    /// Stops what was begun, also where no handle of it is recorded. A stage whose effect ends by itself within an
    /// invocation has nothing to stop.
    fn stop(&self, _case: &Case<'_>, _handle: Option<&str>) -> impl Future<Output = Answer<()>> + Send {
        async { Ok(()) }
    }
}
