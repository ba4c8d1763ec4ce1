//! A stand-in for GitHub: git over smart HTTP, the REST routes used, signed webhooks.
//!
//! It speaks GitHub's own protocols and keeps GitHub's own rules, so that neither git nor the pipeline
//! knows. Commits are real and lie in bare repositories on disk; everything else lives in memory.
//! It serves the API at the root, as `api.github.com` does, and git at `/<owner>/<repo>.git`.

mod access;
mod admin;
mod answer;
mod check_rules;
mod checks;
mod comments;
mod commits;
mod contents;
mod deliveries;
mod deployments;
mod faults;
mod git;
mod history;
mod installation_tokens;
mod installations;
mod jwt;
mod merges;
mod options;
mod page;
mod patches;
mod pull_actions;
mod pull_updates;
mod pulls;
mod push;
mod rate;
mod repositories;
mod requests;
mod smart_http;
mod state;
mod statuses;
mod suites;
mod trees;
mod webhook;

use std::collections::BTreeMap;
use std::future::Future;
use std::sync::Arc;

use anyhow::{Context as _, Result, ensure};
use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::serve::ListenerExt as _;
use serde_json::Value;
use tokio::net::TcpListener;

pub use options::{Installation, NewRepository, Options};

/// A running stand-in; clones are the same one.
#[derive(Clone)]
pub struct GitHub {
    app: Arc<state::App>,
}

impl GitHub {
    /// Prepares the state folder and the repositories.
    ///
    /// # Errors
    /// When the App's public key cannot be read or a repository cannot be created.
    pub async fn open(options: Options) -> Result<Self> {
        Ok(Self { app: state::App::open(options).await? })
    }

    /// Serves until `shutdown` is done; requests under way are answered first.
    ///
    /// # Errors
    /// When the listener is not on the loopback interface, or fails.
    pub async fn serve(
        &self,
        listener: TcpListener,
        shutdown: impl Future<Output = ()> + Send + 'static,
    ) -> Result<()> {
        let address = listener.local_addr().context("read the listener's address")?;
        ensure!(address.ip().is_loopback(), "the GitHub stand-in serves on loopback only, not on {address}");
        self.app.set_base_url(format!("http://{address}"));
        // A client's small packets must not wait for each other.
        let listener = listener.tap_io(|stream| {
            if let Err(error) = stream.set_nodelay(true) {
                tracing::debug!(%error, "a connection keeps its delay");
            }
        });
        axum::serve(listener, router(Arc::clone(&self.app)))
            .with_graceful_shutdown(shutdown)
            .await
            .context("serve the GitHub stand-in")
    }

    /// Sets where webhooks go and what they are signed with, from the next event on.
    pub fn set_webhook(&self, url: impl Into<String>, secret: impl Into<String>) {
        self.app.data().target = webhook::Target { url: Some(url.into()), secret: secret.into() };
    }

    /// Creates a repository, or a fork of one.
    ///
    /// # Errors
    /// When the name is taken or not allowed, or git fails.
    pub async fn create_repository(&self, repository: NewRepository) -> Result<()> {
        self.app.create_repository(repository).await.map(drop)
    }

    /// How often each route of the REST API was asked: `GET /repos/{owner}/{repo}`.
    pub fn requests(&self) -> BTreeMap<String, u64> {
        self.app.data().counted.clone()
    }

    /// Forgets what was counted.
    pub fn reset_requests(&self) {
        self.app.data().counted.clear();
    }

    /// Everything it remembers (repositories with check runs, comments, pull requests, deployments;
    /// deliveries), as `GET /_local/state` answers it.
    pub fn snapshot(&self) -> Value {
        admin::snapshot(&self.app)
    }

    /// When the check runs on a commit appeared and were concluded, for whoever measures that.
    pub fn check_moments(&self, sha: &str) -> Vec<CheckMoments> {
        let data = self.app.data();
        let of_commit = data.checks.iter().filter(|check| check.head_sha == sha);
        let moments = |check: &checks::CheckRun| CheckMoments {
            name: check.name.clone(),
            appeared: check.shown.0,
            concluded: check.shown.1,
        };
        of_commit.map(moments).collect()
    }
}

/// When people could see what of a check run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CheckMoments {
    /// Its name.
    pub name: String,
    /// When it was created.
    pub appeared: jiff::Timestamp,
    /// When its last conclusion was written.
    pub concluded: Option<jiff::Timestamp>,
}

/// Opens a stand-in and serves it; [`GitHub`] is for those who talk to it meanwhile.
///
/// # Errors
/// As [`GitHub::open`] and [`GitHub::serve`].
pub async fn serve(
    listener: TcpListener,
    options: Options,
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> Result<()> {
    GitHub::open(options).await?.serve(listener, shutdown).await
}

fn router(app: Arc<state::App>) -> Router {
    let rest = Router::new()
        .merge(installation_tokens::routes())
        .merge(deliveries::routes())
        .merge(repositories::routes())
        .merge(contents::routes())
        .merge(trees::routes())
        .merge(commits::routes())
        .merge(pulls::routes())
        .merge(pull_actions::routes())
        .merge(merges::routes())
        .merge(checks::routes())
        .merge(suites::routes())
        .merge(comments::routes())
        .merge(statuses::routes())
        .merge(deployments::routes())
        .layer(axum::middleware::from_fn_with_state(Arc::clone(&app), rate::surround));
    Router::new()
        .merge(rest)
        .merge(repositories::downloads())
        .layer(axum::middleware::from_fn_with_state(Arc::clone(&app), faults::refuse_in_outage))
        .layer(axum::middleware::from_fn_with_state(Arc::clone(&app), requests::count))
        .merge(admin::routes())
        .merge(installations::routes())
        .merge(page::routes())
        .fallback(smart_http::handle)
        .layer(DefaultBodyLimit::max(26 * 1024 * 1024))
        .with_state(app)
}
