//! An environment's lock: whose it is, and who stands in line for it.

use std::collections::BTreeMap;

use super::Ticket;
use crate::ids::RunId;
use crate::policy::Waiting;
use crate::ports::Locking;

/// The lock of one environment.
///
/// A number that is drawn blocks nobody; one that has asked while another run had the lock stands in line, until it has
/// had its turn or its run has ended.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Lock {
    /// The run that has it.
    pub holder: Option<RunId>,
    /// The highest ticket that has taken it.
    pub taken: Option<Ticket>,
    /// Who stands in line, by number.
    pub waiting: BTreeMap<u64, RunId>,
}

impl Lock {
    /// A run asks for the lock under its ticket.
    pub fn ask(&mut self, run: &RunId, ticket: Ticket, order: Waiting) -> Locking {
        let number = ticket.number;
        match (&self.holder, self.taken) {
            (Some(holder), Some(taken)) if holder == run && taken.round <= ticket.round => {
                self.taken = Some(ticket);
                return Locking::Held;
            }
            (Some(holder), Some(taken)) if holder == run => return Locking::Overtaken { by: taken.number },
            (_, Some(taken)) if taken.number > number => return Locking::Overtaken { by: taken.number },
            (None, Some(taken)) if taken >= ticket => return Locking::Overtaken { by: taken.number },
            _ => {}
        }
        let oldest = self.waiting.keys().next().copied();
        let newest = self.waiting.keys().next_back().copied();
        match (order, &self.holder) {
            (Waiting::Newest, _) if newest.is_some_and(|newest| newest > number) => {
                self.waiting.remove(&number);
                Locking::Outrun { by: newest.unwrap_or_default() }
            }
            (_, Some(holder)) => {
                self.waiting.insert(number, run.clone());
                Locking::HeldBy(holder.clone())
            }
            (Waiting::InOrder, None) if oldest.is_some_and(|oldest| oldest < number) => {
                self.waiting.insert(number, run.clone());
                Locking::Behind { number: oldest.unwrap_or_default() }
            }
            (_, None) => {
                (self.holder, self.taken) = (Some(run.clone()), Some(ticket));
                // Whoever is older gets no turn any more.
                self.waiting.retain(|waiting, _| *waiting > number);
                Locking::Held
            }
        }
    }

    /// The run frees the lock, if it is its own and not in a later round; else it leaves the line. Answers who may have
    /// the next turn, where it was this run's: the oldest and the newest in line.
    pub fn free(&mut self, run: &RunId, ticket: Ticket) -> Vec<RunId> {
        if self.holder.as_ref() != Some(run) {
            self.waiting.remove(&ticket.number);
            return Vec::new();
        }
        if self.taken.is_some_and(|taken| taken.round > ticket.round) {
            return Vec::new();
        }
        self.holder = None;
        let line = self.waiting.values();
        let mut next: Vec<RunId> =
            line.clone().next().into_iter().chain(line.clone().next_back()).cloned().collect();
        next.dedup();
        next
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn run(number: u64) -> RunId {
        format!("vive-sphere.bot-manager.{number:040x}").parse().expect("a run")
    }

    fn ticket(number: u64) -> Ticket {
        Ticket { number, round: 0 }
    }

    #[test]
    fn the_newest_in_line_has_its_turn() {
        let mut lock = Lock::default();
        let mut ask = |number| lock.ask(&run(number), ticket(number), Waiting::Newest);
        assert_eq!(ask(1), Locking::Held);
        assert_eq!(ask(2), Locking::HeldBy(run(1)));
        assert_eq!(ask(3), Locking::HeldBy(run(1)));
        assert_eq!(ask(2), Locking::Outrun { by: 3 });
        assert_eq!(lock.free(&run(1), ticket(1)), [run(3)]);
        assert_eq!(lock.ask(&run(3), ticket(3), Waiting::Newest), Locking::Held);
        assert_eq!(lock.waiting, BTreeMap::new());
    }

    #[test]
    fn each_has_its_turn_the_oldest_first() {
        let mut lock = Lock::default();
        for number in [1, 3, 2] {
            lock.ask(&run(number), ticket(number), Waiting::InOrder);
        }
        assert_eq!(lock.free(&run(1), ticket(1)), [run(2), run(3)]);
        let mut ask = |number| lock.ask(&run(number), ticket(number), Waiting::InOrder);
        assert_eq!(ask(3), Locking::Behind { number: 2 });
        assert_eq!(ask(2), Locking::Held);
        assert_eq!(ask(3), Locking::HeldBy(run(2)));
        lock.free(&run(2), ticket(2));
        assert_eq!(lock.ask(&run(3), ticket(3), Waiting::InOrder), Locking::Held);
    }

    #[test]
    fn who_ends_while_it_waits_is_in_nobodys_way() {
        let mut lock = Lock::default();
        for number in [1, 2, 3] {
            lock.ask(&run(number), ticket(number), Waiting::InOrder);
        }
        lock.free(&run(2), ticket(2));
        lock.free(&run(1), ticket(1));
        assert_eq!(lock.ask(&run(3), ticket(3), Waiting::InOrder), Locking::Held);
    }

    proptest! {
        /// Whatever is asked and freed in whatever order: numbers that take it only grow, and nobody waits who has it.
        #[test]
        fn numbers_that_take_it_only_grow(
            steps in proptest::collection::vec((1..6_u64, any::<bool>(), any::<bool>()), 0..60),
        ) {
            let (mut lock, mut highest) = (Lock::default(), 0);
            for (number, frees, newest) in steps {
                if frees {
                    lock.free(&run(number), ticket(number));
                } else {
                    let order = if newest { Waiting::Newest } else { Waiting::InOrder };
                    let before = lock.holder.clone();
                    if lock.ask(&run(number), ticket(number), order) == Locking::Held {
                        prop_assert!(before.is_none_or(|before| before == run(number)), "it had a holder");
                        prop_assert!(number >= highest, "{number} after {highest}");
                        highest = number;
                    }
                }
                prop_assert!(lock.taken.is_none_or(|taken| taken.number == highest));
            }
        }
    }
}
