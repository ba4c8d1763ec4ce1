//! Watching what a cloud cannot do without, so that it ends in order when some of it is gone.

use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::net::UnixStream;
use tokio::time::{Instant, sleep};

use crate::record::{Found, Record};

const POLL: Duration = Duration::from_millis(250);
/// How long an engine may refuse connections: one that is only restarted comes back sooner.
const ENGINE_PATIENCE: Duration = Duration::from_secs(3);

/// Waits until the cloud cannot go on, and says in one sentence what is gone. State is lost with the local AWS, so
/// that nothing is restarted here.
pub(crate) async fn gone(state_dir: &Path, record: &Record, engine_socket: Option<PathBuf>) -> String {
    let mut answered = Instant::now();
    loop {
        if let Some(ministack) = record.ministack.filter(|ministack| !ministack.is_running()) {
            let log = state_dir.join("ministack/ministack.log");
            return format!(
                "the local AWS (process {}) has ended by itself or was killed, and with it everything it kept; its \
                 log is `{}`",
                ministack.id,
                log.display()
            );
        }
        if !is_own(state_dir, record) {
            return format!("`{}` was removed or changed", state_dir.join("cloud.json").display());
        }
        if let Some(socket) = &engine_socket {
            if UnixStream::connect(socket).await.is_ok() {
                answered = Instant::now();
            } else if answered.elapsed() > ENGINE_PATIENCE {
                return format!("the Docker engine at `{}` is gone", socket.display());
            }
        }
        sleep(POLL).await;
    }
}

fn is_own(state_dir: &Path, record: &Record) -> bool {
    match Found::in_folder(state_dir) {
        Found::Whole(found) => found.process == record.process,
        Found::Nothing | Found::Damaged { .. } => false,
    }
}
