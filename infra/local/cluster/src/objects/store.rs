//! All objects in memory, with one revision counter and the history that watches read.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde_json::Value;
use tokio::sync::watch;

use crate::api::failure::Failure;
use crate::objects::json;
use crate::objects::resources::{ALL, Resource};

/// How many changes a watch may lie behind before it gets 410.
const HISTORY: usize = 5_000;

/// Where an object lies.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Key {
    /// Plural of its kind.
    pub plural: &'static str,
    /// Namespace, empty for kinds without.
    pub namespace: String,
    /// Name.
    pub name: String,
}

impl Key {
    /// The key of an object by its parts.
    pub fn new(resource: &Resource, namespace: &str, name: &str) -> Self {
        Self { plural: resource.plural, namespace: namespace.to_owned(), name: name.to_owned() }
    }

    /// The key of an object read from its metadata.
    pub fn of(resource: &Resource, object: &Value) -> Self {
        Self::new(resource, json::text(object, "/metadata/namespace"), json::text(object, "/metadata/name"))
    }
}

/// One write.
#[derive(Debug, Clone)]
pub struct Change {
    /// The revision it made.
    pub revision: u64,
    /// Which object.
    pub key: Key,
    /// The object before, if it existed.
    pub before: Option<Arc<Value>>,
    /// The object after; when deleted its last state under the new revision.
    pub after: Arc<Value>,
    /// Whether it is gone.
    pub deleted: bool,
}

/// What became of a write.
#[derive(Debug, Clone)]
pub enum Written {
    /// A new object.
    Created(Arc<Value>),
    /// Another state of an object.
    Changed(Arc<Value>),
    /// The same state: nothing was written.
    Unchanged(Arc<Value>),
    /// The object is gone; its last state.
    Deleted(Arc<Value>),
}

impl Written {
    /// The object as it is or last was.
    pub fn object(self) -> Arc<Value> {
        match self {
            Self::Created(object)
            | Self::Changed(object)
            | Self::Unchanged(object)
            | Self::Deleted(object) => object,
        }
    }
}

/// What a writer decided about an object.
pub enum Decision {
    /// Store this state.
    Put(Value),
    /// Leave it.
    Keep,
    /// Remove it.
    Remove,
}

/// The storage.
pub struct Store {
    inner: Mutex<Inner>,
    revision: watch::Sender<u64>,
}

#[derive(Default)]
struct Inner {
    revision: u64,
    objects: BTreeMap<Key, Arc<Value>>,
    /// Which objects there are, by uid.
    uids: HashMap<String, Key>,
    /// The objects that name an owner, by the owner's uid.
    owned: HashMap<String, BTreeSet<Key>>,
    history: VecDeque<Change>,
}

impl Default for Store {
    fn default() -> Self {
        Self { inner: Mutex::default(), revision: watch::Sender::new(0) }
    }
}

impl Store {
    /// One object.
    pub fn get(&self, key: &Key) -> Option<Arc<Value>> {
        self.lock().objects.get(key).cloned()
    }

    /// All objects of a kind, in one namespace or in all, with the revision of the list.
    pub fn list(&self, resource: &Resource, namespace: Option<&str>) -> (u64, Vec<Arc<Value>>) {
        let inner = self.lock();
        let from = Key::new(resource, namespace.unwrap_or_default(), "");
        let objects = inner.objects.range(from..);
        let objects = objects.take_while(|(key, _)| {
            key.plural == resource.plural && namespace.is_none_or(|name| name == key.namespace)
        });
        (inner.revision, objects.map(|(_, object)| Arc::clone(object)).collect())
    }

    /// All objects with their keys.
    pub fn everything(&self) -> Vec<(Key, Arc<Value>)> {
        self.lock().objects.iter().map(|(key, object)| (key.clone(), Arc::clone(object))).collect()
    }

    /// All objects of a namespace with their keys.
    pub fn in_namespace(&self, namespace: &str) -> Vec<(Key, Arc<Value>)> {
        let inner = self.lock();
        let mut found = Vec::new();
        for resource in ALL.into_iter().filter(|resource| resource.namespaced) {
            let objects = inner.objects.range(Key::new(resource, namespace, "")..);
            let objects =
                objects.take_while(|(key, _)| key.plural == resource.plural && key.namespace == namespace);
            found.extend(objects.map(|(key, object)| (key.clone(), Arc::clone(object))));
        }
        found
    }

    /// The objects that name the one with this uid among their owners, with their keys.
    pub fn owned(&self, uid: &str) -> Vec<(Key, Arc<Value>)> {
        let inner = self.lock();
        let keys = inner.owned.get(uid).into_iter().flatten();
        keys.filter_map(|key| Some((key.clone(), Arc::clone(inner.objects.get(key)?)))).collect()
    }

    /// Whether there is an object with this uid.
    pub fn exists(&self, uid: &str) -> bool {
        self.lock().uids.contains_key(uid)
    }

