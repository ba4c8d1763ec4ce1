//! The tips of a repository's branches: what was seen last, and what has moved since.
//!
//! GitHub does not repeat a webhook that got lost. Each repository's tips are therefore looked at from time to time, and
//! a tip that no run knows is planned as its push would have been.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::ids::{BranchName, DeliveryId, RepositoryName, Sha};
use crate::message::PlanRequest;
use crate::ports::CommitWords;
use crate::text;

/// How often a repository's tips are looked at.
pub const INTERVAL: Duration = Duration::from_mins(15);

/// How long a plan request of a tip check waits, so that a webhook that is only late comes first. GitHub sends one
/// within seconds of the push.
pub const GRACE: Duration = Duration::from_secs(30);

/// The most commits that one look sends to plan; the branches beyond are left as they were for the next look.
pub const MOST_PLANNED: usize = 100;

/// Characters of a name and of a title that people are shown, as of a push.
const LONGEST_NAME: usize = 100;
const LONGEST_TITLE: usize = 200;

/// What was seen of a repository's branches.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tips {
    /// Grows by one with every write: the condition of each. 0 is not written yet.
    pub version: u64,
    /// Each branch's newest commit; none before the first look.
    pub branches: Option<BTreeMap<BranchName, Sha>>,
    /// GitHub's marks (`ETag`) of the list's pages, by which it says that nothing has changed.
    pub marks: Vec<String>,
    /// Whether the repository has more branches than a look reads.
    pub cut: bool,
}

/// A branch that is not where it was.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Moved {
    /// The branch.
    pub branch: BranchName,
    /// Where it was; none where it is new.
    pub before: Option<Sha>,
    /// Where it is.
    pub tip: Sha,
}

impl Moved {
    /// What plan is asked, as the push would have asked it.
    pub fn request(
        &self,
        repository: &RepositoryName,
        installation: u64,
        words: Option<&CommitWords>,
    ) -> PlanRequest {
        let sender = words.map_or("unknown", |words| &words.author);
        let title = words.map_or("", |words| &words.message);
        PlanRequest {
            delivery: DeliveryId::of_tip(&self.tip),
            repository: repository.clone(),
            installation,
            sha: self.tip.clone(),
            before: self.before.clone(),
            branch: self.branch.to_string(),
            fork: None,
            pull_request: None,
            sender: text::first_line(sender, LONGEST_NAME),
            title: text::first_line(title, LONGEST_TITLE),
            tag: false,
            forced: false,
            base: None,
            draft: false,
            skip: None,
            admitted: None,
        }
    }
}

impl Tips {
    /// The branches that have moved or come since the last look, in the order of their names. On the first look there
    /// is nothing to compare with, so nothing has moved.
    pub fn moved(&self, seen: &BTreeMap<BranchName, Sha>) -> Vec<Moved> {
        let Some(known) = &self.branches else { return Vec::new() };
        seen.iter()
            .filter(|(branch, tip)| known.get(*branch) != Some(*tip))
            .map(|(branch, tip)| Moved {
                branch: branch.clone(),
                before: known.get(branch).cloned(),
                tip: tip.clone(),
            })
            .collect()
    }

    /// What is known after a look. The `left` branches stay where they were, and without marks the next look reads
    /// the whole list again.
    #[must_use]
    pub fn after(&self, seen: Seen, left: &[Moved]) -> Self {
        let Seen { mut branches, mut marks, cut } = seen;
        for moved in left {
            match &moved.before {
                Some(before) => branches.insert(moved.branch.clone(), before.clone()),
                None => branches.remove(&moved.branch),
            };
            marks.clear();
        }
        Self { version: self.version + 1, branches: Some(branches), marks, cut }
    }

    /// What is left when nobody looks any more: the next look is a first one.
    #[must_use]
    pub fn forgotten(&self) -> Self {
        Self { version: self.version + 1, ..Self::default() }
    }
}

/// What a look brought.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Seen {
    /// Each branch's newest commit.
    pub branches: BTreeMap<BranchName, Sha>,
    /// GitHub's marks of the pages.
    pub marks: Vec<String>,
    /// Whether there are more branches than are listed here.
    pub cut: bool,
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn seen(tips: &[(&str, u8)]) -> Seen {
        let tip = |(branch, number): &(&str, u8)| {
            (branch.parse().expect("a branch"), format!("{number:040x}").parse().expect("a commit"))
        };
        Seen { branches: tips.iter().map(tip).collect(), marks: vec!["mark".to_owned()], cut: false }
    }

    fn told(moved: &[Moved]) -> Vec<String> {
        let short = |sha: &Sha| sha.as_str().trim_start_matches('0').to_owned();
        moved
            .iter()
            .map(|one| {
                let before = one.before.as_ref().map_or_else(|| "new".to_owned(), short);
                format!("{} {before} → {}", one.branch, short(&one.tip))
            })
            .collect()
    }

    #[test]
    fn moved_is_what_differs_and_the_first_look_compares_with_nothing() {
        let first = seen(&[("develop", 1), ("feature", 2), ("gone", 3)]);
        let none = Tips::default();
        assert_eq!(none.moved(&first.branches), []);
        let known = none.after(first, &[]);
        let second = seen(&[("another", 5), ("develop", 4), ("feature", 2)]);
        assert_eq!(told(&known.moved(&second.branches)), ["another new → 5", "develop 1 → 4"]);
        let known = known.after(second.clone(), &[]);
        assert_eq!((known.version, known.moved(&second.branches)), (2, Vec::new()));
        assert_eq!(known.forgotten().moved(&second.branches), [], "whoever comes back begins anew");
    }

    #[test]
    fn what_is_left_is_found_again_by_the_next_look() {
        let known = Tips::default().after(seen(&[("a", 1), ("b", 1)]), &[]);
        let now = seen(&[("a", 2), ("b", 2), ("c", 2)]);
        let moved = known.moved(&now.branches);
        let known = known.after(now.clone(), &moved[1..]);
        assert_eq!(told(&known.moved(&now.branches)), ["b 1 → 2", "c new → 2"]);
        assert!(known.marks.is_empty(), "GitHub must not answer that nothing has changed");
    }

    proptest! {
        #[test]
        fn however_a_look_is_cut_up_every_move_is_found_once(
            before in prop::collection::btree_map(0_u8..20, 0_u8..4, 0..12),
            after in prop::collection::btree_map(0_u8..20, 0_u8..4, 0..12),
            at_once in 1_usize..5,
        ) {
            let look = |tips: &BTreeMap<u8, u8>| {
                let names: Vec<_> = tips.iter().map(|(branch, tip)| (format!("b{branch}"), *tip)).collect();
                seen(&names.iter().map(|(name, tip)| (name.as_str(), *tip)).collect::<Vec<_>>())
            };
            let mut known = Tips::default().after(look(&before), &[]);
            let all = known.moved(&look(&after).branches);
            let mut found = Vec::new();
            for _ in 0..=all.len() {
                let moved = known.moved(&look(&after).branches);
                let (now, left) = moved.split_at(at_once.min(moved.len()));
                found.extend_from_slice(now);
                known = known.after(look(&after), left);
            }
            prop_assert_eq!(found, all);
            prop_assert_eq!(known.branches, Some(look(&after).branches));
        }
    }
}
