//! What the state of a run says, and how much of it has been said.

use domain::ports::{Check, Lease, Mail, Told};
use domain::run::Run;
use domain::task::Task;
use notices::text;
use serde::Serialize;
use sha2::{Digest, Sha256};

/// The key of Slack's message, below which the end is said.
pub(crate) const THREAD: &str = "slack";

/// One thing to be said.
pub(crate) struct Notice {
    /// What the book knows it by.
    pub(crate) key: String,
    /// SHA-256 of what is said, hexadecimal.
    pub(crate) content: String,
    pub(crate) what: What,
}

/// What is said, and where.
pub(crate) enum What {
    /// A check run. GitHub finds it by its name, so that it is there once.
    Check(Check),
    /// Slack's message, edited in place.
    Thread { channel: String, text: String },
    /// The line in its thread when the run has ended.
    End { channel: String, text: String },
    /// The mail when the run has ended.
    Mail(Mail),
}

/// Everything that a state says, in the order in which it is said.
pub(crate) fn notices(head: &Run, tasks: &[Task]) -> Vec<Notice> {
    let mut notices: Vec<Notice> = text::checks(head, tasks)
        .into_iter()
        .map(|check| Notice::new(format!("check {}", check.name), &check.clone(), What::Check(check)))
        .collect();
    if let Some(channel) = &head.notifications.slack {
        let thread = text::slack(head, tasks);
        let what = What::Thread { channel: channel.clone(), text: thread.head.clone() };
        notices.push(Notice::new(THREAD.to_owned(), &thread.head, what));
        notices.extend(thread.end.map(|end| {
            let what = What::End { channel: channel.clone(), text: end.clone() };
            Notice::new(in_round("slack end", head), &end, what)
        }));
    }
    let mail = text::mail(head, tasks);
    notices.extend(mail.map(|mail| Notice::new(in_round("mail", head), &mail.clone(), What::Mail(mail))));
    notices
}

impl Notice {
    fn new(key: String, said: &impl Serialize, what: What) -> Self {
        let said = serde_json::to_string(said).unwrap_or_default();
        Self { key, content: hex::encode(Sha256::digest(said.as_bytes())), what }
    }

    /// Whether the channel shows it. What somebody who died was about to say may be there or not.
    pub(crate) fn is_said(&self, told: &Told) -> bool {
        let died = told.lease.as_ref().is_some_and(|lease| lease.saying.contains_key(&self.key));
        let is_shown = |content: &str| self.is_said_once() || (content == self.content && !died);
        told.said.get(&self.key).is_some_and(|said| is_shown(&said.content))
    }

    /// Whether the channel shows it once the holder of the lease has come to his end.
    pub(crate) fn will_be_said(&self, told: &Told, lease: &Lease) -> bool {
        match lease.saying.get(&self.key) {
            Some(content) => self.is_said_once() || *content == self.content,
            None => self.is_said(told),
        }
    }

    /// What is never replaced, whatever it says.
    fn is_said_once(&self) -> bool {
        matches!(self.what, What::End { .. } | What::Mail(_))
    }
}

/// What is said once at the end is said again after each time the run was opened anew.
fn in_round(key: &str, head: &Run) -> String {
    if head.round == 0 { key.to_owned() } else { format!("{key} {}", head.round) }
}
