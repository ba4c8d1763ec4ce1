//! Controller revisions: the pod templates that a stateful or daemon set has had, numbered.

use std::sync::Arc;

use serde_json::{Value, json};

use crate::api::failure::Failure;
use crate::controllers::pods;
use crate::objects::deletion::Deletion;
use crate::objects::json::{integer, object, object_at, text};
use crate::objects::lifecycle::{Objects, Writer};
use crate::objects::resources::{CONTROLLER_REVISIONS, Resource};
use crate::objects::store::Key;

const MANAGER: &str = "kube-controller-manager";

/// The revisions of a workload, oldest first; the last one is of its present template.
pub struct Revisions(Vec<Arc<Value>>);

impl Revisions {
    /// Reads the revisions of a workload and makes that of its template the newest. `label` carries the hash.
    ///
    /// # Errors
    /// What the store answers.
    pub fn of(objects: &Objects, resource: &Resource, owner: &Value, label: &str) -> Result<Self, Failure> {
        let mut all = pods::owned_of(objects, &CONTROLLER_REVISIONS, owner);
        all.sort_by_key(|revision| number(revision));
        let data = data(owner);
        let next = all.last().map_or(0, |last| number(last)) + 1;
        let writer = Writer::controller(MANAGER);
        match all.iter().position(|revision| revision["data"] == data) {
            Some(position) if position + 1 == all.len() => {}
            Some(position) => {
                let old = all.remove(position);
                let key = Key::of(&CONTROLLER_REVISIONS, &old);
                all.push(objects.update(&CONTROLLER_REVISIONS, &key, &writer, |before| {
                    let mut after = before.clone();
                    after["revision"] = next.into();
                    Ok(after)
                })?);
            }
            None => {
                let hash = hash(&owner["spec"]["template"]);
                let mut metadata = json!({
                    "name": format!("{}-{hash}", text(owner, "/metadata/name")),
                    "namespace": owner["metadata"]["namespace"],
                    "labels": owner["spec"]["template"]["metadata"]["labels"],
                    "ownerReferences": [pods::reference(resource, owner)],
                });
                object_at(&mut metadata, "labels").insert(label.to_owned(), hash.into());
                let revision = json!({ "metadata": metadata, "data": data, "revision": next });
                all.push(objects.create(&CONTROLLER_REVISIONS, revision, &writer)?);
            }
        }
        Ok(Self(all))
    }

    /// That of the present template.
    pub fn newest(&self) -> &Value {
        self.0.last().expect("there is one for the present template")
    }

    /// The one with this name.
    pub fn named(&self, name: &str) -> Option<&Value> {
        self.0.iter().map(|revision| &**revision).find(|revision| text(revision, "/metadata/name") == name)
    }

    /// Deletes the oldest beyond the limit, but none that `live` says is in use.
    ///
    /// # Errors
    /// What the store answers.
    pub fn tidy(
        &self,
        objects: &Objects,
        owner: &Value,
        live: impl Fn(&Value) -> bool,
    ) -> Result<(), Failure> {
        let limit =
            usize::try_from(integer(owner, "/spec/revisionHistoryLimit").unwrap_or(10)).unwrap_or_default();
        let idle: Vec<_> = self.0[..self.0.len() - 1].iter().filter(|revision| !live(revision)).collect();
        for revision in &idle[..idle.len().saturating_sub(limit)] {
            let key = Key::of(&CONTROLLER_REVISIONS, revision);
            objects.delete(&CONTROLLER_REVISIONS, &key, &Deletion::default())?;
        }
        Ok(())
    }
}

/// The pod template that a revision keeps.
pub fn template(revision: &Value) -> Value {
    let mut template = revision["data"]["spec"]["template"].clone();
    object(&mut template).remove("$patch");
    template
}

fn data(owner: &Value) -> Value {
    let mut template = owner["spec"]["template"].clone();
    template["$patch"] = "replace".into();
    json!({ "spec": { "template": template } })
}

fn number(revision: &Value) -> i64 {
    integer(revision, "/revision").unwrap_or(0)
}

/// A short name for a template, of the letters Kubernetes uses (FNV-1a over its JSON, whose keys are sorted).
pub fn hash(template: &Value) -> String {
    const LETTERS: &[u8] = b"bcdfghjklmnpqrstvwxz2456789";
    let step = |hash: u32, byte: u8| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193);
    let number = template.to_string().bytes().fold(0x811c_9dc5, step);
    number.to_string().bytes().map(|digit| char::from(LETTERS[usize::from(digit) % LETTERS.len()])).collect()
}
