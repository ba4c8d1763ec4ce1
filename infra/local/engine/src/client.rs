//! The choice of the Docker client: the first one on PATH that can build with BuildKit.

use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::OnceLock;

/// A Docker client and whether it builds with BuildKit.
#[derive(Debug, Clone)]
pub(crate) struct Client {
    pub(crate) program: PathBuf,
    pub(crate) has_buildkit: bool,
}

/// The client to use, decided once: a newer client without the buildx plugin cannot use BuildKit, an older one
/// (Debian 12's 20.10) has it inside.
pub(crate) fn choose() -> Client {
    static CHOICE: OnceLock<Client> = OnceLock::new();
    CHOICE.get_or_init(look_for).clone()
}

fn look_for() -> Client {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders = std::env::split_paths(&path).chain([PathBuf::from("/usr/bin")]);
    let candidates: Vec<PathBuf> =
        folders.map(|folder| folder.join("docker")).filter(|file| file.is_file()).collect();
    let with_buildkit = candidates.iter().find(|program| has_buildkit(program));
    match with_buildkit {
        Some(program) => Client { program: program.clone(), has_buildkit: true },
        None => Client {
            program: candidates.first().cloned().unwrap_or_else(|| PathBuf::from("docker")),
            has_buildkit: false,
        },
    }
}

fn has_buildkit(program: &PathBuf) -> bool {
    if run(program, &["buildx", "version"]).is_some() {
        return true;
    }
    let version = run(program, &["--version"]).unwrap_or_default();
    major(&version).is_some_and(|major| (19..23).contains(&major))
}

/// The major version in "Docker version 20.10.24+dfsg1, build 297e128".
fn major(version: &str) -> Option<u32> {
    version.strip_prefix("Docker version ")?.split('.').next()?.parse().ok()
}

fn run(program: &PathBuf, arguments: &[&str]) -> Option<String> {
    let output = Command::new(program).args(arguments).stdin(Stdio::null()).output().ok()?;
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).into_owned())
}

/// The address that the client would use by itself: `DOCKER_HOST`, else that of its current context.
pub(crate) async fn default_host() -> Option<String> {
    if let Some(host) = std::env::var("DOCKER_HOST").ok().filter(|host| !host.is_empty()) {
        return Some(host);
    }
    let mut command = tokio::process::Command::new(choose().program);
    command.args(["context", "inspect", "--format", "{{.Endpoints.docker.Host}}"]).stdin(Stdio::null());
    let output = command.output().await.ok()?;
    let host = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    (output.status.success() && !host.is_empty()).then_some(host)
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_major_version_is_read_from_the_clients_own_line() {
        let check = |line: &str, expect| assert_eq!(super::major(line), expect, "{line}");
        check("Docker version 20.10.24+dfsg1, build 297e128", Some(20));
        check("Docker version 28.2.2, build e6534b4", Some(28));
        check("podman version 4.3.1", None);
    }
}
