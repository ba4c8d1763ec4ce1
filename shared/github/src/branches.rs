//! What a tip check asks of GitHub: the branches with their tips, and what a commit says of itself.

use std::collections::BTreeMap;

use domain::ids::{BranchName, RepositoryName, Sha};
use domain::ports::{Answer, Branches, CommitWords};
use domain::tips::Seen;
use reqwest::StatusCode;
use reqwest::header::ETAG;
use serde::Deserialize;

use crate::GitHub;
use crate::exchange::{Request, parse};
use crate::paths;

/// Branches on a page, the most there are (<https://docs.github.com/en/rest/branches/branches#list-branches>).
const PAGE: usize = 100;

/// Pages read at most: with names as long as they may be, what was seen still fits in an item of the table.
const MOST_PAGES: usize = 10;

#[derive(Deserialize)]
struct Listed {
    name: String,
    commit: Tip,
}

#[derive(Deserialize)]
struct Tip {
    sha: Sha,
}

#[derive(Deserialize)]
struct Made {
    commit: Text,
    author: Option<Account>,
}

#[derive(Deserialize)]
struct Text {
    message: String,
    author: Option<Person>,
}

#[derive(Deserialize)]
struct Account {
    login: String,
}

#[derive(Deserialize)]
struct Person {
    name: String,
}

/// A page's branches and its mark.
type Page = (Vec<Listed>, String);

impl Branches for GitHub {
    /// GitHub's marks hold for one token only (<https://github.com/github/docs/issues/34689>): after a new one, every
    /// hour at the latest, the list comes whole once and counts as one request for each hundred branches.
    async fn branches(
        &self,
        repository: &RepositoryName,
        installation: u64,
        marks: &[String],
    ) -> Answer<Option<Seen>> {
        let mut changed = self.first_change(repository, installation, marks).await?;
        if changed.is_none() && !marks.is_empty() {
            return Ok(None);
        }
        let mut seen = Seen { branches: BTreeMap::new(), marks: Vec::new(), cut: true };
        for number in 1..=MOST_PAGES {
            let read = match changed.take_if(|(known, _)| *known == number) {
                Some((_, page)) => Some(page),
                None => self.page(repository, installation, number, None).await?,
            };
            let (listed, mark) = read.unwrap_or_default();
            let is_last = listed.len() < PAGE;
            seen.marks.push(mark);
            seen.branches.extend(listed.into_iter().filter_map(named));
            if is_last {
                seen.cut = false;
                break;
            }
        }
        Ok(Some(seen))
    }

    async fn commit_words(
        &self,
        repository: &RepositoryName,
        installation: u64,
        sha: &Sha,
    ) -> Answer<Option<CommitWords>> {
        let what = format!("could not read who made `{}` of `{repository}`", sha.short());
        // The list shows no files, of which a single commit has up to 300.
        let request = Request::get(paths::of(repository, &format!("commits?sha={sha}&per_page=1")));
        let response = match self.ask(repository, installation, &request, &what).await? {
            Ok(response) => response,
            Err(refusal) if refusal.is_absence() => return Ok(None),
            Err(refusal) => return Err(refusal.fault(&what)),
        };
        let made: Vec<Made> = parse(response, &what).await?;
        Ok(made.into_iter().next().map(|made| CommitWords {
            author: made
                .author
                .map(|account| account.login)
                .or(made.commit.author.map(|person| person.name))
                .unwrap_or_else(|| "unknown".to_owned()),
            message: made.commit.message,
        }))
    }
}

impl GitHub {
    /// The first page that is not as it was, with its number. A full page may have got a successor without a change of
    /// its own; therefore the last page known is never a full one, but where there are more pages than are read.
    async fn first_change(
        &self,
        repository: &RepositoryName,
        installation: u64,
        marks: &[String],
    ) -> Answer<Option<(usize, Page)>> {
        for (mark, number) in marks.iter().zip(1..) {
            if let Some(page) = self.page(repository, installation, number, Some(mark)).await? {
                return Ok(Some((number, page)));
            }
        }
        Ok(None)
    }

    /// A page; none where its mark is still the one given.
    async fn page(
        &self,
        repository: &RepositoryName,
        installation: u64,
        number: usize,
        mark: Option<&String>,
    ) -> Answer<Option<Page>> {
        let what = format!("could not list the branches of `{repository}`");
        let path = paths::of(repository, &format!("branches?per_page={PAGE}&page={number}"));
        let request = Request::get(path).unless(mark);
        let answer = self.ask(repository, installation, &request, &what).await?;
        let response = answer.map_err(|refusal| refusal.fault(&what))?;
        if response.status() == StatusCode::NOT_MODIFIED {
            return Ok(None);
        }
        let tag = response.headers().get(ETAG).and_then(|tag| tag.to_str().ok());
        let tag = tag.unwrap_or_default().to_owned();
        Ok(Some((parse(response, &what).await?, tag)))
    }
}

/// A branch whose name is not allowed could not be pushed as such; it is left out.
fn named(listed: Listed) -> Option<(BranchName, Sha)> {
    match listed.name.parse() {
        Ok(branch) => Some((branch, listed.commit.sha)),
        Err(error) => {
            tracing::warn!(%error, "a branch is left out");
            None
        }
    }
}
