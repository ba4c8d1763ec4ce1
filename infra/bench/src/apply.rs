//! Server-side apply of many objects, ours beside kubectl's on the same API server: whole processes, from their start to
//! their end.

mod objects;
mod slow;

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use cluster::Cluster;
use domain::policy::Conflicts;
use domain::ports::{Application, Cluster as _};
use serde_json::Value;
use tokio::process::Command;

use self::objects::{namespace, objects};
use self::slow::Slow;
use crate::bench::Bench;
use crate::report::Report;
use crate::statistics::median;
use crate::{output, scene};

/// How many objects, and which part of kubectl's time ours may take.
const SIZES: [(usize, Option<f64>); 4] =
    [(1, None), (10, Some(0.2)), (100, Some(1.0 / 3.0)), (300, Some(0.5))];
/// The same with a network in between.
const AFAR: (usize, f64) = (100, 1.0 / 6.0);
/// What a request takes there and back beyond the server's own time.
const ROUND_TRIP: Duration = Duration::from_millis(20);
/// Samples of each; the middle one counts.
const SAMPLES: usize = 5;
const KUBECTL: &str = "kubectl";

/// Applies the objects in the file, as deploy does, and ends: what the bench starts as a process of its own.
///
/// # Errors
/// When they are not applied.
pub(crate) async fn once(kubeconfig: &Path, file: &Path) -> anyhow::Result<()> {
    let objects: Vec<Value> = serde_json::from_slice(&std::fs::read(file)?)?;
    let cluster = Cluster::from_kubeconfig(&std::fs::read_to_string(kubeconfig)?).await?;
    let outcome = cluster.apply(&objects, Conflicts::Refuse, &()).await?;
    ensure!(outcome == Application::Done(Vec::new()), "{outcome:?}");
    Ok(())
}

/// Measures creation, change and repetition.
///
/// # Errors
/// When an apply fails.
pub(crate) async fn measure(bench: &Bench, report: &mut Report) -> anyhow::Result<()> {
    let there = Command::new(KUBECTL).args(["version", "--client"]).stdout(Stdio::null()).status().await;
    if there.is_err() {
        output::progress("apply: left out, since there is no kubectl on this machine to compare with");
        return Ok(());
    }
    output::progress("apply: starting a cloud");
    scene::in_cloud(
        bench,
        |_| {},
        async |cloud| {
            let kubeconfig = cloud.record().kubeconfig.clone().context("the cloud has a cluster")?;
            let place = Place { folder: scene::checkout_of(&bench.workspace), kubeconfig };
            std::fs::create_dir_all(&place.folder)?;
            for (count, most) in SIZES {
                place.compare(count, most, "", report).await?;
            }
            let slow = Slow::before(&place.kubeconfig, &place.folder, ROUND_TRIP).await?;
            let afar = Place { folder: place.folder.clone(), kubeconfig: slow.kubeconfig.clone() };
            let (count, most) = AFAR;
            afar.compare(count, Some(most), ", 20 ms away", report).await
        },
    )
    .await
}

/// Where the files lie, and the cluster.
struct Place {
    folder: PathBuf,
    kubeconfig: PathBuf,
}

/// Who applies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Who {
    Ours,
    Kubectl,
}

/// What an apply finds.
const DEEDS: [&str; 3] = ["create", "change", "no-op"];

impl Place {
    /// Each sample has a namespace of its own: what it creates is changed and repeated there.
    async fn compare(
        &self,
        count: usize,
        most: Option<f64>,
        afar: &str,
        report: &mut Report,
    ) -> anyhow::Result<()> {
        let mut times = [[Vec::new(), Vec::new(), Vec::new()], [Vec::new(), Vec::new(), Vec::new()]];
        for sample in 1..=SAMPLES {
            for (who, times) in [Who::Ours, Who::Kubectl].into_iter().zip(&mut times) {
                let space = format!("{who:?}-{count}{}-{sample}", if afar.is_empty() { "" } else { "-afar" });
                let space = space.to_lowercase();
                self.apply(Who::Ours, &[namespace(&space)]).await.context("making a namespace")?;
                for (revision, times) in [1, 2, 2].into_iter().zip(times.iter_mut()) {
                    let taken = self.apply(who, &objects(count, &space, revision)).await;
                    times.push(taken.with_context(|| format!("{who:?}, {count} objects"))?.as_secs_f64());
                }
            }
        }
        let [ours, theirs] = &times;
        for ((deed, ours), theirs) in DEEDS.iter().zip(ours).zip(theirs) {
            let ours = median(ours).context("no sample")?;
            let theirs = median(theirs).context("no sample")?;
            let name = format!("apply of {count}{afar}, {deed}");
            report.add(format!("{name}, ours"), ours * 1000.0, "ms");
            report.add(format!("{name}, kubectl"), theirs * 1000.0, "ms");
            match most {
                Some(most) => report.promise(format!("{name}, of kubectl's time"), ours / theirs, "×", most),
                None => report.add(format!("{name}, of kubectl's time"), ours / theirs, "×"),
            }
        }
        output::progress(&format!("apply: {count} objects{afar}"));
        Ok(())
    }

    /// Applies the objects in a process of its own; answers how long that took.
    async fn apply(&self, who: Who, objects: &[Value]) -> anyhow::Result<Duration> {
        let file = self.folder.join("objects.json");
        let mut command = match who {
            Who::Ours => {
                std::fs::write(&file, serde_json::to_vec(objects)?)?;
                let mut command = Command::new(std::env::current_exe()?);
                command.arg("apply-once").arg(&self.kubeconfig).arg(&file);
                command
            }
            Who::Kubectl => {
                let list = serde_json::json!({ "apiVersion": "v1", "kind": "List", "items": objects });
                std::fs::write(&file, serde_json::to_vec(&list)?)?;
                let mut command = Command::new(KUBECTL);
                command.arg("--kubeconfig").arg(&self.kubeconfig).args([
                    "apply",
                    "--server-side",
                    "--validate=false",
                    "--filename",
                ]);
                command.arg(&file);
                command
            }
        };
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
        let begun = Instant::now();
        let ended = command.output().await?;
        let taken = begun.elapsed();
        ensure!(ended.status.success(), "{}", String::from_utf8_lossy(&ended.stderr));
        Ok(taken)
    }
}
