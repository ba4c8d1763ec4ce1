//! The compiled functions, which stories run and the tidy test looks at.
//!
//! Cargo builds no other package's programs for a test, so that this is the Makefile's job: `make test` builds them
//! first. Here it is only noticed when nobody did.

use std::path::Path;
use std::time::SystemTime;

use anyhow::{Context, ensure};

const REMEDY: &str = "`make build` (or `cargo build --workspace --bins`) builds the functions";

/// Makes sure that every function of the template is built from the sources as they are.
pub(crate) fn all_current(folder: &Path, template: &Path) -> anyhow::Result<()> {
    let template = std::fs::read_to_string(template)?;
    for function in template.lines().filter_map(|line| line.trim().strip_prefix("CodeUri: functions/")) {
        let program = folder.join(format!("slipway-{function}"));
        current(&program).with_context(|| format!("`{}` cannot be used", program.display()))?;
    }
    Ok(())
}

/// Makes sure that a program is there and not older than any source that cargo says it was built from.
pub(crate) fn current(program: &Path) -> anyhow::Result<()> {
    let built = changed(program).with_context(|| format!("missing; {REMEDY}"))?;
    let sources = std::fs::read_to_string(program.with_extension("d"))
        .with_context(|| format!("cargo's list of its sources is missing; {REMEDY}"))?;
    // One line as of make: the program, a colon, its sources; a space in a path is escaped.
    let (_, sources) = sources.split_once(": ").context("cargo's list of its sources is empty")?;
    let sources = sources.replace("\\ ", "\u{0}");
    for source in sources.split_whitespace().map(|path| path.replace('\u{0}', " ")) {
        let newer = changed(Path::new(&source)).is_none_or(|changed| changed > built);
        ensure!(!newer, "older than {source}; {REMEDY}");
    }
    Ok(())
}

fn changed(path: &Path) -> Option<SystemTime> {
    std::fs::metadata(path).and_then(|metadata| metadata.modified()).ok()
}
