//! What a commit changes: the files of all its commits since it left another one.

use domain::ids::{RepositoryName, Sha};
use domain::ports::{Answer, ChangedFile, Changes, Comparison, Differences};
use serde::Deserialize;

use crate::GitHub;
use crate::exchange::{Request, parse};
use crate::paths;

/// Files that GitHub shows of a comparison, all on its first page
/// (<https://docs.github.com/en/rest/commits/commits#compare-two-commits>).
const MOST_FILES: usize = 300;

/// How a comparison ended.
#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Status {
    Ahead,
    Behind,
    Identical,
    Diverged,
}

#[derive(Deserialize)]
struct Compared {
    status: Status,
    merge_base_commit: Commit,
    #[serde(default)]
    files: Vec<File>,
}

#[derive(Deserialize)]
struct Commit {
    sha: Sha,
}

#[derive(Deserialize)]
struct File {
    filename: String,
    previous_filename: Option<String>,
    patch: Option<String>,
}

impl Differences for GitHub {
    async fn changes(
        &self,
        repository: &RepositoryName,
        installation: u64,
        base: &Sha,
        head: &Sha,
    ) -> Answer<Option<Changes>> {
        let what = format!(
            "could not read what `{}` changes since `{}` in `{repository}`",
            head.short(),
            base.short()
        );
        // The commits themselves are of no interest; the files come with the first page, however small it is.
        let request = Request::get(paths::of(repository, &format!("compare/{base}...{head}?per_page=1")));
        let response = match self.ask(repository, installation, &request, &what).await? {
            Ok(response) => response,
            // An unknown commit, or two without a common ancestor: GitHub answers 404 to both.
            Err(refusal) if refusal.is_absence() => return Ok(None),
            Err(refusal) => return Err(refusal.fault(&what)),
        };
        let compared: Compared = parse(response, &what).await?;
        Ok(Some(Changes {
            comparison: compared.status.into(),
            merge_base: compared.merge_base_commit.sha,
            // Exactly so many may be all or not: nobody can tell.
            truncated: compared.files.len() >= MOST_FILES,
            files: compared.files.into_iter().map(ChangedFile::from).collect(),
        }))
    }
}

impl From<Status> for Comparison {
    fn from(status: Status) -> Self {
        match status {
            Status::Ahead => Self::Ahead,
            Status::Behind => Self::Behind,
            Status::Identical => Self::Identical,
            Status::Diverged => Self::Diverged,
        }
    }
}

impl From<File> for ChangedFile {
    fn from(file: File) -> Self {
        Self { path: file.filename, previous: file.previous_filename, patch: file.patch }
    }
}
