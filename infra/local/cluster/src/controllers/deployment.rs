//! Deployments: a replica set per pod template, and the rolling update from the old ones to the new.

use std::collections::BTreeSet;
use std::sync::Arc;

use serde_json::{Value, json};

use crate::api::failure::Failure;
use crate::controllers::revisions::hash;
use crate::controllers::rollout::{self, NO_DEADLINE};
use crate::controllers::scaling::Limits;
use crate::controllers::{events, pods};
use crate::objects::deletion::Deletion;
use crate::objects::json::{integer, list, object, object_at, text};
use crate::objects::lifecycle::{Objects, Writer};
use crate::objects::resources::{DEPLOYMENTS, REPLICA_SETS};
use crate::objects::store::Key;

/// The manager that a real cluster records for its controllers.
pub const MANAGER: &str = "kube-controller-manager";
const COMPONENT: &str = "deployment-controller";
const HASH: &str = "pod-template-hash";
/// The annotation that numbers the rollouts of a deployment.
pub const REVISION: &str = "deployment.kubernetes.io/revision";
const DESIRED: &str = "deployment.kubernetes.io/desired-replicas";
const MAXIMUM: &str = "deployment.kubernetes.io/max-replicas";
/// Annotations of a deployment that its replica sets do not inherit.
const OWN_ANNOTATIONS: [&str; 4] =
    ["kubectl.kubernetes.io/last-applied-configuration", REVISION, DESIRED, MAXIMUM];

/// A deployment with its replica sets.
pub struct Rollout<'a> {
    /// The cluster.
    pub objects: &'a Objects,
    /// The deployment.
    pub deployment: Arc<Value>,
    /// The set of the present template.
    pub new: Option<Arc<Value>>,
    /// The others, oldest first.
    pub old: Vec<Arc<Value>>,
    /// What the strategy allows.
    pub limits: Limits,
}

/// The set of the present template and the others, oldest first.
type Sets = (Option<Arc<Value>>, Vec<Arc<Value>>);

/// Whether nothing is to be done for a deployment until something changes.
pub fn is_settled(deployment: &Value) -> bool {
    rollout::is_complete(deployment)
}

/// Moves a deployment on by what can be done now.
///
/// # Errors
/// What the store answers.
pub fn sync(objects: &Objects, deployment: Arc<Value>) -> Result<(), Failure> {
    let (new, old) = sets(objects, &deployment);
    let limits = Limits::of(&deployment);
    let mut rollout = Rollout { objects, deployment, new, old, limits };
    if !text(&rollout.deployment, "/metadata/deletionTimestamp").is_empty() {
        return rollout::write_status(&rollout);
    }
    let paused = rollout.deployment["spec"]["paused"] == true;
    rollout::note_pause(&rollout, paused)?;
    if paused || rollout.is_scaled() {
        rollout.scale_all()?;
        return rollout::write_status(&rollout.reread()?);
    }
    let recreate = rollout.deployment["spec"]["strategy"]["type"] == "Recreate";
    if recreate && rollout.end_old()? {
        return rollout::write_status(&rollout.reread()?);
    }
    rollout.ensure_new()?;
    rollout = rollout.reread()?;
    if !rollout.grow_new()? && !recreate {
        rollout.shrink_old()?;
    }
    let rollout = rollout.reread()?;
    rollout::write_status(&rollout)?;
    if rollout::is_complete(&rollout.reread()?.deployment) { rollout.clean_up() } else { Ok(()) }
}

/// The sets that belong to a deployment.
fn sets(objects: &Objects, deployment: &Value) -> Sets {
    let mut sets = pods::owned_of(objects, &REPLICA_SETS, deployment);
    sets.sort_by_key(|set| (text(set, "/metadata/creationTimestamp").to_owned(), revision(set)));
    let position = sets.iter().position(|set| same_template(set, deployment));
    let new = position.map(|position| sets.remove(position));
    (new, sets)
}

