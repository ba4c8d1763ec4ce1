//! The one-machine cloud: MiniStack and the stand-ins for what it lacks.
//!
//! [`Cloud::up`] starts everything on loopback and deploys the very template that goes to AWS; [`Cloud::down`]
//! leaves nothing behind, and [`down`] does the same for a cloud that another process holds or left.

mod aws;
mod claim;
mod cloud;
mod disturb;
mod functions;
mod http;
mod kubeconfig;
mod leftovers;
pub mod light;
mod lock;
mod monorepo;
mod options;
mod ports;
mod processes;
mod record;
mod remains;
pub mod sam;
pub mod seen;
mod settle;
pub mod slack;
mod stack;
mod standins;
mod target_cluster;
mod vitals;
mod watch;
mod with_engine;
mod workbench;

pub use aws::Aws;
pub use cloud::Cloud;
pub use disturb::Disturbance;
pub use http::get_json;
pub use leftovers::down;
pub use local_github::CheckMoments;
pub use options::{Options, workspace};
pub use ports::Ports;
pub use processes::Process;
pub use record::{Credentials, Phase, Record};
pub use remains::{Remains, Standing, standing};
pub use stack::Outputs;
pub use watch::{Watch, sdk_config};
pub use with_engine::with_engine;
pub use workbench::Workbench;
