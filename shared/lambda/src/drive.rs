//! The loop over the core's actions: the one way in which a stage function works.

use std::slice;
use std::time::Duration;

use domain::chain::{previous, reads_from};
use domain::message::{Ask, Message, Outgoing, Revive, Wake};
use domain::next::{Action, Facts, Learned, Onward, TIMER_GRACE, next};
use domain::ports::{
    Advice, Answer, Environments, Fault, Green, Greens, Queue, Redelivery, Runs, Timeline, Written,
};
use domain::report::TestReport;
use domain::run::Run;
use domain::task::{Output, State, Task, Verdict};
use domain::time::Timestamp;
use domain::timeline::Entry;
use futures::future::join_all;
use futures::lock::Mutex;

use crate::images::{published, wakes_of};
use crate::opening::{open_phase, opened, settled, wake_rollout, wake_waiting};
use crate::preview::preview;
use crate::rerun::{self, Opened};
use crate::{Case, Disposition, StageMessage, StageWork};

/// What is no verdict is told so much later, so that what happens to a run at about the same time is told at once.
const TOGETHER: Duration = Duration::from_secs(1);

/// After so many lost races the message is given back; the winner is at work.
const MOST_CONFLICTS: u32 = 8;

/// A task passes through fewer actions than this in one invocation.
const MOST_ACTIONS: u32 = 64;

/// A stage function's ports and work: what it takes to attend to its messages.
#[derive(Debug)]
pub struct StageFunction<'a, S, Q, R, W> {
    /// Runs, tasks, locks, timelines.
    pub store: &'a S,
    /// The queues of whoever is woken.
    pub queue: &'a Q,
    /// The function's own queue and its dead letters.
    pub redelivery: &'a R,
    /// What the stage does.
    pub work: &'a W,
    /// Whoever lost a race writes alone then: the tasks of a batch end together, and all of them write the head.
    turn: Mutex<()>,
}

impl<'a, S, Q, R, W> StageFunction<'a, S, Q, R, W> {
    /// One for each process.
    pub fn new(store: &'a S, queue: &'a Q, redelivery: &'a R, work: &'a W) -> Self {
        Self { store, queue, redelivery, work, turn: Mutex::new(()) }
    }
}

impl<S, Q, R, W> StageFunction<'_, S, Q, R, W>
where
    S: Runs + Environments + Timeline + Greens,
    Q: Queue,
    R: Redelivery,
    W: StageWork,
{
    /// Does what a message asks for: opens its task anew where a person wants that, then asks the core what comes
    /// next and does it, until it says rest.
    pub async fn attend(&self, message: &StageMessage, clock: impl Fn() -> Timestamp) -> Disposition {
        let revive = match &message.ask {
            Ask::Wake(_) | Ask::Built(_) | Ask::Scanned(_) => None,
            Ask::Verified(verified) => return published(self.work.verified(verified).await),
            Ask::Revive(revive) => Some(revive.version),
            Ask::Preview(run) => {
                let told = preview(self.store, self.queue, self.work, run).await;
                return told.unwrap_or_else(Into::into);
            }
            Ask::Rerun(asked) if asked.dry_run => {
                let rehearsed = rerun::rehearse(self.store, self.work, asked, message, clock()).await;
                return rehearsed.unwrap_or_else(Into::into);
            }
            Ask::Rerun(asked) => match rerun::open(self.store, asked, message, clock()).await {
                Ok(Opened::Yes) => None,
                Ok(Opened::No(disposition)) => return disposition,
                Err(fault) => return fault.into(),
            },
        };
        let wakes = match wakes_of(self.work, &message.ask).await {
            Ok(wakes) => wakes,
            Err(fault) => return fault.into(),
        };
        let clock = &clock;
        let driven = wakes.iter().map(|wake| async move {
            match (Driver { function: self, wake, revive, clock }).run().await {
                Ok(disposition) => disposition,
                Err(fault) => fault.into(),
            }
        });
        // One that has to come again brings all of them again: those that are done rest.
        let mut dispositions = join_all(driven).await.into_iter();
        dispositions.find(|one| *one != Disposition::Acknowledge).unwrap_or(Disposition::Acknowledge)
    }
}

struct Driver<'a, S, Q, R, W, C> {
    function: &'a StageFunction<'a, S, Q, R, W>,
    wake: &'a Wake,
    revive: Option<u64>,
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

