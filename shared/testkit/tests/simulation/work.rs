//! The work of a run grows with its services, not faster.

use crate::scenario::Scenario;
use crate::scheduler::Disturbance;

/// Port calls of a good run with so many services.
fn calls(services: usize) -> usize {
    let world = Scenario::good(services).play(&Disturbance::default()).expect("it comes to rest");
    assert_eq!(world.queue.dead(), [], "nothing comes back too often");
    world.wire.calls().len()
}

/// 127 calls for each of 5 services, 98 for each of 50; 100 for each of 500, which take too long to play here.
#[test]
fn work_is_linear_in_services() {
    let (few, many) = (calls(5), calls(50));
    assert!(many <= few * 10, "5 services take {few} calls, 50 take {many}");
}
