//! What `sam local` needs to run functions against a cloud that is up: a fitted template, a folder for each function,
//! the cloud's ports inside the container, and the commit that the example events speak of.

mod hold;
mod loopback;
mod template;

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use anyhow::{Context, ensure};
use domain::ids::Sha;
use hyper::Method;
use local_engine::{Engine, Progress, images};
use serde_json::Value;
use tokio::process::Command;

use crate::Options;
use crate::aws::Aws;
use crate::cloud::architecture;
use crate::record::Record;
use template::{Fitting, Variables};

pub use hold::hold;
pub use loopback::inside;
pub(crate) use loopback::outside;

/// The branch that the events' commit lies on.
const BRANCH: &str = "refs/heads/events";

/// Where `sam local` is to look, and how.
#[derive(Debug)]
pub struct Prepared {
    /// The fitted template.
    pub template: PathBuf,
    /// The variables that the SAM CLI itself needs.
    pub variables: Vec<(&'static str, String)>,
}

/// Prepares everything for `sam local`. The functions' code is the folder of the compiled binaries itself: a rebuilt
/// one is in effect at once.
///
/// # Errors
/// When the cloud is not up, a function is not built, or the image cannot be made.
pub async fn prepare(options: &Options, progress: Progress<'_>) -> anyhow::Result<(Record, Prepared)> {
    let record = Record::read(&options.state_dir)?.filter(Record::is_running);
    let record = record.with_context(|| {
        format!("no cloud `{0}` is up; `slipway local up --name {0}` starts one", options.name)
    })?;
    let engine = Engine::at(record.engine_host.clone());
    images::ensure_lambda(
        &engine,
        &crate::leftovers::engine_dir(&options.state_dir).join("images"),
        progress,
    )
    .await?;
    ensure!(
        sockets(options).exists(),
        "the cloud runs other functions than those of {}",
        options.functions_dir.display()
    );
    let folder = folder(&options.state_dir);
    fs::create_dir_all(&folder).with_context(|| format!("making {}", folder.display()))?;
    let source = fs::read_to_string(&options.template)
        .with_context(|| format!("reading {}", options.template.display()))?;
    let mut fitting = Fitting {
        folder: std::path::absolute(&options.functions_dir)?.display().to_string(),
        architecture: architecture(),
        shared: shared_variables(&record),
        functions: BTreeMap::new(),
    };
    for name in template::functions(&source) {
        fitting.functions.insert(name.to_owned(), deployed_variables(&record, name).await?);
    }
    make_bootstrap(&options.functions_dir)?;
    let path = folder.join("template.yaml");
    fs::write(&path, template::fitted(&source, &fitting))?;
    let variables = variables(&record, &path);
    Ok((record, Prepared { template: path, variables }))
}

/// Puts the commit that the example events speak of into the cloud's GitHub, beside what was pushed there; no webhook
/// tells of it.
///
/// # Errors
/// When git refuses.
pub async fn plant_commit(options: &Options, repository: &str) -> anyhow::Result<Sha> {
    let git_dir = options.state_dir.join("github/repositories").join(format!("{repository}.git"));
    let mut script = Command::new("sh");
    script.arg(crate::workspace().join("infra/sam/commit.sh"));
    let sha: Sha = output(script.env("GIT_DIR", &git_dir)).await?.trim().parse()?;
    output(Command::new("git").args(["update-ref", BRANCH, sha.as_str()]).env("GIT_DIR", &git_dir)).await?;
    Ok(sha)
}

/// The ports of the cloud that functions speak to.
pub(crate) fn ports(record: &Record) -> Vec<u16> {
    let ports = record.ports;
    let mut all = vec![ports.aws, ports.builds, ports.github, ports.cluster, ports.slack];
    all.extend(record.kubeconfig.as_deref().map(local_servers).unwrap_or_default());
    all.sort_unstable();
    all.dedup();
    all
}

/// The folder of it all.
pub(crate) fn folder(state_dir: &Path) -> PathBuf {
    state_dir.join("sam")
}

/// The folder of the sockets. It lies beside the binaries, because containers get to see that folder.
pub(crate) fn sockets(options: &Options) -> PathBuf {
    options.functions_dir.join("sam").join(&options.name)
}

/// API servers that a kubeconfig finds on this machine.
fn local_servers(kubeconfig: &Path) -> Vec<u16> {
    let text = fs::read_to_string(kubeconfig).unwrap_or_default();
    let config: Value = serde_saphyr::from_str(&text).unwrap_or_default();
    let clusters = config["clusters"].as_array().cloned().unwrap_or_default();
    let port = |cluster: &Value| {
        let server = cluster["cluster"]["server"].as_str()?.strip_prefix("https://")?;
        let (host, port) = server.split('/').next()?.split_once(':')?;
        if matches!(host, "127.0.0.1" | "localhost") { port.parse().ok() } else { None }
    };
    clusters.iter().filter_map(port).collect()
}

fn shared_variables(record: &Record) -> Variables {
    let pairs = [
        ("AWS_ENDPOINT_URL", record.aws_url()),
        ("AWS_ENDPOINT_URL_CODEBUILD", record.builds_url()),
        ("RUST_LOG", "info".to_owned()),
        (CLOUD, record.name.clone()),
    ];
    pairs.map(|(name, value)| (name.to_owned(), value)).into()
}

/// What the function that is deployed has in its environment.
async fn deployed_variables(record: &Record, function: &str) -> anyhow::Result<Variables> {
    let path = format!("/2015-03-31/functions/{}-{function}/configuration", record.name);
    let answer = Aws::at(record.aws_url()).rest(Method::GET, "lambda", &path, "").await?;
    let configuration: Value = serde_json::from_slice(&answer)?;
    serde_json::from_value(configuration["Environment"]["Variables"].clone())
        .with_context(|| format!("the variables of `{function}`"))
}

/// What Lambda runs first. All functions share the folder, so that the handler tells which one is meant.
fn make_bootstrap(functions_dir: &Path) -> anyhow::Result<()> {
    let program = functions_dir.join("slipway");
    ensure!(program.exists(), "`{}` is missing; `make build` builds it", program.display());
    let bootstrap = functions_dir.join("bootstrap");
    fs::write(&bootstrap, BOOTSTRAP).with_context(|| format!("writing {}", bootstrap.display()))?;
    Ok(fs::set_permissions(&bootstrap, fs::Permissions::from_mode(0o755))?)
}

/// Tells a container which cloud's sockets are meant.
const CLOUD: &str = "SLIPWAY_CLOUD";

const BOOTSTRAP: &str = "#!/bin/sh
cd /var/task && exec ./slipway local loopback \"./sam/$SLIPWAY_CLOUD\" -- \"./slipway-$_HANDLER\"
";

/// SAM asks STS on each start, and its makers for news, unless it is told otherwise.
fn variables(record: &Record, template: &Path) -> Vec<(&'static str, String)> {
    let keys = &record.credentials;
    let mut variables = vec![
        ("AWS_ENDPOINT_URL", record.aws_url()),
        ("AWS_ACCESS_KEY_ID", keys.aws_access_key_id.clone()),
        ("AWS_SECRET_ACCESS_KEY", keys.aws_secret_access_key.clone()),
        ("AWS_DEFAULT_REGION", keys.aws_region.clone()),
        ("SAM_CLI_TELEMETRY", "0".to_owned()),
        ("SAM_TEMPLATE_FILE", template.display().to_string()),
    ];
    variables.extend(record.engine_host.clone().map(|host| ("DOCKER_HOST", host)));
    variables
}

async fn output(command: &mut Command) -> anyhow::Result<String> {
    let output = command.stdin(Stdio::null()).output().await.context("sh or git is not installed")?;
    ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr).trim());
    Ok(String::from_utf8(output.stdout)?)
}
