//! What the controllers look at: the objects that a change concerns, found without looking at any other.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::controllers::{adoption, daemon_set, deployment, events, job, pods, replica_set, stateful_set};
use crate::objects::json::{list, text};
use crate::objects::lifecycle::Objects;
use crate::objects::resources::{
    ALL, DAEMON_SETS, DEPLOYMENTS, EVENTS, JOBS, NAMESPACES, PODS, REPLICA_SETS, Resource, SERVICES,
    STATEFUL_SETS, of_kind,
};
use crate::objects::store::{Change, Key};

/// The objects of one look.
#[derive(Debug, Default)]
pub struct Round {
    /// Objects that a workload may have to adopt.
    pub orphans: BTreeSet<Key>,
    /// Workloads and services.
    pub look: BTreeSet<Key>,
    /// Objects that may have to go, or whose dependents may.
    pub collect: BTreeSet<Key>,
}

impl Round {
    /// Everything that there is.
    pub fn everything(objects: &Objects) -> Self {
        let keys: BTreeSet<Key> = objects.store.everything().into_iter().map(|(key, _)| key).collect();
        Self { orphans: keys.clone(), look: keys.clone(), collect: keys }
    }

    /// What may have to be done because time has passed: deadlines, minimum ready times, old events.
    pub fn of_time(objects: &Objects) -> Self {
        let mut round = Self::default();
        let mut waiting = |resource: &Resource, settled: fn(&Value) -> bool| {
            let found = objects.store.list(resource, None).1;
            let found = found.iter().filter(|object| !settled(object));
            round.look.extend(found.map(|object| Key::of(resource, object)));
        };
        waiting(&DEPLOYMENTS, deployment::is_settled);
        waiting(&REPLICA_SETS, replica_set::is_settled);
        waiting(&STATEFUL_SETS, stateful_set::is_settled);
        waiting(&DAEMON_SETS, daemon_set::is_settled);
        waiting(&JOBS, job::is_settled);
        let old = objects.store.list(&EVENTS, None).1;
        let old = old.iter().filter(|event| events::is_old(event));
        round.collect.extend(old.map(|event| Key::of(&EVENTS, event)));
        round
    }

    /// Takes in another look.
    pub fn add(&mut self, other: Self) {
        self.orphans.extend(other.orphans);
        self.look.extend(other.look);
        self.collect.extend(other.collect);
    }

    /// What these changes concern.
    pub fn of(objects: &Objects, changes: &[Change]) -> Self {
        let mut round = Self::default();
        for change in changes {
            round.note(objects, change);
        }
        round
    }

    fn note(&mut self, objects: &Objects, change: &Change) {
        self.look.insert(change.key.clone());
        let before = change.before.as_deref();
        for object in before.into_iter().chain([&*change.after]) {
            self.note_owners(objects, object);
        }
        if !change.deleted && adoption::is_orphan(&change.key, &change.after) {
            self.orphans.insert(change.key.clone());
        }
        if before.is_none_or(|before| before["spec"]["selector"] != change.after["spec"]["selector"]) {
            self.orphans.extend(adoption::candidates(objects, &change.key));
        }
        if change.key.plural == PODS.plural {
            self.note_services(objects, &change.key.namespace);
        }
        if change.key.plural == "endpoints" {
            self.look.insert(Key::new(&SERVICES, &change.key.namespace, &change.key.name));
        }
        self.note_collection(objects, change);
    }

    /// The controller of an object, and a Deployment above it.
    fn note_owners(&mut self, objects: &Objects, object: &Value) {
        let Some(owner) = pods::controller_key(object) else { return };
        // For `Recreate` a Deployment waits for the end of pods, which are two steps away.
        if owner.plural == REPLICA_SETS.plural
            && let Some(set) = objects.store.get(&owner)
        {
            self.look.extend(pods::controller_key(&set));
        }
        self.look.insert(owner);
    }

    fn note_services(&mut self, objects: &Objects, namespace: &str) {
        let services = objects.store.list(&SERVICES, Some(namespace)).1;
        self.look.extend(services.iter().map(|service| Key::of(&SERVICES, service)));
    }

    fn note_collection(&mut self, objects: &Objects, change: &Change) {
        let owners = list(&change.after, "/metadata/ownerReferences");
        if change.deleted {
            let dependents = objects.store.owned(text(&change.after, "/metadata/uid"));
            self.collect.extend(dependents.into_iter().map(|(key, _)| key));
            // Who waits for the end of its dependents.
            self.collect.extend(owners.iter().filter_map(|owner| owner_key(owner, &change.key.namespace)));
            self.collect.insert(Key::new(&NAMESPACES, "", &change.key.namespace));
        } else if !owners.is_empty()
            || !list(&change.after, "/metadata/finalizers").is_empty()
            || change.key.plural == NAMESPACES.plural
        {
            self.collect.insert(change.key.clone());
        }
        // What is made in a namespace that is going away goes with it.
        if change.before.is_none() && !change.key.namespace.is_empty() {
            self.collect.insert(Key::new(&NAMESPACES, "", &change.key.namespace));
        }
    }
}

/// Where the owner of an object in `namespace` lies, if its kind is known here.
pub fn owner_key(reference: &Value, namespace: &str) -> Option<Key> {
    let resource = of_kind(text(reference, "/kind"))?;
    let namespace = if resource.namespaced { namespace } else { "" };
    Some(Key::new(resource, namespace, text(reference, "/name")))
}

/// The resource of a key.
pub fn resource(key: &Key) -> &'static Resource {
    let found = ALL.into_iter().find(|resource| resource.plural == key.plural);
    found.expect("keys are made from resources of this table")
}
