//! A bucket.

use std::collections::BTreeMap;
use std::path::Path;

use domain::ports::{Answer, Artifacts, Fault};

use super::shared::Shared;
use super::wire::Wire;

/// The bucket. Clones share it.
#[derive(Debug, Clone, Default)]
pub struct MemoryArtifacts {
    wire: Wire,
    objects: Shared<BTreeMap<String, Vec<u8>>>,
}

impl MemoryArtifacts {
    /// An empty bucket.
    pub fn new(wire: &Wire) -> Self {
        Self { wire: wire.clone(), objects: Shared::default() }
    }

    /// Puts an object there, past the wire.
    pub fn store(&self, key: &str, bytes: impl Into<Vec<u8>>) {
        self.objects.with(|objects| objects.insert(key.to_owned(), bytes.into()));
    }

    /// Takes an object away, past the wire.
    pub fn remove(&self, key: &str) {
        self.objects.with(|objects| objects.remove(key));
    }

    /// Every key, past the wire.
    pub fn keys(&self) -> Vec<String> {
        self.objects.with(|objects| objects.keys().cloned().collect())
    }

    /// An object, past the wire.
    pub fn object(&self, key: &str) -> Option<Vec<u8>> {
        self.objects.with(|objects| objects.get(key).cloned())
    }

    fn read(&self, key: &str, most: u64) -> Answer<Option<Vec<u8>>> {
        let found = self.objects.with(|objects| objects.get(key).cloned());
        match found {
            Some(bytes) if bytes.len() as u64 > most => {
                Err(Fault::reject(format!("`{key}` is larger than {most} bytes")))
            }
            found => Ok(found),
        }
    }
}

impl Artifacts for MemoryArtifacts {
    async fn get(&self, key: &str, most: u64) -> Answer<Option<Vec<u8>>> {
        self.wire.call("artifacts.get", || self.read(key, most)).await
    }

    async fn put(&self, key: &str, bytes: Vec<u8>) -> Answer<()> {
        self.wire
            .call("artifacts.put", || {
                self.store(key, bytes);
                Ok(())
            })
            .await
    }

    async fn put_file(&self, key: &str, file: &Path) -> Answer<()> {
        self.wire
            .call("artifacts.put_file", || {
                let bytes =
                    std::fs::read(file).map_err(|error| Fault::retry("the file cannot be read", error))?;
                self.store(key, bytes);
                Ok(())
            })
            .await
    }

    async fn get_file(&self, key: &str, file: &Path, most: u64) -> Answer<bool> {
        self.wire
            .call("artifacts.get_file", || {
                let Some(bytes) = self.read(key, most)? else { return Ok(false) };
                std::fs::write(file, bytes)
                    .map_err(|error| Fault::retry("the file cannot be written", error))?;
                Ok(true)
            })
            .await
    }

    async fn exists(&self, key: &str) -> Answer<bool> {
        self.wire
            .call("artifacts.exists", || Ok(self.objects.with(|objects| objects.contains_key(key))))
            .await
    }

    fn place(&self, key: &str) -> String {
        format!("bucket/{key}")
    }
}
