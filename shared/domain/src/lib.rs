//! The pure core of Slipway: ids, messages, the two files, reports and the run state machine.
//!
//! Nothing here does IO or has a clock of its own: time comes in with the facts.

pub mod chain;
pub mod command;
pub mod files;
pub mod github_event;
pub mod ids;
pub mod keys;
pub mod message;
pub mod next;
pub mod planning;
pub mod policy;
pub mod ports;
pub mod report;
pub mod rerun;
pub mod run;
pub mod scan;
pub mod selection;
pub mod spec;
pub mod task;
pub mod tasks;
pub mod text;
pub mod time;
pub mod timeline;
pub mod tips;