    /// Reads an object, decides and writes as one step. The revision is set here.
    ///
    /// # Errors
    /// What `decide` answers.
    pub fn write(
        &self,
        key: &Key,
        decide: impl FnOnce(Option<&Value>) -> Result<Decision, Failure>,
    ) -> Result<Written, Failure> {
        let mut inner = self.lock();
        let before = inner.objects.get(key).cloned();
        let decision = decide(before.as_deref())?;
        let (after, deleted) = match (decision, &before) {
            (Decision::Put(object), _) => (object, false),
            (Decision::Remove, Some(before)) => ((**before).clone(), true),
            (Decision::Keep, Some(before)) => return Ok(Written::Unchanged(Arc::clone(before))),
            (Decision::Keep | Decision::Remove, None) => {
                return Err(Failure::internal(format!("{} \"{}\" does not exist", key.plural, key.name)));
            }
        };
        let after = inner.put(key, before.clone(), after, deleted);
        self.revision.send_replace(inner.revision);
        Ok(match (before, deleted) {
            (_, true) => Written::Deleted(after),
            (None, false) => Written::Created(after),
            (Some(_), false) => Written::Changed(after),
        })
    }

    /// The changes after a revision; `None` where the history no longer reaches back to it.
    pub fn changes_after(&self, revision: u64) -> Option<Vec<Change>> {
        let inner = self.lock();
        let oldest = inner.history.front().map_or(inner.revision + 1, |change| change.revision);
        if revision + 1 < oldest {
            return None;
        }
        let start = inner.history.partition_point(|change| change.revision <= revision);
        Some(inner.history.range(start..).cloned().collect())
    }

    /// Tells of every new revision.
    pub fn subscribe(&self) -> watch::Receiver<u64> {
        self.revision.subscribe()
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        // A panic in a writer happens before anything is stored, so the objects stay consistent.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    fn put(&mut self, key: &Key, before: Option<Arc<Value>>, mut after: Value, deleted: bool) -> Arc<Value> {
        self.revision += 1;
        json::object_at(&mut after, "metadata")
            .insert("resourceVersion".into(), self.revision.to_string().into());
        let after = Arc::new(after);
        if let Some(before) = &before {
            self.forget(key, before);
        }
        if deleted {
            self.objects.remove(key);
        } else {
            self.objects.insert(key.clone(), Arc::clone(&after));
            self.remember(key, &after);
        }
        let change =
            Change { revision: self.revision, key: key.clone(), before, after: Arc::clone(&after), deleted };
        self.history.push_back(change);
        if self.history.len() > HISTORY {
            self.history.pop_front();
        }
        after
    }

    fn remember(&mut self, key: &Key, object: &Value) {
        self.uids.insert(json::text(object, "/metadata/uid").to_owned(), key.clone());
        for owner in json::list(object, "/metadata/ownerReferences") {
            self.owned.entry(json::text(owner, "/uid").to_owned()).or_default().insert(key.clone());
        }
    }

    fn forget(&mut self, key: &Key, object: &Value) {
        self.uids.remove(json::text(object, "/metadata/uid"));
        for owner in json::list(object, "/metadata/ownerReferences") {
            let owner = json::text(owner, "/uid");
            if let Some(keys) = self.owned.get_mut(owner) {
                keys.remove(key);
                if keys.is_empty() {
                    self.owned.remove(owner);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::{Decision, Key, Store};
    use crate::objects::resources::{CONFIG_MAPS, SECRETS};

    fn put(store: &Store, key: &Key, uid: &str, owner: Option<&str>) {
        let owners: Vec<Value> = owner.into_iter().map(|uid| json!({ "uid": uid })).collect();
        let metadata =
            json!({ "name": key.name, "namespace": key.namespace, "uid": uid, "ownerReferences": owners });
        store.write(key, |_| Ok(Decision::Put(json!({ "metadata": metadata })))).expect("written");
    }

    #[test]
    fn owners_and_namespaces_are_found_as_they_change() {
        let store = Store::default();
        let parent = Key::new(&CONFIG_MAPS, "a", "owner");
        let child = Key::new(&SECRETS, "a", "owned");
        put(&store, &parent, "1", None);
        put(&store, &child, "2", Some("1"));
        put(&store, &Key::new(&SECRETS, "b", "other"), "3", None);
        assert_eq!(store.owned("1").len(), 1);
        assert!(store.exists("2") && !store.exists("9"));
        assert_eq!(store.in_namespace("a").len(), 2);
        put(&store, &child, "2", None);
        assert!(store.owned("1").is_empty(), "it named its owner no longer");
        put(&store, &child, "2", Some("1"));
        store.write(&child, |_| Ok(Decision::Remove)).expect("removed");
        assert!(store.owned("1").is_empty() && !store.exists("2"));
    }
}
