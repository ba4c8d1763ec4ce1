//! Every write to an object, by users and controllers alike: defaults, validation, generation,
//! ownership of fields and deletion in one place.

use std::net::Ipv4Addr;
use std::sync::{Arc, Mutex, PoisonError};

use serde_json::{Value, json};

use crate::api::failure::Failure;
use crate::node;
use crate::objects::deletion::{Deletion, deletion_of};
use crate::objects::managers::{Manager, follow};
use crate::objects::resources::{NAMESPACES, PODS, Resource, SERVICES};
use crate::objects::store::{Decision, Key, Store, Written};
use crate::objects::{apply, defaults, json as read, validation};

/// The annotation that counts the templates of a daemon set.
pub const TEMPLATES: &str = "deprecated.daemonset.template.generation";

/// The objects of the cluster.
pub struct Objects {
    /// Their storage.
    pub store: Store,
    next_address: Mutex<u32>,
}

/// Who writes, and how.
#[derive(Debug, Clone, Default)]
pub struct Writer {
    /// `fieldManager`.
    pub manager: String,
    /// Whether only the status is written.
    pub status: bool,
    /// Whether nothing is stored.
    pub dry_run: bool,
}

impl Writer {
    /// A controller that writes whole objects.
    pub fn controller(manager: &str) -> Self {
        Self { manager: manager.to_owned(), ..Self::default() }
    }

    /// A controller that writes the status.
    pub fn status(manager: &str) -> Self {
        Self { status: true, ..Self::controller(manager) }
    }
}

impl Objects {
    /// An empty cluster whose service addresses are counted from `first_address`.
    pub fn new(first_address: Ipv4Addr) -> Self {
        Self { store: Store::default(), next_address: Mutex::new(first_address.to_bits()) }
    }

    /// Creates an object.
    ///
    /// # Errors
    /// The `Status` that says why not.
    pub fn create(
        &self,
        resource: &Resource,
        mut object: Value,
        writer: &Writer,
    ) -> Result<Arc<Value>, Failure> {
        let metadata = read::object_at(&mut object, "metadata");
        if metadata.get("name").and_then(Value::as_str).is_none_or(str::is_empty)
            && let Some(prefix) = metadata.get("generateName").and_then(Value::as_str)
        {
            metadata.insert("name".to_owned(), format!("{prefix}{}", suffix()).into());
        }
        let key = Key::of(resource, &object);
        self.check_namespace(resource, &key)?;
        self.give_address(resource, &mut object);
        let written = self.commit(&key, writer.dry_run, |before| match before {
            Some(_) => Err(Failure::already_exists(resource, &key.name)),
            None => finish(resource, None, object, writer, Ownership::Follow),
        })?;
        Ok(written.object())
    }

    /// Changes an object by a function of its present state.
    ///
    /// # Errors
    /// 404, what `edit` answers, or why the new state is refused.
    pub fn update(
        &self,
        resource: &Resource,
        key: &Key,
        writer: &Writer,
        edit: impl FnOnce(&Value) -> Result<Value, Failure>,
    ) -> Result<Arc<Value>, Failure> {
        let written = self.commit(key, writer.dry_run, |before| {
            let before = before.ok_or_else(|| Failure::not_found(resource, &key.name))?;
            finish(resource, Some(before), edit(before)?, writer, Ownership::Follow)
        })?;
        Ok(written.object())
    }

    /// Server-side apply.
    ///
    /// # Errors
    /// Conflicts, or why the new state is refused.
    pub fn apply(
        &self,
        resource: &Resource,
        key: &Key,
        applied: &Value,
        force: bool,
        writer: &Writer,
    ) -> Result<Written, Failure> {
        self.check_namespace(resource, key)?;
        let mut fresh = applied.clone();
        if self.store.get(key).is_none() {
            self.give_address(resource, &mut fresh);
        }
        self.commit(key, writer.dry_run, |before| {
            let mut after = apply::apply(before, applied, &writer.manager, force)?;
            if before.is_none() && !fresh["spec"]["clusterIP"].is_null() {
                after["spec"]["clusterIP"] = fresh["spec"]["clusterIP"].clone();
                after["spec"]["clusterIPs"] = fresh["spec"]["clusterIPs"].clone();
            }
            finish(resource, before, after, writer, Ownership::Applied)
        })
    }

    /// Deletes an object, or marks it as to be deleted when somebody still has to finish with it.
    ///
    /// # Errors
    /// 404, or 409 when the uid is another.
    pub fn delete(&self, resource: &Resource, key: &Key, deletion: &Deletion) -> Result<Written, Failure> {
        self.commit(key, deletion.dry_run, |before| {
            let before = before.ok_or_else(|| Failure::not_found(resource, &key.name))?;
            if deletion.uid.as_ref().is_some_and(|uid| uid != read::text(before, "/metadata/uid")) {
                return Err(Failure::stale(resource, &key.name));
            }
            Ok(deletion_of(resource, before, deletion))
        })
    }

