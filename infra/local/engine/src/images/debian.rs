//! A root filesystem with Python, made of Debian packages by mmdebstrap.

use std::path::{Path, PathBuf};
use std::process::Stdio;

use anyhow::{Context, bail};
use tokio::process::Command;

use crate::Progress;

const SUITE: &str = "bookworm";
const KEYRING: &str = "/usr/share/keyrings/debian-archive-keyring.gpg";
const PACKAGES: &str = "ca-certificates,python3,python3-pip,python3-venv";

/// What is left out of every package, also of those that are installed later on top.
const LEFT_OUT: &[&str] = &[
    "/usr/share/doc/*",
    "/usr/share/doc-base/*",
    "/usr/share/info/*",
    "/usr/share/lintian/*",
    "/usr/share/locale/*",
    "/usr/share/man/*",
];

/// How the image differs from its bare files. Debian forbids pip to install system-wide; in an image that is
/// what it is for.
pub(super) const CHANGES: &[&str] = &[
    "ENV PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    "ENV LANG=C.UTF-8",
    "ENV PIP_BREAK_SYSTEM_PACKAGES=1",
    "ENV PIP_ROOT_USER_ACTION=ignore",
    "ENV PIP_DISABLE_PIP_VERSION_CHECK=1",
    "CMD [\"python3\"]",
];

/// The room that the packages need while they are unpacked, in KiB.
const ROOM: u64 = 2 * 1024 * 1024;

/// What the image is made of, in one short text that changes when any of it does.
pub(super) fn recipe() -> String {
    let authorities = authorities().and_then(|file| std::fs::read_to_string(file).ok()).unwrap_or_default();
    super::fingerprint(&[SUITE, PACKAGES, &LEFT_OUT.join(" "), &CHANGES.join("\n"), &authorities])
}

/// The certificate authorities of this machine. The image trusts the same, so that a Dockerfile on top of it
/// reaches the package indexes that this machine reaches.
fn authorities() -> Option<PathBuf> {
    let named = std::env::var_os("SSL_CERT_FILE").map(PathBuf::from);
    let usual = PathBuf::from("/etc/ssl/certs/ca-certificates.crt");
    named.into_iter().chain([usual]).find(|file| file.is_file())
}

/// The tarball of the root filesystem: from `cache_dir`, or made now (about 40 seconds) and kept there.
pub(super) async fn root_filesystem(
    cache_dir: &Path,
    recipe: &str,
    progress: Progress<'_>,
) -> anyhow::Result<PathBuf> {
    let tarball = cache_dir.join(format!("python-{SUITE}-{recipe}.tar"));
    if tarball.is_file() {
        progress(&format!("base image: from {}", tarball.display()));
        return Ok(tarball);
    }
    if !Path::new(KEYRING).exists() {
        bail!(
            "Debian's archive keys are missing: `apt-get install debian-archive-keyring mmdebstrap`, or give this \
             machine access to an image registry"
        );
    }
    tokio::fs::create_dir_all(cache_dir).await.with_context(|| format!("making {}", cache_dir.display()))?;
    let unfinished = cache_dir.join(format!("python-{SUITE}-{recipe}.{}.tar", std::process::id()));
    let made = make(&unfinished, cache_dir).await;
    if let Err(error) = made {
        let _ = tokio::fs::remove_file(&unfinished).await;
        return Err(error);
    }
    tokio::fs::rename(&unfinished, &tarball).await.context("keeping the root filesystem")?;
    remove_older(cache_dir, &tarball);
    Ok(tarball)
}

/// A tarball of another recipe is never asked for again, and each takes 200 MB.
fn remove_older(cache_dir: &Path, newest: &Path) {
    let Ok(entries) = std::fs::read_dir(cache_dir) else { return };
    let recipes = entries.flatten().map(|entry| entry.path()).filter(|path| {
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        // Two dots: somebody is still writing it.
        name.starts_with(&format!("python-{SUITE}-")) && name.matches('.').count() == 1
    });
    for older in recipes.filter(|path| path != newest) {
        let _ = std::fs::remove_file(older);
    }
}

async fn make(tarball: &Path, cache_dir: &Path) -> anyhow::Result<()> {
    let mut command = Command::new("mmdebstrap");
    command.args(["--variant=minbase", "--include", PACKAGES]);
    command.arg(format!("--keyring={KEYRING}"));
    command.arg("--dpkgopt=force-unsafe-io");
    for path in LEFT_OUT {
        command.arg(format!("--dpkgopt=path-exclude={path}"));
    }
    command.arg("--aptopt=APT::Install-Recommends \"false\"");
    command.arg("--customize-hook=ln -sf python3 \"$1/usr/bin/python\"");
    if let Some(authorities) = authorities() {
        let file = authorities.display();
        command.arg(format!("--customize-hook=upload '{file}' /etc/ssl/certs/ca-certificates.crt"));
    }
    command.arg(SUITE).arg(tarball);
    // In memory it takes half the time.
    let folder = if memory_has_room().await { Path::new("/dev/shm") } else { cache_dir };
    command.env("TMPDIR", folder).stdin(Stdio::null());
    let output = command.output().await.context(
        "mmdebstrap does not start: `apt-get install mmdebstrap`, or give this machine access to an image registry",
    )?;
    if !output.status.success() {
        let complaint = String::from_utf8_lossy(&output.stderr);
        let lines: Vec<&str> = complaint.lines().filter(|line| line.starts_with("E:")).collect();
        bail!(
            "mmdebstrap failed: {}",
            if lines.is_empty() { complaint.trim().to_owned() } else { lines.join("; ") }
        );
    }
    Ok(())
}

async fn memory_has_room() -> bool {
    let shown =
        Command::new("df").args(["-k", "--output=avail", "/dev/shm"]).stdin(Stdio::null()).output().await;
    let free_on_tmpfs = shown.ok().and_then(|output| {
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        text.lines().last()?.trim().parse::<u64>().ok()
    });
    let memory = std::fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let available = memory.lines().find_map(|line| {
        line.strip_prefix("MemAvailable:")?.trim().strip_suffix(" kB")?.trim().parse::<u64>().ok()
    });
    free_on_tmpfs.is_some_and(|free| free >= ROOM) && available.is_some_and(|free| free >= 2 * ROOM)
}
