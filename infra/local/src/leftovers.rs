//! Ending a cloud that another process holds, and clearing away what a killed one left, whatever state it is in.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, ensure};
use local_engine::{Engine, Progress};
use tokio::time::{Instant, sleep};

use crate::lock::Lock;
use crate::options::label;
use crate::processes::{Process, kill_all, running_from, with_argument, with_variable};
use crate::record::{Found, Phase, Record};
use crate::remains;

/// How long a cloud may take to clean up after itself before it is killed.
pub(crate) const END_LIMIT: Duration = Duration::from_secs(40);
/// How long a killed process may take to disappear.
const KILL_LIMIT: Duration = Duration::from_secs(5);
const POLL: Duration = Duration::from_millis(50);

/// Ends the cloud in this folder, whoever holds it, and leaves no process, container, network or port behind: also
/// where it was killed, its record is damaged, its folder is gone, or somebody else ends it at the same time.
/// Says whether there was one.
///
/// # Errors
/// When something does not end or cannot be removed.
pub async fn down(state_dir: &Path, progress: Progress<'_>) -> anyhow::Result<bool> {
    let had_folder = state_dir.exists();
    if !had_folder && remains::look(state_dir).await.is_empty() {
        return Ok(false);
    }
    let mut waited = false;
    let Some(_lock) = take_over(state_dir, &mut waited, progress).await? else { return Ok(true) };
    let found = Found::in_folder(state_dir);
    // A cloud that ended in order has removed its record and everything else.
    if !found.is_there() && remains::look(state_dir).await.is_empty() {
        return Ok(waited);
    }
    clear(state_dir, &found, progress).await?;
    if !had_folder {
        // Somebody removed it by hand; only the lock has come back.
        let _ = std::fs::remove_dir_all(state_dir);
    }
    Ok(true)
}

/// Asks whoever holds the cloud to end, insists after a while, and takes its place; says in `waited` whether somebody
/// was there. None where another start has come in between: its cloud is not the one that had to end.
async fn take_over(
    state_dir: &Path,
    waited: &mut bool,
    progress: Progress<'_>,
) -> anyhow::Result<Option<Lock>> {
    let mut asked = None;
    let deadline = Instant::now() + END_LIMIT;
    loop {
        match holder(state_dir) {
            Some(holder) if asked.is_none() => {
                progress("asking the cloud to end");
                mark_as_ending(state_dir, holder);
                holder.signal("TERM").await;
                asked = Some(holder);
            }
            Some(holder) if asked != Some(holder) => return Ok(None),
            Some(holder) if Instant::now() > deadline => {
                progress("it does not end by itself: killing it");
                holder.signal("KILL").await;
                ensure!(holder.has_ended(KILL_LIMIT).await, "process {} does not end", holder.id);
            }
            Some(_) => sleep(POLL).await,
            None if Instant::now() > deadline => {
                return Lock::take(state_dir, KILL_LIMIT).await.map(Some);
            }
            None => {
                if let Some(lock) = Lock::try_take(state_dir)? {
                    return Ok(Some(lock));
                }
                sleep(POLL).await;
            }
        }
        *waited = true;
    }
}

/// The process that holds the cloud: the record names it, or else the local AWS is its child.
pub(crate) fn holder(state_dir: &Path) -> Option<Process> {
    let recorded = Found::in_folder(state_dir).holder();
    recorded.or_else(|| {
        let parents = started_here(state_dir).into_iter().filter_map(Process::parent);
        let ours = |process: &Process| process.program().is_some_and(|name| name.starts_with("slipway"));
        parents.into_iter().find(|process| process.id != std::process::id() && ours(process))
    })
}

/// For a start that comes now: it waits, instead of being told that the cloud runs.
fn mark_as_ending(state_dir: &Path, holder: Process) {
    if let Ok(Some(mut record)) = Record::read(state_dir)
        && record.process == holder
    {
        record.phase = Phase::Ending;
        if let Err(error) = record.write(state_dir) {
            tracing::debug!("the record stays as it is: {error:#}");
        }
    }
}

