//! A cloud held by a `slipway local up` of its own, functions made of shell, and what must be gone afterwards.

use std::fs;
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use anyhow::{Context, ensure};
use hyper::Method;
use local::{Aws, Process, Record};
use local_engine::Engine;
use local_engine::images::LOCAL_BUILD;
use tokio::io::{AsyncBufReadExt, BufReader, Lines};
use tokio::process::{Child, ChildStderr, Command};
use tokio::time::timeout;

const FUNCTIONS: [&str; 9] =
    ["webhook", "plan", "test", "build", "publish", "deploy", "verify", "notify", "sweep"];

/// A custom runtime in a few lines: answers every event with a greeting.
const FUNCTION: &str = r#"#!/bin/sh
api="http://$AWS_LAMBDA_RUNTIME_API/2018-06-01/runtime/invocation"
while id=$(curl -sSf -o /dev/null -D - "$api/next" | tr -d '\r' | sed -n 's/^[Ll]ambda-[Rr]untime-[Aa]ws-[Rr]equest-[Ii]d: //p'); do
  curl -sSf -o /dev/null -d "{\"statusCode\":200,\"body\":\"hello from $AWS_LAMBDA_FUNCTION_NAME\"}" "$api/$id/response"
done
"#;

/// How long a start may take on a busy machine where the base images have to be made first.
const START_LIMIT: Duration = Duration::from_mins(8);
const END_LIMIT: Duration = Duration::from_mins(1);

/// A temporary folder.
pub(crate) struct Folder(PathBuf);

impl Folder {
    pub(crate) fn empty() -> anyhow::Result<Self> {
        let path = std::env::temp_dir().join(unique("slipway-functions"));
        fs::create_dir_all(&path)?;
        Ok(Self(path))
    }

