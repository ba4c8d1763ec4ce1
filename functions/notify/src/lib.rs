//! Tells people the whole current state of a run: check runs, a comment on its pull requests, Slack, and a mail at its
//! end.
//!
//! What was said is kept with a hash, so that nothing is said twice where the channel has a key. Slack's first
//! message and the mail have none: the intent is written first, and a crash between intent and result leaves at most
//! one duplicate. A channel that is out of order, or that wants fewer requests, is tried again later and fails nothing.

mod notice;
mod parking;
mod saying;

use std::time::Duration;

use domain::ids::{Line, RunId};
use domain::message::{Message, Outgoing, QueueName, Unreadable, parse_message};
use domain::next::MOST_FAILURES;
use domain::ports::{
    Answer, Chat, Checks, Comments, Fault, Lease, Lines, Noted, NoticeBook, Parked, Picture, Post, Queue,
    Runs, Told, Written,
};
use domain::run::Run;
use domain::time::Timestamp;
use lambda::Disposition;

use notice::{Leading, Notice, What, notices};

/// How soon a message comes again that has met another one putting telling off.
const LATER: Duration = Duration::from_secs(10);

/// How long nobody else tells the same run; longer than the function may run.
const LEASE: Duration = Duration::from_mins(1);

/// How often one invocation looks again, or writes against others, before its message comes again.
const MOST_ROUNDS: u32 = 8;

/// Pull requests that one run speaks to: the same commit is rarely proposed more often.
const MOST_PULLS: usize = 10;

/// How soon it comes then.
const SOON: Duration = Duration::from_secs(1);

/// The function with its ports.
#[derive(Debug)]
pub struct Notifier<S, Q, G, C, M> {
    /// Runs, the newest of each pull request, and the book of what was said.
    pub store: S,
    /// notify's own queue, for what is told later.
    pub queue: Q,
    /// GitHub.
    pub github: G,
    /// The address of GitHub's pages, for links.
    pub web: Option<String>,
    /// Slack.
    pub chat: C,
    /// Mail; none where the stack has no sender.
    pub post: Option<M>,
}

