//! The deploy function.
