//! The work of a run grows with its services, not faster.

use crate::scenario::Scenario;
use crate::scheduler::Disturbance;

/// Port calls of a good run with so many services.
fn calls(services: usize) -> usize {
    let world = Scenario::good(services).play(&Disturbance::default()).expect("it comes to rest");
    world.wire.calls().len()
}

#[test]
fn work_is_linear_in_services() {
    let (few, many) = (calls(5), calls(50));
    let per_service = many.div_ceil(50);
    assert!(per_service * 5 <= few, "5 services take {few} calls, 50 take {many}");
}
