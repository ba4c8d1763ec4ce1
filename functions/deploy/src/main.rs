//! The deploy function.

fn main() {}
