//! One cloud: brought up step by step, held while it runs, taken down without a trace.

use std::fs;
use std::path::Path;
use std::time::Duration;

use anyhow::Context;
use domain::files::operator::OperatorFile;
use hyper::Method;
use local_builds::Control;
use local_engine::{Engine, Progress, images};
use local_github::GitHub;
use local_ministack::{MiniStack, Settings};
use serde_json::json;
use tokio_util::sync::DropGuard;

use crate::aws::Aws;
use crate::claim::claim;
use crate::leftovers::{self, engine_dir, engine_guard};
use crate::light::{Requests, Told};
use crate::lock::Lock;
use crate::options::Options;
use crate::processes::Process;
use crate::record::{Found, Phase, Record};
use crate::settle::{self, AppKey, output};
use crate::standins::Services;
use crate::target_cluster::ClusterAccess;
use crate::{functions, ports, stack, vitals};

/// The engine's address in the record of a light cloud: nothing answers there.
const NO_ENGINE: &str = "unix:///nonexistent/docker.sock";
/// How long requests in flight may take when the cloud ends.
const DRAIN_LIMIT: Duration = Duration::from_secs(5);

/// A running cloud; it ends with [`Cloud::down`]. Dropped, it takes its processes with it, and containers are
/// left for the next start to remove.
pub struct Cloud {
    options: Options,
    record: Record,
    engine: Engine,
    ministack: MiniStack,
    base_image: &'static str,
    mail_sender: String,
    github: GitHub,
    builds: Control,
    services: Services,
    lock: Option<Lock>,
    _shutdown: DropGuard,
}

impl Cloud {
    /// Brings a cloud up, ready for `git push`.
    ///
    /// # Errors
    /// One sentence that tells what to do; nothing keeps running.
    pub async fn up(options: Options, progress: Progress<'_>) -> anyhow::Result<Self> {
        let (mut record, lock) = claim(&options, progress).await?;
        match Self::start(options.clone(), &mut record, progress).await {
            Ok(mut cloud) => {
                cloud.lock = Some(lock);
                Ok(cloud)
            }
            Err(error) => {
                let found = Found::Whole(Box::new(record));
                match leftovers::clear(&options.state_dir, &found, &local_engine::no_progress).await {
                    Ok(()) => Err(error),
                    Err(second) => {
                        Err(error.context(format!("and what had started does not end: {second:#}")))
                    }
                }
            }
        }
    }

    /// Ends what a dropped [`Cloud::up`] of this process had started.
    ///
    /// # Errors
    /// When something cannot be ended or removed.
    pub async fn abandon(state_dir: &Path, progress: Progress<'_>) -> anyhow::Result<()> {
        let _lock = Lock::take(state_dir, leftovers::END_LIMIT).await?;
        match Found::in_folder(state_dir) {
            Found::Nothing => Ok(()),
            Found::Whole(record) if record.process != Process::own()? => Ok(()),
            found => leftovers::clear(state_dir, &found, progress).await,
        }
    }

    async fn start(options: Options, record: &mut Record, progress: Progress<'_>) -> anyhow::Result<Self> {
        let operator = read_operator_file(&options)?;
        let mail_sender =
            operator.notifications.mail_sender.as_ref().map(ToString::to_string).unwrap_or_default();
        let (listeners, ports) = ports::bind(options.base_port, &options.state_dir).await?;
        record.ports = ports;
        let (engine, base_image) = prepare_engine(&options, record, progress).await?;

        progress("starting the local AWS");
        let ministack = start_ministack(&options, record).await?;
        record.ports.aws = ministack.port();
        record.ministack = Process::running(ministack.process_id());
        record.write(&options.state_dir)?;

        progress("starting GitHub, CodeBuild, the cluster and Slack");
        let services = Services::new();
        let shutdown = services.shutdown.clone().drop_guard();
        let key = settle::app_key(&options.state_dir).await?;
        let github = services
            .github(listeners.github, &options.state_dir, &key, &operator, record, options.light.is_some())
            .await?;
        let builds = services.builds(listeners.builds, engine.clone(), record, options.light.as_ref()).await;
        services.slack(listeners.slack, record);
        let cluster = match &options.kubeconfig {
            Some(path) => ClusterAccess::of_people(path)?,
            None => services.cluster(listeners.cluster, &options, &engine, base_image, &operator, record)?,
        };
        record.kubeconfig = Some(cluster.path.clone());
        services.loopback(&options, record);

        progress("deploying template.yaml through CloudFormation");
        let record = record.clone();
        let mut cloud = Self {
            options,
            record,
            engine,
            base_image,
            mail_sender,
            ministack,
            github,
            builds,
            services,
            lock: None,
            _shutdown: shutdown,
        };
        cloud.deploy().await?;
        progress("filling secrets and the operator's file");
        cluster.make_namespaces(&operator).await?;
        cloud.settle(&key, &cluster).await?;
        progress("the cloud is up");
        Ok(cloud)
    }

