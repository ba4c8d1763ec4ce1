//! The Docker engine of the one-machine cloud: found or started, and spoken to by its own client.
//!
//! An engine that can be reached is used as it is. Only where there is none, and only as root, a private one is
//! started below the cloud's own folder and ended with it.

mod client;
mod engine;
pub mod images;
mod private;
mod processes;
mod shared;

pub use engine::{Engine, Progress, no_progress};
pub use shared::{Shared, shared};
