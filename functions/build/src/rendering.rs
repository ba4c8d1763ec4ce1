//! Renders the manifests of a run's services by Kustomize and Helm, all in one build, unless the same was rendered
//! before; stores each under its hash.

mod objects;
mod request;

use std::collections::BTreeMap;

use domain::ids::ServiceName;
use domain::keys;
use domain::next::Learned;
use domain::ports::{Answer, Artifacts, BuildStart, BuildState, BuildStatus, Builds, Fault};
use domain::run::Delivery;
use domain::spec::ManifestsSpec;
use domain::task::{Output, TaskSpec, Verdict};
use domain::text;
use lambda::{BUSY_DELAY, BuildResult, Case, StageWork, stop_builds};
use sha2::{Digest as _, Sha256};

use crate::last_lines;

/// The largest record of what was rendered before, in bytes.
const LARGEST_RECORD: u64 = 1024 * 1024;

/// The most that is rendered of one service, and of all together, in bytes: what a plain manifest file may have, and
/// what the function can hold.
const LARGEST_SERVICE: u64 = 8 * 1024 * 1024;
const LARGEST_SUM: u64 = 16 * 1024 * 1024;

/// The largest log and error that are read, in bytes.
const LARGEST_LOG: u64 = 6 * 1024 * 1024;
const LARGEST_ERROR: u64 = 64 * 1024;

/// The most characters of a tool's own words in a sentence.
const LONGEST_ERROR: usize = 500;

/// The hashes of what was rendered, by service.
type Hashes = BTreeMap<ServiceName, String>;

/// The work on manifests with its ports.
#[derive(Debug)]
pub struct ManifestBuilds<B, A> {
    /// The project that renders.
    pub builds: B,
    /// Sources, results and what was rendered.
    pub artifacts: A,
}

impl<B: Builds, A: Artifacts> StageWork for ManifestBuilds<B, A> {
    async fn start(&self, case: &Case<'_>, adopt: bool) -> Answer<Learned> {
        let spec = manifests_of(case)?;
        if let Some(rendered) = self.known(case).await? {
            return Ok(Learned::Concluded(passed(rendered, None, "the same inputs were rendered before")));
        }
        let attempt = case.task.attempt_id();
        if adopt && let Some(handle) = self.builds.find(&attempt).await? {
            return Ok(Learned::Started { handle });
        }
        let namespace = &delivery_of(case)?.namespace;
        let request = match request::of(attempt, spec, namespace, &self.artifacts)? {
            Ok(request) => request,
            Err(sentence) => return Ok(Learned::Concluded(Verdict::failed(sentence, Output::None))),
        };
        Ok(match self.builds.start(&request).await? {
            BuildStart::Started(handle) => Learned::Started { handle },
            BuildStart::Busy => Learned::InProgress { ask_again: Some(BUSY_DELAY) },
        })
    }

    async fn observe(&self, case: &Case<'_>, handle: &str) -> Answer<Learned> {
        let Some(status) = self.builds.status(handle).await? else {
            return Err(Fault::reject(format!("CodeBuild does not know build `{handle}` any more")));
        };
        if status.state == BuildState::InProgress {
            return Ok(Learned::InProgress { ask_again: None });
        }
        let folder = keys::result_folder(&case.task.attempt_id());
        // What CodeBuild does not tell the hash of may be anybody's who writes results.
        let result = match &status.digest {
            Some(digest) => BuildResult::read(&self.artifacts, &folder, Some(digest)).await?,
            None => None,
        };
        match (status.state, result) {
            (BuildState::Fault, result) => Ok(Learned::Broken(failed(result, status))),
            (BuildState::Succeeded, Some(result)) => self.judged(case, result, status).await,
            (_, result) => Ok(Learned::Concluded(failed(result, status))),
        }
    }

    async fn stop(&self, case: &Case<'_>, handle: Option<&str>) -> Answer<()> {
        stop_builds(&self.builds, &case.task.attempt_id(), handle).await
    }
}

impl<B: Builds, A: Artifacts> ManifestBuilds<B, A> {
    /// What an earlier run has rendered from the same.
    async fn known(&self, case: &Case<'_>) -> Answer<Option<Hashes>> {
        let Some(key) = record_key(case)? else { return Ok(None) };
        let record = self.artifacts.get(&key, LARGEST_RECORD).await?;
        Ok(record.and_then(|bytes| match serde_json::from_slice(&bytes) {
            Ok(rendered) => Some(rendered),
            Err(error) => {
                tracing::warn!(key, %error, "the record of what was rendered cannot be read: it is rendered again");
                None
            }
        }))
    }

