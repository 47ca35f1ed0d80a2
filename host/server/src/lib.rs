//! The acme-manager server as a library; `main.rs` is the thin binary around it.

pub mod acme;
pub mod clock;
pub mod cluster;
pub mod names;
pub mod records;
pub mod storage;
pub mod telemetry;
