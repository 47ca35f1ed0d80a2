//! The acme-manager server as a library; `main.rs` is the thin binary around it.

pub mod challenges;
pub mod names;
pub mod records;
pub mod storage;
pub mod telemetry;
pub mod tokens;
pub mod workers;
