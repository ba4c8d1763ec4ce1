//! What plan asks of GitHub: a commit's files, how commits stand to each other, a branch's newest commit.

use std::path::Path;

use domain::ids::{RepositoryName, Sha};
use domain::ports::{Answer, Comparison, Source};
use serde::Deserialize;

use crate::GitHub;
use crate::differences::Status;
use crate::exchange::{Refusal, Request, parse};
use crate::{download, paths};

#[derive(Deserialize)]
struct Compared {
    status: Status,
}

#[derive(Deserialize)]
struct Reference {
    object: Object,
}

#[derive(Deserialize)]
struct Object {
    sha: Sha,
}

impl Source for GitHub {
    async fn download(
        &self,
        repository: &RepositoryName,
        installation: u64,
        sha: &Sha,
        file: &Path,
        most: u64,
    ) -> Answer<()> {
        let what = format!("could not download `{repository}` at `{}`", sha.short());
        let request = Request::get(paths::of(repository, &format!("zipball/{sha}")));
        let answer = self.ask(repository, installation, &request, &what).await?;
        let response = answer.map_err(|refusal| refusal.fault(&what))?;
        download::into_file(response, file, most, &what).await
    }

    async fn compare(
        &self,
        repository: &RepositoryName,
        installation: u64,
        base: &Sha,
        head: &Sha,
    ) -> Answer<Comparison> {
        let what = format!("could not compare `{}` with `{}` in `{repository}`", base.short(), head.short());
        // The commits themselves are of no interest.
        let request = Request::get(paths::of(repository, &format!("compare/{base}...{head}?per_page=1")));
        let response = match self.ask(repository, installation, &request, &what).await? {
            Ok(response) => response,
            Err(Refusal::Answered { message, .. }) if message.contains("No common ancestor") => {
                return Ok(Comparison::Diverged);
            }
            Err(refusal) => return Err(refusal.fault(&what)),
        };
        let compared: Compared = parse(response, &what).await?;
        Ok(compared.status.into())
    }

    async fn branch_tip(
        &self,
        repository: &RepositoryName,
        installation: u64,
        branch: &str,
    ) -> Answer<Option<Sha>> {
        let what = format!("could not read the tip of branch `{branch}` of `{repository}`");
        let request =
            Request::get(paths::of(repository, &format!("git/ref/heads/{}", paths::escaped(branch))));
        match self.ask(repository, installation, &request, &what).await? {
            Ok(response) => {
                parse::<Reference>(response, &what).await.map(|reference| Some(reference.object.sha))
            }
            Err(refusal) if refusal.is_absence() => Ok(None),
            Err(refusal) => Err(refusal.fault(&what)),
        }
    }
}