fn same_template(set: &Value, deployment: &Value) -> bool {
    let mut template = set["spec"]["template"].clone();
    object_at(object(&mut template).entry("metadata").or_insert_with(|| json!({})), "labels").remove(HASH);
    template == deployment["spec"]["template"]
}

/// The revision a set or deployment carries.
pub fn revision(value: &Value) -> i64 {
    value["metadata"]["annotations"][REVISION].as_str().and_then(|text| text.parse().ok()).unwrap_or(0)
}

/// Replicas a set should have.
pub fn wanted(set: &Value) -> i64 {
    integer(set, "/spec/replicas").unwrap_or(0)
}

impl Rollout<'_> {
    fn reread(&self) -> Result<Self, Failure> {
        let key = Key::of(&DEPLOYMENTS, &self.deployment);
        let found = self.objects.store.get(&key);
        let deployment = found.ok_or_else(|| Failure::not_found(&DEPLOYMENTS, &key.name))?;
        // Another template since this look began: its own look follows at once.
        if deployment["metadata"]["generation"] != self.deployment["metadata"]["generation"] {
            return Err(Failure::stale(&DEPLOYMENTS, &key.name));
        }
        let (new, old) = sets(self.objects, &deployment);
        Ok(Self { objects: self.objects, deployment, new, old, limits: self.limits })
    }

    /// The sets, the new one last.
    pub fn all(&self) -> impl Iterator<Item = &Arc<Value>> {
        self.old.iter().chain(&self.new)
    }

    fn total(&self) -> i64 {
        self.all().map(|set| wanted(set)).sum()
    }

    fn is_scaled(&self) -> bool {
        let desired = |set: &Value| set["metadata"]["annotations"][DESIRED].as_str().map(str::to_owned);
        let mut active = self.all().filter(|set| wanted(set) > 0);
        active.any(|set| desired(set).is_some_and(|desired| desired != self.limits.replicas.to_string()))
    }

    fn ensure_new(&self) -> Result<(), Failure> {
        let next = self.old.iter().map(|set| revision(set)).max().unwrap_or(0) + 1;
        let Some(new) = &self.new else { return self.create_new(next) };
        let number = revision(new).max(next);
        let annotations = self.annotations(new, number);
        let seconds = &self.deployment["spec"]["minReadySeconds"];
        if new["metadata"]["annotations"] != annotations || new["spec"]["minReadySeconds"] != *seconds {
            self.objects.update(
                &REPLICA_SETS,
                &Key::of(&REPLICA_SETS, new),
                &Writer::controller(MANAGER),
                |before| {
                    let mut after = before.clone();
                    after["metadata"]["annotations"] = annotations;
                    after["spec"]["minReadySeconds"] = seconds.clone();
                    Ok(after)
                },
            )?;
        }
        let message = format!("Found new replica set \"{}\"", text(new, "/metadata/name"));
        let unknown = pods::condition(&self.deployment, "Progressing").is_none();
        self.note(number, unknown.then_some(("FoundNewReplicaSet", message)))
    }

    fn create_new(&self, number: i64) -> Result<(), Failure> {
        let template = &self.deployment["spec"]["template"];
        let hash = hash(template);
        let name = format!("{}-{hash}", text(&self.deployment, "/metadata/name"));
        let mut template = template.clone();
        let labels = object_at(&mut template["metadata"], "labels");
        labels.insert(HASH.to_owned(), hash.as_str().into());
        let labels = labels.clone();
        let mut selector = self.deployment["spec"]["selector"].clone();
        object_at(&mut selector, "matchLabels").insert(HASH.to_owned(), hash.into());
        let replicas = self.limits.new_replicas(0, self.total());
        let set = json!({
            "metadata": {
                "name": name, "namespace": self.deployment["metadata"]["namespace"], "labels": labels,
                "annotations": self.annotations(&Value::Null, number),
                "ownerReferences": [pods::reference(&DEPLOYMENTS, &self.deployment)],
            },
            "spec": {
                "replicas": replicas, "selector": selector, "template": template,
                "minReadySeconds": self.deployment["spec"]["minReadySeconds"],
            },
        });
        match self.objects.create(&REPLICA_SETS, set, &Writer::controller(MANAGER)) {
            Ok(_) => {}
            Err(failure) => {
                let message = format!("Failed to create new replica set \"{name}\": {failure}");
                events::record(
                    self.objects,
                    &self.deployment,
                    COMPONENT,
                    "Warning",
                    "ReplicaSetCreateError",
                    &message,
                );
                return Err(failure);
            }
        }
        if replicas > 0 {
            self.tell_scaled("up", &name, 0, replicas);
        }
        self.note(number, Some(("NewReplicaSetCreated", format!("Created new replica set \"{name}\""))))
    }

    /// Writes the revision, and a reason to be progressing, with the status: neither counts as a change of the spec.
    fn note(&self, number: i64, progressing: Option<(&str, String)>) -> Result<(), Failure> {
        let key = Key::of(&DEPLOYMENTS, &self.deployment);
        let written = self.objects.update(&DEPLOYMENTS, &key, &Writer::status(MANAGER), |before| {
            let mut after = before.clone();
            object_at(&mut after["metadata"], "annotations")
                .insert(REVISION.to_owned(), number.to_string().into());
            if let Some((reason, message)) = progressing
                && integer(before, "/spec/progressDeadlineSeconds") != Some(NO_DEADLINE)
            {
                let condition = rollout::condition("Progressing", "True", reason, &message);
                rollout::set_condition(&mut after["status"], condition);
            }
            Ok(after)
        });
        written.map(drop)
    }

    /// The annotations of a set: the deployment's, the revision and the numbers it was scaled by.
    fn annotations(&self, set: &Value, number: i64) -> Value {
        let mut annotations = set["metadata"]["annotations"].as_object().cloned().unwrap_or_default();
        let inherited = self.deployment["metadata"]["annotations"].as_object().into_iter().flatten();
        for (name, value) in inherited.filter(|(name, _)| !OWN_ANNOTATIONS.contains(&name.as_str())) {
            annotations.insert(name.clone(), value.clone());
        }
        annotations.insert(REVISION.to_owned(), number.to_string().into());
        annotations.insert(DESIRED.to_owned(), self.limits.replicas.to_string().into());
        let most = self.limits.replicas + self.limits.surge;
        annotations.insert(MAXIMUM.to_owned(), most.to_string().into());
        Value::Object(annotations)
    }

    fn grow_new(&self) -> Result<bool, Failure> {
        let Some(new) = &self.new else { return Ok(false) };
        let have = wanted(new);
        let recreate = self.deployment["spec"]["strategy"]["type"] == "Recreate";
        let target = if recreate || have > self.limits.replicas {
            self.limits.replicas
        } else {
            self.limits.new_replicas(have, self.total())
        };
        self.scale(new, target)
    }

    fn shrink_old(&self) -> Result<bool, Failure> {
        if self.old.iter().all(|set| wanted(set) == 0) {
            return Ok(false);
        }
        let available = |set: &Value| integer(set, "/status/availableReplicas").unwrap_or(0);
        let least = self.limits.replicas - self.limits.unavailable;
        let waiting = self.new.as_ref().map_or(0, |new| wanted(new) - available(new));
        let mut budget = self.total() - least - waiting;
        let mut scaled = false;
        // First those that serve nobody.
        let mut left = Vec::new();
        for set in &self.old {
            let gone = (wanted(set) - available(set)).clamp(0, budget.max(0));
            budget -= gone;
            scaled |= self.scale(set, wanted(set) - gone)?;
            left.push((set, wanted(set) - gone));
        }
        let serving: i64 = self.all().map(|set| available(set)).sum();
        let mut budget = serving - least;
        for (set, have) in left {
            let gone = have.clamp(0, budget.max(0));
            budget -= gone;
            if gone > 0 {
                let key = Key::of(&REPLICA_SETS, set);
                let set = self.objects.store.get(&key).unwrap_or_else(|| Arc::clone(set));
                scaled |= self.scale(&set, have - gone)?;
            }
        }
        Ok(scaled)
    }

    /// For `Recreate`: ends the old pods; true while some are left.
    fn end_old(&self) -> Result<bool, Failure> {
        let mut left = false;
        for set in &self.old {
            self.scale(set, 0)?;
            left |= !pods::owned(self.objects, set).is_empty();
        }
        Ok(left)
    }

    /// Another number of replicas, or a pause: no new set is made, the present ones share the number.
    fn scale_all(&self) -> Result<(), Failure> {
        let active: Vec<_> = self.all().filter(|set| wanted(set) > 0).collect();
        let target = self.limits.replicas;
        if let [] | [_] = active.as_slice() {
            let Some(set) = active.first().copied().or(self.new.as_ref()).or(self.old.last()) else {
                return Ok(());
            };
            return self.scale(set, target).map(drop);
        }
        let total = self.total();
        let most = if target > 0 { target + self.limits.surge } else { 0 };
        let mut left = most - total;
        let mut sorted = active;
        sorted.sort_by_key(|set| std::cmp::Reverse(wanted(set)));
        let mut shares = Vec::new();
        for set in &sorted {
            let share = (wanted(set) * (most - total) / total).clamp(left.min(0), left.max(0));
            left -= share;
            shares.push(wanted(set) + share);
        }
        shares[0] = (shares[0] + left).max(0);
        sorted.iter().zip(shares).try_for_each(|(set, share)| self.scale(set, share).map(drop))
    }

    /// Scales a set; its annotations follow also when the number stays.
    fn scale(&self, set: &Value, replicas: i64) -> Result<bool, Failure> {
        let have = wanted(set);
        let annotations = self.annotations(set, revision(set));
        if have == replicas && (have == 0 || set["metadata"]["annotations"] == annotations) {
            return Ok(false);
        }
        self.objects.update(
            &REPLICA_SETS,
            &Key::of(&REPLICA_SETS, set),
            &Writer::controller(MANAGER),
            |before| {
                let mut after = before.clone();
                after["spec"]["replicas"] = replicas.into();
                after["metadata"]["annotations"] = annotations;
                Ok(after)
            },
        )?;
        if have != replicas {
            let direction = if replicas > have { "up" } else { "down" };
            self.tell_scaled(direction, text(set, "/metadata/name"), have, replicas);
        }
        Ok(have != replicas)
    }

    fn tell_scaled(&self, direction: &str, name: &str, from: i64, to: i64) {
        let message = format!("Scaled {direction} replica set {name} from {from} to {to}");
        events::record(self.objects, &self.deployment, COMPONENT, "Normal", "ScalingReplicaSet", &message);
    }

    /// Deletes old sets beyond the history that is to be kept.
    fn clean_up(&self) -> Result<(), Failure> {
        let limit = integer(&self.deployment, "/spec/revisionHistoryLimit").unwrap_or(10);
        let mut empty: Vec<_> = self
            .old
            .iter()
            .filter(|set| wanted(set) == 0 && integer(set, "/status/replicas").unwrap_or(0) == 0)
            .filter(|set| list(set, "/metadata/finalizers").is_empty())
            .collect();
        empty.sort_by_key(|set| revision(set));
        let surplus = empty.len().saturating_sub(usize::try_from(limit).unwrap_or_default());
        let names: BTreeSet<Key> = empty[..surplus].iter().map(|set| Key::of(&REPLICA_SETS, set)).collect();
        names
            .iter()
            .try_for_each(|key| self.objects.delete(&REPLICA_SETS, key, &Deletion::default()).map(drop))
    }
}
