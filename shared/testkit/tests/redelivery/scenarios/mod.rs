//! What is disturbed: a table for each function.

pub mod build;
pub mod deploy;
pub mod notify;
pub mod plan;
pub mod publish;
pub mod sweep;
pub mod test;
pub mod verify;
pub mod webhook;

mod build_manifests;
mod jobs;
mod people;
mod plan_wishes;

use domain::ids::Stage;
use domain::message::QueueName;
use domain::spec::Plan;
use testkit::builders::a_plan;

use crate::Handler;
use crate::harness::Scenario;

pub const PLAN: QueueName = QueueName::Plan;
pub const TEST: QueueName = QueueName::Stage(Stage::Test);
pub const BUILD: QueueName = QueueName::Stage(Stage::Build);
pub const PUBLISH: QueueName = QueueName::Stage(Stage::Publish);
pub const DEPLOY: QueueName = QueueName::Stage(Stage::Deploy);
pub const VERIFY: QueueName = QueueName::Stage(Stage::Verify);
pub const NOTIFY: QueueName = QueueName::Notify;

/// In every build's event, and in no wake.
pub const EVENT: &str = "detail-type";

/// In every timer's message.
pub const TIMER: &str = "\"timer\":";

/// The tables that lie in files of their own.
pub fn more(handler: Handler) -> &'static [Scenario] {
    match handler {
        Handler::Plan => plan_wishes::SCENARIOS,
        Handler::Build => build_manifests::SCENARIOS,
        Handler::Deploy => jobs::OF_DEPLOY,
        Handler::Verify => jobs::OF_VERIFY,
        _ => &[],
    }
}

/// So many services and nothing beside them.
pub fn services(count: usize) -> Plan {
    Plan { checks: None, integration: None, ..a_plan(count) }
}
