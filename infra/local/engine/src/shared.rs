//! One engine for all tests of a process: found or started for the first that asks, ended after the last.

use std::collections::HashMap;
use std::ops::Deref;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, Weak};

use crate::{Engine, no_progress};

static SHARED: Mutex<Option<HashMap<PathBuf, Weak<Shared>>>> = Mutex::new(None);

/// An engine that several tests use at the same time. A private one ends with the last of its users.
#[derive(Debug)]
pub struct Shared {
    engine: Engine,
    state_dir: PathBuf,
}

/// The engine that all tests of this process share; a private one keeps its images in `state_dir`, which no
/// other process may use at the same time. Blocks until the engine answers.
///
/// # Errors
/// As [`Engine::find_or_start`].
pub fn shared(state_dir: &Path) -> anyhow::Result<Arc<Shared>> {
    // Held all the time, so that no engine is started while another one in the same folder still ends.
    let mut shared = SHARED.lock().unwrap_or_else(PoisonError::into_inner);
    let shared = shared.get_or_insert_default();
    if let Some(known) = shared.get(state_dir).and_then(Weak::upgrade) {
        return Ok(known);
    }
    let engine = wait_for(Engine::find_or_start(state_dir, &no_progress))?;
    let new = Arc::new(Shared { engine, state_dir: state_dir.to_owned() });
    shared.insert(state_dir.to_owned(), Arc::downgrade(&new));
    Ok(new)
}

impl Deref for Shared {
    type Target = Engine;

    fn deref(&self) -> &Engine {
        &self.engine
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        let mut shared = SHARED.lock().unwrap_or_else(PoisonError::into_inner);
        let shared = shared.get_or_insert_default();
        // Somebody may have come between the last user's end and this: the engine is his now.
        let taken_over = shared.get(&self.state_dir).is_some_and(|other| other.strong_count() > 0);
        if !taken_over && let Err(error) = wait_for(self.engine.stop()) {
            tracing::error!("the tests' Docker engine does not end: {error:#}");
        }
    }
}

/// Runs `work` to its end, also within another runtime.
fn wait_for<T: Send>(work: impl Future<Output = anyhow::Result<T>> + Send) -> anyhow::Result<T> {
    std::thread::scope(|scope| {
        let thread = scope.spawn(|| {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
            runtime.block_on(work)
        });
        thread.join().unwrap_or_else(|_| anyhow::bail!("the thread for the Docker engine panicked"))
    })
}
