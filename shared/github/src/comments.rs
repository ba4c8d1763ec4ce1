//! Comments on pull requests: found by their mark before they are created, edited in place.

use domain::ids::RepositoryName;
use domain::ports::{Answer, Comments};
use reqwest::Method;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::exchange::{Request, parse};
use crate::{GitHub, limits, paths};

/// Comments on a page, the most there are (<https://docs.github.com/en/rest/issues/comments>).
const PAGE: usize = 100;

/// Pages read at most: an issue has no more than 2,500 comments.
const MOST_PAGES: usize = 25;

#[derive(Deserialize)]
struct Found {
    id: u64,
    #[serde(default)]
    body: Option<String>,
    #[serde(default)]
    performed_via_github_app: Option<FoundApp>,
}

#[derive(Deserialize)]
struct FoundApp {
    id: u64,
}

impl Comments for GitHub {
    async fn comment(
        &self,
        repository: &RepositoryName,
        installation: u64,
        pull: u64,
        mark: &str,
        text: &str,
        known: Option<&str>,
    ) -> Answer<String> {
        let commenting = Commenting {
            github: self,
            repository,
            installation,
            pull,
            mark: format!("<!-- slipway: {mark} -->"),
            what: format!("could not show the comment on pull request {pull} of `{repository}`"),
        };
        let body = json!({"body": limits::long_text(&format!("{}\n{text}", commenting.mark))});
        let known = known.and_then(|known| known.parse().ok());
        if let Some(id) = commenting.update(known, &body).await? {
            return Ok(id.to_string());
        }
        let found = commenting.find().await?;
        match commenting.update(found, &body).await? {
            Some(id) => Ok(id.to_string()),
            None => commenting.create(body).await.map(|id| id.to_string()),
        }
    }
}

/// One call of [`Comments::comment`].
struct Commenting<'a> {
    github: &'a GitHub,
    repository: &'a RepositoryName,
    installation: u64,
    pull: u64,
    mark: String,
    what: String,
}

impl Commenting<'_> {
    /// None where there is no such comment any more.
    async fn update(&self, id: Option<u64>, body: &Value) -> Answer<Option<u64>> {
        let Some(id) = id else { return Ok(None) };
        let path = paths::of(self.repository, &format!("issues/comments/{id}"));
        let request = Request::new(Method::PATCH, path).with_body(body.clone());
        match self.github.ask(self.repository, self.installation, &request, &self.what).await? {
            Ok(_) => Ok(Some(id)),
            Err(refusal) if refusal.is_absence() => Ok(None),
            Err(refusal) => Err(refusal.fault(&self.what)),
        }
    }

    /// The App's own comment that begins with the mark. Whoever quotes the mark is not the App.
    async fn find(&self) -> Answer<Option<u64>> {
        for page in 1..=MOST_PAGES {
            let path = self.of_pull(&format!("?per_page={PAGE}&page={page}"));
            let answer =
                self.github.ask(self.repository, self.installation, &Request::get(path), &self.what).await?;
            let response = answer.map_err(|refusal| refusal.fault(&self.what))?;
            let listed: Vec<Found> = parse(response, &self.what).await?;
            let is_last = listed.len() < PAGE;
            if let Some(found) = listed.into_iter().find(|found| self.is_ours(found)) {
                return Ok(Some(found.id));
            }
            if is_last {
                break;
            }
        }
        Ok(None)
    }

    fn is_ours(&self, found: &Found) -> bool {
        let app = found.performed_via_github_app.as_ref().map(|app| app.id);
        let body = found.body.as_deref().unwrap_or_default();
        app == Some(self.github.app.id) && body.starts_with(self.mark.as_str())
    }

    async fn create(&self, body: Value) -> Answer<u64> {
        let request = Request::new(Method::POST, self.of_pull("")).with_body(body);
        let answer = self.github.ask(self.repository, self.installation, &request, &self.what).await?;
        let response = answer.map_err(|refusal| refusal.fault(&self.what))?;
        parse::<Found>(response, &self.what).await.map(|found| found.id)
    }

    fn of_pull(&self, rest: &str) -> String {
        paths::of(self.repository, &format!("issues/{}/comments{rest}", self.pull))
    }
}
