//! All fakes on one wire under one clock.

use domain::time::Timestamp;

use super::{
    Clock, MemoryArtifacts, MemoryBuilds, MemoryChat, MemoryCluster, MemoryGitHub, MemoryImages, MemoryPost,
    MemoryQueue, MemorySecrets, MemoryStore, Wire,
};
use crate::builders::OPERATOR_FILE;

/// The webhook's secret, which is also its name.
pub const WEBHOOK_SECRET: &str = "webhook-secret";

/// When every story begins: 23 November 2026, noon UTC.
const START: Timestamp = Timestamp(1_795_435_200_000);

/// Everything that surrounds the functions.
#[derive(Debug, Clone)]
pub struct World {
    /// The time.
    pub clock: Clock,
    /// The way of every call.
    pub wire: Wire,
    /// The table.
    pub store: MemoryStore,
    /// The queues.
    pub queue: MemoryQueue,
    /// The bucket, with the operator's file.
    pub artifacts: MemoryArtifacts,
    /// The test project.
    pub tests: MemoryBuilds,
    /// The test project of strangers' runs.
    pub untrusted: MemoryBuilds,
    /// The image project.
    pub image_builds: MemoryBuilds,
    /// The project that renders manifests.
    pub renders: MemoryBuilds,
    /// The registry.
    pub images: MemoryImages,
    /// GitHub.
    pub github: MemoryGitHub,
    /// Slack.
    pub chat: MemoryChat,
    /// Mail.
    pub post: MemoryPost,
    /// The cluster.
    pub cluster: MemoryCluster,
    /// The secrets, with the webhook's.
    pub secrets: MemorySecrets,
}

impl World {
    /// A world in which nothing has happened yet.
    pub fn new() -> Self {
        let (clock, wire) = (Clock::at(START), Wire::default());
        let world = Self {
            store: MemoryStore::new(&wire),
            queue: MemoryQueue::new(&wire, &clock),
            artifacts: MemoryArtifacts::new(&wire),
            tests: MemoryBuilds::new(&wire, &clock, "test"),
            untrusted: MemoryBuilds::new(&wire, &clock, "untrusted"),
            image_builds: MemoryBuilds::new(&wire, &clock, "image"),
            renders: MemoryBuilds::new(&wire, &clock, "render"),
            images: MemoryImages::new(&wire),
            github: MemoryGitHub::new(&wire),
            chat: MemoryChat::new(&wire),
            post: MemoryPost::new(&wire),
            cluster: MemoryCluster::new(&wire, &clock),
            secrets: MemorySecrets::new(&wire),
            clock,
            wire,
        };
        world.artifacts.store("operator.yaml", OPERATOR_FILE);
        world.secrets.keep(WEBHOOK_SECRET, WEBHOOK_SECRET);
        world
    }
}

impl Default for World {
    fn default() -> Self {
        Self::new()
    }
}
