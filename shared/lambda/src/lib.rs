//! Runtime glue: start-up, configuration, envelopes, partial batches, and the loop that performs what the core decides.

mod batch;
mod config;
mod drive;
mod result;
mod start;

pub use batch::{BatchResponse, Disposition, Record, SqsEvent, each, each_stage_message};
pub use config::{Missing, Variables};
pub use drive::{Case, StageWork, drive, open_phase, opened};
pub use result::{BUSY_DELAY, read_result};
pub use start::{aws, run, telemetry};
