//! The life of a build: queued, provisioned, run phase by phase, and ended whatever happens.

use std::sync::Arc;

use anyhow::Context;

use crate::aws::LocalAws;
use crate::build::{Build, ExportedVariable, PhaseContext, PhaseType, Status};
use crate::buildspec::{Buildspec, PhaseCommands};
use crate::cache::Cache;
use crate::container::Container;
use crate::environment::Variables;
use crate::logs::Log;
use crate::registry::Entry;
use crate::session::{self, AUTHORITIES, Files};
use crate::source::Source;
use crate::{Service, artifacts, environment, events, pretended, role};

/// The phases that a build specification gives commands for.
const COMMAND_PHASES: [(PhaseType, &str); 4] = [
    (PhaseType::Install, "install"),
    (PhaseType::PreBuild, "pre_build"),
    (PhaseType::Build, "build"),
    (PhaseType::PostBuild, "post_build"),
];

/// Why a phase failed, in CodeBuild's own words.
pub(crate) struct Failure {
    code: &'static str,
    error: anyhow::Error,
}

pub(crate) fn failure(code: &'static str) -> impl FnOnce(anyhow::Error) -> Failure {
    move |error| Failure { code, error }
}

/// Runs a build to its end.
pub(crate) async fn run(service: Arc<Service>, entry: Arc<Entry>) {
    match &service.options.pretence {
        Some(pretence) => pretended::run(&service, &entry, pretence).await,
        None => run_contained(&service, &entry).await,
    }
}

async fn run_contained(service: &Service, entry: &Entry) {
    let build = entry.snapshot();
    events::announce(service, &build).await;
    let mut stop = entry.stop.subscribe();
    let place = tokio::select! {
        biased;
        _ = stop.wait_for(|stop| *stop) => None,
        place = service.places.acquire() => place.ok(),
    };
    let (log, writing) = Log::open(service.aws.clone(), build.logs.clone());
    let container = Container::new(&service.options, &build);
    let mut status = Status::Stopped;
    if place.is_some() {
        entry.update(|build| build.close(Status::Succeeded, None));
        let minutes = u32::try_from(build.timeout_in_minutes).unwrap_or(u32::MAX);
        let limit = service.options.minute.saturating_mul(minutes);
        let work = Work { service, entry, container: &container, log: &log };
        status = tokio::select! {
            biased;
            _ = stop.wait_for(|stop| *stop) => Status::Stopped,
            () = tokio::time::sleep(limit) => Status::TimedOut,
            status = work.all() => status,
        };
        container.remove().await;
    }
    if status == Status::TimedOut {
        log.note(&format!("Build has timed out after {} minutes", build.timeout_in_minutes));
        let context = context("BUILD_TIMED_OUT", "Build has timed out.".to_owned());
        entry.update(|build| build.close(Status::TimedOut, Some(context)));
    }
    drop(place);
    drop(log);
    // Whoever hears of the end will look at the log: it must be whole by then.
    writing.finish().await;
    entry.update(|build| build.complete(status));
    entry.ended.send_replace(true);
    events::announce(service, &entry.snapshot()).await;
}

struct Work<'a> {
    service: &'a Service,
    entry: &'a Entry,
    container: &'a Container,
    log: &'a Log,
}