/// Clears away what a cloud left whose process is gone. Whoever calls this has the lock.
pub(crate) async fn clear(state_dir: &Path, found: &Found, progress: Progress<'_>) -> anyhow::Result<()> {
    progress("clearing away what an earlier start left behind");
    let label = label(&name_of(state_dir));
    end_processes(state_dir, &label).await?;
    // Held from here: an engine that another cloud is just starting does not answer yet and would be taken for dead.
    let guard = engine_guard(state_dir).await?;
    let private = Engine::left_over(engine_dir(state_dir)).await?;
    // A cloud that was interrupted while it started the engine has not recorded it.
    let is_its_own =
        |engine: &Engine| found.engine_host().is_none_or(|recorded| engine.host() == Some(recorded));
    let private = private.filter(is_its_own);
    let engine = private.unwrap_or_else(|| Engine::at(found.engine_host().map(str::to_owned)));
    if engine.version().await.is_ok() {
        engine.remove_labelled(&label).await?;
    }
    release_guarded(state_dir, &engine, guard).await?;
    forget(state_dir);
    Ok(())
}

/// Everything of the local AWS: itself, the functions, and what these started.
pub(crate) fn started_here(state_dir: &Path) -> Vec<Process> {
    let state_dir = std::path::absolute(state_dir).unwrap_or_else(|_| state_dir.to_owned());
    let mut processes = with_variable("TMPDIR", &temporary_files(&state_dir));
    processes.extend(running_from(&state_dir.join("functions")));
    processes
}

/// Kills the local AWS, the functions and clients that work for this cloud.
pub(crate) async fn end_processes(state_dir: &Path, label: &str) -> anyhow::Result<()> {
    // A client that was cut off from a killed cloud may still be making a container.
    let list = || {
        let mut processes = started_here(state_dir);
        processes.extend(with_argument(label));
        processes
    };
    let left = kill_all(KILL_LIMIT, list).await;
    let ids: Vec<String> = left.iter().map(|process| process.id.to_string()).collect();
    ensure!(left.is_empty(), "processes of the cloud do not end: {}", ids.join(", "));
    Ok(())
}

/// Ends a private engine unless another cloud uses it.
pub(crate) async fn release_engine(state_dir: &Path, engine: &Engine) -> anyhow::Result<()> {
    let guard = engine_guard(state_dir).await?;
    release_guarded(state_dir, engine, guard).await
}

async fn release_guarded(state_dir: &Path, engine: &Engine, _guard: File) -> anyhow::Result<()> {
    let own = std::path::absolute(state_dir)?;
    let entries = std::fs::read_dir(engine_dir(state_dir)).into_iter().flatten().flatten();
    let others = entries.map(|entry| entry.path()).any(|path| {
        let found = Found::in_folder(&path);
        // A cloud that is just coming up has found its engine before it has recorded it.
        let uses = found.engine_host().is_none_or(|recorded| engine.host() == Some(recorded));
        // One whose record is damaged still holds its lock.
        let runs = found.holder().is_some() || found.is_there() && Lock::is_taken(&path);
        std::path::absolute(&path).is_ok_and(|path| path != own) && runs && uses
    });
    if others { Ok(()) } else { engine.stop().await }
}

/// The folder of all clouds: a private engine in it is shared by them.
pub(crate) fn engine_dir(state_dir: &Path) -> &Path {
    state_dir.parent().unwrap_or(state_dir)
}

/// Held while the private engine is looked for, started or ended, so that two clouds do not do it at once.
pub(crate) async fn engine_guard(state_dir: &Path) -> anyhow::Result<File> {
    let path = engine_dir(state_dir).join("engine.lock");
    let lock = move || {
        let file = File::create(&path).with_context(|| format!("writing {}", path.display()))?;
        file.lock().with_context(|| format!("locking {}", path.display()))?;
        Ok(file)
    };
    tokio::task::spawn_blocking(lock).await?
}

/// Removes what describes a running cloud; repositories, keys and logs stay for the next start.
pub(crate) fn forget(state_dir: &Path) {
    let _ = std::fs::remove_dir_all(state_dir.join("functions"));
    let _ = std::fs::remove_dir_all(crate::sam::folder(state_dir));
    let _ = std::fs::remove_dir_all(temporary_files(state_dir));
    let _ = std::fs::remove_file(state_dir.join("kubeconfig"));
    Record::remove(state_dir);
}

/// A cloud's folder has its name.
pub(crate) fn name_of(state_dir: &Path) -> String {
    state_dir.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

/// The local AWS has its temporary files here, and so has everything that it starts.
fn temporary_files(state_dir: &Path) -> PathBuf {
    state_dir.join("ministack/tmp")
}
