//! Ending a cloud that another process holds, and clearing away what a killed one left.

use std::fs::File;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, ensure};
use local_engine::{Engine, Progress};

use crate::options::label;
use crate::processes::running_from;
use crate::record::Record;

/// How long a cloud may take to clean up after itself before it is killed.
const END_LIMIT: Duration = Duration::from_secs(40);
/// How long a killed process may take to disappear.
const KILL_LIMIT: Duration = Duration::from_secs(5);

/// Ends the cloud in this folder, whoever holds it, and leaves no process, container, network or port behind.
/// Says whether there was one.
///
/// # Errors
/// When something does not end or cannot be removed.
pub async fn down(state_dir: &Path, progress: Progress<'_>) -> anyhow::Result<bool> {
    let Some(record) = Record::read(state_dir)? else { return Ok(false) };
    if record.is_running() {
        progress("asking the cloud to end");
        record.process.signal("TERM").await;
        if !record.process.has_ended(END_LIMIT).await {
            progress("it does not end by itself: killing it");
            record.process.signal("KILL").await;
            ensure!(record.process.has_ended(KILL_LIMIT).await, "process {} does not end", record.process.id);
        }
    }
    // Read again: a cloud that ended in order has removed its record and everything else.
    if Record::read(state_dir)?.is_some() {
        clear(state_dir, &record, progress).await?;
    }
    Ok(true)
}

/// Clears away what a cloud left whose process is gone.
pub(crate) async fn clear(state_dir: &Path, record: &Record, progress: Progress<'_>) -> anyhow::Result<()> {
    progress("clearing away what an earlier start left behind");
    end_processes(state_dir, record).await?;
    // Held from here: an engine that another cloud is just starting does not answer yet and would be taken for dead.
    let guard = engine_guard(state_dir).await?;
    let private = Engine::left_over(engine_dir(state_dir)).await?;
    // A cloud that was interrupted while it started the engine has not recorded it.
    let is_its_own =
        |engine: &Engine| record.engine_host.is_none() || engine.host() == record.engine_host.as_deref();
    let private = private.filter(is_its_own);
    let engine = private.unwrap_or_else(|| Engine::at(record.engine_host.clone()));
    if engine.version().await.is_ok() {
        engine.remove_labelled(&label(&record.name)).await?;
    }
    release_guarded(state_dir, &engine, guard).await?;
    forget(state_dir);
    Ok(())
}

async fn end_processes(state_dir: &Path, record: &Record) -> anyhow::Result<()> {
    if let Some(ministack) = record.ministack {
        ministack.signal_group("KILL").await;
        ensure!(ministack.has_ended(KILL_LIMIT).await, "MiniStack ({}) does not end", ministack.id);
    }
    for function in running_from(&state_dir.join("functions")) {
        function.signal("KILL").await;
        ensure!(function.has_ended(KILL_LIMIT).await, "function process {} does not end", function.id);
    }
    Ok(())
}

/// Ends a private engine unless another cloud uses it.
pub(crate) async fn release_engine(state_dir: &Path, engine: &Engine) -> anyhow::Result<()> {
    let guard = engine_guard(state_dir).await?;
    release_guarded(state_dir, engine, guard).await
}

async fn release_guarded(state_dir: &Path, engine: &Engine, _guard: File) -> anyhow::Result<()> {
    let folder = engine_dir(state_dir);
    let own = std::path::absolute(state_dir)?;
    let others = std::fs::read_dir(folder).into_iter().flatten().flatten().any(|entry| {
        let other = std::path::absolute(entry.path()).is_ok_and(|path| path != own);
        let record = Record::read(&entry.path()).ok().flatten();
        // A cloud that is just coming up has found its engine before it has recorded it.
        let uses =
            |record: &Record| record.engine_host.is_none() || record.engine_host.as_deref() == engine.host();
        other && record.is_some_and(|record| record.is_running() && uses(&record))
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
    let _ = std::fs::remove_file(state_dir.join("kubeconfig"));
    Record::remove(state_dir);
}
