//! A run as a table: one row for each subject, one column for each stage.

use domain::ids::{Stage, Subject};
use domain::run::Run;
use domain::task::Task;

use super::markdown::code_cell;
use super::words::{Mark, duration, is_spare_way_back, stage_time, subject_name, time_taken};

/// The tasks of a run in rows and columns.
pub(super) struct Board<'a> {
    run: &'a Run,
    tasks: &'a [Task],
    /// The stages that have tasks.
    pub(super) stages: Vec<Stage>,
    /// Subjects with their tasks by stage.
    pub(super) rows: Vec<Row<'a>>,
}

/// One subject's row.
pub(super) struct Row<'a> {
    pub(super) name: String,
    pub(super) cells: Vec<Option<&'a Task>>,
}

impl<'a> Board<'a> {
    pub(super) fn new(run: &'a Run, tasks: &'a [Task]) -> Self {
        let shown = || tasks.iter().filter(|task| !is_spare_way_back(task));
        let stages: Vec<Stage> =
            Stage::ALL.into_iter().filter(|stage| shown().any(|task| task.id.stage == *stage)).collect();
        let mut subjects: Vec<&Subject> = shown().map(|task| &task.id.subject).collect();
        subjects.sort();
        subjects.dedup();
        let rows = subjects.into_iter().map(|subject| {
            let of = |stage: &Stage| {
                tasks.iter().find(|task| task.id.stage == *stage && task.id.subject == *subject)
            };
            Row { name: subject_name(subject), cells: stages.iter().map(of).collect() }
        });
        let rows = rows.collect();
        Self { run, tasks, stages, rows }
    }

    /// The table in Markdown, with the time that each task and each stage took.
    pub(super) fn markdown(&self) -> String {
        if self.rows.is_empty() {
            return String::new();
        }
        let line = |cells: Vec<String>| format!("| {} |\n", cells.join(" | "));
        let titles = self.stages.iter().map(|stage| stage.as_str().to_owned());
        let mut table = line(std::iter::once("service".to_owned()).chain(titles).collect());
        table.push_str(&line(vec!["---".to_owned(); self.stages.len() + 1]));
        for row in &self.rows {
            let cells = row.cells.iter().map(|task| task.map(|task| self.cell(task)).unwrap_or_default());
            table.push_str(&line(std::iter::once(code_cell(&row.name)).chain(cells).collect()));
        }
        let times =
            self.stages.iter().map(|stage| stage_time(*stage, self.tasks).map(duration).unwrap_or_default());
        let times: Vec<String> = times.collect();
        if times.iter().any(|time| !time.is_empty()) {
            table.push_str(&line(std::iter::once("whole stage".to_owned()).chain(times).collect()));
        }
        table
    }

    fn cell(&self, task: &Task) -> String {
        let mark = Mark::of(self.run, task);
        match time_taken(task) {
            Some(time) => format!("{} {} ({})", mark.sign(), mark.word(), duration(time)),
            None => format!("{} {}", mark.sign(), mark.word()),
        }
    }

    /// The table in letters of one width, at most `most` rows.
    pub(super) fn letters(&self, most: usize) -> Vec<String> {
        let cell = |task: Option<&Task>| match task {
            Some(task) => match time_taken(task) {
                Some(time) => format!("{} {}", Mark::of(self.run, task).word(), duration(time)),
                None => Mark::of(self.run, task).word().to_owned(),
            },
            None => "-".to_owned(),
        };
        let header = std::iter::once("service".to_owned())
            .chain(self.stages.iter().map(|stage| stage.as_str().to_owned()));
        let mut lines: Vec<Vec<String>> = vec![header.collect()];
        let shown = self.rows.iter().take(most);
        lines.extend(shown.map(|row| {
            std::iter::once(row.name.clone()).chain(row.cells.iter().copied().map(cell)).collect()
        }));
        let width = |column: usize| lines.iter().map(|line| line[column].chars().count()).max().unwrap_or(0);
        let widths: Vec<usize> = (0..=self.stages.len()).map(width).collect();
        let mut letters: Vec<String> = lines
            .iter()
            .map(|line| {
                let padded = line.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}"));
                padded.collect::<Vec<_>>().join("  ").trim_end().to_owned()
            })
            .collect();
        let hidden = self.rows.len().saturating_sub(most);
        if hidden > 0 {
            letters.push(format!("… and {hidden} more"));
        }
        letters
    }
}
