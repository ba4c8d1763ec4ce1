//! The loop over the core's actions: the one way in which a stage function works.

use std::time::Duration;

use domain::message::{Message, Outgoing, Wake};
use domain::next::{Action, Facts, Learned, Onward, next};
use domain::ports::{Advice, Answer, Environments, Fault, Queue, Runs, Written};
use domain::run::{PhaseKind, Run, reads_from};
use domain::task::{State, Task};
use domain::time::Timestamp;

use crate::Disposition;

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
}

/// After so many lost races the message is given back; the winner is at work.
const MOST_CONFLICTS: u32 = 8;

/// A task passes through fewer actions than this in one invocation.
const MOST_ACTIONS: u32 = 64;

/// Asks the core what comes next and does it, until it says rest.
pub async fn drive<S, Q, W>(
    store: &S,
    queue: &Q,
    work: &W,
    wake: &Wake,
    clock: impl Fn() -> Timestamp,
) -> Disposition
where
    S: Runs + Environments,
    Q: Queue,
    W: StageWork,
{
    match (Driver { store, queue, work, wake, clock }).run().await {
        Ok(disposition) => disposition,
        Err(fault) => fault.into(),
    }
}

struct Driver<'a, S, Q, W, C> {
    store: &'a S,
    queue: &'a Q,
    work: &'a W,
    wake: &'a Wake,
    clock: C,
}

/// What one action led to.
enum Step {
    /// Ask again, knowing this.
    Learned(Learned),
    /// Somebody else wrote first: read again; what was learned may still hold.
    Conflict(Learned),
    /// The message's end.
    End(Disposition),
}

