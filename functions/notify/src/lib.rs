//! Tells people the whole current state of a run: check runs, Slack, and a mail at its end.
//!
//! What was said is kept with a hash, so that nothing is said twice where the channel has a key. Slack's first
//! message and the mail have none: the intent is written first, and a crash between intent and result leaves at most
//! one duplicate.

use std::time::Duration;

use domain::ids::RunId;
use domain::message::{Message, QueueName, Unreadable, parse_message};
use domain::next::MOST_FAILURES;
use domain::ports::{Answer, Chat, Check, Checks, Fault, NoticeBook, Post, Runs, Said, Told, Written};
use domain::run::Run;
use domain::task::Task;
use domain::time::Timestamp;
use lambda::Disposition;
use notices::text;
use serde::Serialize;
use sha2::{Digest, Sha256};

/// How long nobody else tells the same run; longer than the function may run.
const LEASE: Duration = Duration::from_mins(1);

/// How often one invocation looks again, or writes against others, before its message comes again.
const MOST_ROUNDS: u32 = 8;

/// How soon it comes then.
const SOON: Duration = Duration::from_secs(1);

/// The function with its ports.
#[derive(Debug)]
pub struct Notifier<S, G, C, M> {
    /// Runs, and the book of what was said.
    pub store: S,
    /// GitHub.
    pub checks: G,
    /// Slack.
    pub chat: C,
    /// Mail; none where the stack has no sender.
    pub post: Option<M>,
}

