//! GitHub's rules for what a check run may be sent as; each broken one is a 422.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::answer::Problem;

const MOST_ANNOTATIONS_PER_REQUEST: usize = 50;
const MOST_ACTIONS: usize = 3;
const LONGEST_TEXT: usize = 65_535;
const LONGEST_ANNOTATION_TITLE: usize = 255;
const LARGEST_ANNOTATION_BYTES: usize = 64 * 1024;

const CONCLUSIONS: [&str; 7] =
    ["action_required", "cancelled", "failure", "neutral", "success", "skipped", "timed_out"];
const STATUSES: [&str; 3] = ["queued", "in_progress", "completed"];
const LEVELS: [&str; 3] = ["notice", "warning", "failure"];

/// The body of a create or update request.
#[derive(Default, Deserialize)]
pub(crate) struct Sent {
    pub(crate) name: Option<String>,
    pub(crate) head_sha: Option<String>,
    pub(crate) details_url: Option<String>,
    pub(crate) external_id: Option<String>,
    pub(crate) status: Option<String>,
    pub(crate) conclusion: Option<String>,
    pub(crate) started_at: Option<Timestamp>,
    pub(crate) completed_at: Option<Timestamp>,
    pub(crate) output: Option<Output>,
    pub(crate) actions: Option<Vec<Action>>,
}

#[derive(Deserialize)]
pub(crate) struct Output {
    pub(crate) title: Option<String>,
    pub(crate) summary: Option<String>,
    pub(crate) text: Option<String>,
    #[serde(default)]
    pub(crate) annotations: Vec<Annotation>,
    /// Shown by GitHub, ignored here.
    #[serde(default)]
    #[expect(dead_code, reason = "accepted so that a request with images is no error")]
    images: Vec<Value>,
}

#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) struct Annotation {
    pub(crate) path: String,
    pub(crate) start_line: u64,
    pub(crate) end_line: u64,
    #[serde(default)]
    pub(crate) start_column: Option<u64>,
    #[serde(default)]
    pub(crate) end_column: Option<u64>,
    #[serde(rename = "annotation_level")]
    pub(crate) level: String,
    pub(crate) message: String,
    #[serde(default)]
    pub(crate) title: Option<String>,
    #[serde(default)]
    pub(crate) raw_details: Option<String>,
}

/// A button beside a completed check run.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) struct Action {
    pub(crate) label: String,
    pub(crate) description: String,
    pub(crate) identifier: String,
}

impl Sent {
    /// Refuses what GitHub refuses.
    pub(crate) fn check(&self) -> Result<(), Problem> {
        if self.name.as_ref().is_some_and(|name| name.trim().is_empty()) {
            return Err(refusal("`name` must not be empty."));
        }
        one_of("status", self.status.as_deref(), &STATUSES)?;
        one_of("conclusion", self.conclusion.as_deref(), &CONCLUSIONS)?;
        if self.status.as_deref() == Some("completed") && self.conclusion.is_none() {
            return Err(refusal("`conclusion` is required when `status` is `completed`."));
        }
        if self
            .details_url
            .as_ref()
            .is_some_and(|url| !url.starts_with("http://") && !url.starts_with("https://"))
        {
            return Err(refusal("`details_url` must use http or https scheme."));
        }
        self.output.as_ref().map_or(Ok(()), check_output)?;
        self.actions.as_deref().map_or(Ok(()), check_actions)
    }
}

fn check_output(output: &Output) -> Result<(), Problem> {
    if output.title.is_none() || output.summary.is_none() {
        return Err(refusal("`output` needs a `title` and a `summary`."));
    }
    for (field, text) in [("summary", &output.summary), ("text", &output.text)] {
        at_most(field, text.as_deref().unwrap_or_default(), LONGEST_TEXT)?;
    }
    let count = output.annotations.len();
    if count > MOST_ANNOTATIONS_PER_REQUEST {
        return Err(refusal(format!(
            "No more than {MOST_ANNOTATIONS_PER_REQUEST} annotations are allowed per request; {count} were supplied."
        )));
    }
    output.annotations.iter().try_for_each(check_annotation)
}

fn check_annotation(annotation: &Annotation) -> Result<(), Problem> {
    one_of("annotation_level", Some(&annotation.level), &LEVELS)?;
    if annotation.path.is_empty() {
        return Err(refusal("An annotation's `path` must not be empty."));
    }
    if annotation.start_line == 0 || annotation.end_line < annotation.start_line {
        return Err(refusal("An annotation's lines begin at 1, and `end_line` is not before `start_line`."));
    }
    let has_columns = annotation.start_column.is_some() || annotation.end_column.is_some();
    if has_columns && annotation.start_line != annotation.end_line {
        return Err(refusal("Annotations only support columns when they start and end on the same line."));
    }
    at_most("title", annotation.title.as_deref().unwrap_or_default(), LONGEST_ANNOTATION_TITLE)?;
    for (field, text) in
        [("message", Some(&annotation.message)), ("raw_details", annotation.raw_details.as_ref())]
    {
        if text.is_some_and(|text| text.len() > LARGEST_ANNOTATION_BYTES) {
            return Err(refusal(format!("An annotation's `{field}` is at most 64 KB.")));
        }
    }
    Ok(())
}

fn check_actions(actions: &[Action]) -> Result<(), Problem> {
    if actions.len() > MOST_ACTIONS {
        let count = actions.len();
        return Err(refusal(format!(
            "No more than {MOST_ACTIONS} items are allowed; {count} were supplied."
        )));
    }
    for action in actions {
        let limits = [
            ("label", &action.label, 20),
            ("description", &action.description, 40),
            ("identifier", &action.identifier, 20),
        ];
        for (field, text, limit) in limits {
            at_most(field, text, limit)?;
            if text.is_empty() {
                return Err(refusal(format!("An action's `{field}` must not be empty.")));
            }
        }
    }
    Ok(())
}

fn one_of(field: &str, value: Option<&str>, allowed: &[&str]) -> Result<(), Problem> {
    match value {
        Some(value) if !allowed.contains(&value) => {
            Err(refusal(format!("`{value}` is not a member of {allowed:?} for `{field}`.")))
        }
        _ => Ok(()),
    }
}

/// Characters, not bytes, as GitHub counts.
fn at_most(field: &str, text: &str, limit: usize) -> Result<(), Problem> {
    if text.chars().count() > limit {
        return Err(refusal(format!("Only {limit} characters are allowed in `{field}`.")));
    }
    Ok(())
}

fn refusal(sentence: impl std::fmt::Display) -> Problem {
    Problem::unprocessable(format!("Invalid request.\n\n{sentence}"))
}
