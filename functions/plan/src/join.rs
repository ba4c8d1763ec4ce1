//! A commit that has a run already: what one more event of it brings.

use domain::files::operator;
use domain::ids::{Line, RequestId, Sha, Stage, Trust};
use domain::message::{Message, Outgoing, PlanRequest};
use domain::ports::{Answer, Artifacts, Fault, Queue, Written};
use domain::rerun::Rerun;
use domain::run::{Problem, Run, RunOutcome, RunState};
use domain::task::{Outcome, Task};
use domain::tasks::{phases_of, tasks_of};
use domain::time::Timestamp;

use lambda::Reopened;

use crate::choice::key_builds;
use crate::front::{Place, stop};
use crate::source::Reach;
use crate::{Hub, Memory, Planner, delivery};

/// How often a head may be written by others meanwhile.
const MOST_RACES: u32 = 8;

impl<S: Memory, Q: Queue, A: Artifacts, G: Hub> Planner<S, Q, A, G> {
    /// The same commit reached another branch, whose delivery is new, or another stranger's pull request, which may need
    /// other tests.
    pub(crate) async fn join(
        &self,
        head: Run,
        request: &PlanRequest,
        operator: &operator::OperatorFile,
        now: Timestamp,
    ) -> Answer<Run> {
        match head.id.trust {
            Trust::Trusted => self.deliver_too(head, request, operator, now).await,
            Trust::Untrusted => self.test_more(head, request, now).await,
        }
    }

    async fn deliver_too(
        &self,
        head: Run,
        request: &PlanRequest,
        operator: &operator::OperatorFile,
        now: Timestamp,
    ) -> Answer<Run> {
        let Some((target, _)) = delivery::target(operator, request) else { return Ok(head) };
        // No number is drawn for what cannot be delivered: it would hold older commits back for nothing.
        let is_red = head.phases.iter().any(|phase| phase.failed > 0) || head.stop.is_some();
        if head.delivery.is_some() || is_red || head.phases.is_empty() {
            return Ok(head);
        }
        let commit = self.commit(&head).await?;
        let plan = match self.plan_of(&head, &commit, Some(target)).await? {
            Ok(plan) => plan,
            // The commit was planned without an environment: only what differs between these can be wrong.
            Err(problems) => {
                return self.told(head, &format!("Not delivered to `{target}`"), &problems).await;
            }
        };
        let (Some(delivery), _) =
            delivery::decide(&self.store, &self.source, operator, &head.id, request).await?
        else {
            return Ok(head);
        };
        let tasks = tasks_of(&head.id, &plan, Some(&delivery.environment));
        let Some(joined) = head.delivered_too(&phases_of(&tasks), &delivery, now) else { return Ok(head) };
        let mut later: Vec<Task> = tasks.into_iter().filter(|task| task.id.stage != Stage::Test).collect();
        key_builds(&commit, &commit.contents()?, head.created, &mut later)?;
        self.store.create_tasks(&later).await?;
        self.written(joined).await
    }

    /// The run stays as it is, and says once what stands in the way of a delivery.
    pub(crate) async fn told(&self, head: Run, what: &str, problems: &[Problem]) -> Answer<Run> {
        let why = problems.first().map_or("", |problem| problem.message.as_str());
        match head.noting(&format!("{what}: {why}.")) {
            Some(noting) => self.written(noting).await,
            None => Ok(head),
        }
    }

    async fn test_more(&self, head: Run, request: &PlanRequest, now: Timestamp) -> Answer<Run> {
        let is_known = request.pull_request.is_none_or(|number| head.pulls.contains(&number));
        if is_known || head.admitted.is_none() || head.stop.is_some() {
            return Ok(head);
        }
        let commit = self.commit(&head).await?;
        let Ok(plan) = self.plan_of(&head, &commit, None).await? else { return Ok(head) };
        let reach = self.reach(&head, request.pull_request.zip(request.base.as_ref())).await?;
        let mut tasks = tasks_of(&head.id, &plan, None);
        self.choose(&head, &plan, &commit, &reach, &mut tasks).await?;
        self.grow(head, &tasks, now).await
    }

