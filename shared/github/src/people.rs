//! What people's wishes need: what a person may do, a pull request as it is now, a sign under a comment.

use domain::ids::{BranchName, RepositoryName, Sha};
use domain::ports::{Answer, Fault, People, Permission, Pull, Reaction};
use reqwest::Method;
use serde::Deserialize;
use serde_json::json;

use crate::exchange::{Request, parse};
use crate::{GitHub, limits, paths};

/// A login with room to spare; GitHub's own end at 39 characters, an App's with `[bot]`.
const LONGEST_LOGIN: usize = 100;

/// Whom GitHub names where an account was deleted.
const NOBODY: &str = "ghost";

#[derive(Deserialize)]
struct Allowed {
    /// `admin`, `write`, `read` or `none`; a custom role counts as the one that it builds on.
    permission: String,
}

#[derive(Deserialize)]
struct Shown {
    number: u64,
    state: String,
    #[serde(default)]
    draft: bool,
    title: String,
    user: Option<Account>,
    head: End,
    base: End,
}

#[derive(Deserialize)]
struct Account {
    login: String,
}

#[derive(Deserialize)]
struct End {
    r#ref: String,
    sha: Sha,
    repo: Option<Named>,
}

#[derive(Deserialize)]
struct Named {
    full_name: String,
}

impl Shown {
    fn pull(self, what: &str) -> Answer<Pull> {
        let base: BranchName = self.base.r#ref.parse().map_err(|error| Fault {
            source: Some(Box::new(error)),
            ..Fault::reject(format!("{what}: its base branch has no name that git allows"))
        })?;
        Ok(Pull {
            number: self.number,
            head: self.head.sha,
            branch: self.head.r#ref,
            head_repository: self.head.repo.and_then(|repository| repository.full_name.parse().ok()),
            base: (base, self.base.sha),
            open: self.state == "open",
            draft: self.draft,
            author: self.user.map_or_else(|| NOBODY.to_owned(), |account| account.login),
            title: limits::title(&self.title),
        })
    }
}

impl People for GitHub {
    async fn permission(
        &self,
        repository: &RepositoryName,
        installation: u64,
        login: &str,
    ) -> Answer<Permission> {
        if !is_login(login) {
            return Ok(Permission::None);
        }
        let what = format!("could not read what `{login}` may do with `{repository}`");
        let path = format!("collaborators/{}/permission", paths::escaped(login));
        let request = Request::get(paths::of(repository, &path));
        let response = match self.ask(repository, installation, &request, &what).await? {
            Ok(response) => response,
            Err(refusal) if refusal.is_absence() => return Ok(Permission::None),
            Err(refusal) => return Err(refusal.fault(&what)),
        };
        let allowed: Allowed = parse(response, &what).await?;
        Ok(match allowed.permission.as_str() {
            "admin" | "maintain" | "write" => Permission::Write,
            "triage" | "read" => Permission::Read,
            _ => Permission::None,
        })
    }

    async fn pull(
        &self,
        repository: &RepositoryName,
        installation: u64,
        number: u64,
    ) -> Answer<Option<Pull>> {
        let what = format!("could not read pull request {number} of `{repository}`");
        let request = Request::get(paths::of(repository, &format!("pulls/{number}")));
        let response = match self.ask(repository, installation, &request, &what).await? {
            Ok(response) => response,
            Err(refusal) if refusal.is_absence() => return Ok(None),
            Err(refusal) => return Err(refusal.fault(&what)),
        };
        let shown: Shown = parse(response, &what).await?;
        shown.pull(&what).map(Some)
    }

    async fn pulls_of(
        &self,
        repository: &RepositoryName,
        installation: u64,
        branch: &str,
    ) -> Answer<Vec<Pull>> {
        let what = format!("could not list the pull requests of `{branch}` in `{repository}`");
        let head = paths::escaped(&format!("{}:{branch}", repository.owner()));
        let query = format!("pulls?state=open&per_page=100&head={head}");
        let request = Request::get(paths::of(repository, &query));
        let response = self
            .ask(repository, installation, &request, &what)
            .await?
            .map_err(|refusal| refusal.fault(&what))?;
        let shown: Vec<Shown> = parse(response, &what).await?;
        shown.into_iter().map(|shown| shown.pull(&what)).collect()
    }

    async fn react(
        &self,
        repository: &RepositoryName,
        installation: u64,
        comment: u64,
        reaction: Reaction,
    ) -> Answer<()> {
        let what = format!("could not put a sign under comment {comment} of `{repository}`");
        let content = match reaction {
            Reaction::Taken => "+1",
            Reaction::Refused => "confused",
        };
        let path = paths::of(repository, &format!("issues/comments/{comment}/reactions"));
        // The same sign twice is there once.
        let request = Request::new(Method::POST, path).with_body(json!({"content": content}));
        match self.ask(repository, installation, &request, &what).await? {
            Ok(_) => Ok(()),
            Err(refusal) if refusal.is_absence() => Ok(()),
            Err(refusal) => Err(refusal.fault(&what)),
        }
    }
}

/// Whether it may stand in an address: what else a login looks like, GitHub knows.
fn is_login(login: &str) -> bool {
    let allowed = |letter: char| letter.is_ascii_alphanumeric() || "-_[]".contains(letter);
    !login.is_empty() && login.len() <= LONGEST_LOGIN && login.chars().all(allowed)
}
