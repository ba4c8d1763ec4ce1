//! Disturbing a cloud: its AWS throttles, fails and times out, functions are killed, build events go astray.
//!
//! Only what functions ask is disturbed: not the deploy, not the Runtime API, not people. [`Cloud::disturb`] switches it
//! on after [`Cloud::up`], [`Cloud::calm`] off. All decisions come from one seed: the n-th request of a function for an
//! operation fares alike in every run with that seed. Which request is the n-th, and when a process is killed, is up to
//! the machine.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::Context;
use hyper::Method;
use serde_json::json;

use crate::cloud::Cloud;

/// How much goes wrong.
#[derive(Debug, Clone)]
pub struct Disturbance {
    /// What all decisions come from.
    pub seed: u64,
    /// How many of a hundred requests of functions to AWS and CodeBuild fail: throttled, 5xx before or after their
    /// effect, cut off, held back until they time out, or with the function killed before or after the effect.
    pub requests_percent: u8,
    /// How many of a hundred build events are lost, doubled, or so late that the next overtakes them.
    pub events_percent: u8,
    /// How long an answer is held back that shall time out: longer than the functions' clients wait.
    pub hold: Duration,
    /// How many of a hundred invocations are killed in their midst, whatever they do just then.
    pub kills_percent: u8,
    /// How soon messages come again whose invocation died; on AWS after the queue's visibility timeout.
    pub redelivery: Duration,
}

impl Cloud {
    /// Switches disturbances on.
    ///
    /// # Errors
    /// When the local AWS does not answer.
    pub async fn disturb(&self, disturbance: &Disturbance) -> anyhow::Result<()> {
        let settings = json!({
            "seed": disturbance.seed,
            "percent": disturbance.requests_percent,
            "hold_seconds": disturbance.hold.as_secs_f64(),
            "kill_percent": disturbance.kills_percent,
            "redelivery_seconds": disturbance.redelivery.as_secs_f64(),
        });
        self.aws().rest(Method::PUT, "slipway", "/_slipway/faults", settings.to_string()).await?;
        self.builds().disturb(local_builds::Disturbance {
            seed: disturbance.seed,
            requests_percent: disturbance.requests_percent.into(),
            events_percent: disturbance.events_percent.into(),
            hold: disturbance.hold,
        });
        Ok(())
    }

    /// Lets every request to CodeBuild fail, and nothing else, until [`Cloud::calm`].
    pub fn refuse_builds(&self) {
        self.builds().disturb(local_builds::Disturbance {
            seed: 0,
            requests_percent: 100,
            events_percent: 0,
            hold: Duration::ZERO,
        });
    }

    /// Switches them off. Messages of invocations that died still come again soon.
    ///
    /// # Errors
    /// When the local AWS does not answer.
    pub async fn calm(&self) -> anyhow::Result<()> {
        self.builds().calm();
        self.aws().rest(Method::DELETE, "slipway", "/_slipway/faults", "").await.map(drop)
    }

    /// How often each fault has happened, those of CodeBuild as `builds: …`.
    ///
    /// # Errors
    /// When the local AWS does not answer.
    pub async fn disturbances(&self) -> anyhow::Result<BTreeMap<String, u64>> {
        let told = self.aws().rest(Method::GET, "slipway", "/_slipway/faults", "").await?;
        let mut seen: BTreeMap<String, u64> =
            serde_json::from_slice(&told).context("the local AWS's count of faults")?;
        let builds = self.builds().faults().into_iter();
        seen.extend(builds.map(|(name, count)| (format!("builds: {name}"), count)));
        Ok(seen)
    }
}