impl<S, Q, G, C, M> Notifier<S, Q, G, C, M>
where
    S: Runs + NoticeBook + Lines,
    Q: Queue,
    G: Checks + Comments,
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

    /// Says what differs from the book, unless that is put off: one query, then a lease, the effects, and one write of what was said.
    ///
    /// Every change of a run is followed by a message, whose invocation sees the change, because its query begins
    /// later. It finds one of three books.
    ///
    /// - A lease in other hands. Where its holder is about to say the very same, nothing is to be done: if he fails or
    ///   dies, his own message comes again. Otherwise he is asked to look again: he gives the lease up before he does,
    ///   so that whoever still finds the question asked is older than that look.
    /// - No lease, and something to say. The lease is taken only over the version of the book that was read before head
    ///   and tasks. So whoever speaks has seen everything that was said before, and whoever reads before another one
    ///   speaks, and writes after him, is refused and looks again. The first lease is the first version: of two who
    ///   find no book, one gets it.
    /// - No lease, and nothing to say. Somebody who has read before the change may lie between his query and his lease.
    ///   What he has to say differs from the book, which is no newer than what he read: the run would have looked
    ///   so, then otherwise, and then so again. His stale word then stands until the next message, or sweep's. Not at
    ///   the run's end: before sweep is told to leave it alone, a write of the book refuses him.
    async fn tell(&self, id: &RunId, holder: &str, now: Timestamp) -> Answer<Disposition> {
        for _ in 0..MOST_ROUNDS {
            let Some(Picture { head, tasks, mut told }) = self.store.picture(id).await? else {
                tracing::warn!(run = %id, "no such run; the message is dropped");
                return Ok(Disposition::Acknowledge);
            };
            if parking::is_looked_after(&told, now) {
                return Ok(Disposition::Acknowledge);
            }
            let leading = self.leading(&head).await?;
            let mut notices = notices(&head, &tasks, self.web.as_deref(), &leading, &told);
            notices.retain(|notice| self.post.is_some() || !matches!(notice.what, What::Mail(_)));
            if let Some(lease) = told.lease.clone().filter(|lease| lease.until > now) {
                if let Some(disposition) = self.beside(id, told, lease, &notices, holder, now).await? {
                    return Ok(disposition);
                }
                continue;
            }
            notices.retain(|notice| !notice.is_said(&told));
            if notices.is_empty() && !waits_for_its_end_to_be_told(&head) {
                return Ok(Disposition::Acknowledge);
            }
            let saying = notices.iter().map(|notice| (notice.key.clone(), notice.content.clone())).collect();
            told.version += 1;
            told.lease =
                Some(Lease { holder: holder.to_owned(), until: now.after(LEASE), saying, again: false });
            if self.store.write_told(id, &told).await? != Noted::Yes {
                continue;
            }
            if let Some(parked) = parking::in_force(&told, now) {
                return self.park(&head, told, parking::looking(parked, now), now).await;
            }
            if let Err(fault) = self.say(&head, notices, &mut told).await {
                return self.failed(&head, told, fault, now).await;
            }
            (told.failures, told.parked) = (0, None);
            if !self.note(id, &mut told, false).await? {
                break;
            }
            if !told.lease.is_some_and(|lease| lease.again) {
                return self.rest(&head).await;
            }
        }
        Ok(Disposition::GiveBack { reason: "the book was written by others".into(), delay: SOON })
    }

    /// The pull requests whose newest run this is: its comment is theirs. Another run's is left alone.
    async fn leading(&self, head: &Run) -> Answer<Vec<Leading>> {
        let mut leading = Vec::new();
        for pull in head.pulls.iter().take(MOST_PULLS) {
            let front = self.store.front(&head.id.repository, &Line::Pull(*pull)).await?;
            let version = front.as_ref().map_or(0, |front| front.version);
            if front.is_none_or(|front| front.run == head.id) {
                leading.push(Leading { pull: *pull, version });
            }
        }
        Ok(leading)
    }

    /// What becomes of the message while the lease is in other hands; none when the book was written meanwhile.
    /// Whoever dies with the lease has not acknowledged his own message, and sweep asks for the end.
    async fn beside(
        &self,
        id: &RunId,
        told: Told,
        lease: Lease,
        notices: &[Notice],
        holder: &str,
        now: Timestamp,
    ) -> Answer<Option<Disposition>> {
        // A message delivered twice has the same id both times: not even the holder's own name is a way in.
        if lease.holder == holder {
            // An earlier delivery of this very message has the lease, or died with it: it comes again once.
            let delay = lease.until.since(now) + SOON;
            return Ok(Some(Disposition::GiveBack { reason: "it is in hands already".into(), delay }));
        }
        if told.parked.is_some() {
            // He may be about to put it off, and this may be the very message that looks again.
            return Ok(Some(Disposition::GiveBack { reason: "it is being put off".into(), delay: LATER }));
        }
        if lease.again || notices.iter().all(|notice| notice.will_be_said(&told, &lease)) {
            return Ok(Some(Disposition::Acknowledge));
        }
        let lease = Some(Lease { again: true, ..lease });
        let asked = Told { version: told.version + 1, lease, ..told };
        let noted = self.store.write_told(id, &asked).await?;
        Ok((noted == Noted::Yes).then_some(Disposition::Acknowledge))
    }

    /// Writes what was said and keeps the lease or gives it up; false where it is somebody else's. Whoever has asked
    /// to look again has written the book, and is found in the lease.
    async fn note(&self, id: &RunId, told: &mut Told, keeps_lease: bool) -> Answer<bool> {
        let name = |lease: &Lease| (lease.holder.clone(), lease.until);
        for _ in 0..MOST_ROUNDS {
            told.version += 1;
            let lease = told.lease.clone().filter(|_| keeps_lease);
            match self.store.write_told(id, &Told { lease, ..told.clone() }).await? {
                Noted::Yes => return Ok(true),
                Noted::Conflict(known) if known.lease.as_ref().map(name) == told.lease.as_ref().map(name) => {
                    (told.version, told.lease) = (known.version, known.lease);
                }
                Noted::Conflict(_) => break,
            }
        }
        Ok(false)
    }

    /// Once the end has been told, sweep need not look at the run again.
    async fn rest(&self, head: &Run) -> Answer<Disposition> {
        if waits_for_its_end_to_be_told(head) {
            // A conflict means that the run has moved on, and with it its next message.
            let (Written::Yes | Written::Conflict) = self.store.write_run(&head.at_rest()).await?;
        }
        Ok(Disposition::Acknowledge)
    }

    /// The lease is given up also after a fault, so that the redelivered message need not wait for its end.
    async fn failed(&self, head: &Run, mut told: Told, fault: Fault, now: Timestamp) -> Answer<Disposition> {
        if let Some(parked) = parking::after(&told, &fault, now) {
            let until = parked.until.rfc3339();
            tracing::warn!(run = %head.id, until, fault = fault.chain(), "telling is put off");
            return self.park(head, told, parked, now).await;
        }
        told.failures += 1;
        let is_stuck = told.failures >= MOST_FAILURES;
        if is_stuck {
            // Whoever redrives its dead letter begins to count anew.
            (told.failures, told.parked) = (0, None);
        }
        self.note(&head.id, &mut told, false).await?;
        if !is_stuck {
            return Err(fault);
        }
        // sweep does not ask again for a run that has ended.
        self.rest(head).await?;
        let reason = format!(
            "people cannot be told of run `{}`: {}; remove the cause and redrive the message",
            head.id,
            fault.chain()
        );
        Ok(Disposition::Refuse { reason })
    }

    /// Puts telling off. The lease stays in the book until the delayed message is on its way: whoever finds both knows
    /// that it may not be, and neither is done nor believes that another one looks. Where this dies, the own message
    /// comes again, finds the lease over, and begins anew.
    async fn park(&self, head: &Run, mut told: Told, parked: Parked, now: Timestamp) -> Answer<Disposition> {
        let message = Message::Notify { run: head.id.clone() };
        let delayed = Outgoing { message, delay: parked.looks.since(now) };
        told.parked = Some(parked);
        // Whoever has the lease now tells, or puts off, himself.
        if self.note(&head.id, &mut told, true).await? {
            self.queue.send(&[delayed]).await?;
            self.note(&head.id, &mut told, false).await?;
        }
        Ok(Disposition::Acknowledge)
    }
}

fn waits_for_its_end_to_be_told(head: &Run) -> bool {
    head.has_ended() && head.due.is_some()
}
