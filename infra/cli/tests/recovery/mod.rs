//! What is left when a cloud, or a part of it, is killed at any time, and what the next commands make of it.

mod killed;
mod mid_run;
mod ports;
mod records;
mod together;
