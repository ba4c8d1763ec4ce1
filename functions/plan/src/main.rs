//! The plan function.

fn main() {}
