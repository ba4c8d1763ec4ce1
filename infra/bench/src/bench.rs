//! The bench as a whole: which parts are measured, where results lie, what they are compared with.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, ensure};
use clap::{Args, ValueEnum};
use local::workspace;
use tokio::signal::unix::{SignalKind, signal};

use crate::prices::Prices;
use crate::report::Report;
use crate::template::Template;
use crate::{apply, burst, functions, machine, output, requests, run, scene, sizes, table, verdict};

/// Measures Slipway on this machine: its functions, a run, a burst, what a run asks of AWS and what that costs.
#[derive(Debug, clap::Parser)]
#[command(name = "slipway-bench")]
pub(crate) struct Arguments {
    /// The parts to measure; all where none is named.
    #[arg(long, value_delimiter = ',', value_name = "PART,…")]
    only: Vec<Part>,
    /// The folder of the compiled functions.
    #[arg(long, value_name = "FOLDER")]
    functions: Option<PathBuf>,
    /// Numbers of services whose requests are counted.
    #[arg(long, value_delimiter = ',', default_values_t = [1, 10, 100, 500])]
    services: Vec<usize>,
    /// Numbers of webhooks that come at once.
    #[arg(long, value_delimiter = ',', default_values_t = [100, 1000])]
    bursts: Vec<usize>,
    #[command(flatten)]
    results: Results,
}

#[derive(Debug, Args)]
struct Results {
    /// Keep what was measured as the baseline in infra/bench/baseline.json.
    #[arg(long)]
    save_baseline: bool,
}

/// A part of the bench.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
enum Part {
    /// The functions' zips.
    Size,
    /// Each function alone under the Lambda runtime interface emulator.
    Functions,
    /// Requests per run, and their price.
    Requests,
    /// The time of one run.
    Run,
    /// The time from a webhook to checks, builds and the verdict.
    Verdict,
    /// Server-side apply beside kubectl's.
    Apply,
    /// Many webhooks at once.
    Burst,
}

/// What every part needs.
pub(crate) struct Bench {
    /// The checkout.
    pub(crate) workspace: PathBuf,
    /// The folder of the compiled functions.
    pub(crate) functions: PathBuf,
    /// The SAM template.
    pub(crate) template: Template,
    /// AWS's list prices.
    pub(crate) prices: Prices,
}

/// Measures, prints, compares and saves.
pub(crate) async fn run(arguments: Arguments) -> anyhow::Result<ExitCode> {
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    tokio::select! {
        done = measure(arguments) => done,
        _ = interrupt.recv() => give_up().await,
        _ = terminate.recv() => give_up().await,
    }
}

async fn give_up() -> anyhow::Result<ExitCode> {
    output::progress("interrupted: ending the cloud");
    scene::abandon(&workspace()).await?;
    Ok(ExitCode::FAILURE)
}

async fn measure(arguments: Arguments) -> anyhow::Result<ExitCode> {
    let workspace = workspace();
    let bench = Bench {
        functions: arguments.functions.clone().unwrap_or_else(|| workspace.join("target/release")),
        template: Template::read(&workspace.join("template.yaml"))?,
        prices: Prices::listed()?,
        workspace,
    };
    check_programs(&bench)?;
    let mut report = machine::describe(&bench.workspace)?;
    let wanted = |part| arguments.only.is_empty() || arguments.only.contains(&part);
    if wanted(Part::Size) {
        sizes::measure(&bench, &mut report)?;
    }
    if wanted(Part::Functions) {
        functions::measure(&bench, &mut report).await.context("measuring the functions")?;
    }
    if wanted(Part::Requests) {
        requests::measure(&bench, &arguments.services, &mut report).await.context("counting requests")?;
    }
    if wanted(Part::Run) {
        run::measure(&bench, &mut report).await.context("measuring a run")?;
    }
    if wanted(Part::Verdict) {
        verdict::measure(&bench, &mut report).await.context("measuring verdicts")?;
    }
    if wanted(Part::Apply) {
        apply::measure(&bench, &mut report).await.context("measuring applies")?;
    }
    if wanted(Part::Burst) {
        burst::measure(&bench, &arguments.bursts, &mut report).await.context("measuring bursts")?;
    }
    finish(&bench.workspace, report, arguments.results.save_baseline)
}

/// Every function must be there before anything is measured.
fn check_programs(bench: &Bench) -> anyhow::Result<()> {
    for name in bench.template.functions.keys() {
        let program = bench.functions.join(format!("slipway-{name}"));
        ensure!(program.exists(), "`{}` is missing; `make bench` builds it first", program.display());
    }
    Ok(())
}

/// Shows the figures beside the last ones and the baseline, and keeps them.
fn finish(workspace: &Path, report: Report, save_baseline: bool) -> anyhow::Result<ExitCode> {
    let last_path = workspace.join(".slipway/bench/last.json");
    let baseline_path = workspace.join("infra/bench/baseline.json");
    let (last, baseline) = (Report::read(&last_path)?, Report::read(&baseline_path)?);
    output::figures(&table::render(&report, last.as_ref(), baseline.as_ref()));
    let missed: Vec<String> = report.missed().map(|(name, figure)| table::miss(name, figure)).collect();
    let kept = match &last {
        Some(last) => report.over(last),
        None => report,
    };
    kept.write(&last_path)?;
    output::progress(&format!("kept in {}", last_path.display()));
    if save_baseline {
        let whole = match &baseline {
            Some(baseline) => kept.over(baseline),
            None => kept,
        };
        whole.write(&baseline_path)?;
        output::progress(&format!("kept as the baseline in {}", baseline_path.display()));
    }
    for miss in &missed {
        output::missed(miss);
    }
    Ok(ExitCode::SUCCESS)
}
