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
    format!("`{login}`: {}\n", harmless(&text::cut(&line, LONGEST_ANSWER)))
}

/// Values stand in backticks, where nothing is markup; a backtick without its partner is none.
fn harmless(line: &str) -> String {
    let parts: Vec<&str> = line.split('`').collect();
    let whole = parts.len() - (parts.len() + 1) % 2;
    let outside = |part: &str| part.replace('&', "&amp;").replace('<', "&lt;").replace('@', "@\u{200b}");
    let mut text = String::with_capacity(line.len());
    for (index, part) in parts.iter().enumerate() {
        let is_code = index % 2 == 1 && index < whole;
        let mark = if index == 0 {
            ""
        } else if index < whole {
            "`"
        } else {
            "'"
        };
        text.push_str(mark);
        text.push_str(&if is_code { (*part).to_owned() } else { outside(part) });
    }
    text
}

/// The most characters of an answer.
const LONGEST_ANSWER: usize = 4000;

#[cfg(test)]
mod tests {
    use super::harmless;

    #[test]
    fn what_is_outside_of_backticks_is_no_markup() {
        for (line, expected) in [
            ("`/test <service>` does", "`/test <service>` does"),
            ("no `@everyone` and no @team", "no `@everyone` and no @\u{200b}team"),
            ("<b> & `a` <i>", "&lt;b> &amp; `a` &lt;i>"),
            ("`a` and `<b>", "`a` and '&lt;b>"),
            ("`", "'"),
            ("", ""),
        ] {
            assert_eq!(harmless(line), expected, "{line}");
        }
    }
}
