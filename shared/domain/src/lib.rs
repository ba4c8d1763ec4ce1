//! The pure core of Slipway: ids, messages, the two files, reports and the run state machine.
