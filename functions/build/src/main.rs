//! The build function.

fn main() {}
