//! How a person is answered who asked in a comment: a sign below it, and a sentence where something was refused.

use domain::command::About;
use domain::command::Asked;
use domain::ports::{Answer, Artifacts, DeliveryState, Queue, Reaction};
use domain::text;

use crate::{Hub, Memory, Planner};

impl<S: Memory, Q: Queue, A: Artifacts, G: Hub> Planner<S, Q, A, G> {
    /// Answers, then notes what became of the delivery. Each may be repeated: the sign is there once, and the sentence is
    /// found by its mark.
    pub(crate) async fn answer(
        &self,
        asked: &Asked,
        refusals: &[String],
        became: DeliveryState,
    ) -> Answer<()> {
        let (repository, installation) = (&asked.repository, asked.installation);
        if let Some(comment) = asked.comment {
            let reaction = if refusals.is_empty() { Reaction::Taken } else { Reaction::Refused };
            self.source.react(repository, installation, comment, reaction).await?;
            if let (About::Pull(number), false) = (&asked.about, refusals.is_empty()) {
                let (mark, text) = (format!("answer-{comment}"), refusal(&asked.by, refusals));
                self.source.comment(repository, installation, *number, &mark, &text, None).await?;
            }
        } else if !refusals.is_empty() {
            tracing::warn!(delivery = %asked.delivery, by = asked.by, refusals = refusals.join(" "), "refused");
        }
        self.store.note(&asked.delivery, &became).await
    }
}

/// What a person is told whose wish, or part of it, was refused. The sentences are ours; what of his own words stands in
/// them can neither mention anybody nor become markup.
fn refusal(login: &str, refusals: &[String]) -> String {
    let line = text::clean(&refusals.join(" ")).replace(['\n', '\t'], " ");
    let harmless = line.replace('&', "&amp;").replace('<', "&lt;").replace('@', "@\u{200b}");
    format!("`{login}`: {}\n", text::cut(&harmless, LONGEST_ANSWER))
}

/// The most characters of an answer.
const LONGEST_ANSWER: usize = 4000;
