//! The acme-manager server as a library; `main.rs` is the thin binary around it.

pub mod acme;
pub mod api;
pub mod app;
pub mod certificates;
pub mod challenges;
pub mod clock;
pub mod cluster;
pub mod config;
pub mod durations;
pub mod hooks;
pub mod names;
pub mod on_demand;
pub mod records;
pub mod storage;
pub mod telemetry;
pub mod tokens;
pub mod workers;
