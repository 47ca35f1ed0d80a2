//! Real servers for tests, as child processes that end with the test.
//!
//! Every `start` takes ports that the kernel picks, waits until the server answers, and returns a value with its
//! addresses; dropping the value ends the process. When a test panics, the end of each server's log is printed. A test
//! may run beside any other: nothing is shared, and no system service is touched.
//!
//! Programs come from `cargo xtask setup`; a missing one is an error that says so, never a skipped test.

pub mod certs;
pub mod dns;
pub mod http;
pub mod ports;
pub mod process;

mod bao;
mod bind;
mod challtestsrv;
mod cloudflare;
mod knot;
mod moto;
mod pebble;
mod powerdns;
mod programs;
mod server;
mod zones;

pub use bao::{AppRole, Bao, kv_policy};
pub use bind::{Bind, TsigKey};
pub use challtestsrv::ChallTestSrv;
pub use cloudflare::{CloudflareMock, Fault, SeenRequest, StoredRecord};
pub use knot::Knot;
pub use moto::Moto;
pub use pebble::{ExternalAccount, Pebble, PebbleOptions};
pub use powerdns::PowerDns;
pub use server::{Api, Server, ServerOptions};
