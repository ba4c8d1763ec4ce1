//! The stand-in as its users meet it: the real git client, HTTP, and a receiver of webhooks.

mod access;
mod checks;
mod differences;
mod discussion;
mod faults;
mod hooks;
mod installations;
mod keys;
mod merges;
mod page;
mod pull_actions;
mod pulls;
mod push;
mod reading;
mod suites;
mod world;
