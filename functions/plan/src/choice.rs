//! Which tests run, which are taken from an earlier run, and why.

use domain::ports::{Answer, Artifacts, Queue};
use domain::run::Run;
use domain::spec::Plan;
use domain::task::Task;
use lambda::Commit;

use crate::source::Reach;
use crate::{Hub, Memory, Planner};

impl<S: Memory, Q: Queue, A: Artifacts, G: Hub> Planner<S, Q, A, G> {
    /// Leaves the tests that are needed; answers sentences for people.
    pub(crate) async fn choose(
        &self,
        _head: &Run,
        _plan: &Plan,
        _commit: &Commit,
        _reach: &Reach,
        _tasks: &mut Vec<Task>,
    ) -> Answer<Vec<String>> {
        Ok(Vec::new())
    }
}
