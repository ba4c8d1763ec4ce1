//! All objects in memory, with one revision counter and the history that watches read.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde_json::Value;
use tokio::sync::watch;

use crate::api::failure::Failure;
use crate::objects::json;
use crate::objects::resources::Resource;

/// How many changes a watch may lie behind before it gets 410.
const HISTORY: usize = 20_000;

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
        if deleted {
            self.objects.remove(key);
        } else {
            self.objects.insert(key.clone(), Arc::clone(&after));
        }
        let change =
            Change { revision: self.revision, key: key.clone(), before, after: Arc::clone(&after), deleted };
        self.history.push_back(change);
        if self.history.len() > HISTORY {
            self.history.pop_front();
        }
        after
    }
}
