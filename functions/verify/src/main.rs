//! The verify function.

fn main() {}
