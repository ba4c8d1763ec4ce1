//! What a chaos run tells people, line by line on standard error, whether the test passes or not.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::Write as _;

use anyhow::ensure;
use tokio::time::Instant;

use super::destiny::Destiny;
use super::pushes::Push;

/// What was pushed, what went wrong on purpose, and what it took.
pub(super) struct Report {
    seed: u64,
    began: Instant,
    pushed: BTreeMap<Destiny, usize>,
    delivering: usize,
    faults: BTreeMap<String, u64>,
    /// How often a silent run's due time was brought forward.
    pub(super) nudges: u64,
    /// How many deliveries were sent again.
    pub(super) redelivered: u64,
}

impl Report {
    /// A report of what begins now.
    pub(super) fn begin(seed: u64) -> Self {
        Self {
            seed,
            began: Instant::now(),
            pushed: BTreeMap::new(),
            delivering: 0,
            faults: BTreeMap::new(),
            nudges: 0,
            redelivered: 0,
        }
    }

    /// Notes what was pushed.
    pub(super) fn pushed(&mut self, pushes: &[Push]) {
        for push in pushes {
            *self.pushed.entry(push.destiny).or_default() += 1;
            self.delivering += usize::from(push.delivers);
        }
    }

    /// Notes what went wrong on purpose.
    pub(super) fn faults(&mut self, faults: BTreeMap<String, u64>) {
        self.faults = faults;
    }

    /// Makes sure that the disturbances disturbed: of each kind something has happened.
    pub(super) fn check_disturbed(&self) -> anyhow::Result<()> {
        for kind in
            ["throttled", "error-before", "error-after", "cut-after", "held", "killed", "builds: event"]
        {
            let seen = self.faults.iter().filter(|(name, _)| name.starts_with(kind)).map(|(_, count)| count);
            ensure!(seen.sum::<u64>() > 0, "nothing was `{kind}`: {:?}", self.faults);
        }
        Ok(())
    }

    /// Prints what is known so far.
    pub(super) fn tell(&self) {
        let mut text = format!(
            "chaos: seed {}, {} runs ({} of delivering branches) after {:.0?}\n",
            self.seed,
            self.pushed.values().sum::<usize>(),
            self.delivering,
            self.began.elapsed()
        );
        let _ = writeln!(text, "  destined: {:?}", self.pushed);
        let faults: Vec<String> = self.faults.iter().map(|(name, count)| format!("{name} {count}")).collect();
        let _ = writeln!(text, "  faults: {}", faults.join(", "));
        let _ = writeln!(
            text,
            "  silent runs swept before their time: {}; deliveries sent again: {}",
            self.nudges, self.redelivered
        );
        write(&text);
    }

    /// Prints one more line.
    pub(super) fn line(&self, line: &str) {
        write(&format!("  after {:.0?}: {line}\n", self.began.elapsed()));
    }
}

fn write(text: &str) {
    // Nobody reads it where there is no standard error.
    let _ = std::io::stderr().write_all(text.as_bytes());
}
