//! Finds an attempt's builds among the project's newest.

use aws_sdk_codebuild::types::{Build, SortOrderType, StatusType};
use domain::ids::AttemptId;
use domain::message::TASK_VARIABLE;
use domain::ports::Answer;

use crate::Builds;

/// How many pages of a hundred builds are looked at: far more than a project starts in the minutes after which
/// an intent is repeated.
const PAGES: usize = 2;

/// A build of the attempt, or one that it shares.
pub(crate) struct Found {
    pub(crate) id: String,
    pub(crate) in_progress: bool,
    number: i64,
}

/// The attempt's builds, the oldest first, without those that somebody stopped.
pub(crate) async fn of_attempt(builds: &Builds, attempt: &AttemptId) -> Answer<Vec<Found>> {
    let attempt = attempt.to_string();
    let what = || format!("builds of `{attempt}` cannot be looked for");
    let mut found = Vec::new();
    let mut token = None;
    for _ in 0..PAGES {
        let page = builds
            .client
            .list_builds_for_project()
            .project_name(&builds.project)
            .sort_order(SortOrderType::Descending)
            .set_next_token(token)
            .send()
            .await
            .map_err(|error| aws::fault(what(), error))?;
        // `BatchGetBuilds` takes a hundred ids, as many as a page has, and refuses none.
        let ids = page.ids.unwrap_or_default();
        if !ids.is_empty() {
            let answer = builds
                .client
                .batch_get_builds()
                .set_ids(Some(ids))
                .send()
                .await
                .map_err(|error| aws::fault(what(), error))?;
            found.extend(answer.builds().iter().filter(|build| is_of(build, &attempt)).filter_map(candidate));
        }
        token = page.next_token;
        if token.is_none() {
            break;
        }
    }
    found.sort_by_key(|build| build.number);
    Ok(found)
}

fn is_of(build: &Build, attempt: &str) -> bool {
    build.environment().is_some_and(|environment| {
        environment.environment_variables().iter().any(|variable| {
            variable.name() == TASK_VARIABLE && variable.value().split(' ').any(|own| own == attempt)
        })
    })
}

fn candidate(build: &Build) -> Option<Found> {
    let status = build.build_status()?;
    if *status == StatusType::Stopped {
        return None;
    }
    Some(Found {
        id: build.id()?.to_owned(),
        in_progress: *status == StatusType::InProgress,
        number: build.build_number().unwrap_or_default(),
    })
}
