//! Answers to what people ask in comments.

use super::markdown::{code, sentence};

/// What a person is told whose wish, or part of it, was refused; one sentence for each.
pub fn refusal(login: &str, refusals: &[String]) -> String {
    let sentences: Vec<String> = refusals.iter().map(|refusal| sentence(refusal)).collect();
    // A mention would send him a mail for what he reads here anyway.
    format!("{}: {}\n", code(login), sentences.join(" "))
}
