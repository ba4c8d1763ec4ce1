//! The figures as a table for people.

use std::fmt::Write as _;

use crate::report::{Figure, Report};

/// One line a figure: its value, its target, and how many times the last and the baseline's figure it is.
pub(crate) fn render(report: &Report, last: Option<&Report>, baseline: Option<&Report>) -> String {
    let ratio = |earlier: Option<&Report>, name: &str| {
        earlier
            .and_then(|earlier| report.ratio(earlier, name))
            .map_or_else(|| "–".to_owned(), |ratio| format!("{ratio:.2}×"))
    };
    let mut rows = vec![["figure", "value", "at most", "last", "baseline"].map(str::to_owned)];
    for (name, figure) in &report.figures {
        let most = match figure.at_most {
            Some(most) if figure.missed() => format!("{} ✗", number(most)),
            Some(most) => format!("{} ✓", number(most)),
            None => String::new(),
        };
        let value = format!("{} {}", number(figure.value), figure.unit);
        rows.push([name.clone(), value, most, ratio(last, name), ratio(baseline, name)]);
    }
    let mut text = format!("{}\n{}, commit {}\n", report.machine, report.made, report.commit);
    let widths: Vec<usize> =
        (0..5).map(|column| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0)).collect();
    for [name, value, most, last, baseline] in &rows {
        let line = format!(
            "{name:<0$}  {value:>1$}  {most:>2$}  {last:>3$}  {baseline:>4$}",
            widths[0], widths[1], widths[2], widths[3], widths[4]
        );
        let _ = write!(text, "\n{}", line.trim_end());
    }
    text
}

/// The sentence about a figure that exceeds its target.
pub(crate) fn miss(name: &str, figure: &Figure) -> String {
    let most = figure.at_most.map(number).unwrap_or_default();
    format!("`{name}` is {} {}; it should be {most} at most", number(figure.value), figure.unit)
}

/// Four significant digits, whole numbers as they are.
fn number(value: f64) -> String {
    let digits = match value.abs() {
        size if size.fract() == 0.0 || size >= 1000.0 => 0,
        size if size >= 100.0 => 1,
        size if size >= 10.0 => 2,
        size if size >= 1.0 => 3,
        _ => 4,
    };
    format!("{value:.digits$}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_person_sees_values_targets_and_ratios() {
        let mut last = Report::default();
        last.add("run seconds", 0.5, "s");
        let mut report = Report {
            machine: "2 × cpu".into(),
            made: "today".into(),
            commit: "abc".into(),
            ..Report::default()
        };
        report.promise("burst 100 lost", 0.0, "runs", 0.0);
        report.promise("run seconds", 0.75, "s", 0.55);

        let text = render(&report, Some(&last), None);

        let expected = "\
2 × cpu
today, commit abc

figure             value   at most   last  baseline
burst 100 lost    0 runs       0 ✓      –         –
run seconds     0.7500 s  0.5500 ✗  1.50×         –";
        assert_eq!(text, expected);
        let (name, figure) = report.missed().next().expect("one is missed");
        assert_eq!(miss(name, figure), "`run seconds` is 0.7500 s; it should be 0.5500 at most");
    }

    #[test]
    fn numbers_keep_four_digits() {
        for (value, expect) in [
            (0.0, "0"),
            (0.01234, "0.0123"),
            (3.24159, "3.242"),
            (12.345, "12.35"),
            (123.456, "123.5"),
            (4.0, "4"),
            (123_456.7, "123457"),
        ] {
            assert_eq!(number(value), expect);
        }
    }
}
