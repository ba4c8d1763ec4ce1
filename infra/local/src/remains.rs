//! What is there of a cloud, by looking: processes, containers, networks, files.

use std::fmt;
use std::path::Path;

use local_engine::Engine;

use crate::leftovers::{engine_dir, holder, name_of, started_here};
use crate::lock::Lock;
use crate::options::label;
use crate::processes::Process;
use crate::record::{Found, Phase, Record};

/// How a cloud stands.
#[derive(Debug)]
pub enum Standing {
    /// There is nothing of it.
    Nothing,
    /// Somebody clears it away, or begins to start it: nothing can be told yet.
    Busy,
    /// Its process runs; the record's phase tells how far it is.
    Held(Box<Record>),
    /// Its process is gone, and this is left.
    Left(Remains),
}

/// What a killed cloud left.
#[derive(Debug, Default)]
pub struct Remains {
    /// The local AWS, the functions, and what they started.
    pub processes: Vec<Process>,
    /// Containers with the cloud's label.
    pub containers: usize,
    /// Networks with the cloud's label.
    pub networks: usize,
    /// The engine that was asked and did not answer.
    pub silent_engine: Option<String>,
    /// Whether there is a record, of which nobody knows whether it is right.
    pub record: bool,
}

impl Remains {
    /// Whether nothing is left.
    pub fn is_empty(&self) -> bool {
        self.processes.is_empty() && self.containers == 0 && self.networks == 0 && !self.record
    }
}

impl fmt::Display for Remains {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let counted =
            |number: usize, name: &str| format!("{number} {name}{}", if number == 1 { "" } else { "s" });
        let mut parts = Vec::new();
        if !self.processes.is_empty() {
            let ids: Vec<String> = self.processes.iter().map(|process| process.id.to_string()).collect();
            parts.push(format!("the processes {}", ids.join(", ")));
        }
        if self.containers > 0 {
            parts.push(counted(self.containers, "container"));
        }
        if self.networks > 0 {
            parts.push(counted(self.networks, "network"));
        }
        if self.record {
            parts.push("its record".to_owned());
        }
        formatter.write_str(&parts.join(", "))?;
        match &self.silent_engine {
            Some(host) => write!(formatter, " (the Docker engine at {host} does not answer)"),
            None => Ok(()),
        }
    }
}

/// How the cloud in this folder stands. Changes nothing.
pub async fn standing(state_dir: &Path) -> Standing {
    let found = Found::in_folder(state_dir);
    match found {
        Found::Whole(record) if record.is_running() => return Standing::Held(record),
        _ if holder(state_dir).is_some() || Lock::is_taken(state_dir) => return Standing::Busy,
        _ => {}
    }
    let remains = look(state_dir).await;
    if remains.is_empty() { Standing::Nothing } else { Standing::Left(remains) }
}

/// Whether a start has to be refused, because the cloud runs and nobody ends it.
pub(crate) fn running(state_dir: &Path) -> Option<Box<Record>> {
    match Found::in_folder(state_dir) {
        Found::Whole(record) if record.is_running() && record.phase != Phase::Ending => Some(record),
        _ => None,
    }
}

/// Looks for everything that could be left.
pub(crate) async fn look(state_dir: &Path) -> Remains {
    let found = Found::in_folder(state_dir);
    let mut remains =
        Remains { processes: started_here(state_dir), record: found.is_there(), ..Remains::default() };
    let engine = engine_of(state_dir, &found);
    if engine.version().await.is_err() {
        // Without a record nobody says that this cloud ever used it.
        remains.silent_engine = found.engine_host().map(str::to_owned);
        return remains;
    }
    let filter = format!("label={}", label(&name_of(state_dir)));
    let count = async |list: &[&str]| {
        let listed = engine.output(&[list, &["--quiet", "--filter", &filter]].concat()).await;
        listed.map_or(0, |ids| ids.lines().count())
    };
    remains.containers = count(&["ps", "--all"]).await;
    remains.networks = count(&["network", "ls"]).await;
    remains
}

/// The engine that the record names, else a private one that lies where clouds have theirs, else the default one.
fn engine_of(state_dir: &Path, found: &Found) -> Engine {
    let private = engine_dir(state_dir).join("engine/docker.sock");
    let private = private.exists().then(|| format!("unix://{}", private.display()));
    Engine::at(found.engine_host().map(str::to_owned).or(private))
}