    pub(crate) fn of_functions() -> anyhow::Result<Self> {
        let folder = Self::empty()?;
        for name in FUNCTIONS {
            let path = folder.path().join(format!("slipway-{name}"));
            fs::write(&path, FUNCTION)?;
            fs::set_permissions(&path, fs::Permissions::from_mode(0o755))?;
        }
        Ok(folder)
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// A cloud and the process that holds it.
pub(crate) struct Held {
    name: String,
    child: Child,
    lines: Lines<BufReader<ChildStderr>>,
    told: Vec<String>,
}

impl Held {
    pub(crate) async fn up(name: &str, functions: &Folder) -> anyhow::Result<Self> {
        let folder = functions.path().display().to_string();
        Self::begin(&unique(name), &["--port", "0", "--functions", &folder])?.ready().await
    }

    /// A cloud of this very name, which may have been there before.
    pub(crate) async fn again(name: &str, arguments: &[&str]) -> anyhow::Result<Self> {
        Self::begin(name, arguments)?.ready().await
    }

    /// Starts the command and waits for nothing.
    pub(crate) fn begin(name: &str, arguments: &[&str]) -> anyhow::Result<Self> {
        let mut child = command(&[&["local", "up", "--name", name], arguments].concat())
            .stderr(Stdio::piped())
            .spawn()?;
        let lines = BufReader::new(child.stderr.take().context("it is piped")?).lines();
        Ok(Self { name: name.to_owned(), child, lines, told: Vec::new() })
    }

    async fn ready(mut self) -> anyhow::Result<Self> {
        let ready = self.says(|line| line.ends_with("Ctrl-C ends it")).await?;
        ensure!(ready, "it did not come up: {}", self.told.join("\n"));
        Ok(self)
    }

    /// Reads what it says until a line fits; says whether one did before it ended.
    pub(crate) async fn says(&mut self, fits: impl Fn(&str) -> bool) -> anyhow::Result<bool> {
        let read = async {
            while let Some(line) = self.lines.next_line().await? {
                let found = fits(&line);
                self.told.push(line);
                if found {
                    return anyhow::Ok(true);
                }
            }
            Ok(false)
        };
        timeout(START_LIMIT, read).await.context("it says nothing more")?
    }

    /// Waits until it ends by itself; gives back its exit code and all that it said.
    pub(crate) async fn ends(mut self) -> anyhow::Result<(Option<i32>, String)> {
        self.says(|_| false).await?;
        let status = timeout(END_LIMIT, self.child.wait()).await.context("it does not end")??;
        Ok((status.code(), self.told.join("\n")))
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    pub(crate) fn record(&self) -> anyhow::Result<Record> {
        Record::read(&state_dir(&self.name))?.context("a cloud that runs is recorded")
    }

    pub(crate) async fn post_webhook(&self) -> anyhow::Result<String> {
        let record = self.record()?;
        let url = record.webhook_url.clone().context("a cloud has a webhook")?;
        let path = url.strip_prefix(&record.aws_url()).context("the webhook is served by AWS")?;
        let answer = Aws::at(url.strip_suffix(path).unwrap_or_default())
            .rest(Method::POST, "execute-api", path, "{}")
            .await?;
        Ok(String::from_utf8(answer.into())?)
    }

    /// Starts a container as builds and pods do, with the cloud's label.
    pub(crate) async fn run_container(&self) -> anyhow::Result<Container> {
        let engine = Engine::at(self.record()?.engine_host);
        let label = format!("slipway.cloud={}", self.name);
        let run =
            ["run", "--detach", "--rm", "--network", "none", "--label", &label, LOCAL_BUILD, "sleep", "600"];
        let id = engine.output(&run).await?;
        Ok(Container { engine, id })
    }

    pub(crate) fn ministack(&self) -> anyhow::Result<Process> {
        self.record()?.ministack.context("it is recorded")
    }

    /// Everything that has to be gone when the cloud is, of which one function at least has been called.
    pub(crate) fn traces(&self) -> anyhow::Result<Traces> {
        let traces = self.traces_now()?;
        ensure!(traces.processes.len() > 2, "a function was called: it has a process");
        Ok(traces)
    }

    /// Everything that has to be gone when the cloud is, as far as it is there already.
    pub(crate) fn traces_now(&self) -> anyhow::Result<Traces> {
        let record = self.record()?;
        let functions = state_dir(&self.name).join("functions");
        let mut processes: Vec<Process> = record.ministack.into_iter().chain([record.process]).collect();
        processes.extend(children_of(record.ministack.context("it is recorded")?.id));
        let ports = record.ports;
        let ports = [ports.aws, ports.builds, ports.github, ports.cluster, ports.slack];
        let engine = Engine::at(record.engine_host);
        Ok(Traces { name: self.name.clone(), processes, ports, functions, engine })
    }

    pub(crate) async fn end_in_order(mut self) -> anyhow::Result<()> {
        let id = self.child.id().context("it runs")?;
        let killed = Command::new("sh").args(["-c", &format!("kill -TERM {id}")]).status().await?;
        ensure!(killed.success());
        let status = timeout(END_LIMIT, self.child.wait()).await.context("it does not end")??;
        ensure!(status.success(), "it ended with {status}");
        forget(&self.name)
    }

    pub(crate) async fn kill(mut self) -> anyhow::Result<()> {
        Ok(self.child.kill().await?)
    }
}

/// Processes, ports and files of a cloud.
pub(crate) struct Traces {
    name: String,
    processes: Vec<Process>,
    ports: [u16; 5],
    functions: PathBuf,
    engine: Engine,
}

impl Traces {
    pub(crate) async fn assert_gone(&self) -> anyhow::Result<()> {
        let gone = async {
            while self.processes.iter().any(|process| process.is_running()) {
                tokio::task::yield_now().await;
            }
        };
        timeout(END_LIMIT, gone).await.context("a process stays")?;
        for port in self.ports {
            ensure!(TcpStream::connect(("127.0.0.1", port)).is_err(), "port {port} is still open");
        }
        ensure!(!self.functions.exists(), "the functions' binaries stay");
        ensure!(!has_mounts(&self.name)?, "a mount stays");
        no_containers(&self.engine, &self.name).await?;
        nothing_runs(&self.name)
    }
}

/// Looks for processes that mention the cloud's folder in their arguments, variables or program, and for its record.
pub(crate) fn nothing_runs(name: &str) -> anyhow::Result<()> {
    let folder = state_dir(name).display().to_string();
    for entry in fs::read_dir("/proc")?.flatten().filter(|entry| entry.file_name() != "self") {
        let path = entry.path();
        let Some(id) = entry.file_name().to_str().and_then(|id| id.parse::<u32>().ok()) else { continue };
        let texts = ["cmdline", "environ"].map(|file| fs::read(path.join(file)).unwrap_or_default());
        let program = fs::read_link(path.join("exe")).unwrap_or_default();
        let mentions = texts.iter().any(|text| String::from_utf8_lossy(text).contains(&folder));
        let stays = (mentions || program.starts_with(&folder)) && Process::running(id).is_some();
        ensure!(!stays, "process {id} stays: {}", String::from_utf8_lossy(&texts[0]));
    }
    ensure!(!state_dir(name).join("cloud.json").exists(), "the record stays");
    Ok(())
}

/// Neither a container nor a network carries the cloud's label. A private engine ends with the last cloud.
async fn no_containers(engine: &Engine, name: &str) -> anyhow::Result<()> {
    let filter = format!("label=slipway.cloud={name}");
    for list in [&["ps", "--all"][..], &["network", "ls"]] {
        let left = engine.output(&[list, &["--quiet", "--filter", &filter]].concat()).await;
        ensure!(left.is_err() || left.is_ok_and(|ids| ids.is_empty()), "docker {list:?} still lists some");
    }
    Ok(())
}

fn has_mounts(name: &str) -> anyhow::Result<bool> {
    let folder = format!("{}/", state_dir(name).display());
    Ok(fs::read_to_string("/proc/self/mounts")?.contains(&folder))
}

/// Ends a process at once, as a person would.
pub(crate) async fn kill_process(id: u32) -> anyhow::Result<()> {
    let killed = Command::new("sh").args(["-c", &format!("kill -KILL {id}")]).status().await?;
    ensure!(killed.success(), "process {id} is not there");
    Ok(())
}

/// The processes whose parent is `id`: the functions, when it is MiniStack.
fn children_of(id: u32) -> Vec<Process> {
    let tasks = fs::read_dir(format!("/proc/{id}/task")).into_iter().flatten().flatten();
    tasks
        .filter_map(|task| fs::read_to_string(task.path().join("children")).ok())
        .flat_map(|ids| ids.split_whitespace().filter_map(|id| id.parse().ok()).collect::<Vec<u32>>())
        .filter_map(Process::running)
        .collect()
}

/// A container that has to go with its cloud.
pub(crate) struct Container {
    engine: Engine,
    id: String,
}

impl Container {
    pub(crate) async fn exists(&self) -> bool {
        let filter = format!("id={}", self.id);
        let listed = self.engine.output(&["ps", "--quiet", "--no-trunc", "--filter", &filter]).await;
        // A private engine ends with the last cloud, and every container with it.
        listed.is_ok_and(|ids| !ids.is_empty())
    }
}

/// Runs the command to its end.
pub(crate) async fn slipway(arguments: &[&str]) -> anyhow::Result<Output> {
    let output = command(arguments).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?.wait_with_output();
    timeout(START_LIMIT, output).await?.context("running slipway")
}

fn command(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_slipway"));
    command.args(arguments).env_remove("KUBECONFIG").stdin(Stdio::null()).stdout(Stdio::null());
    command.kill_on_drop(true);
    command
}

pub(crate) async fn status_code(url: &str) -> anyhow::Result<u16> {
    Aws::at(url).rest(Method::GET, "none", "/", "").await.map(|_| 200)
}

pub(crate) fn state_dir(name: &str) -> PathBuf {
    local::workspace().join(".slipway").join(name)
}

/// Removes what a cloud keeps for its next start, since there will be none.
pub(crate) fn forget(name: &str) -> anyhow::Result<()> {
    Ok(fs::remove_dir_all(state_dir(name))?)
}

/// A name that no other test uses.
pub(crate) fn unique(name: &str) -> String {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    format!("{name}-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed))
}
