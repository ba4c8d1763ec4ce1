//! Whole runs with the real functions over the fakes: whatever is lost, doubled, out of order or dead on the way, a
//! run ends as on a good day.

mod anew;
mod back;
mod cancelled;
mod disturbed;
#[path = "../common/fates.rs"]
mod fates;
#[path = "../common/functions.rs"]
mod functions;
mod limited;
mod lost;
mod reused;
mod scenario;
mod scheduler;
mod tidy;
mod together;
mod work;
