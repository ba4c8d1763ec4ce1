//! What people do on GitHub's pages.

use anyhow::{Context, ensure};
use serde_json::{Value, json};

use crate::http::send;
use crate::world::{REPOSITORY, World};

/// GitHub as people use it.
pub(crate) struct Hub<'a> {
    world: &'a World<'a>,
}

impl<'a> Hub<'a> {
    pub(crate) fn of(world: &'a World<'a>) -> Self {
        Self { world }
    }

    /// What a person may do from now on.
    pub(crate) async fn allow(&self, login: &str, role: &str) -> anyhow::Result<()> {
        let path = format!("/_local/repos/{REPOSITORY}/collaborators/{login}");
        self.ask("PUT", "owner", &path, &json!({ "role": role })).await.map(|_| ())
    }

    /// Opens a pull request; answers its number.
    pub(crate) async fn open(&self, login: &str, head: &str, base: &str) -> anyhow::Result<u64> {
        let wanted = json!({ "title": format!("Merge {head}"), "head": head, "base": base });
        let answer = self.ask("POST", login, &format!("/repos/{REPOSITORY}/pulls"), &wanted).await?;
        answer["number"].as_u64().context("a number")
    }

    /// Writes a comment below a pull request; answers its id.
    pub(crate) async fn say(&self, login: &str, pull: u64, text: &str) -> anyhow::Result<u64> {
        let path = format!("/repos/{REPOSITORY}/issues/{pull}/comments");
        let answer = self.ask("POST", login, &path, &json!({ "body": text })).await?;
        answer["id"].as_u64().context("an id")
    }

    /// Presses a button of a completed check run.
    pub(crate) async fn press(&self, login: &str, check: u64, button: &str) -> anyhow::Result<()> {
        let path = format!("/_local/repos/{REPOSITORY}/check-runs/{check}/buttons/{button}");
        self.ask("POST", login, &path, &json!({})).await.map(|_| ())
    }

    /// Asks to run a check run (`check-runs`) or all of a suite (`check-suites`) again.
    pub(crate) async fn rerun(&self, kind: &str, id: u64) -> anyhow::Result<()> {
        let path = format!("/_local/repos/{REPOSITORY}/{kind}/{id}/rerequest");
        self.ask("POST", "ada", &path, &json!({})).await.map(|_| ())
    }

    /// Puts a pull request into the merge queue; answers the commit that the queue wants judged.
    pub(crate) async fn enqueue(&self, login: &str, pull: u64) -> anyhow::Result<String> {
        let path = format!("/_local/repos/{REPOSITORY}/merge-queue/{pull}");
        let answer = self.ask("PUT", login, &path, &json!({})).await?;
        Ok(answer["head_sha"].as_str().context("the queue's commit")?.to_owned())
    }

    /// Every request to the API fails for so long.
    pub(crate) async fn breaks_down(&self, seconds: u32) -> anyhow::Result<()> {
        let outage = json!({ "status": 503, "seconds": seconds });
        self.ask("PUT", "owner", "/_local/outage", &outage).await.map(|_| ())
    }

    /// The App's own comments below a pull request, without their marks' line.
    pub(crate) fn answers(&self, pull: u64) -> Vec<String> {
        let of_pull = |comment: &&Value| {
            comment["issue_url"].as_str().is_some_and(|url| url.ends_with(&format!("/issues/{pull}")))
        };
        let by_app = |comment: &&Value| {
            comment["user"]["login"].as_str().is_some_and(|login| login.ends_with("[bot]"))
        };
        let text = |comment: &Value| comment["body"].as_str().unwrap_or_default().to_owned();
        self.comments().iter().filter(of_pull).filter(by_app).map(text).collect()
    }

    /// The signs below a comment.
    pub(crate) fn signs(&self, comment: u64) -> Vec<String> {
        let comments = self.comments();
        let found = comments.iter().find(|known| known["id"].as_u64() == Some(comment));
        let signs = found.and_then(|known| known["reactions"].as_object()).into_iter().flatten();
        signs
            .filter(|(name, count)| *name != "total_count" && count.as_u64().is_some_and(|count| count > 0))
            .map(|(name, _)| name.clone())
            .collect()
    }

    fn comments(&self) -> Vec<Value> {
        let state = self.world.cloud.github().snapshot();
        let repositories = state["repositories"].as_array().cloned().unwrap_or_default();
        let served = repositories.into_iter().find(|known| known["full_name"] == REPOSITORY);
        served.and_then(|served| served["comments"].as_array().cloned()).unwrap_or_default()
    }

    async fn ask(&self, method: &str, login: &str, path: &str, body: &Value) -> anyhow::Result<Value> {
        use base64::Engine as _;
        let token = &self.world.record.credentials.github_token;
        let basic = base64::engine::general_purpose::STANDARD.encode(format!("{login}:{token}"));
        let headers = [("authorization", format!("Basic {basic}"))];
        let headers: Vec<(&str, &str)> =
            headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let url = format!("{}{path}", self.world.record.github_url());
        let (status, answer) = send(method, &url, &headers, body.to_string()).await?;
        ensure!((200..300).contains(&status), "{method} {path}: {status} {answer}");
        Ok(answer)
    }
}
