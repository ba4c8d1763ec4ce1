//! The pure core of Slipway: ids, messages, the two files, reports and the run state machine.
//!
//! Nothing here does IO or has a clock of its own: time comes in with the facts.

pub mod ids;
pub mod report;
pub mod spec;
