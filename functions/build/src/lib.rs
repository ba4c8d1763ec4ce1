//! The build function.
