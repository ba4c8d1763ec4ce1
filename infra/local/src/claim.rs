//! Making a folder the cloud's own, after whatever was there has ended and been cleared away.

use std::path::Path;

use anyhow::{bail, ensure};
use local_engine::Progress;
use local_ministack::{CREDENTIAL, REGION};
use tokio::time::{Duration, Instant, sleep};

use crate::leftovers::{self, END_LIMIT};
use crate::lock::Lock;
use crate::options::Options;
use crate::ports::Ports;
use crate::processes::Process;
use crate::record::{Credentials, Found, Phase, Record};
use crate::remains;
use crate::stack::Outputs;

const POLL: Duration = Duration::from_millis(50);

/// Takes the folder and records that a cloud comes up in it. The lock is to be held as long as the cloud is.
pub(crate) async fn claim(options: &Options, progress: Progress<'_>) -> anyhow::Result<(Record, Lock)> {
    let state_dir = &options.state_dir;
    let lock = enter(state_dir, progress).await?;
    let found = Found::in_folder(state_dir);
    if found.is_there() || !leftovers::started_here(state_dir).is_empty() {
        leftovers::clear(state_dir, &found, progress).await?;
    }
    // The local AWS starts empty: commits that GitHub kept would never be planned.
    let _ = std::fs::remove_dir_all(state_dir.join("github"));
    let record = Record {
        name: options.name.clone(),
        process: Process::own()?,
        ministack: None,
        ports: Ports::default(),
        engine_host: None,
        kubeconfig: None,
        webhook_url: None,
        outputs: Outputs::new(),
        credentials: Credentials {
            aws_region: REGION.to_owned(),
            aws_access_key_id: CREDENTIAL.to_owned(),
            aws_secret_access_key: CREDENTIAL.to_owned(),
            github_token: "local-developer".to_owned(),
            slack_token: "xoxb-local".to_owned(),
            webhook_secret: String::new(),
        },
        phase: Phase::Starting,
    };
    record.write(state_dir)?;
    Ok((record, lock))
}

/// Waits for a cloud that ends, refuses where one runs.
async fn enter(state_dir: &Path, progress: Progress<'_>) -> anyhow::Result<Lock> {
    let deadline = Instant::now() + END_LIMIT;
    let mut told = false;
    loop {
        if let Some(record) = remains::running(state_dir) {
            let (name, id) = (&record.name, record.process.id);
            bail!(
                "the cloud `{name}` already runs (process {id}): `slipway local down --name {name}` ends it"
            );
        }
        let holder = leftovers::holder(state_dir);
        if holder.is_none()
            && let Some(lock) = Lock::try_take(state_dir)?
        {
            return Ok(lock);
        }
        if !told {
            progress("waiting until the earlier cloud has ended");
            told = true;
        }
        let name = leftovers::name_of(state_dir);
        ensure!(
            Instant::now() < deadline,
            "the earlier cloud does not end: `slipway local down --name {name}` insists"
        );
        sleep(POLL).await;
    }
}
