//! The commits: several repositories at the same time, branches that are delivered and others, one push after another
//! without a pause, so that the runs of a repository race for its environment.

use domain::ids::{RepositoryName, RunId};
use futures::future::try_join_all;
use local::Workbench;

use super::destiny::{CRASHES, Destiny, Fates};
use crate::world::World;

const SERVICES: [&str; 2] = ["service_001", "service_002"];
const PIPELINE_FILE: &str = "infrastructure/ci_cd/pipeline.yaml";

/// One commit, pushed.
#[derive(Debug, Clone)]
pub(super) struct Push {
    /// Its run.
    pub(super) run: RunId,
    /// Where in its repository's order.
    pub(super) number: usize,
    /// Whether its branch is delivered.
    pub(super) delivers: bool,
    /// How it is to end.
    pub(super) destiny: Destiny,
}

/// The name of a repository, its environment and its namespace.
pub(super) fn repository(number: usize) -> String {
    format!("chaos-{number}")
}

/// Pushes `runs` commits, spread over the repositories.
pub(super) async fn all(
    world: &World<'_>,
    fates: &Fates,
    repositories: usize,
    runs: usize,
    seed: u64,
) -> anyhow::Result<Vec<Push>> {
    let pushed = (1..=repositories).map(|number| {
        let share = runs / repositories + usize::from(number <= runs % repositories);
        let dice = fastrand::Rng::with_seed(seed.wrapping_mul(1000).wrapping_add(number as u64));
        to_one(world, fates, repository(number), share, dice)
    });
    Ok(try_join_all(pushed).await?.concat())
}

async fn to_one(
    world: &World<'_>,
    fates: &Fates,
    name: String,
    runs: usize,
    mut dice: fastrand::Rng,
) -> anyhow::Result<Vec<Push>> {
    let full_name: RepositoryName = format!("vive-sphere/{name}").parse()?;
    let folder = local::workspace().join(".slipway").join(&world.record.name).join("checkouts").join(&name);
    let bench = Workbench::of_services(SERVICES.len(), &folder, world.record, &full_name).await?;
    // The images of all repositories have the same names: their commits must not have the same hashes.
    bench.write("REPOSITORY", &name)?;
    let mut pushes = Vec::new();
    for number in 1..=runs {
        let destiny = Destiny::drawn(&mut dice);
        let service = SERVICES[dice.usize(..SERVICES.len())];
        // The last one of each repository is delivered: somebody must be overtaken by it.
        let delivers = number == runs || dice.bool();
        let manifest = format!("infrastructure/kubernetes/{service}-deployment.yaml");
        let broken = match destiny {
            Destiny::CrashingPods => Some((manifest.as_str(), "annotations: {}", CRASHES)),
            Destiny::BrokenFile => Some((PIPELINE_FILE, "services:", "servces:")),
            _ => None,
        };
        let with =
            |to: &str| if to == CRASHES { format!("annotations: {{{CRASHES}}}") } else { to.to_owned() };
        if let Some((path, from, to)) = broken {
            bench.edit(path, from, &with(to))?;
        }
        let run = bench.commit(&format!("Commit {number}")).await?;
        fates.destine(&run, destiny, service);
        let feature = format!("feature-{number}");
        if delivers && dice.u32(..4) == 0 {
            // The same commit on a branch that is delivered nowhere first: its run is joined.
            bench.push_commit(&feature).await?;
        }
        bench.push_commit(if delivers { "develop" } else { &feature }).await?;
        if let Some((path, from, to)) = broken {
            bench.edit(path, &with(to), from)?;
        }
        pushes.push(Push { run, number, delivers, destiny });
    }
    Ok(pushes)
}
