//! The test function.