    /// Deploys the template, also again: what was built since runs from then on.
    ///
    /// # Errors
    /// When CloudFormation refuses it, or a function is not built.
    pub async fn deploy(&mut self) -> anyhow::Result<()> {
        let path = &self.options.template;
        let template = fs::read_to_string(path).with_context(|| format!("reading {}", path.display()))?;
        let packages =
            functions::package_all(&template, &self.options.functions_dir, &self.options.state_dir)?;
        let base_image = if self.base_image == images::LOCAL_PYTHON { self.base_image } else { "" };
        let own = [
            ("Architecture", architecture().to_owned()),
            ("GitHubApiUrl", self.record.github_url()),
            ("SlackApiUrl", format!("{}/api", self.record.slack_url())),
            ("MailSender", self.mail_sender.clone()),
            ("Registry", self.record.registry()),
            ("BaseImage", base_image.to_owned()),
        ];
        let more = self.options.parameters.iter().map(|(name, value)| (name.as_str(), value.clone()));
        let parameters: Vec<_> = own.into_iter().chain(more).collect();
        let name = &self.options.name;
        self.record.outputs = stack::deploy(&self.aws(), name, &template, packages, &parameters).await?;
        let api = output(&self.record.outputs, "ApiId")?;
        self.record.webhook_url =
            Some(format!("{}/_aws/execute-api/{api}/$default/webhook", self.ministack.endpoint()));
        self.record.write(&self.options.state_dir)
    }

    async fn settle(&mut self, key: &AppKey, cluster: &ClusterAccess) -> anyhow::Result<()> {
        let (aws, outputs) = (self.aws(), &self.record.outputs);
        settle::enable_time_to_live(&aws, outputs).await?;
        let github = json!({ "app_id": settle::APP_ID, "private_key": key.private });
        settle::fill_secret(&aws, outputs, "GitHubSecretId", &github.to_string()).await?;
        let slack = json!({ "token": self.record.credentials.slack_token });
        settle::fill_secret(&aws, outputs, "SlackSecretId", &slack.to_string()).await?;
        settle::fill_secret(&aws, outputs, "KubeconfigSecretId", &cluster.deployer).await?;
        if !self.mail_sender.is_empty() {
            settle::verify_sender(&aws, &self.mail_sender).await?;
        }
        let operator_file = fs::read(&self.options.operator_file)?;
        settle::upload_operator_file(&aws, outputs, operator_file).await?;
        let secret = settle::webhook_secret(&aws, outputs).await?;
        if let Some(url) = &self.record.webhook_url {
            self.github.set_webhook(url, &secret);
        }
        self.record.credentials.webhook_secret = secret;
        self.record.phase = Phase::Up;
        self.record.write(&self.options.state_dir)
    }

    /// Where everything is and how to authenticate.
    pub fn record(&self) -> &Record {
        &self.record
    }

    /// The GitHub stand-in, to create repositories in and look at.
    pub fn github(&self) -> &GitHub {
        &self.github
    }

    /// A client of the local AWS.
    pub fn aws(&self) -> Aws {
        Aws::at(self.ministack.endpoint())
    }

    pub(crate) fn builds(&self) -> &Control {
        &self.builds
    }

    /// Who asked AWS, CodeBuild and GitHub for what, since the start or the last [`Cloud::reset_requests`].
    ///
    /// # Errors
    /// When the local AWS does not answer.
    pub async fn requests(&self) -> anyhow::Result<Requests> {
        let told = self.aws().rest(Method::GET, "slipway", "/_slipway/requests", "").await?;
        let told: Told = serde_json::from_slice(&told).context("the local AWS's count of requests")?;
        Ok(told.with(&self.options.name, self.builds.requests(), self.github.requests()))
    }

    /// Lets the registry's scans of a repository's images come to this from now on, in the words of ECR's
    /// `DescribeImageScanFindings`: `status`, `description`, `findings`. Until then they find nothing.
    ///
    /// # Errors
    /// When the local AWS does not answer.
    pub async fn decide_scans(&self, repository: &str, verdict: &serde_json::Value) -> anyhow::Result<()> {
        let path = format!("/_slipway/scans/{repository}");
        self.aws().rest(Method::PUT, "slipway", &path, verdict.to_string()).await.map(drop)
    }

