//! How a controller makes and ends its pods, with the events that tell so.

use std::sync::Arc;

use serde_json::{Value, json};

use crate::api::failure::Failure;
use crate::controllers::{events, pods};
use crate::objects::deletion::Deletion;
use crate::objects::json::text;
use crate::objects::lifecycle::{Objects, Writer};
use crate::objects::resources::{PODS, Resource};
use crate::objects::store::Key;

const MANAGER: &str = "kube-controller-manager";

/// A controller that makes pods for one owner.
pub struct Maker<'a> {
    /// The cluster.
    pub objects: &'a Objects,
    /// The owner's kind.
    pub resource: &'static Resource,
    /// The owner.
    pub owner: &'a Value,
    /// The controller's name in events.
    pub component: &'static str,
}

impl Maker<'_> {
    /// A pod of the owner's template, still without a name.
    pub fn pod(&self) -> Value {
        self.pod_of(&self.owner["spec"]["template"])
    }

    /// A pod of another template, still without a name.
    pub fn pod_of(&self, template: &Value) -> Value {
        let mut metadata = json!({
            "namespace": self.owner["metadata"]["namespace"],
            "ownerReferences": [pods::reference(self.resource, self.owner)],
        });
        for field in ["labels", "annotations", "finalizers"] {
            metadata[field] = template["metadata"][field].clone();
        }
        json!({ "metadata": metadata, "spec": template["spec"] })
    }

    /// Makes a pod and tells so.
    ///
    /// # Errors
    /// Why it is refused.
    pub fn create(&self, pod: Value) -> Result<Arc<Value>, Failure> {
        let asked = text(&pod, "/metadata/name").to_owned();
        match self.objects.create(&PODS, pod, &Writer::controller(MANAGER)) {
            Ok(pod) => {
                let name = text(&pod, "/metadata/name");
                self.tell(
                    "Normal",
                    "SuccessfulCreate",
                    &self.words("create", name, &format!("Created pod: {name}")),
                );
                Ok(pod)
            }
            Err(failure) => {
                let words = match self.resource.plural {
                    "statefulsets" => format!("{failure}: Pod {asked}"),
                    _ => format!("Error creating: {failure}"),
                };
                self.tell("Warning", "FailedCreate", &words);
                Err(failure)
            }
        }
    }

    /// Ends a pod and tells so; one that is gone already is no trouble.
    ///
    /// # Errors
    /// What the store answers.
    pub fn delete(&self, pod: &Value) -> Result<(), Failure> {
        let key = Key::of(&PODS, pod);
        let uid = Some(text(pod, "/metadata/uid").to_owned());
        match self.objects.delete(&PODS, &key, &Deletion { uid, ..Deletion::default() }) {
            Ok(_) => {
                let words = self.words("delete", &key.name, &format!("Deleted pod: {}", key.name));
                self.tell("Normal", "SuccessfulDelete", &words);
                Ok(())
            }
            Err(failure) if matches!(failure.code, 404 | 409) => Ok(()),
            Err(failure) => Err(failure),
        }
    }

    /// Tells something about the owner.
    pub fn tell(&self, kind: &str, reason: &str, message: &str) {
        events::record(self.objects, self.owner, self.component, kind, reason, message);
    }

    fn words(&self, verb: &str, pod: &str, usual: &str) -> String {
        if self.resource.plural == "statefulsets" {
            return format!(
                "{verb} Pod {pod} in StatefulSet {} successful",
                text(self.owner, "/metadata/name")
            );
        }
        usual.to_owned()
    }
}
