//! Secrets by name.

use std::collections::BTreeMap;

use domain::ports::{Answer, Fault, Secret, Secrets};

use super::shared::Shared;
use super::wire::Wire;

/// The secrets. Clones share them.
#[derive(Debug, Clone, Default)]
pub struct MemorySecrets {
    wire: Wire,
    secrets: Shared<BTreeMap<String, String>>,
}

impl MemorySecrets {
    /// No secrets.
    pub fn new(wire: &Wire) -> Self {
        Self { wire: wire.clone(), secrets: Shared::default() }
    }

    /// Keeps a secret.
    pub fn keep(&self, id: &str, text: &str) {
        self.secrets.with(|secrets| secrets.insert(id.to_owned(), text.to_owned()));
    }
}

impl MemorySecrets {
    fn look(&self, id: &str) -> Answer<Secret> {
        let found = self.secrets.with(|secrets| secrets.get(id).map(Secret::new));
        found.ok_or_else(|| Fault::reject(format!("there is no secret `{id}`")))
    }
}

impl Secrets for MemorySecrets {
    async fn secret(&self, id: &str) -> Answer<Secret> {
        self.wire.call("secrets.secret", || self.look(id)).await
    }

    async fn fresh(&self, id: &str) -> Answer<Secret> {
        self.wire.call("secrets.fresh", || self.look(id)).await
    }
}