    /// Removes a pod whose containers have ended; one that somebody still has to count stays until then.
    pub fn remove_pod(&self, key: &Key, uid: &str) {
        let removed = self.store.write(key, |before| match before {
            None => Err(Failure::not_found(&PODS, &key.name)),
            Some(before) if read::text(before, "/metadata/uid") != uid => Ok(Decision::Keep),
            Some(before) if read::list(before, "/metadata/finalizers").is_empty() => Ok(Decision::Remove),
            Some(before) => {
                let mut after = before.clone();
                after["metadata"]["deletionGracePeriodSeconds"] = 0.into();
                Ok(if *before == after { Decision::Keep } else { Decision::Put(after) })
            }
        });
        if let Err(failure) = removed {
            // Removed by force while it ended: nothing is left to do.
            tracing::debug!(%failure, "pod not removed");
        }
    }

    fn commit(
        &self,
        key: &Key,
        dry_run: bool,
        decide: impl FnOnce(Option<&Value>) -> Result<Decision, Failure>,
    ) -> Result<Written, Failure> {
        if !dry_run {
            return self.store.write(key, decide);
        }
        let before = self.store.get(key);
        Ok(match (decide(before.as_deref())?, before) {
            (Decision::Put(object), None) => Written::Created(Arc::new(object)),
            (Decision::Put(object), Some(_)) => Written::Changed(Arc::new(object)),
            (Decision::Keep, Some(before)) => Written::Unchanged(before),
            (_, before) => Written::Deleted(before.unwrap_or_default()),
        })
    }

    fn check_namespace(&self, resource: &Resource, key: &Key) -> Result<(), Failure> {
        if !resource.namespaced {
            return Ok(());
        }
        let namespace = self.store.get(&Key::new(&NAMESPACES, "", &key.namespace));
        let namespace = namespace.ok_or_else(|| Failure::not_found(&NAMESPACES, &key.namespace))?;
        if read::text(&namespace, "/metadata/deletionTimestamp").is_empty() || self.store.get(key).is_some() {
            return Ok(());
        }
        Err(Failure::forbidden(format!(
            "{} \"{}\" is forbidden: unable to create new content in namespace {} because it is being terminated",
            resource.qualified(),
            key.name,
            key.namespace
        )))
    }

    fn give_address(&self, resource: &Resource, object: &mut Value) {
        if resource != &SERVICES
            || object["spec"]["type"] == "ExternalName"
            || object["spec"]["clusterIP"] == "None"
        {
            return;
        }
        let mut next = self.next_address.lock().unwrap_or_else(PoisonError::into_inner);
        let address = Ipv4Addr::from_bits(*next).to_string();
        *next += 1;
        let spec = read::object_at(object, "spec");
        spec.insert("clusterIP".to_owned(), address.as_str().into());
        spec.insert("clusterIPs".to_owned(), json!([address]));
    }
}

#[derive(Clone, Copy)]
enum Ownership {
    /// `apply` has recorded the fields.
    Applied,
    /// The writer owns what it changes.
    Follow,
}

/// Completes a new state and decides whether it is to be stored.
fn finish(
    resource: &Resource,
    before: Option<&Value>,
    mut after: Value,
    writer: &Writer,
    ownership: Ownership,
) -> Result<Decision, Failure> {
    read::drop_nulls(&mut after);
    for field in ["finalizers", "ownerReferences"] {
        if read::list(&after["metadata"], &format!("/{field}")).is_empty() {
            read::object_at(&mut after, "metadata").remove(field);
        }
    }
    let name = read::text(&after, "/metadata/name").to_owned();
    if let Some(before) = before {
        let revision = read::text(&after, "/metadata/resourceVersion");
        if !revision.is_empty() && revision != read::text(before, "/metadata/resourceVersion") {
            return Err(Failure::stale(resource, &name));
        }
    }
    after["apiVersion"] = resource.api_version().into();
    after["kind"] = resource.kind.into();
    carry_over(resource, before, &mut after, writer);
    if !writer.status {
        defaults::fill(resource, &mut after);
        let causes = validation::check(resource, &after, before);
        if !causes.is_empty() {
            return Err(Failure::invalid(resource, &name, &causes));
        }
    }
    count_generation(resource, before, &mut after, writer);
    if before.is_some_and(|before| same(before, &after)) && matches!(ownership, Ownership::Follow) {
        return Ok(Decision::Keep);
    }
    if matches!(ownership, Ownership::Follow) {
        let subresource = if writer.status { "status" } else { "" };
        follow(before, &mut after, &Manager::new(&writer.manager, "Update", subresource));
    }
    let deleting = !read::text(&after, "/metadata/deletionTimestamp").is_empty();
    let finalized = read::list(&after, "/metadata/finalizers").is_empty();
    // Pods wait for their containers and namespaces for their contents.
    let waits = resource == &NAMESPACES
        || (resource == &PODS && read::integer(&after, "/metadata/deletionGracePeriodSeconds") != Some(0));
    if deleting && finalized && !waits {
        return Ok(Decision::Remove);
    }
    let unchanged = before.is_some_and(|before| *before == after);
    Ok(if unchanged { Decision::Keep } else { Decision::Put(after) })
}

