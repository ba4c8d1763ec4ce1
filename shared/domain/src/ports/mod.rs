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
mod scans;
mod secrets;
mod store;

pub use builds::{
    Artifacts, BuildOptions, BuildRequest, BuildStart, BuildState, BuildStatus, Builds, Images, MOVABLE_TAGS,
};
pub use cluster::{
    Application, Change, Cluster, Clusters, Leftover, ProbeAnswer, Rollout, STANDING_HOLDS, Standing,
};
pub use fault::{Advice, Answer, Fault, Written};
pub use github::{
    Branches, Button, ChangedFile, Changes, Check, CheckState, Checks, Comments, CommitWords, Comparison,
    Differences, People, Permission, Pull, Reaction, Source,
};
pub use people::{Chat, Mail, Post};
pub use queue::{Queue, Redelivery, printable_reason};
pub use repositories::{Front, Green, Greens, Lines, Repositories};
pub use scans::Scans;
pub use secrets::{Secret, Secrets};
pub use store::{
    Deliveries, Delivery, DeliveryState, Due, Environments, Fence, Lease, Locking, Noted, NoticeBook, Parked,
    Picture, Receipt, Release, Runs, Said, Timeline, Told,
};
