//! A cluster that keeps what was applied and in which order; workloads fare as a test says.

use std::collections::BTreeMap;
use std::time::Duration;

use domain::ids::ClusterAccess;
use domain::policy::Conflicts;
use domain::ports::{
    Answer, Application, Change, Cluster, Clusters, Leftover, ProbeAnswer, Rollout, STANDING_HOLDS, Standing,
};
use domain::task::ObjectName;
use domain::time::Timestamp;
use serde_json::Value;

use super::clock::Clock;
use super::shared::Shared;
use super::wire::Wire;

/// The cluster. Clones share it.
#[derive(Debug, Clone)]
pub struct MemoryCluster {
    wire: Wire,
    clock: Clock,
    state: Shared<State>,
}

#[derive(Debug, Default)]
struct State {
    objects: BTreeMap<ObjectName, (Value, Timestamp)>,
    applies: Vec<Applied>,
    fates: BTreeMap<String, Fate>,
    spoilt: BTreeMap<String, Fate>,
    others: BTreeMap<ClusterAccess, MemoryCluster>,
}

/// One object that was applied.
#[derive(Debug, Clone, PartialEq)]
pub struct Applied {
    /// Which.
    pub name: ObjectName,
    /// As what.
    pub object: Value,
}

/// How the workload, and the Service, of a name fare.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fate {
    /// Rolled out and healthy so long after it was applied.
    Healthy {
        /// How long it takes.
        after: Duration,
    },
    /// The API server refuses it.
    Refused {
        /// In these words.
        because: String,
    },
    /// It will never serve.
    Hopeless {
        /// The evidence.
        evidence: Vec<String>,
    },
    /// It never becomes ready, and nothing says why.
    Slow,
    /// Rolled out, but its health is bad.
    Unhealthy,
}

impl MemoryCluster {
    /// A cluster without objects, in which everything fares well at once.
    pub fn new(wire: &Wire, clock: &Clock) -> Self {
        Self { wire: wire.clone(), clock: clock.clone(), state: Shared::default() }
    }

    /// The cluster that is reached in this way: this one where nothing is said, else another one.
    #[must_use]
    pub fn at(&self, access: &ClusterAccess) -> Self {
        if access.is_default() {
            return self.clone();
        }
        let another = || Self::new(&self.wire, &self.clock);
        self.state.with(|state| state.others.entry(access.clone()).or_insert_with(another).clone())
    }

    /// From now on everything of that name fares like this.
    pub fn decide(&self, name: &str, fate: Fate) {
        self.state.with(|state| state.fates.insert(name.to_owned(), fate));
    }

    /// From now on every object that holds this text, such as an image's digest, fares like this.
    pub fn spoil(&self, text: &str, fate: Fate) {
        self.state.with(|state| state.spoilt.insert(text.to_owned(), fate));
    }

    /// Every apply of every object in its order.
    pub fn applies(&self) -> Vec<Applied> {
        self.state.with(|state| state.applies.clone())
    }

    /// The objects as they are now.
    pub fn objects(&self) -> BTreeMap<ObjectName, Value> {
        let value = |(name, (object, _)): (&ObjectName, &(Value, Timestamp))| (name.clone(), object.clone());
        self.state.with(|state| state.objects.iter().map(value).collect())
    }
}

impl MemoryCluster {
    /// A change whose standing holds by an answer that is young enough when it takes effect; none where it does not.
    async fn change<T>(
        &self,
        call: &'static str,
        standing: &impl Standing,
        asked: &mut Option<Timestamp>,
        effect: impl Fn(&mut State, Timestamp) -> T,
    ) -> Answer<Option<T>> {
        loop {
            let is_young = |now: Timestamp| asked.is_some_and(|at| now.since(at) < STANDING_HOLDS);
            if !is_young(self.clock.now()) {
                let now = self.clock.now();
                if !standing.holds().await? {
                    return Ok(None);
                }
                *asked = Some(now);
            }
            // The request may have lain on its way: what is old by now was never sent.
            let sent = || {
                let now = self.clock.now();
                let is_young = asked.is_some_and(|at| now.since(at) < STANDING_HOLDS);
                Ok(is_young.then(|| self.state.with(|state| effect(state, now))))
            };
            if let Some(done) = self.wire.call(call, sent).await? {
                return Ok(Some(done));
            }
        }
    }
}

impl State {
    /// How what is applied under the name fares.
    fn fate(&self, name: &str) -> Fate {
        let runs =
            |known: &ObjectName| matches!(known.kind.as_str(), "Deployment" | "Job") && known.name == name;
        let object = self.objects.iter().find(|(known, _)| runs(known));
        self.fate_of(name, object.map(|(_, (object, _))| object))
    }

    fn fate_of(&self, name: &str, object: Option<&Value>) -> Fate {
        let text = object.map(Value::to_string).unwrap_or_default();
        let spoilt = self.spoilt.iter().find(|(part, _)| text.contains(part.as_str()));
        let known = spoilt.map(|(_, fate)| fate).or_else(|| self.fates.get(name));
        known.cloned().unwrap_or(Fate::Healthy { after: Duration::ZERO })
    }

