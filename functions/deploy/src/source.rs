//! The manifests of a service: files of the commit, out of its zip in the bucket, and what a build has rendered.

use domain::ids::{RepositoryPath, RunId, Stage, Subject, TaskId};
use domain::keys;
use domain::ports::{Answer, Artifacts, Fault, Runs};
use domain::spec::{Rendering, ServiceSpec};
use domain::task::Output;
use lambda::{Commit, LARGEST_SOURCE};

/// Kubernetes refuses objects beyond about 1.5 MB; a file may hold several.
const LARGEST_MANIFEST: u64 = 8 * 1024 * 1024;

/// A manifest file of the commit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ManifestFile {
    /// Its path.
    pub path: String,
    /// Its text.
    pub text: String,
}

/// What a service's manifests are, or the sentence for the developer why there are none.
///
/// # Errors
/// As those of [`files`], or where the bucket has lost what was rendered.
pub async fn of_service(
    runs: &impl Runs,
    artifacts: &impl Artifacts,
    run: &RunId,
    service: &ServiceSpec,
) -> Answer<Result<Vec<ManifestFile>, String>> {
    let mut all = Vec::new();
    if let Some(rendering) = &service.rendering {
        match rendered(runs, artifacts, run, service, rendering).await? {
            Ok(file) => all.push(file),
            Err(sentence) => return Ok(Err(sentence)),
        }
    }
    all.extend(files(artifacts, run, &service.files()).await?);
    Ok(Ok(all))
}

/// What the run's build has rendered, known by its hash in that task's verdict.
async fn rendered(
    runs: &impl Runs,
    artifacts: &impl Artifacts,
    run: &RunId,
    service: &ServiceSpec,
    rendering: &Rendering,
) -> Answer<Result<ManifestFile, String>> {
    let id = TaskId { stage: Stage::Build, subject: Subject::Manifests, environment: None };
    let (_, tasks) = runs.case(run, std::slice::from_ref(&id)).await?;
    let output = tasks.first().and_then(|task| task.verdict()).map(|verdict| &verdict.output);
    let hash = match output {
        Some(Output::Manifests { rendered, .. }) => rendered.get(&service.name),
        _ => None,
    };
    let Some(hash) = hash else {
        return Ok(Err(format!(
            "`{id}` has rendered no manifests of `{}` the last time it ran; re-run it first, then this",
            service.name
        )));
    };
    let bytes = artifacts.get(&keys::rendered(hash), LARGEST_MANIFEST).await?.ok_or_else(|| {
        Fault::reject(format!("the bucket no longer holds the rendered manifests `{hash}`; re-run `{id}`"))
    })?;
    let path = format!("what {} renders", rendering.tool());
    Ok(Ok(ManifestFile { path, text: String::from_utf8_lossy(&bytes).into_owned() }))
}

/// Reads the named files.
///
/// # Errors
/// When the bucket does not answer, or a file or the whole source has gone from it.
pub async fn files(
    artifacts: &impl Artifacts,
    run: &RunId,
    paths: &[RepositoryPath],
) -> Answer<Vec<ManifestFile>> {
    if paths.is_empty() {
        return Ok(Vec::new());
    }
    let commit = Commit::scratch(run.sha.short());
    if !artifacts.get_file(&keys::source(run), commit.path(), LARGEST_SOURCE).await? {
        return Err(Fault::reject(format!("the bucket no longer holds the source of `{run}`")));
    }
    paths.iter().map(|path| read(&commit, path.as_str())).collect()
}

fn read(commit: &Commit, path: &str) -> Answer<ManifestFile> {
    let bytes = commit
        .file(path, LARGEST_MANIFEST)?
        .ok_or_else(|| Fault::reject(format!("the commit has no file `{path}`")))?;
    Ok(ManifestFile { path: path.to_owned(), text: String::from_utf8_lossy(&bytes).into_owned() })
}