/// What the server owns comes from the state before, or is made now.
fn carry_over(resource: &Resource, before: Option<&Value>, after: &mut Value, writer: &Writer) {
    let metadata = read::object_at(after, "metadata");
    let Some(before) = before else {
        for field in ["deletionTimestamp", "deletionGracePeriodSeconds", "resourceVersion", "selfLink"] {
            metadata.remove(field);
        }
        metadata.insert("uid".to_owned(), uid().into());
        metadata.insert("creationTimestamp".to_owned(), read::now().into());
        match initial_status(resource, &after["spec"]) {
            Some(status) => after["status"] = status,
            None if resource.has_status => drop(read::object(after).remove("status")),
            None => {}
        }
        return;
    };
    let fields = [
        "name",
        "namespace",
        "uid",
        "creationTimestamp",
        "generation",
        "deletionTimestamp",
        "resourceVersion",
    ];
    for field in fields.iter().chain(&["deletionGracePeriodSeconds", "generateName"]) {
        match before["metadata"].get(*field) {
            Some(value) => drop(metadata.insert((*field).to_owned(), value.clone())),
            None => drop(metadata.remove(*field)),
        }
    }
    let kept: &[&str] = match (resource.has_status, writer.status) {
        (_, true) => &["spec", "data"],
        (true, false) => &["status"],
        (false, false) => &[],
    };
    for field in kept {
        match before.get(*field) {
            Some(value) => after[*field] = value.clone(),
            None => drop(read::object(after).remove(*field)),
        }
    }
    if resource == &SERVICES && !writer.status {
        for field in ["clusterIP", "clusterIPs"] {
            if let Some(address) = before["spec"].get(field) {
                read::default_to(&mut after["spec"], field, address.clone());
            }
        }
    }
}

fn initial_status(resource: &Resource, spec: &Value) -> Option<Value> {
    match resource.plural {
        "pods" => Some(node::status_of_new(spec)),
        "namespaces" => Some(json!({ "phase": "Active" })),
        "services" => Some(json!({ "loadBalancer": {} })),
        "replicasets" => Some(json!({ "replicas": 0 })),
        "statefulsets" => Some(json!({ "replicas": 0, "availableReplicas": 0 })),
        "daemonsets" => Some(json!({
            "currentNumberScheduled": 0, "desiredNumberScheduled": 0, "numberMisscheduled": 0, "numberReady": 0,
        })),
        "deployments" | "jobs" | "cronjobs" => Some(json!({})),
        _ => None,
    }
}

fn count_generation(resource: &Resource, before: Option<&Value>, after: &mut Value, writer: &Writer) {
    if !resource.counts_generation {
        return;
    }
    let Some(before) = before else {
        after["metadata"]["generation"] = 1.into();
        count_templates(resource, None, after);
        return;
    };
    count_templates(resource, Some(before), after);
    // The real server counts changed annotations of Deployments too, but not when written with the status.
    let annotations = |object: &Value| read::pairs(object, "/metadata/annotations").len();
    let annotated = resource.plural == "deployments"
        && (annotations(before) > 0 || annotations(after) > 0)
        && before["metadata"]["annotations"] != after["metadata"]["annotations"];
    if !writer.status && (before["spec"] != after["spec"] || annotated) {
        let generation = read::integer(before, "/metadata/generation").unwrap_or(1);
        after["metadata"]["generation"] = (generation + 1).into();
    }
}

/// Daemon sets count their templates in an annotation of the API server's own.
fn count_templates(resource: &Resource, before: Option<&Value>, after: &mut Value) {
    if resource.plural != "daemonsets" {
        return;
    }
    let number = before.map_or(1, |before| {
        let last = before["metadata"]["annotations"][TEMPLATES].as_str().and_then(|text| text.parse().ok());
        let changed = before["spec"]["template"] != after["spec"]["template"];
        last.unwrap_or(1) + i64::from(changed)
    });
    read::object_at(&mut after["metadata"], "annotations")
        .insert(TEMPLATES.to_owned(), number.to_string().into());
}

/// Whether two states differ in nothing but bookkeeping.
fn same(before: &Value, after: &Value) -> bool {
    fields_but(before, "metadata").eq(fields_but(after, "metadata"))
        && fields_but(&before["metadata"], "managedFields")
            .eq(fields_but(&after["metadata"], "managedFields"))
}

/// The fields of an object without one of them.
fn fields_but<'a>(object: &'a Value, left_out: &'a str) -> impl Iterator<Item = (&'a String, &'a Value)> {
    object.as_object().into_iter().flatten().filter(move |(name, _)| *name != left_out)
}

/// Five characters as Kubernetes puts them behind generated names: no vowels, nothing to mistake.
pub fn suffix() -> String {
    const LETTERS: &[u8] = b"bcdfghjklmnpqrstvwxz2456789";
    std::iter::repeat_with(|| char::from(LETTERS[fastrand::usize(..LETTERS.len())])).take(5).collect()
}

fn uid() -> String {
    let bits = fastrand::u128(..);
    let bits = (bits & !(0xf << 76) | (4 << 76)) & !(3 << 62) | (2 << 62);
    let hex = format!("{bits:032x}");
    format!("{}-{}-{}-{}-{}", &hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..])
}
