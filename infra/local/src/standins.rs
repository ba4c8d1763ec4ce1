//! The stand-ins, each served as a task of this process until the cloud ends.

use std::path::Path;

use anyhow::Context;
use domain::files::operator::OperatorFile;
use local_builds::Control;
use local_engine::Engine;
use local_github::{GitHub, Installation, NewRepository};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::light::Light;
use crate::options::Options;
use crate::record::Record;
use crate::settle::{APP_ID, AppKey};
use crate::{sam, slack};

/// What the App is subscribed to, as the README's set-up says.
const EVENTS: [&str; 6] =
    ["check_run", "check_suite", "issue_comment", "merge_group", "pull_request", "push"];

/// The tasks that serve stand-ins, and the signal that ends them.
#[derive(Debug, Clone)]
pub(crate) struct Services {
    pub(crate) tasks: TaskTracker,
    pub(crate) shutdown: CancellationToken,
}

impl Services {
    pub(crate) fn new() -> Self {
        Self { tasks: TaskTracker::new(), shutdown: CancellationToken::new() }
    }

    /// Serves GitHub with the repositories and installations of the operator's file.
    pub(crate) async fn github(
        &self,
        listener: TcpListener,
        state_dir: &Path,
        key: &AppKey,
        operator: &OperatorFile,
        record: &Record,
        is_light: bool,
    ) -> anyhow::Result<GitHub> {
        let mut options = local_github::Options::new(state_dir.join("github"), APP_ID, &key.public);
        options.push_token.clone_from(&record.credentials.github_token);
        options.events = EVENTS.map(str::to_owned).to_vec();
        if is_light {
            // The hour's limit is no part of what a light cloud is for.
            options.rate_limit = u32::MAX;
        }
        for repository in &operator.repositories {
            let full_name = repository.name.to_string();
            let (owner, name) = full_name.split_once('/').context("a repository is called `owner/name`")?;
            if !options.installations.iter().any(|known| known.id == repository.installation) {
                options.installations.push(Installation::on(repository.installation, owner));
            }
            options.repositories.push(NewRepository::public(owner, name));
        }
        let github = GitHub::open(options).await.context("preparing GitHub's repositories")?;
        let served = github.clone();
        let shutdown = self.shutdown.clone().cancelled_owned();
        self.spawn("GitHub", async move { served.serve(listener, shutdown).await });
        Ok(github)
    }

    /// Serves CodeBuild; its builds run on the engine, or nowhere in a light cloud.
    pub(crate) async fn builds(
        &self,
        listener: TcpListener,
        engine: Engine,
        record: &Record,
        light: Option<&Light>,
    ) -> Control {
        let mut options = local_builds::Options::new(&record.name, engine, &record.aws_url()).await;
        // A private engine has no firewall rules: only this machine's own network reaches package indexes.
        options.environment.push(("SLIPWAY_DOCKER_NETWORK".to_owned(), "host".to_owned()));
        if let Some(light) = light {
            options.pretence = Some(light.builds.clone());
            options.concurrent_builds = light.concurrent_builds;
        }
        let control = options.control.clone();
        let shutdown = self.shutdown.clone().cancelled_owned();
        self.spawn("CodeBuild", async move { local_builds::serve(listener, options, shutdown).await });
        control
    }

    /// Serves Slack.
    pub(crate) fn slack(&self, listener: TcpListener, record: &Record) {
        let token = record.credentials.slack_token.clone();
        let shutdown = self.shutdown.clone();
        self.spawn("Slack", async move { slack::serve(listener, token, shutdown).await });
    }

    /// Serves the cloud's ports to containers of `sam local`.
    pub(crate) fn loopback(&self, options: &Options, record: &Record) {
        let (sockets, ports) = (sam::sockets(options), sam::ports(record));
        let shutdown = self.shutdown.clone();
        self.spawn("the way from containers", async move { sam::outside(sockets, ports, shutdown).await });
    }

    /// Runs a stand-in; what goes wrong with it later is logged.
    pub(crate) fn spawn(
        &self,
        name: &'static str,
        service: impl Future<Output = anyhow::Result<()>> + Send + 'static,
    ) {
        self.tasks.spawn(async move {
            if let Err(error) = service.await {
                tracing::error!("{name}: {error:#}");
            }
        });
    }
}