impl<S, Q, R, W, C> Driver<'_, S, Q, R, W, C>
where
    S: Runs + Environments + Timeline + Greens,
    Q: Queue,
    R: Redelivery,
    W: StageWork,
    C: Fn() -> Timestamp,
{
    async fn run(&self) -> Answer<Disposition> {
        let Some((mut head, mut task, mut previous)) = self.load().await? else {
            tracing::warn!(run = %self.wake.run, task = %self.wake.task, "no such run or task; the message is dropped");
            return Ok(Disposition::Acknowledge);
        };
        let (mut learned, mut conflicts, mut turn) = (Learned::Nothing, 0, None);
        for _ in 0..MOST_ACTIONS {
            let facts = Facts {
                now: (self.clock)(),
                timer: self.wake.timer,
                revive: self.revive,
                previous: previous.as_ref(),
                learned,
            };
            let action = next(&head, &task, &facts);
            match self.perform(action, &mut head, &mut task, previous.as_ref()).await? {
                Step::Learned(more) => {
                    learned = more;
                    turn = None;
                }
                Step::End(disposition) => return Ok(disposition),
                Step::Conflict(kept) => {
                    conflicts += 1;
                    if conflicts > MOST_CONFLICTS {
                        return Ok(Disposition::GiveBack {
                            reason: "others write the same run".into(),
                            delay: Duration::from_secs(1),
                        });
                    }
                    if turn.is_none() {
                        turn = Some(self.function.turn.lock().await);
                    }
                    let version = task.version;
                    // A re-run may have opened all of them anew: what the earlier attempt read holds no longer.
                    (head, task, previous) =
                        self.load().await?.ok_or_else(|| Fault::reject("the run is gone"))?;
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
                Ok(Step::Learned(learned_from(self.function.work.start(&case, adopt).await)))
            }
            Action::Observe { handle } => {
                let case = Case { head, task, previous, now };
                Ok(Step::Learned(learned_from(self.function.work.observe(&case, &handle).await)))
            }
            Action::Stop { handle } => {
                let case = Case { head, task, previous, now };
                let stopped = self.function.work.stop(&case, handle.as_deref()).await;
                Ok(Step::Learned(learned_from(stopped.map(|()| Learned::Stopped))))
            }
            Action::Conclude { task: concluded, head: counted } => {
                let kept = match &concluded.state {
                    State::PassingOn { verdict } => Learned::Concluded(verdict.clone()),
                    _ => Learned::Nothing,
                };
                let written = match &counted {
                    Some(counted) => self.function.store.write_both(&concluded, counted).await?,
                    None => self.function.store.write_task(&concluded).await?,
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
            Action::Revive { task: revived, head: due } => {
                if self.function.store.write_both(&revived, &due).await? == Written::Conflict {
                    return Ok(Step::Conflict(Learned::Nothing));
                }
                tracing::info!(run = %task.run, task = %task.id, "a person revived the task");
                (*task, *head) = (revived, due);
                Ok(Step::Learned(Learned::Nothing))
            }
            Action::PassOn(steps) => {
                for step in steps {
                    self.pass_on(&step, head, task, now).await?;
                }
                Ok(Step::Learned(Learned::PassedOn))
            }
            Action::Arm { task: armed, delay } => Ok(self.arm(armed, delay, task).await),
            Action::GiveBack { task: counted, reason, delay } => {
                // A lost race means that somebody else is at work: the count is theirs then.
                let _raced = self.function.store.write_task(&counted).await?;
                Ok(Step::End(Disposition::GiveBack { reason, delay }))
            }
            Action::Rest(why) => {
                tracing::info!(run = %task.run, task = %task.id, why, "rest");
                Ok(Step::End(Disposition::Acknowledge))
            }
        }
    }

    /// Writes the timer, then sends its message. Where one of them fails, this message stands in: it comes again when
    /// the timer is overdue, so that the task need not wait for sweep.
    async fn arm(&self, armed: Task, delay: Duration, task: &mut Task) -> Step {
        let wake = Wake { timer: Some(armed.timer.number), ..self.wake.clone() };
        let timer = [Outgoing { message: Message::Task(wake), delay }];
        let done: Answer<bool> = async {
            if self.function.store.write_task(&armed).await? == Written::Conflict {
                return Ok(false);
            }
            self.function.queue.send(&timer).await?;
            if armed.waits.is_some() && armed.waits != task.waits {
                self.tell(&armed, TOGETHER).await?;
            }
            Ok(true)
        }
        .await;
        match done {
            Ok(true) => {
                *task = armed;
                Step::Learned(Learned::Armed)
            }
            Ok(false) => Step::Conflict(Learned::Nothing),
            Err(fault) => Step::End(Disposition::GiveBack {
                reason: fault.chain(),
                delay: delay + TIMER_GRACE + Duration::from_secs(1),
            }),
        }
    }

    async fn write(&self, written: Task, task: &mut Task) -> Answer<Step> {
        if self.function.store.write_task(&written).await? == Written::Conflict {
            return Ok(Step::Conflict(Learned::Nothing));
        }
        let begun = matches!(written.state, State::Running { .. });
        *task = written;
        if begun {
            // Only the picture of a task at work hangs on this wake; its end is told under an intent.
            if let Err(fault) = self.tell(task, TOGETHER).await {
                tracing::warn!(run = %task.run, task = %task.id, fault = fault.chain(), "notify was not woken");
            }
        }
        Ok(Step::Learned(Learned::Nothing))
    }

    async fn pass_on(&self, step: &Onward, head: &mut Run, task: &Task, now: Timestamp) -> Answer<()> {
        match step {
            Onward::Wake(id) => {
                self.function.queue.send(&[Outgoing::now(Message::wake(&task.run, id))]).await
            }
            Onward::OpenPhase(kind) => {
                open_phase(self.function.store, self.function.queue, head, *kind).await
            }
            Onward::WakeWaiting => wake_waiting(self.function.store, self.function.queue, head).await,
            Onward::RecordGreen { key } => match task.verdict().and_then(|verdict| green(task, verdict, now))
            {
                Some(green) => {
                    let repository = &task.run.repository;
                    self.function.store.record_green(repository, &task.id.subject, key, &green).await
                }
                None => Ok(()),
            },
            Onward::FreeLock => match (&head.delivery, head.ticket()) {
                (Some(delivery), Some(ticket)) => {
                    let (repository, environment) = (&head.id.repository, &delivery.environment);
                    let next = self.function.store.unlock(repository, environment, &head.id, ticket).await?;
                    // Each of them asks again by itself, only later.
                    for run in &next {
                        wake_rollout(self.function.store, self.function.queue, run).await?;
                    }
                    Ok(())
                }
                _ => Ok(()),
            },
            Onward::Opened => opened(self.function.store, head, Some(task), now).await,
            Onward::RollBack(tasks) => {
                self.function.store.create_tasks(tasks.as_slice()).await?;
                let [first, _] = tasks.as_ref();
                let reason = task.verdict().map_or("", |verdict| verdict.summary.as_str());
                let what = format!("`{}` goes back to its last verified release: {reason}", task.id);
                let key = format!("roll-back-{}-{}", task.id, task.attempt);
                self.note(key, what, now).await?;
                self.function.queue.send(&[Outgoing::now(Message::wake(&task.run, &first.id))]).await
            }
            Onward::TellVerified(verified) => {
                self.function.queue.send(&[Outgoing::now(Message::Verified(verified.clone()))]).await
            }
            Onward::Settle => settled(self.function.store, head, task, now).await,
            Onward::SetAside { reason, version } => {
                let revive = Revive { run: task.run.clone(), task: task.id.clone(), version: *version };
                let body = serde_json::to_string(&Message::Revive(revive))
                    .map_err(|error| Fault::reject(format!("a message cannot be written: {error}")))?;
                let why = format!("task `{}` of run `{}` is stuck: {reason}", task.id, task.run);
                self.note(format!("stuck-{}-{version}", task.id), why.clone(), now).await?;
                self.function.redelivery.set_aside(&body, &why).await
            }
            Onward::Tell { soon: true } => self.tell(task, Duration::ZERO).await,
            Onward::Tell { soon: false } => self.tell(task, TOGETHER).await,
        }
    }

    async fn note(&self, key: String, what: String, now: Timestamp) -> Answer<()> {
        let entry = Entry { key, at: now, by: self.wake.task.stage.to_string(), what };
        self.function.store.record(&self.wake.run, &entry).await
    }

    async fn tell(&self, task: &Task, delay: Duration) -> Answer<()> {
        self.function
            .queue
            .send(&[Outgoing { message: Message::Notify { run: task.run.clone() }, delay }])
            .await
    }

    /// Head, task, and the task whose output it works on, by one request.
    ///
    /// That is no snapshot. Where the task says more than the others may show yet, because they were read before it
    /// was written, it is read again: what is read after a version of the task is at least as new as that version.
    async fn load(&self) -> Answer<Option<(Run, Task, Option<Task>)>> {
        let before = reads_from(&self.wake.task);
        let ids = [slice::from_ref(&self.wake.task), &before].concat();
        let mut seen = None;
        loop {
            let (head, tasks) = self.function.store.case(&self.wake.run, &ids).await?;
            let Some(head) = head else { return Ok(None) };
            let Some(task) = tasks.iter().find(|task| task.id == self.wake.task).cloned() else {
                return Ok(None);
            };
            let previous = previous(&task.id, &tasks).cloned();
            let may_lag = match task.state {
                // The head counted it in the same transaction.
                State::PassingOn { .. } => true,
                // It began after the one before it had ended.
                State::Starting { .. } | State::Running { .. } => previous.is_none() && !before.is_empty(),
                State::Pending | State::Done { .. } | State::Stuck { .. } => false,
            };
            if !may_lag || seen == Some(task.version) {
                return Ok(Some((head, task, previous)));
            }
            seen = Some(task.version);
        }
    }
}

/// What later runs may take over: the report, without what only speaks of this attempt.
fn green(task: &Task, verdict: &Verdict, now: Timestamp) -> Option<Green> {
    let Output::Report { report, .. } = &verdict.output else { return None };
    let report = TestReport { annotations: Vec::new(), log_tail: Vec::new(), ..report.clone() };
    Some(Green { run: task.run.clone(), summary: verdict.summary.clone(), report, at: now })
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
