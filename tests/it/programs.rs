//! The compiled functions, which stories run and the tidy test looks at.

use std::path::Path;
use std::time::SystemTime;

use anyhow::{Context, ensure};

const REMEDY: &str = "`make build` (or `cargo build --workspace --bins`) builds the functions";

/// Makes sure that a program is there and not older than any source that cargo says it was built from.
pub(crate) fn current(program: &Path) -> anyhow::Result<()> {
    let built = changed(program).with_context(|| format!("missing; {REMEDY}"))?;
    let sources = std::fs::read_to_string(program.with_extension("d"))
        .with_context(|| format!("built by nobody's cargo; {REMEDY}"))?;
    // One line as of make: the program, a colon, its sources; a space in a path is escaped.
    let (_, sources) = sources.split_once(": ").context("cargo's list of sources is empty")?;
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
