//! What people ask from GitHub: who may ask, which run they mean, and how they are answered.

use std::time::Duration;

use domain::command::{About, Asked, Command};
use domain::ids::{RunId, Sha, Trust};
use domain::message::{Message, Outgoing};
use domain::ports::{Advice, Answer, Artifacts, DeliveryState, Permission, Pull, Queue};
use domain::time::Timestamp;
use lambda::Disposition;

use crate::{Hub, Memory, Planner};

/// How long a wish is kept while GitHub does not answer: about a day of ten minutes each.
const MOST_TRIES: u32 = 150;

/// The longest time until it is tried again.
const LONGEST_WAIT: Duration = Duration::from_mins(10);

/// What a wish is about, as it stands now.
pub(crate) struct Target {
    /// The run, which may not be there yet.
    pub(crate) run: RunId,
    /// The pull request, where the wish names one.
    pub(crate) pull: Option<Pull>,
}

impl<S: Memory, Q: Queue, A: Artifacts, G: Hub> Planner<S, Q, A, G> {
    /// Carries a wish out once and answers it. While another side does not answer, the wish waits in the queue.
    pub(crate) async fn asked(&self, asked: &Asked, now: Timestamp) -> Disposition {
        let fault = match self.grant(asked, now).await {
            Ok(()) => return Disposition::Acknowledge,
            Err(fault) => fault,
        };
        let (tries, reason) = (asked.tries + 1, fault.chain());
        let Advice::Retry(wait) = fault.advice else { return fault.into() };
        if tries > MOST_TRIES {
            return Disposition::Refuse {
                reason: format!(
                    "what `{}` asked for cannot be carried out: {reason}; ask again on GitHub, or redrive the message",
                    asked.by
                ),
            };
        }
        let delay = wait.unwrap_or_else(|| Duration::from_secs(1 << tries.min(9))).min(LONGEST_WAIT);
        tracing::warn!(delivery = %asked.delivery, reason, delay_seconds = delay.as_secs(), "the wish waits");
        let later = Outgoing { message: Message::Asked(Asked { tries, ..asked.clone() }), delay };
        match self.queue.send(&[later]).await {
            Ok(()) => Disposition::Acknowledge,
            Err(_) => fault.into(),
        }
    }

    async fn grant(&self, asked: &Asked, now: Timestamp) -> Answer<()> {
        if let Some(reason) = self.not_served(&asked.repository, asked.installation).await? {
            return self.store.note(&asked.delivery, &DeliveryState::Ignored(reason)).await;
        }
        let permission = self.source.permission(&asked.repository, asked.installation, &asked.by).await?;
        if permission < Permission::Write {
            let refusal = "Only people with write access to this repository can ask for that.".to_owned();
            return self
                .answer(asked, &[refusal], DeliveryState::Ignored("no write access".to_owned()))
                .await;
        }
        let Some(target) = self.target(asked).await? else {
            let refusal = "There is no such pull request or run any more.".to_owned();
            return self.answer(asked, &[refusal], DeliveryState::Ignored("no such run".to_owned())).await;
        };
        let mut refusals = Vec::new();
        for command in &asked.commands {
            refusals.extend(self.carry_out(command, &target, asked, now).await?.err());
        }
        tracing::info!(run = %target.run, by = asked.by, refused = refusals.len(), "asked");
        self.answer(asked, &refusals, DeliveryState::Planned(target.run)).await
    }

    async fn target(&self, asked: &Asked) -> Answer<Option<Target>> {
        let repository = asked.repository.clone();
        let run = |sha: &Sha, trust| RunId { repository: repository.clone(), sha: sha.clone(), trust };
        Ok(match &asked.about {
            About::Run(run) if run.repository == asked.repository => {
                Some(Target { run: run.clone(), pull: None })
            }
            About::Run(_) => None,
            About::Commit(sha) => {
                let trusted = run(sha, Trust::Trusted);
                let known = self.store.run(&trusted).await?.is_some();
                let run = if known { trusted } else { run(sha, Trust::Untrusted) };
                Some(Target { run, pull: None })
            }
            About::Pull(number) => {
                let pull = self.source.pull(&asked.repository, asked.installation, *number).await?;
                pull.map(|pull| {
                    let is_own = pull.head_repository.as_ref() == Some(&asked.repository);
                    let trust = if is_own { Trust::Trusted } else { Trust::Untrusted };
                    Target { run: run(&pull.head, trust), pull: Some(pull) }
                })
            }
        })
    }

    /// Carries one command out; the refusal is a sentence for the person.
    async fn carry_out(
        &self,
        command: &Command,
        target: &Target,
        asked: &Asked,
        now: Timestamp,
    ) -> Answer<Result<(), String>> {
        match command {
            Command::Malformed(problem) => Ok(Err(problem.clone())),
            Command::OkToTest(sha) => self.admit(sha, target, asked, now).await,
            Command::Cancel => self.cancel(target, asked, now).await,
            Command::Retest => self.retest(target, asked, now).await,
            Command::TestAll => self.test_all(target, asked, now).await,
            Command::Test(subject) => self.test(subject, target, asked, now).await,
        }
    }
}
