//! The base images that services and builds stand on, made once per engine.
//!
//! Where a registry can be reached the official Python image is pulled. Elsewhere the same is made of Debian
//! packages; its root filesystem is kept in a cache folder, from which a fresh engine imports it in seconds.

mod debian;
mod lambda;

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, bail};
use sha2::{Digest, Sha256};
use tokio::io::AsyncWriteExt;
use tokio::process::Command;

use crate::{Engine, Progress};

pub use lambda::ensure_lambda;

/// The base image for Python services where it can be pulled.
pub const OFFICIAL_PYTHON: &str = "python:3.12-slim";
/// The base image for Python services that is made of Debian packages.
pub const LOCAL_PYTHON: &str = "slipway-local/python:bookworm";
/// The image that builds run in: Python, git, curl, zip, unzip and the Docker client.
pub const LOCAL_BUILD: &str = "slipway-local/build:bookworm";

/// The label by which an image made from an older recipe is recognised.
const RECIPE: &str = "slipway.recipe";
const REGISTRY: &str = "registry-1.docker.io";
const REGISTRY_LIMIT: Duration = Duration::from_secs(3);

/// Debian 12's engine package holds the client too; later ones have packages of their own.
const BUILD_DOCKERFILE: &str = r"ARG BASE_IMAGE
FROM ${BASE_IMAGE}
RUN apt-get update \
 && apt-get install -y --no-install-recommends ca-certificates curl git unzip zip \
 && if apt-cache show docker-cli docker-buildx >/dev/null 2>&1; then \
      apt-get install -y --no-install-recommends docker-cli docker-buildx; \
    else \
      cd /tmp && apt-get download docker.io \
      && dpkg-deb --fsys-tarfile docker.io_*.deb | tar -x -C / ./usr/bin/docker && rm docker.io_*.deb; \
    fi \
 && docker --version && rm -rf /var/lib/apt/lists/*
ENV DOCKER_BUILDKIT=1 PIP_BREAK_SYSTEM_PACKAGES=1 PIP_ROOT_USER_ACTION=ignore
";

/// Makes sure that the engine holds a base image for Python services, and gives back its name:
/// [`OFFICIAL_PYTHON`] or [`LOCAL_PYTHON`].
///
/// # Errors
/// When there is neither a registry nor a way to make the image here: with what to install.
pub async fn ensure_python(
    engine: &Engine,
    cache_dir: &Path,
    progress: Progress<'_>,
) -> anyhow::Result<&'static str> {
    let recipe = debian::recipe();
    if has_recipe(engine, LOCAL_PYTHON, &recipe).await {
        return Ok(LOCAL_PYTHON);
    }
    if engine.output(&["image", "inspect", "--format", "{{.Id}}", OFFICIAL_PYTHON]).await.is_ok() {
        return Ok(OFFICIAL_PYTHON);
    }
    let why = match registry_answers(REGISTRY).await {
        Ok(()) => {
            progress(&format!("base image: pulling {OFFICIAL_PYTHON}"));
            match engine.output(&["pull", "--quiet", OFFICIAL_PYTHON]).await {
                Ok(_) => return Ok(OFFICIAL_PYTHON),
                Err(error) => format!("{OFFICIAL_PYTHON} cannot be pulled: {error:#}"),
            }
        }
        Err(error) => format!("no image registry: {error:#}"),
    };
    progress(&format!("base image: {LOCAL_PYTHON} made of Debian packages ({why})"));
    let root = debian::root_filesystem(cache_dir, &recipe, progress).await?;
    let mut import = engine.command();
    import.arg("import");
    for change in debian::CHANGES {
        import.args(["--change", change]);
    }
    import.args(["--change", &format!("LABEL {RECIPE}={recipe}")]).arg(&root).arg(LOCAL_PYTHON);
    let output = import.output().await.context("the Docker client does not start")?;
    if !output.status.success() {
        bail!("importing {}: {}", root.display(), String::from_utf8_lossy(&output.stderr).trim());
    }
    Ok(LOCAL_PYTHON)
}

/// Makes sure that the engine holds the image that builds run in, and gives back its name ([`LOCAL_BUILD`]).
///
/// # Errors
/// When its base cannot be had, or the packages on top of it cannot be installed.
pub async fn ensure_build(
    engine: &Engine,
    cache_dir: &Path,
    progress: Progress<'_>,
) -> anyhow::Result<&'static str> {
    let base = ensure_python(engine, cache_dir, progress).await?;
    let recipe = fingerprint(&[BUILD_DOCKERFILE, base, &debian::recipe()]);
    if has_recipe(engine, LOCAL_BUILD, &recipe).await {
        return Ok(LOCAL_BUILD);
    }
    progress(&format!(
        "build environment: {LOCAL_BUILD} from {base} with git, curl, zip and the Docker client"
    ));
    let mut build = engine.command();
    build.args(["build", "--network", "host", "--tag", LOCAL_BUILD]);
    build.args(["--label", &format!("{RECIPE}={recipe}")]);
    build.args(["--build-arg", &format!("BASE_IMAGE={base}")]);
    for proxy in ["http_proxy", "https_proxy", "no_proxy", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY"] {
        if std::env::var_os(proxy).is_some() {
            // Without a value the client hands on its own.
            build.args(["--build-arg", proxy]);
        }
    }
    if let Err(complaint) = build_from_text(build, BUILD_DOCKERFILE).await? {
        bail!("the image {LOCAL_BUILD} cannot be built:\n{complaint}");
    }
    Ok(LOCAL_BUILD)
}

/// Runs a `docker build` whose Dockerfile comes by standard input, as there is no folder to send. A build that fails
/// answers with its last lines.
async fn build_from_text(mut build: Command, dockerfile: &str) -> anyhow::Result<Result<(), String>> {
    build.arg("-").stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = build.spawn().context("the Docker client does not start")?;
    if let Some(mut input) = child.stdin.take() {
        input.write_all(dockerfile.as_bytes()).await.context("handing over the Dockerfile")?;
    }
    let output = child.wait_with_output().await?;
    if output.status.success() {
        return Ok(Ok(()));
    }
    let complaint = String::from_utf8_lossy(&output.stderr);
    let lines: Vec<&str> = complaint.lines().collect();
    Ok(Err(lines.get(lines.len().saturating_sub(15)..).unwrap_or_default().join("\n")))
}

async fn has_recipe(engine: &Engine, image: &str, recipe: &str) -> bool {
    let format = format!("{{{{index .Config.Labels \"{RECIPE}\"}}}}");
    let label = engine.output(&["image", "inspect", "--format", &format, image]).await;
    label.is_ok_and(|label| label == recipe)
}

/// Whether a registry can be reached at all, known within three seconds. Any HTTP answer will do: without a token it
/// is 401.
async fn registry_answers(registry: &str) -> anyhow::Result<()> {
    let mut probe = Command::new("curl");
    probe.args(["--silent", "--show-error", "--head", "--output", "/dev/null"]);
    probe.args(["--max-time", &REGISTRY_LIMIT.as_secs().to_string(), &format!("https://{registry}/v2/")]);
    probe.stdin(Stdio::null());
    match probe.output().await {
        Ok(output) if output.status.success() => Ok(()),
        Ok(output) => bail!("{}", String::from_utf8_lossy(&output.stderr).trim()),
        Err(_) => {
            // No curl: a connection is the next best sign.
            let connection = tokio::net::TcpStream::connect((registry, 443));
            let opened = tokio::time::timeout(REGISTRY_LIMIT, connection).await;
            opened
                .with_context(|| format!("{registry} does not answer"))?
                .with_context(|| registry.to_owned())?;
            Ok(())
        }
    }
}

fn fingerprint(parts: &[&str]) -> String {
    let mut digest = Sha256::new();
    for part in parts {
        digest.update(part.as_bytes());
        digest.update([0]);
    }
    let mut text = hex::encode(digest.finalize());
    text.truncate(16);
    text
}