impl Work<'_> {
    async fn all(&self) -> Status {
        let build = self.entry.snapshot();
        self.log.note("Waiting for agent ping");
        let provisioned = async {
            let started = self.container.start(&self.service.options, &build).await;
            let started = started.map_err(|error| error.context("Unable to pull customer's container image"));
            started.map_err(failure("BUILD_CONTAINER_UNABLE_TO_PULL_IMAGE"))
        };
        if self.phase(PhaseType::Provisioning, provisioned).await.is_none() {
            return self.finalize(false).await;
        }
        let Some((buildspec, aws, cache)) =
            self.phase(PhaseType::DownloadSource, self.download(&build)).await
        else {
            return self.finalize(false).await;
        };
        let mut succeeding = true;
        for (phase, name) in COMMAND_PHASES {
            let commands = buildspec.phases.get(name).cloned().unwrap_or_default();
            let run = self.commands(&buildspec, name, &commands, succeeding);
            let passed = self.phase(phase, run).await.is_some();
            succeeding &= passed;
            let goes_on = match commands.on_failure.as_deref() {
                Some("ABORT") => false,
                Some("CONTINUE") => true,
                // After a failed build phase post_build still runs; before it, there is nothing to clean up.
                _ => matches!(phase, PhaseType::Build | PhaseType::PostBuild),
            };
            if !passed && !goes_on {
                return self.finalize(false).await;
            }
        }
        self.export(&buildspec).await;
        let uploaded = async {
            let files = buildspec.artifacts.as_ref();
            let uploaded = artifacts::upload(&aws, &build, files, self.container, self.log).await;
            uploaded.map_err(failure("CLIENT_ERROR"))
        };
        match self.phase(PhaseType::UploadArtifacts, uploaded).await {
            Some(uploaded) => self.entry.update(|build| build.artifacts = uploaded),
            None => succeeding = false,
        }
        if let Some(cache) = cache.filter(|_| succeeding) {
            cache.save(&aws, self.container, self.log).await;
        }
        self.finalize(succeeding).await
    }

    async fn finalize(&self, succeeding: bool) -> Status {
        self.phase(PhaseType::Finalizing, async { Ok(()) }).await;
        if succeeding { Status::Succeeded } else { Status::Failed }
    }

    /// Runs one phase and records how it ended.
    async fn phase<T>(&self, phase: PhaseType, work: impl Future<Output = Result<T, Failure>>) -> Option<T> {
        let name = serde_json::to_value(phase).ok().and_then(|name| name.as_str().map(str::to_owned));
        let name = name.unwrap_or_default();
        self.entry.update(|build| build.open(phase));
        self.log.note(&format!("Entering phase {name}"));
        let result = work.await;
        let (status, context) = match &result {
            Ok(_) => (Status::Succeeded, None),
            Err(failure) => {
                (Status::Failed, Some(context(failure.code, self.log.mask(&format!("{:#}", failure.error)))))
            }
        };
        let state = if result.is_ok() { "SUCCEEDED" } else { "FAILED" };
        self.log.note(&format!("Phase complete: {name} State: {state}"));
        let (code, message) = context
            .as_ref()
            .map_or(("", ""), |context| (context.status_code.as_str(), context.message.as_str()));
        self.log.note(&format!("Phase context status code: {code} Message: {message}"));
        self.entry.update(|build| build.close(status, context));
        result.ok()
    }

    /// Brings source, environment and certificates into the container.
    async fn download(&self, build: &Build) -> Result<(Buildspec, LocalAws, Option<Cache>), Failure> {
        let aws = role::of(self.service, build).await.map_err(failure("ACCESS_DENIED"))?;
        let (source, version) = self.source(&aws, build).await.map_err(failure("CLIENT_ERROR"))?;
        let text = match build.source.buildspec.as_deref().filter(|text| !text.trim().is_empty()) {
            Some(text) if Buildspec::is_inline(text) => Ok(text.to_owned()),
            path => source.read(path.unwrap_or("buildspec.yml")),
        };
        let buildspec = text.and_then(|text| Buildspec::parse(&text)).map_err(failure("YAML_FILE_ERROR"))?;
        let variables =
            environment::variables(self.service, &aws, build, &buildspec.env, version.as_deref()).await?;
        self.move_in(source, variables).await.map_err(failure("CLIENT_ERROR"))?;
        let cache = Cache::restore(&aws, build, &buildspec.cache, self.container, self.log).await;
        Ok((buildspec, aws, cache))
    }

    async fn source(&self, aws: &LocalAws, build: &Build) -> anyhow::Result<(Source, Option<String>)> {
        let version = build.source_version.as_deref();
        if build.source.kind != "S3" {
            return Ok((Source::None, version.map(str::to_owned)));
        }
        let location = build.source.location.as_deref().unwrap_or_default();
        let location = location.trim_start_matches("arn:aws:s3:::");
        let (bucket, key) = location.split_once('/').context("the source is not <bucket>/<key>")?;
        let (bytes, found) = aws.get_object(bucket, key, version).await?;
        Ok((Source::Zip(bytes), version.map(str::to_owned).or(found)))
    }

    async fn move_in(&self, source: Source, variables: Variables) -> anyhow::Result<()> {
        self.log.hide(&variables.secrets);
        let authorities = match &self.service.options.ca_bundle {
            Some(path) => {
                let read = tokio::fs::read(path).await;
                Some(read.with_context(|| format!("reading {}", path.display()))?)
            }
            None => None,
        };
        let archive = tokio::task::spawn_blocking(move || {
            let mut files = Files::new();
            source.add_to(&mut files)?;
            session::add_start(&mut files, &variables.all)?;
            if let Some(authorities) = authorities {
                files.add(AUTHORITIES, 0o644, &authorities)?;
            }
            files.finish()
        });
        self.container.unpack(archive.await??).await
    }

    /// Runs the commands of a phase, and what is to be run after them in any case.
    async fn commands(
        &self,
        buildspec: &Buildspec,
        name: &str,
        commands: &PhaseCommands,
        succeeding: bool,
    ) -> Result<(), Failure> {
        let shell = buildspec.env.shell.as_deref().unwrap_or("sh");
        let passed = self.session(shell, name, &commands.commands, succeeding).await;
        let finally = format!("{name}-finally");
        let finished = self.session(shell, &finally, &commands.finally, succeeding && passed.is_ok()).await;
        passed.and(finished)
    }

    async fn session(
        &self,
        shell: &str,
        name: &str,
        commands: &[String],
        succeeding: bool,
    ) -> Result<(), Failure> {
        if commands.is_empty() {
            return Ok(());
        }
        let run = async {
            let (files, script) = session::script(name, commands, succeeding)?;
            self.container.unpack(files).await?;
            self.container.run(shell, &script, self.log).await
        };
        match run.await.map_err(failure("CLIENT_ERROR"))? {
            0 => Ok(()),
            code => Err(self.command_failure(commands, code).await),
        }
    }

    async fn command_failure(&self, commands: &[String], code: i32) -> Failure {
        let current = self.container.output(&session::current(), Vec::new()).await.unwrap_or_default();
        let index = String::from_utf8_lossy(&current).trim().parse::<usize>().unwrap_or_default();
        let command = commands.get(index).map(|command| command.trim()).unwrap_or_default();
        let error = anyhow::anyhow!("Error while executing command: {command}. Reason: exit status {code}");
        Failure { code: "COMMAND_EXECUTION_ERROR", error }
    }

    /// Reads the variables that the build hands out.
    async fn export(&self, buildspec: &Buildspec) {
        let names = &buildspec.env.exported_variables;
        if names.is_empty() {
            return;
        }
        let shell = buildspec.env.shell.as_deref().unwrap_or("sh");
        let script = session::print_variables(names);
        let printed = match self.container.output(&[shell, "-c", &script], Vec::new()).await {
            Ok(printed) => String::from_utf8_lossy(&printed).into_owned(),
            Err(error) => return self.log.note(&format!("The exported variables cannot be read: {error:#}")),
        };
        let values = printed.split('\0').map(|value| self.log.mask(value));
        let exported = names.iter().cloned().zip(values);
        let exported: Vec<_> = exported.map(|(name, value)| ExportedVariable { name, value }).collect();
        self.entry.update(|build| build.exported_environment_variables = exported);
    }
}

fn context(code: &str, message: String) -> PhaseContext {
    PhaseContext { status_code: code.to_owned(), message }
}
