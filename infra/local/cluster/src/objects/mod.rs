//! Objects: their kinds, storage, merging, defaults and validation.

pub mod apply;
pub mod defaults;
pub mod deletion;
pub mod fields;
pub mod json;
pub mod lifecycle;
pub mod managers;
pub mod patch;
pub mod resources;
pub mod schema;
pub mod selectors;
pub mod store;
pub mod validation;
pub mod workloads;
