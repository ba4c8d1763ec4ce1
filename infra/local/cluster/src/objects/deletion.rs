//! Deletion: at once, or marked for those who still have to finish with the object.

use serde_json::Value;

use crate::objects::json as read;
use crate::objects::resources::{NAMESPACES, PODS, Resource};
use crate::objects::store::Decision;

/// How an object is to be deleted.
#[derive(Debug, Clone, Default)]
pub struct Deletion {
    /// Seconds a pod may take to end; its own when not said.
    pub grace: Option<i64>,
    /// Only the object with this uid.
    pub uid: Option<String>,
    /// What happens to the objects it owns.
    pub propagation: Propagation,
    /// Whether nothing is stored.
    pub dry_run: bool,
}

/// What happens to the objects a deleted one owns.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Propagation {
    /// They are deleted after it.
    #[default]
    Background,
    /// They are deleted before it.
    Foreground,
    /// They stay.
    Orphan,
}

/// What deleting an object in this state means.
pub fn deletion_of(resource: &Resource, before: &Value, deletion: &Deletion) -> Decision {
    let already = !read::text(before, "/metadata/deletionTimestamp").is_empty();
    let mut finalizers: Vec<Value> = read::list(before, "/metadata/finalizers").to_vec();
    match deletion.propagation {
        Propagation::Foreground if !already => finalizers.push("foregroundDeletion".into()),
        Propagation::Orphan if !already => finalizers.push("orphan".into()),
        _ => {}
    }
    let grace = match resource.plural {
        "pods" => {
            let own = read::integer(before, "/spec/terminationGracePeriodSeconds").unwrap_or(30);
            let ended = matches!(read::text(before, "/status/phase"), "Succeeded" | "Failed");
            // Nothing runs of a pod that has ended or that no node has taken.
            let runs = !ended && !read::text(before, "/spec/nodeName").is_empty();
            if runs { deletion.grace.unwrap_or(own) } else { 0 }
        }
        _ => 0,
    };
    let waits = grace > 0 || resource == &NAMESPACES;
    if finalizers.is_empty() && !waits {
        return Decision::Remove;
    }
    let shorter = read::integer(before, "/metadata/deletionGracePeriodSeconds").is_none_or(|old| grace < old);
    if already && !(resource == &PODS && shorter) {
        return Decision::Keep;
    }
    let mut after = before.clone();
    let time = jiff::Timestamp::now() + jiff::SignedDuration::from_secs(grace);
    let metadata = read::object_at(&mut after, "metadata");
    metadata.insert("deletionTimestamp".to_owned(), time.strftime("%Y-%m-%dT%H:%M:%SZ").to_string().into());
    metadata.insert("deletionGracePeriodSeconds".to_owned(), grace.into());
    if !finalizers.is_empty() {
        metadata.insert("finalizers".to_owned(), finalizers.into());
    }
    if resource.counts_generation {
        let generation = read::integer(before, "/metadata/generation").unwrap_or(1);
        after["metadata"]["generation"] = (generation + 1).into();
    }
    if resource == &NAMESPACES {
        after["status"]["phase"] = "Terminating".into();
    }
    Decision::Put(after)
}
