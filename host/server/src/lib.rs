//! The acme-manager server as a library; `main.rs` is the thin binary around it.

pub mod config;
pub mod durations;
pub mod names;