impl<S, Q, W, C> Driver<'_, S, Q, W, C>
where
    S: Runs + Environments,
    Q: Queue,
    W: StageWork,
    C: Fn() -> Timestamp,
{
    async fn run(&self) -> Answer<Disposition> {
        let Some((mut head, mut task)) = self.load().await? else {
            tracing::warn!(run = %self.wake.run, task = %self.wake.task, "no such run or task; the message is dropped");
            return Ok(Disposition::Acknowledge);
        };
        let previous = self.previous(&task).await?;
        let (mut learned, mut conflicts) = (Learned::Nothing, 0);
        for _ in 0..MOST_ACTIONS {
            let facts =
                Facts { now: (self.clock)(), timer: self.wake.timer, previous: previous.as_ref(), learned };
            let action = next(&head, &task, &facts);
            match self.perform(action, &mut head, &mut task, previous.as_ref()).await? {
                Step::Learned(more) => learned = more,
                Step::End(disposition) => return Ok(disposition),
                Step::Conflict(kept) => {
                    conflicts += 1;
                    if conflicts > MOST_CONFLICTS {
                        return Ok(Disposition::GiveBack {
                            reason: "others write the same run".into(),
                            delay: Duration::from_secs(1),
                        });
                    }
                    let version = task.version;
                    (head, task) = self.load().await?.ok_or_else(|| Fault::reject("the run is gone"))?;
                    learned = if task.version == version { kept } else { Learned::Nothing };
                }
            }
        }
        Ok(Disposition::GiveBack {
            reason: "the task did not come to rest".into(),
            delay: Duration::from_secs(5),
        })
    }

    async fn perform(
        &self,
        action: Action,
        head: &mut Run,
        task: &mut Task,
        previous: Option<&Task>,
    ) -> Answer<Step> {
        let now = (self.clock)();
        match action {
            Action::Write { task: written } => self.write(written, task).await,
            Action::Start { adopt } => {
                let case = Case { head, task, previous, now };
                Ok(Step::Learned(learned_from(self.work.start(&case, adopt).await)))
            }
            Action::Observe { handle } => {
                let case = Case { head, task, previous, now };
                Ok(Step::Learned(learned_from(self.work.observe(&case, &handle).await)))
            }
            Action::Conclude { task: concluded, head: counted } => {
                let kept = match &concluded.state {
                    State::PassingOn { verdict } => Learned::Concluded(verdict.clone()),
                    _ => Learned::Nothing,
                };
                let written = match &counted {
                    Some(counted) => self.store.write_both(&concluded, counted).await?,
                    None => self.store.write_task(&concluded).await?,
                };
                if written == Written::Conflict {
                    return Ok(Step::Conflict(kept));
                }
                if let Some(verdict) = concluded.verdict() {
                    tracing::info!(run = %task.run, task = %task.id, outcome = ?verdict.outcome, summary = verdict.summary, "verdict");
                }
                *task = concluded;
                *head = counted.unwrap_or_else(|| head.clone());
                Ok(Step::Learned(Learned::Nothing))
            }
            Action::PassOn(steps) => {
                for step in steps {
                    self.pass_on(&step, head, task, now).await?;
                }
                Ok(Step::Learned(Learned::PassedOn))
            }
            Action::Arm { task: armed, delay } => {
                if self.store.write_task(&armed).await? == Written::Conflict {
                    return Ok(Step::Conflict(Learned::Nothing));
                }
                let wake = Wake { timer: Some(armed.timer.number), ..self.wake.clone() };
                self.queue.send(&[Outgoing { message: Message::Task(wake), delay }]).await?;
                *task = armed;
                Ok(Step::Learned(Learned::Armed))
            }
            Action::GiveBack { task: counted, reason, delay } => {
                // A lost race means that somebody else is at work: the count is theirs then.
                let _raced = self.store.write_task(&counted).await?;
                Ok(Step::End(Disposition::GiveBack { reason, delay }))
            }
            Action::Rest(why) => {
                tracing::info!(run = %task.run, task = %task.id, why, "rest");
                Ok(Step::End(Disposition::Acknowledge))
            }
        }
    }

    async fn write(&self, written: Task, task: &mut Task) -> Answer<Step> {
        if self.store.write_task(&written).await? == Written::Conflict {
            return Ok(Step::Conflict(Learned::Nothing));
        }
        let begun = matches!(written.state, State::Running { .. });
        *task = written;
        if begun {
            // Only the picture of a task at work hangs on this wake; its end is told under an intent.
            if let Err(fault) = self.tell(task).await {
                tracing::warn!(run = %task.run, task = %task.id, fault = fault.chain(), "notify was not woken");
            }
        }
        Ok(Step::Learned(Learned::Nothing))
    }

    async fn pass_on(&self, step: &Onward, head: &mut Run, task: &Task, now: Timestamp) -> Answer<()> {
        match step {
            Onward::Wake(id) => self.queue.send(&[Outgoing::now(Message::wake(&task.run, id))]).await,
            Onward::OpenPhase(kind) => open_phase(self.store, self.queue, head, *kind).await,
            Onward::FreeLock => match &head.delivery {
                Some(delivery) => {
                    self.store.unlock(&head.id.repository, &delivery.environment, &head.id).await
                }
                None => Ok(()),
            },
            Onward::Opened => opened(self.store, head, Some(task), now).await,
            Onward::Tell => self.tell(task).await,
        }
    }

    async fn tell(&self, task: &Task) -> Answer<()> {
        self.queue.send(&[Outgoing::now(Message::Notify { run: task.run.clone() })]).await
    }

    async fn load(&self) -> Answer<Option<(Run, Task)>> {
        // The task first: a head read after it counts at least what the task has counted.
        let Some(task) = self.store.task(&self.wake.run, &self.wake.task).await? else { return Ok(None) };
        Ok(self.store.run(&self.wake.run).await?.map(|head| (head, task)))
    }

    async fn previous(&self, task: &Task) -> Answer<Option<Task>> {
        match reads_from(task.id.stage) {
            Some(stage) => {
                let environment = task.id.environment.clone().filter(|_| stage.has_environment());
                let id = domain::ids::TaskId { stage, subject: task.id.subject.clone(), environment };
                self.store.task(&task.run, &id).await
            }
            None => Ok(None),
        }
    }
}

fn learned_from(answer: Answer<Learned>) -> Learned {
    answer.unwrap_or_else(|fault| Learned::Failed {
        reason: fault.chain(),
        retry_after: match fault.advice {
            Advice::Retry(after) => after,
            Advice::Reject => None,
        },
    })
}

/// Wakes the first task of each chain of a phase.
///
/// # Errors
/// When the store or the queue does not answer.
pub async fn open_phase(store: &impl Runs, queue: &impl Queue, head: &Run, kind: PhaseKind) -> Answer<()> {
    let tasks = store.tasks(&head.id, Some(kind.first_stage())).await?;
    let wakes: Vec<_> = tasks.iter().map(|task| Outgoing::now(Message::wake(&head.id, &task.id))).collect();
    queue.send(&wakes).await
}

/// Writes the head as opened, as long as its opening is still the one of `by` (none: plan's).
///
/// # Errors
/// When the store does not answer.
pub async fn opened(store: &impl Runs, head: &mut Run, by: Option<&Task>, now: Timestamp) -> Answer<()> {
    let mine = |head: &Run| {
        head.opening.as_ref().is_some_and(|opening| opening.by.as_ref() == by.map(|task| &task.id))
    };
    while mine(head) {
        let next = head.opened(now);
        if store.write_run(&next).await? == Written::Yes {
            *head = next;
            return Ok(());
        }
        *head = store.run(&head.id).await?.ok_or_else(|| Fault::reject("the run is gone"))?;
    }
    Ok(())
}
