//! A run as a table: one row for each subject, one column for each stage.

use domain::ids::{RunId, Stage, Subject};
use domain::run::Run;
use domain::task::Task;

use super::markdown::{code_cell, fitting};
use super::words::{Mark, commit_link, duration, is_spare_way_back, stage_time, subject_name, time_taken};

/// A result that another run has earned, in a table.
pub(super) fn reused(run: &RunId, web: Option<&str>) -> String {
    format!("{} {} from {}", Mark::Reused.sign(), Mark::Reused.word(), commit_link(run, web))
}

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

    /// The table in Markdown, with the time that each task and each stage took, in about `most` bytes: where it does
    /// not fit, what a reader should see comes first, and the rest is counted.
    pub(super) fn markdown(&self, web: Option<&str>, most: usize) -> String {
        if self.rows.is_empty() {
            return String::new();
        }
        let line = |cells: Vec<String>| format!("| {} |\n", cells.join(" | "));
        let titles = self.stages.iter().map(|stage| stage.as_str().to_owned());
        let mut table = line(std::iter::once("service".to_owned()).chain(titles).collect());
        table.push_str(&line(vec!["---".to_owned(); self.stages.len() + 1]));
        let row = |row: &Row<'_>| {
            let cells =
                row.cells.iter().map(|task| task.map(|task| self.cell(task, web)).unwrap_or_default());
            (self.concern(row), line(std::iter::once(code_cell(&row.name)).chain(cells).collect()))
        };
        let mut rows: Vec<(u8, String)> = self.rows.iter().map(row).collect();
        if rows.iter().map(|(_, row)| row.len()).sum::<usize>() > most {
            rows.sort_by_key(|(concern, _)| *concern);
        }
        let (shown, left_out) = fitting(rows.into_iter().map(|(_, row)| row), most);
        table.push_str(&shown);
        if left_out > 0 {
            let empty = vec![String::new(); self.stages.len()];
            table.push_str(&line(std::iter::once(format!("… and {left_out} more")).chain(empty).collect()));
        }
        let times =
            self.stages.iter().map(|stage| stage_time(*stage, self.tasks).map(duration).unwrap_or_default());
        let times: Vec<String> = times.collect();
        if times.iter().any(|time| !time.is_empty()) {
            table.push_str(&line(std::iter::once("whole stage".to_owned()).chain(times).collect()));
        }
        table
    }

    /// How much the row should be seen: as its most urgent task.
    fn concern(&self, row: &Row<'_>) -> u8 {
        let marks = row.cells.iter().flatten().map(|task| Mark::of(self.run, task));
        marks.map(Mark::concern).min().unwrap_or(u8::MAX)
    }

    fn cell(&self, task: &Task, web: Option<&str>) -> String {
        let mark = Mark::of(self.run, task);
        match (&task.reused, time_taken(task)) {
            (Some(run), _) if mark == Mark::Reused => reused(run, web),
            (_, Some(time)) => format!("{} {} ({})", mark.sign(), mark.word(), duration(time)),
            (_, None) => format!("{} {}", mark.sign(), mark.word()),
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