impl<S, G, C, M> Notifier<S, G, C, M>
where
    S: Runs + NoticeBook,
    G: Checks,
    C: Chat,
    M: Post,
{
    /// Handles one message of the notify queue; `holder` names this invocation in the lease.
    pub async fn handle(&self, body: &str, holder: &str, now: Timestamp) -> Disposition {
        let run = match parse_message(body, QueueName::Notify) {
            Ok(Message::Notify { run }) => run,
            Ok(other) => {
                return Disposition::Refuse { reason: Unreadable::Elsewhere(other.queue()).to_string() };
            }
            Err(unreadable) => return Disposition::Refuse { reason: unreadable.to_string() },
        };
        match self.tell(&run, holder, now).await {
            Ok(disposition) => disposition,
            Err(fault) => fault.into(),
        }
    }

    async fn tell(&self, id: &RunId, holder: &str, now: Timestamp) -> Answer<Disposition> {
        let mut told = match self.take_the_lease(id, holder, now).await? {
            Ok(told) => told,
            Err(disposition) => return Ok(disposition),
        };
        for _ in 0..MOST_ROUNDS {
            told.again = false;
            let head = match self.look_and_say(id, &mut told).await {
                Ok(Some(head)) => head,
                Ok(None) => {
                    tracing::warn!(run = %id, "no such run; the message is dropped");
                    return Ok(Disposition::Acknowledge);
                }
                Err(fault) => return self.failed(id, told, fault).await,
            };
            told.failures = 0;
            match self.release(id, &mut told).await? {
                Release::Done => return self.rest(&head).await,
                Release::Again => {}
                Release::Lost => break,
            }
        }
        Ok(Disposition::GiveBack { reason: "the book was written by others".into(), delay: SOON })
    }

    /// The head that was told of, read under the lease: whatever changes from here on is asked for again.
    async fn look_and_say(&self, id: &RunId, told: &mut Told) -> Answer<Option<Run>> {
        let Some(head) = self.store.run(id).await? else { return Ok(None) };
        let tasks = self.store.tasks(id, None).await?;
        self.say(&head, &tasks, told).await?;
        Ok(Some(head))
    }

    /// The book under this invocation's lease. Where another one has it, that one is asked to look again, and this
    /// message is done with: whoever dies with the lease has not acknowledged his own, and sweep asks for the end.
    async fn take_the_lease(
        &self,
        id: &RunId,
        holder: &str,
        now: Timestamp,
    ) -> Answer<Result<Told, Disposition>> {
        for _ in 0..MOST_ROUNDS {
            let mut told = self.store.told(id).await?;
            told.version += 1;
            // A message delivered twice has the same id both times: not even the holder's own name is a way in.
            if let Some((other, until)) = told.lease.as_ref().filter(|(_, until)| *until > now) {
                if other == holder {
                    // An earlier delivery of this very message has the lease, or died with it: it comes again once.
                    let delay = until.since(now) + SOON;
                    return Ok(Err(Disposition::GiveBack { reason: "it is in hands already".into(), delay }));
                }
                if told.again {
                    return Ok(Err(Disposition::Acknowledge));
                }
                told.again = true;
                if self.store.write_told(id, &told).await? == Written::Yes {
                    return Ok(Err(Disposition::Acknowledge));
                }
            } else {
                told.lease = Some((holder.to_owned(), now.after(LEASE)));
                if self.store.write_told(id, &told).await? == Written::Yes {
                    return Ok(Ok(told));
                }
            }
        }
        Ok(Err(Disposition::GiveBack { reason: "others write the book".into(), delay: SOON }))
    }

    /// Gives the lease up, unless somebody has asked to look again meanwhile.
    async fn release(&self, id: &RunId, told: &mut Told) -> Answer<Release> {
        if told.again {
            return Ok(Release::Again);
        }
        let free = Told { version: told.version + 1, lease: None, ..told.clone() };
        if self.store.write_told(id, &free).await? == Written::Yes {
            return Ok(Release::Done);
        }
        Ok(if self.catch_up(id, told).await? { Release::Again } else { Release::Lost })
    }

    /// Whoever asked to look again has written the book; true when the lease is still this invocation's.
    async fn catch_up(&self, id: &RunId, told: &mut Told) -> Answer<bool> {
        let known = self.store.told(id).await?;
        let mine = known.lease == told.lease;
        (told.version, told.again) = (known.version, known.again);
        Ok(mine)
    }

    /// Once the end has been told, sweep need not look at the run again.
    async fn rest(&self, head: &Run) -> Answer<Disposition> {
        if head.has_ended() && head.due.is_some() {
            // A conflict means that the run has moved on, and with it its next message.
            let (Written::Yes | Written::Conflict) = self.store.write_run(&head.at_rest()).await?;
        }
        Ok(Disposition::Acknowledge)
    }

    /// The lease is given up also after a fault, so that the redelivered message need not wait for its end.
    async fn failed(&self, id: &RunId, mut told: Told, fault: Fault) -> Answer<Disposition> {
        told.failures += 1;
        let is_stuck = told.failures >= MOST_FAILURES;
        if is_stuck {
            // Whoever redrives its dead letter begins to count anew.
            told.failures = 0;
        }
        for _ in 0..MOST_ROUNDS {
            let free = Told { version: told.version + 1, lease: None, again: false, ..told.clone() };
            if self.store.write_told(id, &free).await? == Written::Yes
                || !self.catch_up(id, &mut told).await?
            {
                break;
            }
        }
        if is_stuck { self.give_up(id, &fault).await } else { Err(fault) }
    }

    /// The message goes to the dead letters with its reason, and sweep does not ask again for a run that has ended.
    async fn give_up(&self, id: &RunId, fault: &Fault) -> Answer<Disposition> {
        if let Some(head) = self.store.run(id).await? {
            self.rest(&head).await?;
        }
        let reason = format!(
            "people cannot be told of run `{}`: {}; remove the cause and redrive the message",
            id,
            fault.chain()
        );
        Ok(Disposition::Refuse { reason })
    }

    async fn say(&self, head: &Run, tasks: &[Task], told: &mut Told) -> Answer<()> {
        for check in text::checks(head, tasks) {
            self.check(head, &check, told).await?;
        }
        if let Some(channel) = &head.notifications.slack {
            self.slack(channel, head, tasks, told).await?;
        }
        if let (Some(post), Some(mail)) = (&self.post, text::mail(head, tasks)) {
            let (key, content) = (in_round("mail", head), hash(&mail));
            if told.said.get(&key).is_none_or(|said| said.place.is_empty()) {
                self.intend(&head.id, &key, &content, told).await?;
                post.send(&mail).await?;
                Self::note(&key, "sent", content, told);
            }
        }
        Ok(())
    }

    async fn check(&self, head: &Run, check: &Check, told: &mut Told) -> Answer<()> {
        let (key, content) = (format!("check {}", check.name), hash(check));
        let known = told.said.get(&key);
        if known.is_some_and(|said| said.content == content) {
            return Ok(());
        }
        let place = known.map(|said| said.place.clone());
        let place = self.checks.show(&head.id, head.installation, check, place.as_deref()).await?;
        Self::note(&key, &place, content, told);
        Ok(())
    }

    /// One message of the run, edited in place, and one answer in its thread at the end.
    async fn slack(&self, channel: &str, head: &Run, tasks: &[Task], told: &mut Told) -> Answer<()> {
        let thread = text::slack(head, tasks);
        let content = hash(&thread.head);
        let place = match told.said.get("slack").cloned().filter(|said| !said.place.is_empty()) {
            Some(said) if said.content == content => said.place,
            Some(said) => {
                self.chat.update(channel, &said.place, &thread.head).await?;
                Self::note("slack", &said.place, content, told);
                said.place
            }
            None => {
                self.intend(&head.id, "slack", &content, told).await?;
                let place = self.chat.post(channel, None, &thread.head).await?;
                Self::note("slack", &place, content, told);
                place
            }
        };
        let key = in_round("slack end", head);
        if let Some(end) = &thread.end
            && told.said.get(&key).is_none_or(|said| said.place.is_empty())
        {
            let content = hash(end);
            self.intend(&head.id, &key, &content, told).await?;
            let end = self.chat.post(channel, Some(&place), end).await?;
            Self::note(&key, &end, content, told);
        }
        Ok(())
    }

    /// Writes the intent to say something that has no key on its channel.
    async fn intend(&self, run: &RunId, key: &str, content: &str, told: &mut Told) -> Answer<()> {
        told.said.insert(key.to_owned(), Said { place: String::new(), content: content.to_owned() });
        if self.write(run, told).await? {
            Ok(())
        } else {
            Err(Fault::retry("the lease was lost", "version conflict"))
        }
    }

    fn note(key: &str, place: &str, content: String, told: &mut Told) {
        told.said.insert(key.to_owned(), Said { place: place.to_owned(), content });
    }

    /// Writes the book under the lease, also where somebody has asked meanwhile to look again.
    async fn write(&self, run: &RunId, told: &mut Told) -> Answer<bool> {
        for _ in 0..MOST_ROUNDS {
            told.version += 1;
            if self.store.write_told(run, told).await? == Written::Yes {
                return Ok(true);
            }
            if !self.catch_up(run, told).await? {
                return Ok(false);
            }
        }
        Ok(false)
    }
}

/// How giving the lease up ended.
enum Release {
    /// It is free.
    Done,
    /// Somebody has asked to look again: it is kept.
    Again,
    /// Somebody else has it.
    Lost,
}

/// What is said once at the end is said again after each time the run was opened anew.
fn in_round(key: &str, head: &Run) -> String {
    if head.round == 0 { key.to_owned() } else { format!("{key} {}", head.round) }
}

fn hash(value: &impl Serialize) -> String {
    let text = serde_json::to_string(value).unwrap_or_default();
    hex::encode(Sha256::digest(text.as_bytes()))
}
