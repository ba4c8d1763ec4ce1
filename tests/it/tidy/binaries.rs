//! The built functions: there, as new as their sources, and fit for Amazon Linux 2023.
//!
//! Cargo builds no other package's programs for a test, so that this is the Makefile's job: `make test` builds them
//! first. Here it is only noticed when nobody did.

use std::path::Path;
use std::process::Command;

use anyhow::{Context, ensure};

use super::Findings;
use super::checkout::Checkout;
use super::template::Template;

/// The glibc of `provided.al2023`.
const GLIBC: (u32, u32) = (2, 34);

pub(super) fn check(template: &Template, checkout: &Checkout) -> anyhow::Result<Findings> {
    let mut findings = Findings::new();
    for function in &template.functions {
        let name = format!("target/debug/slipway-{}", function.name);
        let path = checkout.root().join(&name);
        if let Err(error) = crate::programs::current(&path) {
            findings.push(format!("{name}: {error:#}"));
        }
        if path.exists() {
            let symbols = newer_symbols(&path)?;
            if !symbols.is_empty() {
                let (major, minor) = GLIBC;
                findings
                    .push(format!("{name}: needs {}; Lambda has glibc {major}.{minor}", symbols.join(", ")));
            }
        }
    }
    Ok(findings)
}

/// The symbols of a glibc newer than Lambda's. Weak ones may be missing.
fn newer_symbols(path: &Path) -> anyhow::Result<Vec<String>> {
    let output = Command::new("readelf")
        .args(["--dyn-syms", "--wide"])
        .arg(path)
        .output()
        .context("readelf is not installed; it comes with binutils")?;
    ensure!(output.status.success(), "readelf: {}", String::from_utf8_lossy(&output.stderr));
    let table = String::from_utf8_lossy(&output.stdout);
    ensure!(table.contains("GLIBC_"), "`{}` uses no glibc", path.display());
    Ok(newer(&table))
}

fn newer(table: &str) -> Vec<String> {
    let symbols = table.lines().filter(|line| !line.contains(" WEAK ")).flat_map(str::split_whitespace);
    let mut newer: Vec<String> = symbols
        .filter(|word| {
            word.split_once("@GLIBC_")
                .and_then(|(_, version)| parse(version))
                .is_some_and(|version| version > GLIBC)
        })
        .map(str::to_owned)
        .collect();
    newer.dedup();
    newer
}

fn parse(version: &str) -> Option<(u32, u32)> {
    let mut numbers = version.split('.').map(str::parse);
    Some((numbers.next()?.ok()?, numbers.next()?.ok()?))
}

#[test]
fn a_newer_glibc_is_found() {
    let table = "1: 0 0 FUNC GLOBAL DEFAULT UND open@GLIBC_2.2.5 (2)\n\
                 2: 0 0 FUNC GLOBAL DEFAULT UND strtol@GLIBC_2.38 (3)\n\
                 3: 0 0 FUNC WEAK DEFAULT UND spawn@GLIBC_2.39 (4)\n";
    assert_eq!(newer(table), ["strtol@GLIBC_2.38"]);
}