    /// Forgets what was counted.
    ///
    /// # Errors
    /// When the local AWS does not answer.
    pub async fn reset_requests(&self) -> anyhow::Result<()> {
        self.builds.reset();
        self.github.reset_requests();
        self.aws().rest(Method::DELETE, "slipway", "/_slipway/requests", "").await.map(drop)
    }

    /// The Docker engine of its builds and pods; none answers there for a light cloud.
    pub fn engine(&self) -> &Engine {
        &self.engine
    }

    /// Waits until the cloud cannot go on, because the local AWS, its record or its engine is gone, and says so in
    /// one sentence. State is lost with the local AWS, so that all there is to do is [`Cloud::down`].
    pub async fn broken(&self) -> String {
        let in_reach = self.options.light.is_none() && self.engine.is_on_this_machine();
        let engine_socket = in_reach.then(|| self.engine.socket());
        vitals::gone(&self.options.state_dir, &self.record, engine_socket).await
    }

    /// Ends it: no process, container, network or port stays, also where a part of it has been killed.
    ///
    /// # Errors
    /// When a container or the private engine cannot be removed.
    pub async fn down(self) -> anyhow::Result<()> {
        // Held until the end: whoever starts the next one waits for it.
        let _lock = self.lock;
        let Self { options, engine, ministack, services, .. } = self;
        services.shutdown.cancel();
        services.tasks.close();
        if tokio::time::timeout(DRAIN_LIMIT, services.tasks.wait()).await.is_err() {
            tracing::warn!("requests in flight are cut off");
        }
        tokio::task::spawn_blocking(move || drop(ministack)).await?;
        // Functions outlive a local AWS that was killed.
        leftovers::end_processes(&options.state_dir, &options.label()).await?;
        if options.light.is_none() {
            // One that was killed holds nothing any more, or gives it to the next start.
            if engine.version().await.is_ok() {
                engine.remove_labelled(&options.label()).await?;
            }
            leftovers::release_engine(&options.state_dir, &engine).await?;
        }
        leftovers::forget(&options.state_dir);
        Ok(())
    }
}

/// Finds or starts the engine and makes its base images; gives back the name of Python's. A light cloud has none, and
/// records a place where none answers, so that no other cloud's engine is taken for its own.
async fn prepare_engine(
    options: &Options,
    record: &mut Record,
    progress: Progress<'_>,
) -> anyhow::Result<(Engine, &'static str)> {
    if options.light.is_some() {
        record.engine_host = Some(NO_ENGINE.to_owned());
        record.write(&options.state_dir)?;
        return Ok((Engine::at(record.engine_host.clone()), ""));
    }
    let engine = find_engine(options, progress).await?;
    record.engine_host = engine.host().map(str::to_owned);
    record.write(&options.state_dir)?;
    // An engine that was away when an earlier cloud ended may still hold something of it.
    engine.remove_labelled(&options.label()).await?;
    let cache = engine_dir(&options.state_dir).join("images");
    images::ensure_build(&engine, &cache, progress).await?;
    let base_image = images::ensure_python(&engine, &cache, progress).await?;
    Ok((engine, base_image))
}

async fn find_engine(options: &Options, progress: Progress<'_>) -> anyhow::Result<Engine> {
    if let Some(engine) = &options.engine {
        return Ok(engine.clone());
    }
    let _guard = engine_guard(&options.state_dir).await?;
    Engine::find_or_start(engine_dir(&options.state_dir), progress).await
}

async fn start_ministack(options: &Options, record: &Record) -> anyhow::Result<MiniStack> {
    let mut environment = options.variables.clone();
    environment.push(("AWS_ENDPOINT_URL_CODEBUILD".into(), record.builds_url().into()));
    // Functions may do what their roles in the template say, and nothing else.
    environment.push(("AUTH".into(), "true".into()));
    let settings = Settings { port: record.ports.aws, environment };
    let state_dir = options.state_dir.clone();
    let start = move || local_ministack::start_with(&state_dir, &settings);
    Ok(tokio::task::spawn_blocking(start).await??)
}

fn read_operator_file(options: &Options) -> anyhow::Result<OperatorFile> {
    let path = &options.operator_file;
    let text = fs::read_to_string(path).with_context(|| format!("reading {}", path.display()))?;
    domain::files::operator::parse(&text).with_context(|| format!("in {}", path.display()))
}

/// The name that Lambda gives this machine's architecture.
pub(crate) fn architecture() -> &'static str {
    if cfg!(target_arch = "aarch64") { "arm64" } else { "x86_64" }
}