    /// The verdict over what a green build left.
    async fn judged(&self, case: &Case<'_>, mut result: BuildResult, status: BuildStatus) -> Answer<Learned> {
        Ok(Learned::Concluded(match streams(manifests_of(case)?, &mut result) {
            Err(sentence) => {
                let output = Output::Log { tail: log_tail(Some(&mut result)), log: status.log };
                Verdict::failed(sentence, output)
            }
            Ok(streams) => passed(self.kept(case, streams).await?, status.log, "rendered"),
        }))
    }

    /// Stores each stream under its hash, then lets later runs find them: each may be repeated.
    async fn kept(&self, case: &Case<'_>, streams: BTreeMap<ServiceName, Vec<u8>>) -> Answer<Hashes> {
        let mut rendered = Hashes::new();
        for (service, stream) in streams {
            let hash = hex::encode(Sha256::digest(&stream));
            self.artifacts.put(&keys::rendered(&hash), stream).await?;
            rendered.insert(service, hash);
        }
        if let Some(key) = record_key(case)? {
            let record = serde_json::to_vec(&rendered)
                .map_err(|error| Fault::reject(format!("what was rendered cannot be written: {error}")))?;
            self.artifacts.put(&key, record).await?;
        }
        Ok(rendered)
    }
}

/// Where it is recorded what was rendered from the same; none where it is not known what that is.
fn record_key(case: &Case<'_>) -> Answer<Option<String>> {
    let namespace = &delivery_of(case)?.namespace;
    let hash = |key: &String| hex::encode(Sha256::digest(format!("{key} {namespace}")));
    Ok(case.task.key.as_ref().map(|key| keys::rendering(&case.head.id.repository, &hash(key))))
}

/// The stream of each service, or the sentence for the developer why they cannot be taken.
fn streams(spec: &ManifestsSpec, result: &mut BuildResult) -> Result<BTreeMap<ServiceName, Vec<u8>>, String> {
    let (mut streams, mut left) = (BTreeMap::new(), LARGEST_SUM);
    for service in &spec.services {
        let name = &service.name;
        let entry = format!("{name}/manifests.yaml");
        let stream = result.entry(&entry, LARGEST_SERVICE).ok_or_else(|| {
            format!("the build left no manifests of `{name}`, or more than the {LARGEST_SERVICE} bytes that are taken")
        })?;
        left = left.checked_sub(stream.len() as u64).ok_or_else(|| {
            format!("all manifests that are rendered have together more than the {LARGEST_SUM} bytes that are taken")
        })?;
        objects::check(&stream).map_err(|why| format!("`{name}`: {why}"))?;
        streams.insert(name.clone(), stream);
    }
    Ok(streams)
}

fn passed(rendered: Hashes, log: Option<String>, how: &str) -> Verdict {
    let services = match rendered.len() {
        1 => "1 service".to_owned(),
        many => format!("{many} services"),
    };
    Verdict::passed(format!("manifests of {services}: {how}"), Output::Manifests { rendered, log })
}

fn failed(mut result: Option<BuildResult>, status: BuildStatus) -> Verdict {
    let tail = log_tail(result.as_mut());
    let error = result.as_mut().and_then(|result| result.entry("error.txt", LARGEST_ERROR));
    let error = error.map(|error| String::from_utf8_lossy(&error).into_owned());
    let said = error.or_else(|| tail.last().cloned()).filter(|_| status.state == BuildState::Failed);
    let summary = match said.or(status.reason) {
        Some(why) => {
            format!("the manifests are not rendered: {}", text::first_line(why.trim(), LONGEST_ERROR))
        }
        None => "the manifests are not rendered; the log says why".to_owned(),
    };
    Verdict::failed(summary, Output::Log { tail, log: status.log })
}

fn log_tail(result: Option<&mut BuildResult>) -> Vec<String> {
    last_lines(&result.and_then(|result| result.entry("log.txt", LARGEST_LOG)).unwrap_or_default())
}

fn manifests_of<'a>(case: &Case<'a>) -> Answer<&'a ManifestsSpec> {
    match &case.task.spec {
        TaskSpec::Manifests(spec) => Ok(spec),
        _ => Err(Fault::reject(format!("task `{}` renders nothing", case.task.id))),
    }
}

fn delivery_of<'a>(case: &Case<'a>) -> Answer<&'a Delivery> {
    let head = &case.head;
    head.delivery.as_ref().ok_or_else(|| Fault::reject(format!("run `{}` is delivered nowhere", head.id)))
}
