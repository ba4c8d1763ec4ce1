//! Whole-pipeline stories and the tidy test.

mod chaos;
mod cloud;
mod http;
mod programs;
mod stories;
mod tidy;
mod world;
