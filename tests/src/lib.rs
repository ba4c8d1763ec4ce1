//! Whole-pipeline stories and the tidy test.
