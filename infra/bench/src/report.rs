//! What was measured: named figures with their units and targets, kept as JSON, compared with earlier ones.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use anyhow::Context;
use serde::{Deserialize, Serialize};

/// Everything one start of the bench measured.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Report {
    /// When, as RFC 3339.
    pub(crate) made: String,
    /// The commit of the checkout, with `+` where files differed from it.
    pub(crate) commit: String,
    /// Processors and system: figures of two machines say little about each other.
    pub(crate) machine: String,
    /// The figures by name.
    pub(crate) figures: BTreeMap<String, Figure>,
}

/// One number.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Figure {
    /// How much.
    pub(crate) value: f64,
    /// Of what.
    pub(crate) unit: String,
    /// What it must not exceed, where something was promised.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) at_most: Option<f64>,
}

impl Figure {
    /// Whether it exceeds what was promised.
    pub(crate) fn missed(&self) -> bool {
        self.at_most.is_some_and(|most| self.value > most)
    }
}

impl Report {
    /// Adds a figure.
    pub(crate) fn add(&mut self, name: impl Into<String>, value: f64, unit: &str) {
        self.figures.insert(name.into(), Figure { value, unit: unit.to_owned(), at_most: None });
    }

    /// Adds a figure that must not exceed `most`.
    pub(crate) fn promise(&mut self, name: impl Into<String>, value: f64, unit: &str, most: f64) {
        self.figures.insert(name.into(), Figure { value, unit: unit.to_owned(), at_most: Some(most) });
    }

    /// The figures that exceed what was promised.
    pub(crate) fn missed(&self) -> impl Iterator<Item = (&str, &Figure)> {
        self.figures
            .iter()
            .filter(|(_, figure)| figure.missed())
            .map(|(name, figure)| (name.as_str(), figure))
    }

    /// How many times an earlier figure of that name this one is; none where there is none to compare with.
    pub(crate) fn ratio(&self, earlier: &Self, name: &str) -> Option<f64> {
        let (now, before) = (self.figures.get(name)?, earlier.figures.get(name)?);
        (now.unit == before.unit && before.value != 0.0).then(|| now.value / before.value)
    }

    /// This report's figures, and those of an earlier one that were not measured this time.
    pub(crate) fn over(mut self, earlier: &Self) -> Self {
        for (name, figure) in &earlier.figures {
            self.figures.entry(name.clone()).or_insert_with(|| figure.clone());
        }
        self
    }

    /// The report in this file, if it is there.
    ///
    /// # Errors
    /// When the file is no report.
    pub(crate) fn read(path: &Path) -> anyhow::Result<Option<Self>> {
        match fs::read(path) {
            Ok(bytes) => serde_json::from_slice(&bytes)
                .map(Some)
                .with_context(|| format!("`{}` is no result of the bench; remove it", path.display())),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error).with_context(|| format!("reading {}", path.display())),
        }
    }

    /// Writes it.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub(crate) fn write(&self, path: &Path) -> anyhow::Result<()> {
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder).with_context(|| format!("making {}", folder.display()))?;
        }
        let mut text = serde_json::to_string_pretty(self)?;
        text.push('\n');
        fs::write(path, text).with_context(|| format!("writing {}", path.display()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(figures: &[(&str, f64, &str)]) -> Report {
        let mut report = Report::default();
        for (name, value, unit) in figures {
            report.add(*name, *value, unit);
        }
        report
    }

    #[test]
    fn figures_are_compared_where_both_are_known() {
        let before = report(&[("a", 4.0, "ms"), ("b", 0.0, "ms"), ("c", 1.0, "s")]);
        let now = report(&[("a", 5.0, "ms"), ("b", 1.0, "ms"), ("c", 1.0, "ms"), ("d", 1.0, "ms")]);

        for (name, expect) in [("a", Some(1.25)), ("b", None), ("c", None), ("d", None)] {
            assert_eq!(now.ratio(&before, name), expect, "{name}");
        }
    }

    #[test]
    fn only_what_exceeds_its_promise_is_missed() {
        let mut report = report(&[("free", 9.0, "ms")]);
        report.promise("kept", 2.0, "ms", 2.0);
        report.promise("broken", 2.1, "ms", 2.0);

        assert_eq!(report.missed().map(|(name, _)| name).collect::<Vec<_>>(), ["broken"]);
    }

    #[test]
    fn a_part_measured_anew_replaces_its_figures_only() {
        let before = report(&[("a", 1.0, "ms"), ("b", 2.0, "ms")]);

        assert_eq!(report(&[("a", 3.0, "ms")]).over(&before), report(&[("a", 3.0, "ms"), ("b", 2.0, "ms")]));
    }

    #[test]
    fn a_report_survives_its_file() {
        let mut written = report(&[("a", 1.5, "ms")]);
        written.promise("b", 2.0, "s", 3.0);
        let path = std::env::temp_dir().join(format!("slipway-bench-report-{}.json", std::process::id()));

        written.write(&path).expect("written");
        let read = Report::read(&path).expect("read");
        fs::remove_file(&path).expect("removed");

        assert_eq!(read, Some(written));
        assert_eq!(Report::read(&path).expect("no file is no error"), None);
    }
}
