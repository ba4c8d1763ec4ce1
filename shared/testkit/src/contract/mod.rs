//! What every implementation of a port must do: one suite for the fakes and for the real adapters.
//!
//! Each function is one story on an empty store and panics where the implementation errs.

pub mod deliveries;
pub mod environments;
pub mod lines;
pub mod notice_book;
pub mod repositories;
pub mod runs;
mod samples;
pub mod scans;
