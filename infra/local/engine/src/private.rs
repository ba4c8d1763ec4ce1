//! A private Docker daemon: started below a folder of ours, found again there, and ended without a trace.

use std::fs::{self, File};
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, bail, ensure};
use sha2::{Digest, Sha256};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;
use tokio::process::Command;
use tokio::time::{Instant, sleep};

use crate::processes;

const START_LIMIT: Duration = Duration::from_secs(30);
/// How long a daemon that is coming up may take for one answer.
const ANSWER_LIMIT: Duration = Duration::from_secs(2);
/// How often a daemon is started before it counts as broken.
const TRIES: u32 = 3;
const END_LIMIT: Duration = Duration::from_secs(20);

/// The longest run folder whose sockets (`exec/containerd/containerd-debug.sock`) still fit the system's limit.
const LONGEST_RUN_FOLDER: usize = 64;

/// A daemon of our own: images and containers in `data`, sockets and the pid file in the short folder `run`.
#[derive(Debug, Clone)]
pub(crate) struct PrivateDaemon {
    data: PathBuf,
    run: PathBuf,
}

/// Says in one sentence what to do where no private daemon can be started.
pub(crate) fn check_possible(refusal: &anyhow::Error) -> anyhow::Result<()> {
    let installed = program().is_some();
    let root = is_root();
    match (installed, root) {
        (true, true) => Ok(()),
        (false, _) => bail!(
            "no Docker engine answers and none is installed: install one (Debian and Ubuntu: `apt-get install \
             docker.io`), or set DOCKER_HOST to one ({refusal:#})"
        ),
        (true, false) => bail!(
            "the Docker engine does not answer to this user: start it (`sudo systemctl start docker`), join its \
             group (`sudo usermod -aG docker $USER`, then log in again), or run this as root ({refusal:#})"
        ),
    }
}

impl PrivateDaemon {
    fn below(state_dir: &Path) -> anyhow::Result<Self> {
        let state_dir = std::path::absolute(state_dir)?;
        let folder = state_dir.join("engine");
        let short = folder.as_os_str().len() <= LONGEST_RUN_FOLDER;
        let run = if short { folder.clone() } else { short_folder(&folder) };
        Ok(Self { data: folder.join("data"), run })
    }

    /// The daemon that was started here before, whether it still lives or not.
    pub(crate) fn left_in(state_dir: &Path) -> Option<Self> {
        let daemon = Self::below(state_dir).ok()?;
        let traces = daemon.pid_file().exists() || !daemon.family().is_empty();
        (is_root() && traces).then_some(daemon)
    }

    /// Starts a daemon and waits until it answers. Tried again, because a daemon that comes up while another one
    /// makes or removes its bridge may die of it.
    pub(crate) async fn start(state_dir: &Path) -> anyhow::Result<Self> {
        for _ in 1..TRIES {
            match Self::start_once(state_dir).await {
                Ok(daemon) => return Ok(daemon),
                Err(error) => tracing::warn!("{error:#}; trying again"),
            }
        }
        Self::start_once(state_dir).await
    }

