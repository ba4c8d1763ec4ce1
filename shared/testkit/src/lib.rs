//! Stateful fakes of the ports and builders for tests.

pub mod aws;
