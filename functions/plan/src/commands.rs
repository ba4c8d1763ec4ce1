//! The commands themselves. Each may come twice and changes nothing the second time.

use domain::command::Asked;
use domain::files::did_you_mean;
use domain::ids::{RequestId, Sha, Stage, Subject, TaskId, Trust};
use domain::message::{Base, Message, Outgoing, PlanRequest};
use domain::ports::{Answer, Artifacts, Fault, Queue, Written};
use domain::rerun::Rerun;
use domain::run::{Run, RunOutcome, RunState, Stop};
use domain::task::{Outcome, State, Task};
use domain::tasks::tasks_of;
use domain::time::Timestamp;
use lambda::Reopened;

use crate::wishes::Target;
use crate::{Hub, Memory, Planner};

/// How often others may write the head before the message comes again.
const MOST_RACES: u32 = 8;

/// Carried out, or refused with a sentence.
type Done = Result<(), String>;

impl<S: Memory, Q: Queue, A: Artifacts, G: Hub> Planner<S, Q, A, G> {
    /// `/ok-to-test <sha>`: plans the stranger's commit, if it still is the pull request's newest.
    pub(crate) async fn admit(
        &self,
        sha: &Sha,
        target: &Target,
        asked: &Asked,
        now: Timestamp,
    ) -> Answer<Done> {
        let Some(pull) = target.pull.as_ref().filter(|_| target.run.trust == Trust::Untrusted) else {
            return Ok(Err(
                "Only a pull request from another repository needs that; this one is tested by itself."
                    .to_owned(),
            ));
        };
        if pull.head != *sha {
            return Ok(Err(format!(
                "`{sha}` is not the newest commit of this pull request. Read `{0}` and admit that one: \
                 `/ok-to-test {0}`.",
                pull.head
            )));
        }
        if !pull.open {
            return Ok(Err("This pull request is closed.".to_owned()));
        }
        let (branch, base) = pull.base.clone();
        let request = PlanRequest {
            delivery: asked.delivery.clone(),
            repository: asked.repository.clone(),
            installation: asked.installation,
            sha: sha.clone(),
            before: None,
            branch: pull.branch.clone(),
            tag: false,
            forced: false,
            fork: pull.head_repository.clone().or_else(|| unknown_fork(asked)),
            pull_request: Some(pull.number),
            sender: pull.author.clone(),
            title: pull.title.clone(),
            base: Some(Base { branch, sha: base }),
            draft: pull.draft,
            skip: None,
            admitted: Some(asked.by.clone()),
        };
        self.take(&request, now).await.map(Ok)
    }

    /// `/cancel`: nothing of the run begins any more, and what has begun is stopped.
    pub(crate) async fn cancel(&self, target: &Target, asked: &Asked, now: Timestamp) -> Answer<Done> {
        let stop = Stop { why: "asked for".to_owned(), by: asked.by.clone(), at: now };
        for _ in 0..MOST_RACES {
            let Some(head) = self.store.run(&target.run).await? else { return Ok(Err(no_run(target))) };
            if head.stop.is_some() {
                return self.wake_stopped(&head).await.map(Ok);
            }
            let Some(stopped) = head.stopped(&stop, now) else {
                return Ok(Err(if head.is_finished() {
                    "The run has ended; there is nothing to cancel.".to_owned()
                } else {
                    "The rollout has begun, and is not broken off half way: it ends, or goes back by itself."
                        .to_owned()
                }));
            };
            if self.store.write_run(&stopped).await? == Written::Yes {
                return self.wake_stopped(&stopped).await.map(Ok);
            }
        }
        Err(Fault::retry("others write the run that is to be cancelled", "version conflict"))
    }

    /// `/retest`: whatever has not passed of tests and images runs again.
    pub(crate) async fn retest(&self, target: &Target, asked: &Asked, now: Timestamp) -> Answer<Done> {
        let is_red = |task: &Task| {
            let bad = task.outcome().is_some_and(|outcome| outcome != Outcome::Passed);
            (bad || matches!(task.state, State::Stuck { .. })) && !task.id.stage.has_environment()
        };
        self.again(
            target,
            asked,
            now,
            is_red,
            "Nothing has failed; `/test <service>` tests one service again.",
        )
        .await
    }

    /// GitHub's "Re-run all checks": every test runs again.
    pub(crate) async fn test_all(&self, target: &Target, asked: &Asked, now: Timestamp) -> Answer<Done> {
        let is_test = |task: &Task| task.id.stage == Stage::Test;
        self.again(target, asked, now, is_test, "The run has no tests.").await
    }

    /// `/test <service>`: that test runs again, whatever came of it before, or for the first time.
    pub(crate) async fn test(
        &self,
        subject: &Subject,
        target: &Target,
        asked: &Asked,
        now: Timestamp,
    ) -> Answer<Done> {
        let head = match self.planned(target, now).await? {
            Ok(head) => head,
            Err(done) => return Ok(done),
        };
        let tests = self.store.tasks(&head.id, Some(Stage::Test)).await?;
        match tests.iter().find(|task| task.id.subject == *subject) {
            Some(task) if task.state == State::Pending && !head.is_finished() => Ok(Ok(())),
            Some(task) => self.reopen(&head, &task.id, asked, now).await,
            None => self.test_at_last(head, subject, &tests, now).await,
        }
    }