    /// The refusal, if any.
    fn apply(&mut self, object: &Value, now: Timestamp) -> Option<String> {
        let name = ObjectName::of(object);
        if let Fate::Refused { because } = self.fate_of(&name.name, Some(object)) {
            return Some(format!("{} `{}/{}`: {because}", name.kind, name.namespace, name.name));
        }
        self.applies.push(Applied { name: name.clone(), object: object.clone() });
        // What is applied again unchanged is no new generation.
        let unchanged = self.objects.get(&name).is_some_and(|(known, _)| known == object);
        if !unchanged {
            self.objects.insert(name, (object.clone(), now));
        }
        None
    }

    fn prune(&mut self, owner: &str, object: &ObjectName) -> Leftover {
        let Some((live, _)) = self.objects.get(object) else { return Leftover::Gone };
        let annotations = &live["metadata"]["annotations"];
        if annotations["slipway.dev/owner"] != owner {
            return Leftover::Left;
        }
        if annotations["slipway.dev/prune"] == "keep" {
            return Leftover::Kept("its annotation says so".to_owned());
        }
        self.objects.remove(object);
        Leftover::Pruned
    }

    fn is_ready(&self, name: &str, now: Timestamp) -> bool {
        let Fate::Healthy { after } = self.fate(name) else { return false };
        let since =
            self.objects.iter().filter(|(known, _)| known.name == name).map(|(_, (_, since))| *since).max();
        since.is_some_and(|since| since.after(after) <= now)
    }
}

impl Clusters for MemoryCluster {
    type Cluster = Self;

    async fn reach(&self, access: &ClusterAccess) -> Answer<Self> {
        self.wire.call("cluster.reach", || Ok(self.at(access))).await
    }
}

impl Cluster for MemoryCluster {
    async fn apply(
        &self,
        objects: &[Value],
        _conflicts: Conflicts,
        standing: &impl Standing,
    ) -> Answer<Application> {
        let (mut asked, begun) = (None, self.clock.now());
        for (applied, object) in objects.iter().enumerate() {
            if self.clock.now().since(begun) >= standing.patience() {
                return Ok(Application::Partly { applied, taken: Vec::new() });
            }
            let refused = self
                .change("cluster.apply", standing, &mut asked, |state, now| state.apply(object, now))
                .await?;
            match refused {
                None => return Ok(Application::Overtaken),
                Some(Some(sentence)) => return Ok(Application::Refused(sentence)),
                Some(None) => {}
            }
        }
        Ok(Application::Done(Vec::new()))
    }

    async fn rehearse(&self, objects: &[Value], _conflicts: Conflicts) -> Answer<Vec<Change>> {
        let change = |state: &State, object: &Value| {
            let name = ObjectName::of(object);
            if let Fate::Refused { because } = state.fate_of(&name.name, Some(object)) {
                return Change::Refused(format!(
                    "{} `{}/{}`: {because}",
                    name.kind, name.namespace, name.name
                ));
            }
            match state.objects.get(&name) {
                None => Change::Created,
                Some((known, _)) if known == object => Change::Nothing,
                Some(_) => Change::Fields(vec!["something differs".to_owned()]),
            }
        };
        let look = |state: &mut State| objects.iter().map(|object| change(state, object)).collect();
        self.wire.call("cluster.rehearse", || Ok(self.state.with(look))).await
    }

    async fn prune(
        &self,
        owner: &str,
        objects: &[ObjectName],
        standing: &impl Standing,
    ) -> Answer<Option<Vec<Leftover>>> {
        let prune = |state: &mut State, _| objects.iter().map(|object| state.prune(owner, object)).collect();
        self.change("cluster.prune", standing, &mut None, prune).await
    }

    async fn rollout(&self, workload: &ObjectName, _patience: Duration) -> Answer<Rollout> {
        let now = self.clock.now();
        let look = |state: &mut State| match state.fate(&workload.name) {
            _ if !matches!(workload.kind.as_str(), "Deployment" | "Job") => Rollout::Complete,
            _ if workload.kind == "Job" && !state.objects.contains_key(workload) => {
                Rollout::Hopeless(vec![format!("{workload} does not exist")])
            }
            Fate::Hopeless { evidence } => Rollout::Hopeless(evidence),
            Fate::Unhealthy => Rollout::Complete,
            _ if state.is_ready(&workload.name, now) => Rollout::Complete,
            _ => Rollout::Progressing("0 of 1 pods ready".to_owned()),
        };
        self.wire.call("cluster.rollout", || Ok(self.state.with(look))).await
    }

    async fn probe(&self, _namespace: &str, service: &str, _port: u16, _path: &str) -> Answer<ProbeAnswer> {
        let now = self.clock.now();
        self.wire
            .call("cluster.probe", || {
                let ready = self.state.with(|state| state.is_ready(service, now));
                let (status, body) = if ready { (200, "ok") } else { (503, "the database does not answer") };
                Ok(ProbeAnswer { status, body: body.to_owned() })
            })
            .await
    }
}
