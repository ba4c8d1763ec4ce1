//! The cluster over HTTP: what a Kubernetes API server promises, and pods that are real containers.

mod apply;
mod apps;
mod clients;
mod objects;
mod pods;
mod rollout;
mod server;
mod services;
mod watch;
