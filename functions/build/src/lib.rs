//! Builds the image of a service, unless the registry holds it already, and records its digest. Renders the manifests of
//! a run that are no plain files.

mod rendering;

use std::collections::BTreeMap;

use domain::ids::{Digest, Subject};
use domain::keys;
use domain::next::Learned;
use domain::ports::{
    Advice, Answer, Artifacts, BuildOptions, BuildRequest, BuildStart, BuildState, BuildStatus, Builds,
    Fault, Images,
};
use domain::spec::{ImageSpec, ServiceSpec};
use domain::task::{Output, PinnedImage, Verdict};
use lambda::{BUSY_DELAY, Case, StageWork, read_result, stop_builds};
use sha2::{Digest as _, Sha256};

pub use rendering::ManifestBuilds;

/// What every image build does.
const BUILDSPEC: &str = include_str!("../../../infra/buildspecs/image.yml");

/// The movable tag of the newest image, whose layers later builds take over.
const CACHE: &str = "cache";

/// How many of the log's last lines are kept of a red build.
const TAIL: usize = 40;

/// The stage's work: images, and the manifests that are rendered.
#[derive(Debug)]
pub struct BuildStage<B, A, I> {
    /// Images.
    pub images: ImageBuilds<B, A, I>,
    /// Manifests.
    pub manifests: ManifestBuilds<B, A>,
}

impl<B: Builds, A: Artifacts, I: Images> StageWork for BuildStage<B, A, I> {
    async fn start(&self, case: &Case<'_>, adopt: bool) -> Answer<Learned> {
        match case.task.id.subject {
            Subject::Manifests => self.manifests.start(case, adopt).await,
            _ => self.images.start(case, adopt).await,
        }
    }

    async fn observe(&self, case: &Case<'_>, handle: &str) -> Answer<Learned> {
        match case.task.id.subject {
            Subject::Manifests => self.manifests.observe(case, handle).await,
            _ => self.images.observe(case, handle).await,
        }
    }

    async fn stop(&self, case: &Case<'_>, handle: Option<&str>) -> Answer<()> {
        match case.task.id.subject {
            Subject::Manifests => self.manifests.stop(case, handle).await,
            _ => self.images.stop(case, handle).await,
        }
    }
}

/// The work on images with its ports.
#[derive(Debug)]
pub struct ImageBuilds<B, A, I> {
    /// The image project.
    pub builds: B,
    /// Sources and results.
    pub artifacts: A,
    /// The registry.
    pub images: I,
    /// The build argument `BASE_IMAGE`; none leaves the Dockerfile's own default.
    pub base_image: Option<String>,
    /// What the names of secrets for builds begin with, such as `slipway/build/`.
    pub secrets_prefix: String,
}

impl<B: Builds, A: Artifacts, I: Images> StageWork for ImageBuilds<B, A, I> {
    async fn start(&self, case: &Case<'_>, adopt: bool) -> Answer<Learned> {
        let (service, image) = image_of(case)?;
        let address = self.images.ensure_repository(&image.repository).await?;
        let tag = case.head.id.sha.as_str();
        if let Some(digest) = self.images.digest(&image.repository, tag).await? {
            self.remember(case, image, &digest).await?;
            return Ok(Learned::Concluded(built(address, digest, None, "the registry held it already")));
        }
        if let Some(digest) = self.of_same_content(case, image).await? {
            self.images.tag(&image.repository, &digest, tag).await?;
            return Ok(Learned::Concluded(built(address, digest, None, "the same content was built before")));
        }
        let attempt = case.task.attempt_id();
        if adopt && let Some(handle) = self.builds.find(&attempt).await? {
            return Ok(Learned::Started { handle });
        }
        let request = BuildRequest {
            source: self.artifacts.place(&keys::source(&attempt.run)),
            buildspec: BUILDSPEC,
            variables: self.variables(case, service, image, &address),
            options: BuildOptions { secrets: self.secrets(image), ..BuildOptions::default() },
            result: keys::result_folder(&attempt),
            attempts: vec![attempt],
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
        // The registry has the last word: a second build of the same task finds the tag and is a success.
        let (_, image) = image_of(case)?;
        let address = self.images.ensure_repository(&image.repository).await?;
        match self.images.digest(&image.repository, case.head.id.sha.as_str()).await? {
            Some(digest) => {
                self.remember(case, image, &digest).await?;
                Ok(Learned::Concluded(built(address, digest, status.log, "built and pushed")))
            }
            None if status.state == BuildState::Fault => {
                Ok(Learned::Broken(self.failed(case, status).await?))
            }
            None => Ok(Learned::Concluded(self.failed(case, status).await?)),
        }
    }

    async fn stop(&self, case: &Case<'_>, handle: Option<&str>) -> Answer<()> {
        stop_builds(&self.builds, &case.task.attempt_id(), handle).await
    }
}

impl<B: Builds, A: Artifacts, I: Images> ImageBuilds<B, A, I> {
    /// The image of an earlier build of the same content, which its tag names.
    async fn of_same_content(&self, case: &Case<'_>, image: &ImageSpec) -> Answer<Option<Digest>> {
        match self.content_tag(case) {
            Some(tag) => self.images.digest(&image.repository, &tag).await,
            None => Ok(None),
        }
    }

