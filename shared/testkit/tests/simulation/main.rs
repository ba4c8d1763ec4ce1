//! Whole runs with the real functions over the fakes: whatever is lost, doubled, out of order or dead on the way, a
//! run ends as on a good day.

mod disturbed;
#[path = "../common/fates.rs"]
mod fates;
#[path = "../common/functions.rs"]
mod functions;
mod scenario;
mod scheduler;
mod lost;
mod tidy;
mod together;
mod work;
