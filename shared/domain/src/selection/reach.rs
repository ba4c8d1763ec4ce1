//! How far a change reaches: certain files, or everything where nobody can tell.

use super::reads::is_within;
use super::why::shown;
use crate::files::pipeline::PIPELINE_FILE;
use crate::message::PlanRequest;
use crate::ports::{ChangedFile, Changes, Comparison};
use crate::spec::Plan;

/// How many files GitHub shows of a comparison at most
/// (<https://docs.github.com/en/rest/commits/commits#compare-two-commits>).
const MOST_SHOWN: usize = 300;

/// What of the repository a change touches.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reach<'a> {
    /// Everything counts as changed.
    Everything {
        /// Why, as the end of a sentence.
        why: String,
    },
    /// These files differ.
    Files(&'a [ChangedFile]),
}

impl<'a> Reach<'a> {
    /// What the commit asked for touches, by GitHub's comparison with the commit before it or, of a pull request, with
    /// the branch to merge into; none where there is no such comparison. Where anything is in doubt, everything counts.
    pub fn of(plan: &Plan, request: &PlanRequest, changes: Option<&'a Changes>) -> Self {
        match doubt(plan, request, changes) {
            Ok(files) => Self::Files(files),
            Err(why) => Self::Everything { why },
        }
    }
}

fn doubt<'a>(
    plan: &Plan,
    request: &PlanRequest,
    changes: Option<&'a Changes>,
) -> Result<&'a [ChangedFile], String> {
    let is_pull = request.pull_request.is_some();
    if request.tag {
        return Err("a tag is compared with nothing".to_owned());
    }
    if request.forced && !is_pull {
        return Err("the branch was pushed with force".to_owned());
    }
    let changes = changes.ok_or_else(|| {
        "there is no commit to compare with: the one before is unknown, or has no history in common with this one"
            .to_owned()
    })?;
    // A pull request's files are those since it left its base, however the base has moved on.
    match changes.comparison {
        Comparison::Diverged if !is_pull => return Err("the branch was pushed with force".to_owned()),
        Comparison::Behind if !is_pull => return Err("the branch was moved back".to_owned()),
        Comparison::Ahead | Comparison::Behind | Comparison::Identical | Comparison::Diverged => {}
    }
    if changes.truncated || changes.files.len() >= MOST_SHOWN {
        return Err(format!("GitHub shows no more than {MOST_SHOWN} changed files, and there may be more"));
    }
    for path in changes.files.iter().flat_map(sides) {
        if path == PIPELINE_FILE {
            return Err(format!("`{PIPELINE_FILE}` changed, which says how everything is tested"));
        }
        if plan.global.iter().any(|global| is_within(path, global)) {
            return Err(format!("{} changed, which is `global`", shown(path)));
        }
    }
    Ok(&changes.files)
}

/// Where the file lies, and where it lay.
pub(super) fn sides(file: &ChangedFile) -> impl Iterator<Item = &str> {
    [Some(file.path.as_str()), file.previous.as_deref()].into_iter().flatten()
}