    /// Adds those of the tests that the run does not have.
    pub(crate) async fn grow(&self, head: Run, tests: &[Task], now: Timestamp) -> Answer<Run> {
        self.store.create_tasks(tests).await?;
        let all = self.store.tasks(&head.id, Some(Stage::Test)).await?.len();
        let counted: u32 = head
            .phases
            .iter()
            .filter(|phase| phase.kind.first_stage() == Stage::Test)
            .map(|phase| phase.total)
            .sum();
        let more = u32::try_from(all).unwrap_or(u32::MAX).saturating_sub(counted);
        if more == 0 {
            return Ok(head);
        }
        let grown = head.grown(more, now).ok_or_else(|| {
            Fault::retry(
                "tests cannot be added just now",
                "the run's tests are between their end and what follows",
            )
        })?;
        self.written(grown).await
    }

    /// The line's newest commit is this one, unless a newer one is known; the head notes who waits for it. Where it
    /// `cancels`, the older of the two runs loses the line's claim.
    pub(crate) async fn claim(
        &self,
        mut head: Run,
        request: &PlanRequest,
        cancels: bool,
        base: Option<&Sha>,
        now: Timestamp,
    ) -> Answer<Run> {
        let Ok(line) = request.line() else { return Ok(head) };
        if let (Trust::Trusted, Some(number)) = (head.id.trust, request.pull_request) {
            // Only its comment hangs on it: the run lives with its branch.
            self.advance(&Line::Pull(number), request, &head, false, now).await?;
        }
        if self.advance(&line, request, &head, cancels, now).await? == Place::Overtaken {
            if cancels {
                let why = "a newer commit was there before it".to_owned();
                self.release(&head.id, &line, &stop(why, now), now).await?;
            }
            return self.read_again(&head).await;
        }
        if !head.claims.contains(&line) {
            head = self.wanted_again(head, request, now).await?;
        }
        for _ in 0..MOST_RACES {
            let Some(joined) = head.joined(Some(&line), request.pull_request, base) else {
                return Ok(head);
            };
            if self.store.write_run(&joined).await? == Written::Yes {
                return Ok(joined);
            }
            head = self.read_again(&head).await?;
        }
        Err(Fault::retry("others write the run while an event joins it", "version conflict"))
    }

    pub(crate) async fn read_again(&self, head: &Run) -> Answer<Run> {
        self.store.run(&head.id).await?.ok_or_else(|| Fault::reject("the run is gone"))
    }

    /// What the request's pull request changes, and the commit that its results are compared with, where the request
    /// brings the pull request to the run, or began the run with it and nothing has come of that yet.
    pub(crate) async fn brought(&self, head: &Run, request: &PlanRequest) -> Answer<Reach> {
        let began = head.id.trust == Trust::Trusted
            && head.origin.pull_request == request.pull_request
            && head.preview.is_none();
        match request.pull_request.filter(|number| began || !head.pulls.contains(number)) {
            Some(number) => self.reach(head, request.base.as_ref().map(|base| (number, base))).await,
            None => Ok(Reach::default()),
        }
    }

    /// A branch went back to a commit whose run was cancelled: what was cancelled runs again.
    async fn wanted_again(&self, head: Run, request: &PlanRequest, now: Timestamp) -> Answer<Run> {
        if !matches!(head.state, RunState::Finished(RunOutcome::Cancelled(_))) {
            return Ok(head);
        }
        let tasks = self.store.tasks(&head.id, None).await?;
        if tasks.is_empty() {
            let Some(wanted) = head.wanted_after_all(now) else { return Ok(head) };
            let wanted = self.written(wanted).await?;
            self.queue.send(&[Outgoing::now(Message::Plan(wanted.request()))]).await?;
            return Ok(wanted);
        }
        let id: RequestId = request
            .delivery
            .as_str()
            .parse()
            .map_err(|error| Fault::reject(format!("a delivery's id cannot name a request: {error}")))?;
        let cancelled = tasks.iter().filter(|task| task.outcome() == Some(Outcome::Cancelled));
        for task in cancelled {
            let rerun = Rerun {
                run: head.id.clone(),
                task: task.id.clone(),
                request: None,
                cascade: false,
                dry_run: false,
            };
            if lambda::reopen(&self.store, &rerun, &id, "plan", now).await? == Reopened::Again {
                return Err(Fault::retry(
                    "the run moves while its tests are opened anew",
                    "version conflict",
                ));
            }
            self.queue.send(&[Outgoing::now(Message::wake(&head.id, &task.id))]).await?;
        }
        self.read_again(&head).await
    }
}
