//! The test function.

fn main() {}
