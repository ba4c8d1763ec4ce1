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
    /// The comment on a pull request, edited in place. GitHub finds it by its mark.
    Comment { pull: u64, text: String },
    /// Slack's message, edited in place.
    Thread { channel: String, text: String },
    /// The line in its thread when the run has ended.
    End { channel: String, text: String },
    /// The mail when the run has ended.
    Mail(Mail),
}

/// How a thing is carried: what is out of order for one is so for all of its channel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Channel {
    GitHub,
    Slack,
    Mail,
}

/// A pull request whose newest run this is.
pub(crate) struct Leading {
    /// Its number.
    pub(crate) pull: u64,
    /// The version of its front: where another run was the newest meanwhile, its comment is written anew.
    pub(crate) version: u64,
}

/// Everything that a state says, in the order in which it is said.
pub(crate) fn notices(
    head: &Run,
    tasks: &[Task],
    web: Option<&str>,
    leading: &[Leading],
    told: &Told,
) -> Vec<Notice> {
    let key = |name: &str| format!("check {name}");
    let is_shown = |name: &str| {
        let is_being_said = |lease: &Lease| lease.saying.contains_key(&key(name));
        told.said.contains_key(&key(name)) || told.lease.as_ref().is_some_and(is_being_said)
    };
    let mut notices: Vec<Notice> = text::checks(head, tasks, web, is_shown)
        .into_iter()
        .map(|check| Notice::new(key(&check.name), &check.clone(), What::Check(check)))
        .collect();
    let comment = (!leading.is_empty()).then(|| text::comment(head, tasks, web));
    notices.extend(comment.iter().flat_map(|text| {
        leading.iter().map(move |Leading { pull, version }| {
            let what = What::Comment { pull: *pull, text: text.clone() };
            Notice::new(format!("comment {pull}"), &(text, version), what)
        })
    }));
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

impl What {
    pub(crate) fn channel(&self) -> Channel {
        match self {
            Self::Check(_) | Self::Comment { .. } => Channel::GitHub,
            Self::Thread { .. } | Self::End { .. } => Channel::Slack,
            Self::Mail(_) => Channel::Mail,
        }
    }

    /// Whether the channel finds it again by a key, so that nothing is there twice.
    pub(crate) fn has_key(&self) -> bool {
        self.channel() == Channel::GitHub
    }
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
