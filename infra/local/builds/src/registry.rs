//! All builds of this cloud, and the tokens that make a repeated start harmless.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::watch;

use crate::build::Build;
use crate::error::Refusal;

/// How long a start can be repeated with the same token, as on AWS.
const TOKEN_LIFE: Duration = Duration::from_mins(5);

/// The builds in the order of their starts.
#[derive(Debug, Default)]
pub(crate) struct Registry {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    order: Vec<String>,
    builds: HashMap<String, Arc<Entry>>,
    tokens: HashMap<(String, String), Token>,
    numbers: HashMap<String, u64>,
}

#[derive(Debug)]
struct Token {
    given: Instant,
    /// The request itself: a repetition must be the very same.
    request: String,
    build: String,
}

/// One build and the two signals around it.
#[derive(Debug)]
pub(crate) struct Entry {
    build: Mutex<Build>,
    pub(crate) stop: watch::Sender<bool>,
    pub(crate) ended: watch::Sender<bool>,
}

impl Entry {
    fn new(build: Build) -> Self {
        Self { build: Mutex::new(build), stop: watch::Sender::new(false), ended: watch::Sender::new(false) }
    }

    /// The build as it is now.
    pub(crate) fn snapshot(&self) -> Build {
        self.build.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Changes the build.
    pub(crate) fn update<T>(&self, change: impl FnOnce(&mut Build) -> T) -> T {
        change(&mut self.build.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Registry {
    /// Enters a new build, unless the token gives back an earlier one (then with `false`).
    ///
    /// `make` gets the build's number in its project, and is called only when the limit allows another build.
    pub(crate) fn enter(
        &self,
        start: &Start<'_>,
        make: impl FnOnce(u64) -> Build,
    ) -> Result<(Arc<Entry>, bool), Refusal> {
        let mut state = self.lock();
        if let Some(known) = state.repeated(start)? {
            return Ok((known, false));
        }
        let open = |entry: &&Arc<Entry>| entry.update(|build| !build.build_complete);
        let of_project = |entry: &&Arc<Entry>| entry.update(|build| build.project_name == start.project);
        if state.builds.values().filter(open).count() >= start.account_limit {
            let message =
                format!("Cannot have more than {} builds in queue for the account", start.account_limit);
            return Err(Refusal::too_many(message));
        }
        if let Some(limit) = start.project_limit
            && state.builds.values().filter(of_project).filter(open).count() >= limit
        {
            return Err(Refusal::too_many(format!(
                "Cannot have more than {limit} active builds for the project"
            )));
        }
        let number = state.numbers.entry(start.project.to_owned()).or_default();
        *number += 1;
        let build = make(*number);
        let id = build.id.clone();
        let entry = Arc::new(Entry::new(build));
        state.order.push(id.clone());
        state.builds.insert(id.clone(), Arc::clone(&entry));
        if let Some(token) = start.token {
            let key = (start.project.to_owned(), token.to_owned());
            let token = Token { given: start.now, request: start.request.clone(), build: id };
            state.tokens.insert(key, token);
        }
        Ok((entry, true))
    }

    /// The build of this id or ARN.
    pub(crate) fn find(&self, id_or_arn: &str) -> Option<Arc<Entry>> {
        let id = id_or_arn.split_once(":build/").map_or(id_or_arn, |(_, id)| id);
        self.lock().builds.get(id).cloned()
    }

    /// The ids of all builds, or of those of one project, oldest first.
    pub(crate) fn ids(&self, project: Option<&str>) -> Vec<String> {
        let state = self.lock();
        let wanted =
            |id: &&String| project.is_none_or(|name| id.rsplit_once(':').is_some_and(|(of, _)| of == name));
        state.order.iter().filter(wanted).cloned().collect()
    }

    /// Asks every build to stop.
    pub(crate) fn stop_all(&self) {
        for entry in self.lock().builds.values() {
            entry.stop.send_replace(true);
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What decides whether a start makes a new build.
#[derive(Debug)]
pub(crate) struct Start<'a> {
    pub(crate) project: &'a str,
    pub(crate) token: Option<&'a str>,
    pub(crate) request: String,
    pub(crate) account_limit: usize,
    pub(crate) project_limit: Option<usize>,
    pub(crate) now: Instant,
}

impl State {
    fn repeated(&mut self, start: &Start<'_>) -> Result<Option<Arc<Entry>>, Refusal> {
        self.tokens.retain(|_, token| start.now.saturating_duration_since(token.given) < TOKEN_LIFE);
        let Some(token) = start.token else { return Ok(None) };
        let key = (start.project.to_owned(), token.to_owned());
        let Some(known) = self.tokens.get(&key) else { return Ok(None) };
        if known.request != start.request {
            let message = format!("The idempotency token {token} was used with other parameters");
            return Err(Refusal::invalid(message));
        }
        Ok(self.builds.get(&known.build).cloned())
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use serde_json::json;

    use super::{Registry, Start};
    use crate::build::Build;

    fn build(number: u64) -> Build {
        let build = json!({
            "id": format!("tests:{number}"), "arn": "", "buildNumber": number, "startTime": 0.0,
            "currentPhase": "SUBMITTED", "buildStatus": "IN_PROGRESS", "projectName": "tests", "phases": [],
            "source": {}, "artifacts": {}, "environment": {}, "serviceRole": "", "timeoutInMinutes": 60,
            "logs": { "groupName": "", "streamName": "", "deepLink": "", "cloudWatchLogsArn": "" },
            "buildComplete": false, "initiator": "",
        });
        serde_json::from_value(build).expect("complete")
    }

    fn start(token: Option<&str>, now: Instant) -> Start<'_> {
        Start {
            project: "tests",
            token,
            request: "{}".to_owned(),
            account_limit: 6,
            project_limit: Some(2),
            now,
        }
    }

    #[test]
    fn a_token_holds_five_minutes() {
        let registry = Registry::default();
        let began = Instant::now();
        let enter = |now| {
            let (entry, is_new) = registry.enter(&start(Some("task"), now), build).expect("allowed");
            (entry.snapshot().id, is_new)
        };
        assert_eq!(enter(began), ("tests:1".to_owned(), true));
        assert_eq!(enter(began + Duration::from_secs(299)), ("tests:1".to_owned(), false));
        assert_eq!(enter(began + Duration::from_mins(5)), ("tests:2".to_owned(), true));
    }

    #[test]
    fn a_projects_limit_counts_only_what_runs() {
        let registry = Registry::default();
        let now = Instant::now();
        let (first, _) = registry.enter(&start(None, now), build).expect("the first");
        registry.enter(&start(None, now), build).expect("the second");
        assert!(registry.enter(&start(None, now), build).is_err(), "the third is one too many");
        first.update(|build| build.complete(crate::build::Status::Failed));
        registry.enter(&start(None, now), build).expect("a place is free again");
    }
}
