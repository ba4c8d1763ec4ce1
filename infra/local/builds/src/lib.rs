//! CodeBuild for the one-machine cloud: its API over the real wire protocol, and builds that really run.
//!
//! Projects are read from the local AWS, where CloudFormation put them. Each build runs in a container of its
//! own on the Docker engine, in the network of this machine, with no path of this machine mounted. What it may
//! see is its project's environment, the credentials of its role, and how this machine installs packages.

mod api;
mod artifacts;
mod aws;
pub mod build;
mod buildspec;
mod cache;
mod container;
mod control;
mod environment;
mod error;
mod events;
mod executor;
mod faults;
mod glob;
mod logs;
mod options;
mod page;
mod pretended;
mod registry;
mod role;
mod session;
mod sign;
mod source;
mod start;

use std::sync::Arc;

use anyhow::Context;
use tokio::net::TcpListener;

pub use control::Control;
pub use faults::Disturbance;
pub use options::{EventSink, Options};
pub use pretended::{Fate, Outcome, Pretence};

/// What all requests and builds share.
pub(crate) struct Service {
    pub(crate) options: Options,
    pub(crate) aws: aws::LocalAws,
    pub(crate) registry: registry::Registry,
    /// Builds beyond this number wait in their phase `QUEUED`.
    pub(crate) places: tokio::sync::Semaphore,
    pub(crate) running: tokio_util::task::TaskTracker,
}

/// Serves CodeBuild's API on `listener` until `shutdown`; then the builds that still run are stopped and their
/// containers removed.
///
/// # Errors
/// When the listener fails.
pub async fn serve(
    listener: TcpListener,
    options: Options,
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> anyhow::Result<()> {
    let service = Arc::new(Service {
        aws: aws::LocalAws::new(&options.aws_endpoint, &options.region),
        places: tokio::sync::Semaphore::new(options.concurrent_builds),
        registry: registry::Registry::default(),
        running: tokio_util::task::TaskTracker::new(),
        options,
    });
    let router = api::router(Arc::clone(&service));
    let served = axum::serve(listener, router).with_graceful_shutdown(shutdown).await;
    service.registry.stop_all();
    service.running.close();
    service.running.wait().await;
    served.context("serving CodeBuild's API")
}
