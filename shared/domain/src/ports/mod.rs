//! What the core needs of the world, one small trait for each capability.
//!
//! Adapters implement them over AWS, GitHub and Kubernetes; `testkit` holds stateful fakes. No SDK type and no
//! transport appears here.

mod builds;
mod cluster;
mod fault;
mod github;
mod people;
mod queue;
mod repositories;
mod secrets;
mod store;

pub use builds::{Artifacts, BuildRequest, BuildStart, BuildState, BuildStatus, Builds, Images};
pub use cluster::{Application, Cluster, ProbeAnswer, Rollout};
pub use fault::{Advice, Answer, Fault, Written};
pub use github::{Branches, Check, CheckState, Checks, CommitWords, Comparison, Source};
pub use people::{Chat, Mail, Post};
pub use queue::{Queue, Redelivery, printable_reason};
pub use repositories::Repositories;
pub use secrets::{Secret, Secrets};
pub use store::{
    Deliveries, Delivery, DeliveryState, Due, Environments, Fence, Lease, Locking, Noted, NoticeBook,
    Picture, Release, Runs, Said, Timeline, Told,
};
