//! What a deploy has changed, or would change, in words.

use domain::ports::{Change, Leftover};
use domain::task::ObjectName;

/// The most objects that are named of each kind of what was done.
const MOST_NAMES: usize = 5;

/// The most objects, and the most fields of each, that a rehearsal tells.
const MOST_OBJECTS: usize = 10;
const MOST_FIELDS: usize = 10;

/// `; Deployment `a/b`: taken over although …`, at most so many.
pub(crate) fn taken(taken: &[String]) -> String {
    let shown =
        taken.iter().take(MOST_NAMES).map(|sentence| format!("; {sentence}")).collect::<Vec<_>>().concat();
    match taken.len().saturating_sub(MOST_NAMES) {
        0 => shown,
        more => format!("{shown}; and {more} more"),
    }
}

/// `; Job `a/migrate-3f9c2a1-1` ended well`.
pub(crate) fn ended_well(jobs: &[ObjectName]) -> String {
    jobs.iter().map(|job| format!("; {job} ended well")).collect::<Vec<_>>().concat()
}

/// `; pruned: Service `development/old`; kept: …`, at most so many names of each.
pub(crate) fn pruned(outcomes: &[(&ObjectName, Leftover)]) -> String {
    let pruned: Vec<String> = outcomes
        .iter()
        .filter(|(_, outcome)| matches!(outcome, Leftover::Pruned))
        .map(|(object, _)| object.to_string())
        .collect();
    let kept: Vec<String> = outcomes
        .iter()
        .filter_map(|(object, outcome)| match outcome {
            Leftover::Kept(why) => Some(format!("{object}, since {why}")),
            Leftover::Gone | Leftover::Pruned | Leftover::Left => None,
        })
        .collect();
    let part = |word: &str, names: &[String]| match names.len().checked_sub(MOST_NAMES) {
        _ if names.is_empty() => String::new(),
        Some(more) if more > 0 => {
            format!("; {word}: {} and {more} more", names[..MOST_NAMES].join(", "))
        }
        _ => format!("; {word}: {}", names.join(", ")),
    };
    format!("{}{}", part("pruned", &pruned), part("kept", &kept))
}

/// `in `development` it would make …; change …; prune …; 3 objects stay as they are`.
pub(crate) fn rehearsed(
    namespace: &str,
    names: &[ObjectName],
    changes: &[Change],
    pruned: &[ObjectName],
) -> String {
    let (mut told, mut same) = (Vec::new(), 0);
    for (name, change) in names.iter().zip(changes) {
        match change {
            Change::Nothing => same += 1,
            Change::Created => told.push(format!("make {name}")),
            Change::Fields(lines) => told.push(format!("change {name}: {}", some(lines, MOST_FIELDS, ", "))),
            Change::Refused(sentence) => told.push(format!("fail: {sentence}")),
        }
    }
    told.extend(pruned.iter().map(|name| format!("prune {name}, where it is still its own")));
    if told.is_empty() {
        return format!("in `{namespace}` nothing would change");
    }
    let rest = match same {
        0 => String::new(),
        1 => "; 1 object stays as it is".to_owned(),
        more => format!("; {more} objects stay as they are"),
    };
    format!("in `{namespace}` it would {}{rest}", some(&told, MOST_OBJECTS, "; "))
}

/// At most so many of them, and how many there are beyond.
fn some(all: &[String], most: usize, between: &str) -> String {
    let shown = all[..all.len().min(most)].join(between);
    match all.len().saturating_sub(most) {
        0 => shown,
        more => format!("{shown}{between}and {more} more"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(kind: &str, name: &str) -> ObjectName {
        ObjectName {
            api_version: "v1".to_owned(),
            kind: kind.to_owned(),
            namespace: "staging".to_owned(),
            name: name.to_owned(),
        }
    }

    #[test]
    fn each_change_is_told_and_many_are_counted() {
        let names = ["a", "b", "c", "d", "e"].map(|one| name("ConfigMap", one));
        let lines = |count: usize| (1..=count).map(|number| format!("data.k{number}: added 1")).collect();
        let changes = [
            Change::Created,
            Change::Fields(lines(12)),
            Change::Nothing,
            Change::Nothing,
            Change::Refused("ConfigMap `staging/e` is refused: too long".to_owned()),
        ];
        insta::assert_snapshot!(rehearsed("staging", &names, &changes, &[name("Service", "old")]), @"in `staging` it would make ConfigMap `staging/a`; change ConfigMap `staging/b`: data.k1: added 1, data.k2: added 1, data.k3: added 1, data.k4: added 1, data.k5: added 1, data.k6: added 1, data.k7: added 1, data.k8: added 1, data.k9: added 1, data.k10: added 1, and 2 more; fail: ConfigMap `staging/e` is refused: too long; prune Service `staging/old`, where it is still its own; 2 objects stay as they are");
        assert_eq!(
            rehearsed("staging", &names[..1], &[Change::Nothing], &[]),
            "in `staging` nothing would change"
        );
        let many = vec![Change::Created; 12];
        let names: Vec<_> = (0..12).map(|number| name("ConfigMap", &format!("m{number}"))).collect();
        assert!(
            rehearsed("staging", &names, &many, &[]).ends_with("make ConfigMap `staging/m9`; and 2 more")
        );
    }
}