    /// Lets later builds take its layers over, and those of the same content find this one. Of two of the same content at
    /// the same time the first one is found.
    async fn remember(&self, case: &Case<'_>, image: &ImageSpec, digest: &Digest) -> Answer<()> {
        self.images.tag(&image.repository, digest, CACHE).await?;
        let Some(tag) = self.content_tag(case) else { return Ok(()) };
        if self.images.digest(&image.repository, &tag).await?.is_some() {
            return Ok(());
        }
        match self.images.tag(&image.repository, digest, &tag).await {
            Err(fault) if fault.advice == Advice::Reject => {
                tracing::warn!(task = %case.task.id, fault = fault.chain(), "another build of the same was faster");
                Ok(())
            }
            done => done,
        }
    }

    /// `content-` and 64 hexadecimal digits: what plan read of the commit, and the stack's base image.
    fn content_tag(&self, case: &Case<'_>) -> Option<String> {
        let base = self.base_image.as_deref().unwrap_or_default();
        let hash = |key: &String| hex::encode(Sha256::digest(format!("{key} {base}")));
        case.task.key.as_ref().map(|key| format!("content-{}", hash(key)))
    }

    /// The build's variables: a pure function of the task, so that a repeated start is the same start.
    fn variables(
        &self,
        case: &Case<'_>,
        service: &ServiceSpec,
        image: &ImageSpec,
        address: &str,
    ) -> BTreeMap<String, String> {
        let run = &case.head.id;
        [
            ("SLIPWAY_SERVICE_PATH", service.path.as_str()),
            ("SLIPWAY_DOCKERFILE", image.dockerfile.as_str()),
            ("SLIPWAY_IMAGE", address),
            ("SLIPWAY_TAG", run.sha.as_str()),
            ("SLIPWAY_BASE_IMAGE", self.base_image.as_deref().unwrap_or_default()),
            ("SLIPWAY_REVISION", run.sha.as_str()),
            ("SLIPWAY_SOURCE_URL", &format!("https://github.com/{}", run.repository)),
            ("SLIPWAY_REGISTRY", address.split('/').next().unwrap_or(address)),
            ("SLIPWAY_CACHE_FROM", &format!("{address}:{CACHE}")),
            ("SLIPWAY_BUILD_ARGUMENTS", &names(&image.arguments)),
            ("SLIPWAY_BUILD_SECRETS", &names(&image.secrets)),
        ]
        .into_iter()
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .chain(
            image
                .arguments
                .iter()
                .map(|(name, value)| (format!("SLIPWAY_BUILD_ARGUMENT_{name}"), value.clone())),
        )
        .collect()
    }

    /// Where CodeBuild finds the values of the build's secrets.
    fn secrets(&self, image: &ImageSpec) -> BTreeMap<String, String> {
        let place = |(id, secret): (&String, &String)| {
            (format!("SLIPWAY_BUILD_SECRET_{id}"), format!("{}{secret}", self.secrets_prefix))
        };
        image.secrets.iter().map(place).collect()
    }

    async fn failed(&self, case: &Case<'_>, status: BuildStatus) -> Answer<Verdict> {
        let folder = keys::result_folder(&case.task.attempt_id());
        let files = read_result(&self.artifacts, &folder, "", status.digest.as_deref()).await?;
        let files = files.unwrap_or_default();
        let tail = last_lines(files.get("log.txt").map(Vec::as_slice).unwrap_or_default());
        let summary = match status.reason {
            Some(reason) => format!("the image was not built: {reason}"),
            None => "the image was not built; the log says why".to_owned(),
        };
        Ok(Verdict::failed(summary, Output::Log { tail, log: status.log }))
    }
}

/// The names, separated by spaces.
fn names(given: &BTreeMap<String, String>) -> String {
    given.keys().map(String::as_str).collect::<Vec<_>>().join(" ")
}

fn image_of<'a>(case: &Case<'a>) -> Answer<(&'a ServiceSpec, &'a ImageSpec)> {
    case.task
        .spec
        .service()
        .and_then(|service| service.image.as_ref().map(|image| (service, image)))
        .ok_or_else(|| Fault::reject(format!("task `{}` has no image", case.task.id)))
}

/// The last lines of a build's log.
fn last_lines(log: &[u8]) -> Vec<String> {
    let log = String::from_utf8_lossy(log);
    let lines: Vec<_> = log.lines().map(str::to_owned).collect();
    lines[lines.len().saturating_sub(TAIL)..].to_vec()
}

fn built(repository: String, digest: Digest, log: Option<String>, how: &str) -> Verdict {
    Verdict::passed(
        format!("{how}: `{digest}`"),
        Output::Image { image: PinnedImage { repository, digest }, log },
    )
}
