//! Everything that the table holds, for suites that compare it.

use std::collections::BTreeMap;

use domain::run::Lock;
use serde_json::{Value, json};

use super::store::{MemoryStore, Tables};

impl MemoryStore {
    /// Every item by its key, past the wire. What is kept beside the items for tests alone is left out.
    pub fn contents(&self) -> BTreeMap<String, Value> {
        self.tables.with(|tables| items(tables))
    }
}

/// Taken apart without a rest: what is added to the table is shown here too.
fn items(tables: &Tables) -> BTreeMap<String, Value> {
    let Tables {
        runs,
        history: _,
        tasks,
        told,
        deliveries,
        bodies,
        fences,
        locks,
        releases,
        timelines,
        watched,
        tips,
        fronts,
        greens,
        awaited,
    } = tables;
    let mut items = BTreeMap::new();
    let mut add = |key: String, body: Value| items.insert(key, body);
    for (id, run) in runs {
        add(format!("run#{id} head"), json!(run));
    }
    for task in tasks.values().flat_map(BTreeMap::values) {
        add(format!("run#{} task#{}", task.run, task.id), json!(task));
    }
    for (id, told) in told {
        add(format!("run#{id} book"), json!(told));
    }
    for (id, timeline) in timelines {
        for (key, entry) in timeline {
            add(format!("run#{id} timeline#{key}"), json!(entry));
        }
    }
    for (name, repository) in watched {
        add(format!("repository#{name}"), json!(repository));
    }
    for ((repository, digest), tasks) in awaited {
        add(format!("scan#{repository}@{digest}"), json!(tasks));
    }
    for (name, tips) in tips {
        add(format!("repository#{name} tips"), json!(tips));
    }
    for ((name, line), front) in fronts {
        add(format!("repository#{name} front#{line}"), json!(front));
    }
    for ((name, subject, key), green) in greens {
        add(format!("repository#{name} green#{subject}#{key}"), json!(green));
    }
    for (id, delivery) in deliveries {
        add(format!("delivery#{id}"), json!(delivery));
    }
    for (hash, id) in bodies {
        add(format!("body#{hash}"), json!(id));
    }
    for ((repository, environment), fence) in fences {
        add(format!("environment#{repository}#{environment} fence"), json!(fence));
    }
    for ((repository, environment), Lock { holder, taken, waiting }) in locks {
        let holder = holder.as_ref().map(ToString::to_string);
        let body = json!({"holder": holder, "taken": taken, "waiting": waiting});
        add(format!("environment#{repository}#{environment} lock"), body);
    }
    for (((repository, environment), service, kind), release) in releases {
        add(format!("environment#{repository}#{environment} {kind}#{service}"), json!(release));
    }
    items
}
