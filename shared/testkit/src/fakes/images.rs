//! A registry whose tags cannot be moved.

use std::collections::{BTreeMap, BTreeSet};

use domain::ids::Digest;
use domain::ports::{Answer, Fault, Images};

use super::shared::Shared;
use super::wire::Wire;

/// The registry. Clones share it.
#[derive(Debug, Clone, Default)]
pub struct MemoryImages {
    wire: Wire,
    repositories: Shared<BTreeMap<String, Repository>>,
}

#[derive(Debug, Default)]
struct Repository {
    digests: BTreeSet<Digest>,
    tags: BTreeMap<String, Digest>,
}

impl MemoryImages {
    /// An empty registry.
    pub fn new(wire: &Wire) -> Self {
        Self { wire: wire.clone(), repositories: Shared::default() }
    }

    /// Pushes an image as a build does: a tag that is there stays what it is.
    pub fn push(&self, repository: &str, tag: &str, digest: &Digest) {
        self.repositories.with(|repositories| {
            let known = repositories.entry(repository.to_owned()).or_default();
            known.digests.insert(digest.clone());
            known.tags.entry(tag.to_owned()).or_insert_with(|| digest.clone());
        });
    }

    /// Deletes every image of a repository, as a lifecycle rule or a person does.
    pub fn delete_all(&self, repository: &str) {
        self.repositories
            .with(|repositories| repositories.insert(repository.to_owned(), Repository::default()));
    }

    /// The repositories, by name.
    pub fn repositories(&self) -> Vec<String> {
        self.repositories.with(|repositories| repositories.keys().cloned().collect())
    }

    /// The tags of a repository.
    pub fn tags(&self, repository: &str) -> BTreeMap<String, Digest> {
        let tags = |known: &Repository| known.tags.clone();
        self.repositories.with(|repositories| repositories.get(repository).map(tags).unwrap_or_default())
    }
}

impl Images for MemoryImages {
    async fn ensure_repository(&self, name: &str) -> Answer<String> {
        self.wire
            .call("images.ensure_repository", || {
                self.repositories.with(|repositories| {
                    repositories.entry(name.to_owned()).or_default();
                });
                Ok(format!("registry.example/{name}"))
            })
            .await
    }

    async fn digest(&self, repository: &str, tag: &str) -> Answer<Option<Digest>> {
        self.wire.call("images.digest", || Ok(self.tags(repository).get(tag).cloned())).await
    }

    async fn holds(&self, repository: &str, digest: &Digest) -> Answer<bool> {
        self.wire
            .call("images.holds", || {
                let holds = |known: &Repository| known.digests.contains(digest);
                Ok(self.repositories.with(|repositories| repositories.get(repository).is_some_and(holds)))
            })
            .await
    }

    async fn tag(&self, repository: &str, digest: &Digest, tag: &str) -> Answer<()> {
        let missing = || Fault::reject(format!("the registry does not hold `{repository}@{digest}`"));
        self.wire
            .call("images.tag", || {
                self.repositories.with(|repositories| {
                    let known =
                        repositories.get_mut(repository).filter(|known| known.digests.contains(digest));
                    let known = known.ok_or_else(missing)?;
                    match known.tags.get(tag) {
                        Some(other) if other != digest => {
                            Err(Fault::reject(format!("the tag names {other}")))
                        }
                        _ => {
                            known.tags.insert(tag.to_owned(), digest.clone());
                            Ok(())
                        }
                    }
                })
            })
            .await
    }
}