    /// A subject that the run has not chosen: it is added where the commit has it.
    async fn test_at_last(
        &self,
        head: Run,
        subject: &Subject,
        tests: &[Task],
        now: Timestamp,
    ) -> Answer<Done> {
        let commit = self.commit(&head).await?;
        let Ok(plan) = self.plan_of(&head, &commit, None).await? else {
            return Ok(Err(unknown(subject, tests)));
        };
        let is_it = |task: &Task| task.id.stage == Stage::Test && task.id.subject == *subject;
        let mut tasks: Vec<Task> = tasks_of(&head.id, &plan, None).into_iter().filter(is_it).collect();
        let Some(task) = tasks.first_mut() else { return Ok(Err(unknown(subject, tests))) };
        "somebody asked for it".clone_into(&mut task.why);
        let mut head = self.grow(head, &tasks, now).await?;
        lambda::open_phase(&self.store, &self.queue, &head, domain::run::PhaseKind::Test).await?;
        lambda::opened(&self.store, &mut head, None, now).await?;
        Ok(Ok(()))
    }

    /// Runs those tasks of the run again; a run that never got to its tasks is planned instead.
    async fn again(
        &self,
        target: &Target,
        asked: &Asked,
        now: Timestamp,
        wanted: impl Fn(&Task) -> bool,
        none: &str,
    ) -> Answer<Done> {
        let head = match self.planned(target, now).await? {
            Ok(head) => head,
            Err(done) => return Ok(done),
        };
        let tasks = self.store.tasks(&head.id, None).await?;
        let known = self.carried_out(&head, &tasks, asked).await?;
        // What an earlier delivery of the same message has opened is not red any more, and may not be woken yet.
        let chosen: Vec<&Task> =
            tasks.iter().filter(|task| wanted(task) || known.contains(&&task.id)).collect();
        let (mut done, mut refusal) = (0, None);
        for task in &chosen {
            match self.reopen(&head, &task.id, asked, now).await? {
                Ok(()) => done += 1,
                Err(reason) => refusal = Some(reason),
            }
        }
        Ok(match refusal {
            _ if done > 0 => Ok(()),
            Some(reason) => Err(reason),
            None => Err(none.to_owned()),
        })
    }

    /// The tasks that the request has opened already.
    async fn carried_out<'t>(&self, head: &Run, tasks: &'t [Task], asked: &Asked) -> Answer<Vec<&'t TaskId>> {
        let id = request_id(asked)?;
        let entries = self.store.timeline(&head.id).await?;
        let is_known = |task: &&Task| {
            let key = domain::rerun::key(&rerun(head, &task.id), &id);
            entries.iter().any(|entry| entry.key == key)
        };
        Ok(tasks.iter().filter(is_known).map(|task| &task.id).collect())
    }

    async fn reopen(&self, head: &Run, task: &TaskId, asked: &Asked, now: Timestamp) -> Answer<Done> {
        let (id, rerun) = (request_id(asked)?, rerun(head, task));
        for _ in 0..MOST_RACES {
            match lambda::reopen(&self.store, &rerun, &id, &asked.by, now).await? {
                Reopened::Yes => {
                    let wake = [
                        Outgoing::now(Message::wake(&head.id, task)),
                        Outgoing::now(Message::Notify { run: head.id.clone() }),
                    ];
                    return self.queue.send(&wake).await.map(Ok);
                }
                Reopened::Refused(reason) => return Ok(Err(reason)),
                Reopened::Again => {}
            }
        }
        Err(Fault::retry("the run moves while its task is opened anew", "version conflict"))
    }

    /// The run, once it has been planned. One that ended before plan gave it tasks is planned now, where that is for a
    /// person to decide.
    async fn planned(&self, target: &Target, now: Timestamp) -> Answer<Result<Run, Done>> {
        let Some(head) = self.store.run(&target.run).await? else { return Ok(Err(Err(no_run(target)))) };
        Ok(Err(match &head.state {
            // By an earlier delivery of this message, or a push of this moment.
            RunState::Planning => {
                self.queue.send(&[Outgoing::now(Message::Plan(head.request()))]).await?;
                Ok(())
            }
            RunState::Finished(RunOutcome::ActionRequired(sentence)) => Err(sentence.clone()),
            RunState::Finished(RunOutcome::Invalid(_)) => {
                Err("This commit's files forbid a plan; correct the lines that the check names and push."
                    .to_owned())
            }
            _ => match head.wanted_after_all(now) {
                Some(wanted) => {
                    let wanted = self.written(wanted).await?;
                    self.queue.send(&[Outgoing::now(Message::Plan(wanted.request()))]).await?;
                    Ok(())
                }
                None => return Ok(Ok(head)),
            },
        }))
    }
}

fn rerun(head: &Run, task: &TaskId) -> Rerun {
    Rerun { run: head.id.clone(), task: task.clone(), request: None, cascade: false, dry_run: false }
}

fn request_id(asked: &Asked) -> Answer<RequestId> {
    let id = asked.delivery.as_str().parse();
    id.map_err(|error| Fault::reject(format!("a delivery's id cannot name a request: {error}")))
}

fn no_run(target: &Target) -> String {
    format!(
        "There is no run of commit `{}` yet; ask again in a moment, or push again.",
        target.run.sha.short()
    )
}

fn unknown(subject: &Subject, tests: &[Task]) -> String {
    let names: Vec<String> = tests.iter().map(|task| task.id.subject.to_string()).collect();
    let near = did_you_mean(&subject.to_string(), names.iter().map(String::as_str));
    let known: Vec<String> = names.iter().take(20).map(|name| format!("`{name}`")).collect();
    format!("This commit has no test of `{subject}`;{near} it has {}.", known.join(", "))
}

/// A deleted fork is still a stranger.
fn unknown_fork(asked: &Asked) -> Option<domain::ids::RepositoryName> {
    format!("unknown/{}", asked.repository.name()).parse().ok()
}
