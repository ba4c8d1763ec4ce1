//! Telling that is put off: a channel that is out of order, or that wants fewer requests, fails nothing.

use std::time::Duration;

use domain::ports::{Advice, Fault, Parked, Told};
use domain::time::Timestamp;

/// The first wait where the other side names none; it doubles.
const FIRST: Duration = Duration::from_secs(5);

/// The longest wait of those.
const LONGEST: Duration = Duration::from_mins(10);

/// The longest wait that is taken from the other side: GitHub's limits are reset every hour.
const LONGEST_NAMED: Duration = Duration::from_hours(2);

/// The longest that SQS delays a message.
const LONGEST_DELAY: Duration = Duration::from_mins(15);

/// How long it may go on before it counts as a failure like any other.
const PATIENCE: Duration = Duration::from_hours(24);

/// A message may come so much early by the clock of whoever takes it.
const EARLY: Duration = Duration::from_secs(1);

/// The book's parking after a fault; none where the fault counts as a failure.
pub(crate) fn after(told: &Told, fault: &Fault, now: Timestamp) -> Option<Parked> {
    let Advice::Retry(named) = fault.advice else { return None };
    let (since, times) = told.parked.as_ref().map_or((now, 0), |parked| (parked.since, parked.times + 1));
    if now.since(since) >= PATIENCE {
        return None;
    }
    let wait = named.map_or_else(|| doubled(times), |named| named.clamp(FIRST, LONGEST_NAMED));
    Some(looking(Parked { since, until: now.after(wait), looks: now, times }, now))
}

/// The parking with the time of its next delayed message.
pub(crate) fn looking(mut parked: Parked, now: Timestamp) -> Parked {
    parked.looks = parked.until.min(now.after(LONGEST_DELAY));
    parked
}

/// Whether a delayed message will look by itself: it is on its way once the lease is given up.
pub(crate) fn is_looked_after(told: &Told, now: Timestamp) -> bool {
    told.lease.is_none() && told.parked.as_ref().is_some_and(|parked| now.after(EARLY) < parked.looks)
}

/// The parking that has still to be waited for although its delayed message has come: SQS delays none as long.
pub(crate) fn in_force(told: &Told, now: Timestamp) -> Option<Parked> {
    told.parked.clone().filter(|parked| now.after(EARLY) < parked.until)
}

fn doubled(times: u32) -> Duration {
    FIRST.saturating_mul(2_u32.saturating_pow(times)).min(LONGEST)
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: Timestamp = Timestamp(1_795_435_200_000);

    fn fault(advice: Advice) -> Fault {
        Fault { advice, ..Fault::reject("no") }
    }

    #[test]
    fn waits_double_up_to_ten_minutes() {
        let mut told = Told::default();
        let mut now = START;
        let mut waits = Vec::new();
        for _ in 0..9 {
            let parked = after(&told, &fault(Advice::Retry(None)), now).expect("it is put off");
            waits.push(parked.until.since(now).as_secs());
            assert_eq!((parked.since, parked.looks), (START, parked.until));
            now = parked.until;
            told.parked = Some(parked);
        }
        assert_eq!(waits, [5, 10, 20, 40, 80, 160, 320, 600, 600]);
    }

    #[test]
    fn a_named_wait_is_kept_and_looked_at_as_often_as_needed() {
        let hour = fault(Advice::Retry(Some(Duration::from_mins(50))));
        let mut told = Told { parked: after(&Told::default(), &hour, START), ..Told::default() };
        let mut looks = Vec::new();
        while let Some(parked) = told.parked.take() {
            looks.push(parked.looks.since(START).as_secs() / 60);
            let now = parked.looks;
            told.parked = Some(parked);
            assert!(!is_looked_after(&told, now));
            told.parked = in_force(&told, now).map(|parked| looking(parked, now));
        }
        assert_eq!(looks, [15, 30, 45, 50]);
        let soon = after(&Told::default(), &fault(Advice::Retry(Some(Duration::ZERO))), START);
        assert_eq!(soon.map(|parked| parked.until.since(START)), Some(FIRST));
    }

    #[test]
    fn a_refusal_and_a_day_of_failures_count() {
        assert_eq!(after(&Told::default(), &fault(Advice::Reject), START), None);
        let parked = Parked { since: START, until: START, looks: START, times: 200 };
        let told = Told { parked: Some(parked), ..Told::default() };
        let day = START.after(PATIENCE);
        assert!(after(&told, &fault(Advice::Retry(None)), Timestamp(day.0 - 1)).is_some());
        assert_eq!(after(&told, &fault(Advice::Retry(None)), day), None);
    }
}
