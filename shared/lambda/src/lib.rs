//! Runtime glue: start-up, configuration, envelopes, partial batches, and the loop that performs what the core decides.

mod batch;
mod commit;
mod config;
mod delivered;
mod drive;
mod images;
mod opening;
mod preview;
mod rerun;
mod result;
mod stage;
mod start;
mod stop;
mod work;

pub use batch::{
    Attributes, BatchResponse, Disposition, Record, SqsEvent, StageMessage, each, each_stage_message,
};
pub use commit::{Commit, LARGEST_SOURCE};
pub use config::{Missing, Variables};
pub use delivered::Delivered;
pub use drive::StageFunction;
pub use opening::{open_phase, opened, wake_to_end};
pub use rerun::{Reopened, reopen};
pub use result::{BUSY_DELAY, BuildResult, read_result};
pub use stage::serve_stage;
pub use start::{aws, run, telemetry};
pub use stop::stop_builds;
pub use work::{Case, StageWork};
