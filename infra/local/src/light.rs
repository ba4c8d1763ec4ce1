//! The light cloud: the same template, functions and stand-ins, but builds and pods are pretended.
//!
//! Set [`crate::Options::light`] and [`crate::Cloud::up`] needs no Docker engine and is up within seconds:
//!
//! - [`Light::builds`] decides over builds by their `SLIPWAY_TASK`: green or red reports, or none. An image build
//!   pushes a small image to the local ECR. One that renders manifests leaves none, and its task fails. Events, artifacts and the API are those of real builds.
//! - [`Light::pods`] decides over pods by their objects: ready, crashing, or never ready. API, controllers and
//!   server-side apply are those of the small cluster.
//! - [`crate::Workbench::of_services`] makes a repository of any number of services to push.
//! - [`crate::Cloud::requests`] tells who asked AWS, CodeBuild and GitHub for what since the last
//!   [`crate::Cloud::reset_requests`], and how long the local AWS was busy with it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

pub use local_builds::{Fate, Outcome, Pretence as BuildPretence};
pub use local_cluster::{PodFate, Pretence as PodPretence};

/// What stands in the engine's place.
#[derive(Debug, Clone)]
pub struct Light {
    /// What builds come to.
    pub builds: BuildPretence,
    /// How many builds run at a time; six times as many may be open.
    pub concurrent_builds: usize,
    /// What pods come to.
    pub pods: PodPretence,
}

impl Default for Light {
    /// Builds that pass at once and pods that are ready at once.
    fn default() -> Self {
        Self { builds: BuildPretence::passing(), concurrent_builds: 600, pods: PodPretence::ready() }
    }
}

/// The requests that the local cloud's services have answered.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Requests {
    /// Those to AWS without CodeBuild.
    pub aws: Vec<AwsRequests>,
    /// Those to CodeBuild, by operation; only functions ask.
    pub builds: BTreeMap<String, u64>,
    /// Those to GitHub's REST API, by method and route; functions ask, and tests that look at check runs.
    pub github: BTreeMap<String, u64>,
    /// Processor time of the local AWS in seconds: requests, its own queue pollers, the Runtime API.
    pub aws_cpu_seconds: f64,
}

/// How often one caller asked AWS for one operation.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AwsRequests {
    /// The function's name without the stack's; empty for everybody else.
    pub caller: String,
    /// The service as it is signed for: `dynamodb`, `sqs`, `s3`; `apigateway` for the webhook's requests, whose time
    /// holds the function's own.
    pub service: String,
    /// The operation.
    pub operation: String,
    /// How often.
    pub count: u64,
    /// How long the local AWS took for all of them, from the request's head to the end of the answer.
    pub seconds: f64,
}

/// What the local AWS tells at `/_slipway/requests`.
#[derive(Debug, Deserialize)]
pub(crate) struct Told {
    requests: Vec<AwsRequests>,
    cpu_seconds: f64,
}

impl Told {
    pub(crate) fn with(
        self,
        stack: &str,
        builds: BTreeMap<String, u64>,
        github: BTreeMap<String, u64>,
    ) -> Requests {
        let prefix = format!("{stack}-");
        let own = |mut entry: AwsRequests| {
            entry.caller = entry.caller.strip_prefix(&prefix).unwrap_or(&entry.caller).to_owned();
            entry
        };
        let aws = self.requests.into_iter().map(own).collect();
        Requests { aws, builds, github, aws_cpu_seconds: self.cpu_seconds }
    }
}
