//! Stateful fakes of the ports and builders for tests.

pub mod aws;
pub mod aws_json;
pub mod builders;
pub mod contract;
pub mod fakes;
