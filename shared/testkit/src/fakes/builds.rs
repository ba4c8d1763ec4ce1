//! A CodeBuild project: tokens that hold five minutes, a limit of concurrent builds, builds that end when a test
//! says so.

use std::time::Duration;

use domain::ids::AttemptId;
use domain::message::TASK_VARIABLE;
use domain::ports::{Answer, BuildRequest, BuildStart, BuildState, BuildStatus, Builds, Fault};
use domain::time::Timestamp;
use serde_json::json;
use sha2::{Digest, Sha256};

use super::clock::Clock;
use super::shared::Shared;
use super::wire::{Guard, Wire};

/// <https://docs.aws.amazon.com/codebuild/latest/APIReference/API_StartBuild.html>
const TOKEN_HOLDS: Duration = Duration::from_mins(5);

/// The project. Clones share it.
#[derive(Debug, Clone)]
pub struct MemoryBuilds {
    wire: Wire,
    clock: Clock,
    project: &'static str,
    state: Shared<State>,
}

#[derive(Debug)]
struct State {
    builds: Vec<FakeBuild>,
    most_at_once: usize,
}

/// A build.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FakeBuild {
    /// Its id.
    pub id: String,
    /// What it was started with.
    pub request: BuildRequest,
    /// When.
    pub started: Timestamp,
    /// How it fares.
    pub status: BuildStatus,
}

impl FakeBuild {
    /// The body of EventBridge's message at its end.
    pub fn event(&self) -> String {
        json!({
            "source": "aws.codebuild",
            "detail-type": "CodeBuild Build State Change",
            "detail": {
                "build-id": self.id,
                "additional-information": {"environment": {"environment-variables": [
                    {"name": TASK_VARIABLE, "type": "PLAINTEXT", "value": self.request.task()},
                ]}},
            },
        })
        .to_string()
    }
}

impl MemoryBuilds {
    /// A project without builds.
    pub fn new(wire: &Wire, clock: &Clock, project: &'static str) -> Self {
        let state = Shared::new(State { builds: Vec::new(), most_at_once: usize::MAX });
        Self { wire: wire.clone(), clock: clock.clone(), project, state }
    }

    /// From now on so many builds run at once; the next one is refused as busy.
    pub fn limit(&self, most_at_once: usize) {
        self.state.with(|state| state.most_at_once = most_at_once);
    }

    /// Every build ever started, in its order.
    pub fn all(&self) -> Vec<FakeBuild> {
        self.state.with(|state| state.builds.clone())
    }

    /// The builds under way.
    pub fn running(&self) -> Vec<FakeBuild> {
        self.all().into_iter().filter(|build| build.status.state == BuildState::InProgress).collect()
    }

    /// Ends a build that runs; answers it as it ended.
    pub fn end(&self, id: &str, ended: BuildState, reason: Option<&str>) -> Option<FakeBuild> {
        self.state.with(|state| {
            let build = state.builds.iter_mut().find(|build| build.id == id)?;
            if build.status.state == BuildState::InProgress {
                let log = Some(format!("https://logs.example/{id}"));
                build.status =
                    BuildStatus { state: ended, log, reason: reason.map(str::to_owned), digest: None };
            }
            Some(build.clone())
        })
    }

    /// Ends a build that runs, and lets CodeBuild tell that these bytes are what it uploaded.
    pub fn end_leaving(&self, id: &str, ended: BuildState, result: &[u8]) {
        self.end(id, ended, None);
        let digest = hex::encode(Sha256::digest(result));
        self.state.with(|state| {
            if let Some(build) = state.builds.iter_mut().find(|build| build.id == id) {
                build.status.digest = Some(digest.clone());
            }
        });
    }

    fn begin(&self, request: &BuildRequest) -> Answer<BuildStart> {
        let now = self.clock.now();
        self.state.with(|state| {
            let by_token = |build: &&FakeBuild| {
                build.request.attempts == request.attempts && now.since(build.started) < TOKEN_HOLDS
            };
            let known = state.builds.iter().rfind(by_token).filter(|_| self.wire.has(Guard::Tokens));
            if let Some(known) = known {
                // CodeBuild refuses a token that comes again with other parameters.
                if known.request != *request {
                    return Err(Fault::reject("the token was used with other parameters"));
                }
                return Ok(BuildStart::Started(known.id.clone()));
            }
            let running =
                state.builds.iter().filter(|build| build.status.state == BuildState::InProgress).count();
            if running >= state.most_at_once {
                return Ok(BuildStart::Busy);
            }
            let id = format!("{}:{}", self.project, state.builds.len() + 1);
            let status = BuildStatus { state: BuildState::InProgress, log: None, reason: None, digest: None };
            state.builds.push(FakeBuild { id: id.clone(), request: request.clone(), started: now, status });
            Ok(BuildStart::Started(id))
        })
    }
}

impl Builds for MemoryBuilds {
    async fn start(&self, request: &BuildRequest) -> Answer<BuildStart> {
        self.wire.call("builds.start", || self.begin(request)).await
    }

    async fn find(&self, attempt: &AttemptId) -> Answer<Option<String>> {
        let found = self
            .wire
            .call("builds.find", || {
                let of_attempt = |build: &FakeBuild| {
                    build.request.attempts.contains(attempt) && build.status.state != BuildState::Stopped
                };
                Ok(self.all().into_iter().filter(of_attempt).collect::<Vec<_>>())
            })
            .await?;
        let mut found = found.into_iter();
        let Some(oldest) = found.next() else { return Ok(None) };
        for surplus in found.filter(|build| build.status.state == BuildState::InProgress) {
            self.stop(&surplus.id).await?;
        }
        Ok(Some(oldest.id))
    }

    async fn status(&self, id: &str) -> Answer<Option<BuildStatus>> {
        self.wire
            .call("builds.status", || {
                Ok(self.all().into_iter().find(|build| build.id == id).map(|build| build.status))
            })
            .await
    }

    async fn stop(&self, id: &str) -> Answer<()> {
        self.wire
            .call("builds.stop", || {
                self.end(id, BuildState::Stopped, None);
                Ok(())
            })
            .await
    }
}
