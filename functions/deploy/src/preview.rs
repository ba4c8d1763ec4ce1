//! What merging a pull request would change in its environment as that is now: the manifests that it touches, rendered
//! with the image that runs, against the API server's own answer.

use domain::ids::ServiceName;
use domain::keys;
use domain::ports::{Answer, Artifacts, Cluster, Environments, Fault, Runs};
use domain::run::{Preview, Run};
use domain::spec::ServiceSpec;
use domain::task::{ObjectName, PinnedImage};

use crate::jobs::Steps;
use crate::source::{self, ManifestFile};
use crate::{Deployment, Target, against_policy, owner_of, render, words};

/// The largest record of a pull request's services, in bytes.
const LARGEST: u64 = 4 * 1024 * 1024;

/// The most services that are looked at, and the most characters of what is told of one.
const MOST_SERVICES: usize = 20;
const LONGEST: usize = 1500;

/// Stands for the image of a service that never ran: the API server does not look for it.
const NO_DIGEST: &str = "sha256:0000000000000000000000000000000000000000000000000000000000000000";

impl<S: Environments + Runs, A: Artifacts, C: Cluster> Deployment<S, A, C> {
    /// A sentence for each service that would change.
    pub(crate) async fn previewed(&self, head: &Run, preview: &Preview) -> Answer<Vec<String>> {
        let record = self.artifacts.get(&keys::preview(&head.id), LARGEST).await?;
        let record =
            record.ok_or_else(|| Fault::reject("the bucket no longer holds what is to be previewed"))?;
        let services: Vec<ServiceSpec> = serde_json::from_slice(&record)
            .map_err(|error| Fault::reject(format!("what is to be previewed cannot be read: {error}")))?;
        let looked_at = &services[..services.len().min(MOST_SERVICES)];
        let paths: Vec<_> = looked_at.iter().flat_map(ServiceSpec::files).collect();
        let files = source::files(&self.artifacts, &head.id, &paths).await?;
        let mut found = Vec::new();
        for service in looked_at {
            if let Some(rendering) = &service.rendering {
                found.push(format!(
                    "Once merged, `{}`: {} renders its manifests in a build, and only what is delivered is built; \
                     what would change is not known before.",
                    service.name,
                    rendering.tool()
                ));
                continue;
            }
            let own = |file: &&ManifestFile| service.files().iter().any(|path| path.as_str() == file.path);
            let files: Vec<ManifestFile> = files.iter().filter(own).cloned().collect();
            if let Some(words) = self.preview_of(head, preview, service, &files).await? {
                let told = format!("Once merged, `{}`: {words}", service.name);
                found.push(domain::text::cut(&told, LONGEST));
            }
        }
        match services.len().saturating_sub(MOST_SERVICES) {
            0 => {}
            more => found
                .push(format!("The manifests of {more} more services differ; nobody has looked at them.")),
        }
        if found.is_empty() {
            found.push(format!(
                "The manifests differ, but once merged nothing would change in `{}`.",
                preview.environment
            ));
        }
        Ok(found)
    }

    /// None where nothing would change.
    async fn preview_of(
        &self,
        head: &Run,
        preview: &Preview,
        service: &ServiceSpec,
        files: &[ManifestFile],
    ) -> Answer<Option<String>> {
        let repository = &head.id.repository;
        let (current, _) = self.store.releases(repository, &preview.environment, &service.name).await?;
        let image = match (&service.image, current.as_ref().and_then(|current| current.image.clone())) {
            (None, _) => None,
            (Some(spec), Some(running)) => Some((spec.repository.as_str(), running)),
            (Some(spec), None) => {
                Some((spec.repository.as_str(), no_image(&spec.repository, &service.name)?))
            }
        };
        let pin = image.as_ref().map(|(name, pinned)| (*name, pinned));
        let owner = owner_of(&head.id, &service.name);
        let (environment, namespace) = (&preview.environment, preview.namespace.as_str());
        let cluster_wide = preview.policy.cluster_wide;
        let target = Target { environment, namespace, sha: &head.id.sha, cluster_wide };
        let rendered = match render(files, &target, pin, service, &owner) {
            Ok(rendered) => rendered,
            Err(sentence) => return Ok(Some(format!("it would fail: {sentence}"))),
        };
        if current.as_ref().is_some_and(|current| current.manifests == rendered.hash) {
            return Ok(None);
        }
        if let Some(sentence) = against_policy(&rendered, &preview.environment, &preview.policy) {
            return Ok(Some(format!("it would fail: {sentence}")));
        }
        let objects = match Steps::forward(rendered.objects, &head.id.sha, 1) {
            Ok(steps) => steps.all(),
            Err(sentence) => return Ok(Some(format!("it would fail: {sentence}"))),
        };
        let names: Vec<ObjectName> = objects.iter().map(ObjectName::of).collect();
        let changes = self.cluster.rehearse(&objects, preview.policy.conflicts).await?;
        let pruned = current.map(|current| current.left_over_by(&names)).unwrap_or_default();
        let is_nothing = changes.iter().all(|change| *change == domain::ports::Change::Nothing);
        let words = words::rehearsed(&preview.namespace, &names, &changes, &pruned);
        Ok((!is_nothing || !pruned.is_empty()).then_some(words))
    }
}

fn no_image(repository: &str, service: &ServiceName) -> Answer<PinnedImage> {
    let digest = NO_DIGEST
        .parse()
        .map_err(|error| Fault::reject(format!("`{service}` has no image to preview with: {error}")))?;
    Ok(PinnedImage { repository: repository.to_owned(), digest })
}
