//! Whole-pipeline stories and the tidy test.

mod programs;
mod tidy;
