//! `slipway validate`: what plan or the stack would say of a file, before it is pushed or uploaded.

use std::fs;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context as _;
use clap::Args;
use domain::files::pipeline::PIPELINE_FILE;
use domain::files::{FileErrors, LARGEST_FILE, operator, pipeline};
use domain::ids::EnvironmentName;
use domain::planning;
use domain::run::Problem;
use domain::spec::Plan;

use crate::output;

mod excerpt;
mod folder;
mod plan;
mod shown;

#[derive(Args)]
pub(crate) struct Validate {
    /// A repository's folder, a pipeline file or an operator's file.
    #[arg(default_value = ".")]
    path: PathBuf,
    /// The file is an operator's file, also where its keys do not show it.
    #[arg(long)]
    operator: bool,
    /// The environment whose files a delivery would read, where paths differ between environments.
    #[arg(long, value_name = "NAME")]
    environment: Option<EnvironmentName>,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

/// What was found.
struct Findings {
    /// What was judged, as the person named it.
    name: String,
    problems: Vec<Problem>,
    good: Good,
    /// Where the paths of the problems begin.
    root: PathBuf,
}

/// What there is to say where nothing is wrong.
enum Good {
    /// What a push would run.
    Plan(Box<Plan>),
    /// Whom the stack would serve.
    Operator(operator::OperatorFile),
    /// The file alone was judged: it does not lie in a repository, so that there is nothing to hold it against.
    Alone,
    /// Something is wrong.
    Nothing,
}

/// Judges what the path names; fails where something is wrong with it.
pub(crate) fn run(arguments: &Validate) -> anyhow::Result<ExitCode> {
    let findings = judge(&arguments.path, arguments.operator, arguments.environment.as_ref())?;
    if arguments.json {
        output::line(&serde_json::to_string_pretty(&shown::json(&findings))?);
    } else {
        shown::print(&findings);
    }
    Ok(if findings.problems.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn judge(path: &Path, is_operator: bool, environment: Option<&EnvironmentName>) -> anyhow::Result<Findings> {
    let missing = || format!("`{}` cannot be read", path.display());
    if fs::metadata(path).with_context(missing)?.is_dir() {
        anyhow::ensure!(!is_operator, "`{}` is a folder; name the operator's file itself", path.display());
        let file = path.join(PIPELINE_FILE);
        let source = if file.is_file() { Some(read(&file)?) } else { None };
        return of_repository(path, source.as_deref(), environment);
    }
    let source = read(path)?;
    if is_operator || operator::is_likely(&source) {
        return Ok(of_operator(path, &source));
    }
    match folder::of_pipeline_file(path)? {
        Some(root) => of_repository(&root, Some(&source), environment),
        None => Ok(of_lone_file(path, &source)),
    }
}

/// One byte more than allowed, so that a larger file is seen to be too large.
fn read(path: &Path) -> anyhow::Result<Vec<u8>> {
    let mut source = Vec::new();
    fs::File::open(path)
        .and_then(|file| file.take(LARGEST_FILE as u64 + 1).read_to_end(&mut source))
        .with_context(|| format!("`{}` cannot be read", path.display()))?;
    Ok(source)
}

fn of_repository(
    root: &Path,
    source: Option<&[u8]>,
    environment: Option<&EnvironmentName>,
) -> anyhow::Result<Findings> {
    let tree = folder::tree(root)?;
    let name = match source {
        Some(_) => folder::joined(root, PIPELINE_FILE),
        None => root.display().to_string(),
    };
    let (problems, good) = match planning::plan_for(source, &tree, environment) {
        Ok(plan) => (Vec::new(), Good::Plan(Box::new(plan))),
        Err(problems) => (problems, Good::Nothing),
    };
    Ok(Findings { name, problems, good, root: root.to_owned() })
}

fn of_operator(path: &Path, source: &[u8]) -> Findings {
    let (problems, good) = match operator::parse(source) {
        Ok(file) => (Vec::new(), Good::Operator(file)),
        Err(errors) => (problems_of(path, errors), Good::Nothing),
    };
    Findings { name: path.display().to_string(), problems, good, root: PathBuf::new() }
}

fn of_lone_file(path: &Path, source: &[u8]) -> Findings {
    let (problems, good) = match pipeline::parse(source) {
        Ok(_) => (Vec::new(), Good::Alone),
        Err(errors) => (problems_of(path, errors), Good::Nothing),
    };
    Findings { name: path.display().to_string(), problems, good, root: PathBuf::new() }
}

fn problems_of(path: &Path, errors: FileErrors) -> Vec<Problem> {
    let path = path.display().to_string();
    let problem = |error: domain::files::FileError| Problem {
        path: path.clone(),
        line: error.line,
        column: error.column,
        message: error.message,
    };
    errors.0.into_iter().map(problem).collect()
}