    async fn start_once(state_dir: &Path) -> anyhow::Result<Self> {
        let daemon = Self::below(state_dir)?;
        make_private_folder(&daemon.run)?;
        fs::create_dir_all(&daemon.data).with_context(|| format!("making {}", daemon.data.display()))?;
        let log_path = daemon.run.join("dockerd.log");
        let log = File::create(&log_path).with_context(|| format!("writing {}", log_path.display()))?;
        let program = program().context("dockerd is not installed")?;
        let had_bridge = bridge_exists();
        let mut command = Command::new(program);
        command.arg("--data-root").arg(&daemon.data);
        command.arg("--exec-root").arg(daemon.run.join("exec"));
        command.arg("--pidfile").arg(daemon.pid_file());
        command.args(["-H", &daemon.host()]);
        // Loopback, host networks and the engine's own networks need no firewall rules: the machine's stay as they are.
        command.args(["--iptables=false", "--ip6tables=false", "--ip-forward=false", "--ip-masq=false"]);
        command.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log);
        // A Ctrl-C in the terminal is the cloud's to handle: it still needs the engine to clean up.
        command.process_group(0);
        let mut child = command.spawn().context("dockerd does not start")?;
        if !had_bridge {
            fs::write(daemon.bridge_mark(), "")?;
        }
        let deadline = Instant::now() + START_LIMIT;
        while !daemon.answers().await {
            if child.try_wait()?.is_some() || Instant::now() >= deadline {
                let complaint = fs::read_to_string(&log_path).unwrap_or_default();
                let last = complaint.lines().last().unwrap_or("it wrote nothing").to_owned();
                daemon.end().await?;
                bail!("a private Docker engine does not come up: {last}");
            }
            sleep(Duration::from_millis(50)).await;
        }
        // Nobody waits for it here: reaping is left to a task, so that it does not stay as a zombie.
        tokio::spawn(async move { child.wait().await });
        Ok(daemon)
    }

    /// Ends the daemon and everything that belongs to it: processes, mounts, its bridge, its sockets.
    pub(crate) async fn end(&self) -> anyhow::Result<()> {
        let needle = self.needle();
        if let Some(pid) = self.pid() {
            processes::signal(pid, "TERM").await;
            processes::gone(&[pid], &needle, END_LIMIT).await;
        }
        // What a killed daemon leaves: itself when it hangs, containerd, the shims and their containers.
        let rest = self.family();
        for pid in &rest {
            processes::signal(*pid, "KILL").await;
        }
        ensure!(processes::gone(&rest, &needle, END_LIMIT).await, "the private Docker engine does not end");
        self.unmount().await?;
        self.remove_bridge().await;
        let _ = fs::remove_file(self.pid_file());
        let _ = fs::remove_file(self.socket());
        if self.data.parent() != Some(&self.run) {
            let _ = fs::remove_dir_all(&self.run);
        }
        Ok(())
    }

    /// Whether it serves requests; its socket takes connections earlier than that.
    async fn answers(&self) -> bool {
        let ask = async {
            let mut socket = UnixStream::connect(self.socket()).await?;
            socket.write_all(b"GET /_ping HTTP/1.0\r\n\r\n").await?;
            let mut answer = String::new();
            socket.read_to_string(&mut answer).await?;
            std::io::Result::Ok(answer)
        };
        let answer = tokio::time::timeout(ANSWER_LIMIT, ask).await;
        answer.is_ok_and(|answer| answer.is_ok_and(|answer| answer.contains(" 200 ")))
    }

    pub(crate) fn host(&self) -> String {
        format!("unix://{}", self.socket().display())
    }

    fn socket(&self) -> PathBuf {
        self.run.join("docker.sock")
    }

    fn pid_file(&self) -> PathBuf {
        self.run.join("docker.pid")
    }

    fn bridge_mark(&self) -> PathBuf {
        self.run.join("made-docker0")
    }

    /// What the command lines of the daemon, its containerd and its shims all contain.
    fn needle(&self) -> String {
        format!("{}/", self.run.display())
    }

    fn pid(&self) -> Option<u32> {
        let pid = fs::read_to_string(self.pid_file()).ok()?.trim().parse().ok()?;
        processes::is(pid, &self.needle()).then_some(pid)
    }

    fn family(&self) -> Vec<u32> {
        let exec = format!("{}/exec", self.run.display());
        processes::family(&exec)
    }

    async fn unmount(&self) -> anyhow::Result<()> {
        let ours =
            |mount: &PathBuf| mount.starts_with(&self.data) || mount.starts_with(self.run.join("exec"));
        // The innermost come last in the system's list.
        for mount in mounts()?.into_iter().filter(ours).rev() {
            let _ = Command::new("umount").arg("--lazy").arg(&mount).status().await;
        }
        let left: Vec<PathBuf> = mounts()?.into_iter().filter(ours).collect();
        ensure!(left.is_empty(), "mounts of the private Docker engine stay: {left:?}");
        Ok(())
    }

    /// The daemon leaves its bridge behind. It goes if this daemon made it and no other may be using it.
    async fn remove_bridge(&self) {
        let mark = self.bridge_mark();
        if mark.exists() && bridge_exists() && !processes::any_named("dockerd") {
            let mut command = Command::new("ip");
            command.args(["link", "delete", "docker0"]).stdout(Stdio::null()).stderr(Stdio::null());
            let _ = command.status().await;
        }
        let _ = fs::remove_file(mark);
    }
}

fn program() -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders =
        std::env::split_paths(&path).chain(["/usr/sbin".into(), "/sbin".into(), "/usr/local/sbin".into()]);
    folders.map(|folder| folder.join("dockerd")).find(|file| file.is_file())
}

pub(crate) fn is_root() -> bool {
    fs::metadata("/proc/self").is_ok_and(|own| own.uid() == 0)
}

fn bridge_exists() -> bool {
    Path::new("/sys/class/net/docker0").exists()
}

/// A folder for sockets whose paths would otherwise be too long; the same one for the same cloud every time.
fn short_folder(folder: &Path) -> PathBuf {
    let digest = hex::encode(Sha256::digest(folder.as_os_str().as_encoded_bytes()));
    let name = format!("slipway-{}", digest.get(..12).unwrap_or_default());
    Path::new("/tmp").join(name)
}

fn make_private_folder(folder: &Path) -> anyhow::Result<()> {
    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(folder)
        .with_context(|| format!("making {}", folder.display()))?;
    // A folder in /tmp could be somebody else's, made before ours to get at the engine's socket.
    let owner = fs::symlink_metadata(folder)?;
    ensure!(owner.is_dir() && owner.uid() == 0, "{} belongs to somebody else", folder.display());
    Ok(())
}

fn mounts() -> anyhow::Result<Vec<PathBuf>> {
    let table = fs::read_to_string("/proc/self/mounts").context("reading the mounts")?;
    // The second field; spaces in it are written as \040.
    Ok(table
        .lines()
        .filter_map(|line| line.split(' ').nth(1))
        .map(|path| path.replace("\\040", " ").into())
        .collect())
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::PrivateDaemon;

    #[test]
    fn a_long_state_folder_gets_short_sockets() {
        let long = Path::new("/").join("a".repeat(90));
        let daemon = PrivateDaemon::below(&long).expect("absolute");
        assert!(daemon.run.starts_with("/tmp"), "{daemon:?}");
        assert!(daemon.data.starts_with(&long), "{daemon:?}");
        let again = PrivateDaemon::below(&long).expect("absolute");
        assert_eq!(daemon.run, again.run, "a later start must find it again");
        let short = PrivateDaemon::below(Path::new("/srv/cloud")).expect("absolute");
        assert_eq!(short.run, Path::new("/srv/cloud/engine"));
    }
}
