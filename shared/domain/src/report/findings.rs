//! Findings on lines: counted without end, kept up to a number, so that a report of millions stays small.

use super::{Annotation, AnnotationLevel, MOST_ANNOTATIONS};

/// Findings in the order in which they came.
#[derive(Debug, Default)]
pub(super) struct Findings {
    /// The first of each level: failures, warnings, notices.
    kept: [Vec<Annotation>; 3],
    count: u32,
}

impl Findings {
    /// Counts a finding and keeps it where there is room.
    pub(super) fn push(&mut self, annotation: Annotation) {
        self.count = self.count.saturating_add(1);
        self.keep(annotation);
    }

    /// Counts a finding of this level and makes its annotation only where there is room.
    pub(super) fn add(&mut self, level: AnnotationLevel, annotation: impl FnOnce() -> Annotation) {
        self.count = self.count.saturating_add(1);
        if self.kept[place(level)].len() < MOST_ANNOTATIONS {
            self.keep(annotation());
        }
    }

    /// Takes another's findings after its own.
    pub(super) fn append(&mut self, other: Self) {
        self.count = self.count.saturating_add(other.count);
        other.kept.into_iter().flatten().for_each(|annotation| self.keep(annotation));
    }

    /// How many there are.
    pub(super) fn count(&self) -> u32 {
        self.count
    }

    /// Those to be shown, the worst level first, and how many are left out.
    pub(super) fn shown(self) -> (Vec<Annotation>, u32) {
        let mut shown: Vec<Annotation> = self.kept.into_iter().flatten().collect();
        shown.truncate(MOST_ANNOTATIONS);
        let omitted = self.count.saturating_sub(u32::try_from(shown.len()).unwrap_or(u32::MAX));
        (shown, omitted)
    }

    fn keep(&mut self, annotation: Annotation) {
        let kept = &mut self.kept[place(annotation.level)];
        if kept.len() < MOST_ANNOTATIONS {
            kept.push(annotation);
        }
    }
}

fn place(level: AnnotationLevel) -> usize {
    match level {
        AnnotationLevel::Failure => 0,
        AnnotationLevel::Warning => 1,
        AnnotationLevel::Notice => 2,
    }
}
