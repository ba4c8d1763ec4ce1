//! The size of each function's package: its program alone, deflated as the deploy's tools do.

use std::fs;
use std::io::{Cursor, Write};
use std::path::Path;

use anyhow::Context;
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipWriter};

use crate::bench::Bench;
use crate::output;
use crate::report::Report;
use crate::statistics::count;

/// The largest package that is promised, in megabytes of 10⁶ bytes.
const LARGEST: f64 = 6.0;

/// Measures every package.
///
/// # Errors
/// When a program cannot be read.
pub(crate) fn measure(bench: &Bench, report: &mut Report) -> anyhow::Result<()> {
    output::progress("zipping the functions");
    for name in bench.template.functions.keys() {
        let bytes = zipped(&bench.functions.join(format!("slipway-{name}")))?;
        report.promise(format!("function {name} zip"), count(bytes) / 1e6, "MB", LARGEST);
    }
    Ok(())
}

fn zipped(program: &Path) -> anyhow::Result<usize> {
    let content = fs::read(program).with_context(|| format!("reading {}", program.display()))?;
    let options =
        SimpleFileOptions::default().compression_method(CompressionMethod::Deflated).unix_permissions(0o755);
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    zip.start_file("bootstrap", options)?;
    zip.write_all(&content)?;
    Ok(zip.finish()?.into_inner().len())
}
