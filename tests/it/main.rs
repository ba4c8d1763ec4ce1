//! Whole-pipeline stories and the tidy test.

mod cloud;
mod http;
mod programs;
mod stories;
mod tidy;
mod world;
