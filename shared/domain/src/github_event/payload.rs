//! The few fields read of GitHub's payloads; unknown ones are passed over unread, since GitHub adds some every month.

use serde::Deserialize;

#[derive(Deserialize)]
pub(super) struct Push {
    #[serde(rename = "ref")]
    pub(super) reference: String,
    pub(super) before: String,
    pub(super) after: String,
    pub(super) deleted: bool,
    pub(super) forced: bool,
    pub(super) repository: Repository,
    pub(super) installation: Option<Installation>,
    pub(super) sender: User,
    pub(super) head_commit: Option<Commit>,
}

#[derive(Deserialize)]
pub(super) struct Commit {
    pub(super) id: String,
    pub(super) message: String,
}

#[derive(Deserialize)]
pub(super) struct PullRequest {
    pub(super) action: String,
    #[serde(rename = "pull_request")]
    pub(super) body: PullRequestBody,
    /// Of `synchronize`: the tip before.
    pub(super) before: Option<String>,
    /// Of `edited`: what was something else before.
    pub(super) changes: Option<Changes>,
    pub(super) repository: Repository,
    pub(super) installation: Option<Installation>,
    pub(super) sender: User,
}

#[derive(Deserialize)]
pub(super) struct PullRequestBody {
    pub(super) number: u64,
    pub(super) title: String,
    #[serde(default)]
    pub(super) draft: bool,
    pub(super) merged: Option<bool>,
    pub(super) head: Side,
    pub(super) base: Side,
}

#[derive(Deserialize)]
pub(super) struct Side {
    #[serde(rename = "ref")]
    pub(super) reference: String,
    pub(super) sha: String,
    #[serde(rename = "repo")]
    pub(super) repository: Option<Repository>,
}

#[derive(Deserialize)]
pub(super) struct Changes {
    pub(super) base: Option<serde::de::IgnoredAny>,
}

#[derive(Deserialize)]
pub(super) struct MergeGroup {
    pub(super) action: String,
    /// Of `destroyed`: `merged`, `invalidated` or `dequeued`.
    pub(super) reason: Option<String>,
    #[serde(rename = "merge_group")]
    pub(super) body: MergeGroupBody,
    pub(super) repository: Repository,
    pub(super) installation: Option<Installation>,
    pub(super) sender: Option<User>,
}

#[derive(Deserialize)]
pub(super) struct MergeGroupBody {
    pub(super) head_sha: String,
    pub(super) head_ref: String,
    pub(super) base_sha: String,
    pub(super) base_ref: String,
    pub(super) head_commit: Option<Commit>,
}

#[derive(Deserialize)]
pub(super) struct CheckRun {
    pub(super) action: String,
    #[serde(rename = "check_run")]
    pub(super) body: CheckRunBody,
    pub(super) requested_action: Option<RequestedAction>,
    pub(super) repository: Repository,
    pub(super) installation: Option<Installation>,
    pub(super) sender: User,
}

#[derive(Deserialize)]
pub(super) struct CheckRunBody {
    pub(super) name: Option<String>,
    pub(super) external_id: Option<String>,
}

#[derive(Deserialize)]
pub(super) struct RequestedAction {
    pub(super) identifier: String,
}

#[derive(Deserialize)]
pub(super) struct CheckSuite {
    pub(super) action: String,
    #[serde(rename = "check_suite")]
    pub(super) body: CheckSuiteBody,
    pub(super) repository: Repository,
    pub(super) installation: Option<Installation>,
    pub(super) sender: User,
}

#[derive(Deserialize)]
pub(super) struct CheckSuiteBody {
    pub(super) head_sha: Option<String>,
}

#[derive(Deserialize)]
pub(super) struct IssueComment {
    pub(super) action: String,
    pub(super) issue: Issue,
    pub(super) comment: Comment,
    pub(super) repository: Repository,
    pub(super) installation: Option<Installation>,
}

#[derive(Deserialize)]
pub(super) struct Issue {
    pub(super) number: u64,
    /// There where the issue is a pull request.
    pub(super) pull_request: Option<serde::de::IgnoredAny>,
}

#[derive(Deserialize)]
pub(super) struct Comment {
    pub(super) id: u64,
    pub(super) body: Option<String>,
    /// None where the account is gone.
    pub(super) user: Option<User>,
}

#[derive(Deserialize)]
pub(super) struct Repository {
    pub(super) full_name: String,
}

#[derive(Deserialize)]
pub(super) struct Installation {
    pub(super) id: u64,
}

#[derive(Deserialize)]
pub(super) struct User {
    pub(super) login: String,
    /// `User`, `Bot`, `Organization` and others.
    #[serde(rename = "type")]
    pub(super) kind: Option<String>,
}

#[derive(Deserialize)]
pub(super) struct Ping {
    pub(super) hook_id: u64,
}

#[derive(Deserialize)]
pub(super) struct Any {
    pub(super) action: Option<String>,
}
