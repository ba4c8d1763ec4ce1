//! In-memory models of everything behind a port. They hold state, count what was asked, and fail where a test says.

mod artifacts;
mod builds;
mod channels;
mod clock;
mod cluster;
mod contents;
mod deliveries;
mod environments;
mod github;
mod images;
mod lines;
mod queue;
mod repositories;
mod scans;
mod secrets;
mod shared;
mod store;
mod wire;
mod world;

pub use artifacts::MemoryArtifacts;
pub use builds::{FakeBuild, MemoryBuilds};
pub use channels::{MemoryChat, MemoryPost, SlackMessage};
pub use clock::Clock;
pub use cluster::{Applied, Fate, MemoryCluster};
pub use github::{CheckRun, MemoryGitHub, PullComment};
pub use images::MemoryImages;
pub use queue::{DeadLetter, MemoryQueue, Received, VISIBILITY};
pub use secrets::MemorySecrets;
pub use store::MemoryStore;
pub use wire::{Guard, Trouble, Wire};
pub use world::{WEBHOOK_SECRET, World};
