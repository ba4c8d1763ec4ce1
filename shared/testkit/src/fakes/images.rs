//! A registry whose tags cannot be moved, but those of environments and caches.

use std::collections::{BTreeMap, BTreeSet};

use domain::ids::Digest;
use domain::ports::{Answer, Fault, Images, MOVABLE_TAGS};
use domain::scan::{Findings, Scan};

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
    scan: Option<Scan>,
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

    /// What the scans of a repository's images come to from now on; until then they have found nothing.
    pub fn scans(&self, repository: &str, scan: Scan) {
        self.repositories
            .with(|repositories| repositories.entry(repository.to_owned()).or_default().scan = Some(scan));
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

    async fn scan(&self, repository: &str, _digest: &Digest) -> Answer<Scan> {
        self.wire
            .call("images.scan", || {
                let scan = |known: &Repository| known.scan.clone();
                let known =
                    self.repositories.with(|repositories| repositories.get(repository).and_then(scan));
                Ok(known.unwrap_or_else(|| Scan::Complete(Findings::default())))
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
                        Some(other)
                            if other != digest
                                && !MOVABLE_TAGS.iter().any(|prefix| tag.starts_with(prefix)) =>
                        {
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
