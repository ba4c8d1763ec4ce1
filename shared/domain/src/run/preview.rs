//! What merging a pull request would change in the cluster: asked for once, told with the run's decisions.

use serde::{Deserialize, Serialize};

use super::Run;
use crate::ids::{ClusterAccess, EnvironmentName};
use crate::policy::Policy;

/// A preview that somebody has asked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Preview {
    /// The environment that the pull request's base is delivered to.
    pub environment: EnvironmentName,
    /// The cluster it lies in.
    #[serde(default, skip_serializing_if = "ClusterAccess::is_default")]
    pub cluster: ClusterAccess,
    /// Its Kubernetes namespace.
    pub namespace: String,
    /// What may be applied there.
    #[serde(default, skip_serializing_if = "Policy::is_default")]
    pub policy: Policy,
    /// Whether its sentences are among the run's notes.
    #[serde(default)]
    pub told: bool,
}

impl Run {
    /// The head that waits for this preview; none where one is asked for already.
    pub fn awaiting(&self, preview: Preview) -> Option<Self> {
        self.preview.is_none().then(|| Self { preview: Some(preview), ..self.clone() }.noted())
    }

    /// The head with one more sentence for people; none where it is told already.
    pub fn noting(&self, note: &str) -> Option<Self> {
        let notes = || [self.notes.as_slice(), &[note.to_owned()]].concat();
        (!self.notes.iter().any(|known| known == note))
            .then(|| Self { notes: notes(), ..self.clone() }.noted())
    }

    /// The head with what was found; none where nobody waits for that.
    pub fn previewed(&self, found: &[String]) -> Option<Self> {
        let preview = self.preview.clone().filter(|preview| !preview.told)?;
        let notes = [self.notes.as_slice(), found].concat();
        Some(Self { preview: Some(Preview { told: true, ..preview }), notes, ..self.clone() }.noted())
    }
}
