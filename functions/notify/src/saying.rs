//! Saying what differs from the book, channel by channel.

use std::time::Duration;

use domain::ports::{
    Advice, Answer, Chat, Checks, Comments, Fault, Lines, NoticeBook, Post, Queue, Runs, Said, Told,
};
use domain::run::Run;

use crate::Notifier;
use crate::notice::{Channel, Notice, THREAD, What};

/// The mark of the comment on a pull request, by which it is found again.
const MARK: &str = "slipway";

impl<S, Q, G, C, M> Notifier<S, Q, G, C, M>
where
    S: Runs + NoticeBook + Lines,
    Q: Queue,
    G: Checks + Comments,
    C: Chat,
    M: Post,
{
    /// Where two things without a key are said, the first is noted before the second, so that one crash doubles one.
    /// A channel that is out of order is not tried further, and the others are: nobody waits for Slack because GitHub
    /// is down. What is refused is refused by itself.
    pub(crate) async fn say(&self, head: &Run, notices: Vec<Notice>, told: &mut Told) -> Answer<()> {
        let mut is_noted = true;
        let mut down: Vec<Channel> = Vec::new();
        let mut worst: Option<Fault> = None;
        for Notice { key, content, what } in notices {
            let channel = what.channel();
            if down.contains(&channel) {
                continue;
            }
            let place = told.said.get_mut(&key).map(|said| {
                // Should it fail, nobody knows what the channel shows.
                said.content.clear();
                said.place.clone()
            });
            if place.is_none() && !what.has_key() {
                if !is_noted && !self.note(&head.id, told, true).await? {
                    return Err(Fault::retry("the lease was lost", "version conflict"));
                }
                is_noted = false;
            }
            match self.carry(head, what, place, told).await {
                Ok(place) => drop(told.said.insert(key, Said { place, content })),
                Err(fault) => {
                    if matches!(fault.advice, Advice::Retry(_)) {
                        down.push(channel);
                    }
                    worst = Some(worse(worst, fault));
                }
            }
        }
        worst.map_or(Ok(()), Err)
    }

    /// Says one thing; answers where it lies.
    async fn carry(&self, head: &Run, what: What, place: Option<String>, told: &Told) -> Answer<String> {
        match (what, place) {
            (What::Check(check), place) => {
                self.github.show(&head.id, head.installation, &check, place.as_deref()).await
            }
            (What::Comment { pull, text }, place) => {
                let (repository, installation) = (&head.id.repository, head.installation);
                self.github.comment(repository, installation, pull, MARK, &text, place.as_deref()).await
            }
            (What::Thread { channel, text }, Some(place)) => {
                self.chat.update(&channel, &place, &text).await?;
                Ok(place)
            }
            (What::Thread { channel, text }, None) => self.chat.post(&channel, None, &text).await,
            (What::End { channel, text }, _) => {
                let thread = told.said.get(THREAD).map(|said| said.place.as_str());
                self.chat.post(&channel, thread, &text).await
            }
            (What::Mail(mail), _) => {
                if let Some(post) = &self.post {
                    post.send(&mail).await?;
                }
                Ok("sent".to_owned())
            }
        }
    }
}

/// The fault that decides what becomes of the telling: the one that may pass, and of two of these the one with the
/// longer wait. What was refused is refused again once the others are over, and counted then.
fn worse(known: Option<Fault>, fault: Fault) -> Fault {
    let weight = |fault: &Fault| match fault.advice {
        Advice::Reject => None,
        Advice::Retry(wait) => Some(wait.unwrap_or(Duration::ZERO)),
    };
    match known {
        Some(known) if weight(&known) >= weight(&fault) => known,
        _ => fault,
    }
}
