//! Write a DNS-01 provider for acme-manager as a WASI component.
//!
//! A provider is a type that implements [`Provider`] and is handed to [`export_provider!`]. The host calls it in a
//! sandbox: no files, no sockets, only the environment that the operator gave it, and HTTP to the hosts that the
//! operator granted. Each call runs in a fresh instance, so nothing kept in memory survives; what
//! [`Provider::cleanup`] needs goes into the handle that [`Provider::present`] returns.
//!
//! The host follows CNAMEs, finds the zone, serialises work on one name, retries by [`ErrorKind`] and waits for
//! propagation. A provider only creates one TXT value and removes it again.
//!
//! # A complete provider
//!
//! ```
//! use acme_manager_plugin::{Description, Error, Key, Provider, TxtRecord, dns, env, export_provider, http};
//! use serde::{Deserialize, Serialize};
//!
//! struct Example {
//!     api: http::Client,
//! }
//!
//! #[derive(Serialize)]
//! struct NewRecord<'a> {
//!     name: &'a str,
//!     text: &'a str,
//!     ttl: u32,
//! }
//!
//! #[derive(Deserialize)]
//! struct Created {
//!     id: String,
//! }
//!
//! impl Provider for Example {
//!     fn describe() -> Description {
//!         Description::new("example", env!("CARGO_PKG_VERSION"))
//!             .homepage("https://example.com/docs/api")
//!             .host("api.example.com")
//!             .key(Key::new("EXAMPLE_TOKEN").required().secret().help("API token with the right to edit DNS"))
//!     }
//!
//!     fn from_env() -> Result<Self, Error> {
//!         let token = env::required("EXAMPLE_TOKEN")?;
//!         Ok(Self { api: http::Client::new("https://api.example.com/v1")?.bearer(&token) })
//!     }
//!
//!     fn check(&self) -> Result<(), Error> {
//!         self.api.get("account").send().map(drop)
//!     }
//!
//!     fn present(&self, record: &TxtRecord) -> Result<String, Error> {
//!         let new = NewRecord { name: dns::relative(record), text: &record.value, ttl: dns::ttl_or(record, 120) };
//!         let path = format!("zones/{}/records", http::segment(&record.zone));
//!         let created: Created = self.api.post(&path).json(&new).send()?.json()?;
//!         Ok(created.id)
//!     }
//!
//!     fn cleanup(&self, record: &TxtRecord, handle: &str) -> Result<(), Error> {
//!         let path = format!("zones/{}/records/{}", http::segment(&record.zone), http::segment(handle));
//!         self.api.delete(&path).accept(404).send().map(drop)
//!     }
//! }
//!
//! export_provider!(Example);
//! ```
//!
//! On targets other than WebAssembly the crate talks to [`testing::MockApi`] instead of a host, so that
//! `cargo test` runs a provider's tests natively.

pub mod auth;
#[doc(hidden)]
pub mod bindings;
mod description;
pub mod dns;
pub mod env;
mod error;
pub mod exchange;
#[cfg(feature = "issuance-hook")]
pub mod hook;
pub mod host;
pub mod http;
mod provider;
pub mod random;
#[cfg(not(target_family = "wasm"))]
pub mod testing;
pub mod time;
pub mod turn;

pub use bindings::acme_manager::dns::types::{ErrorKind, TxtRecord};
pub use description::{Description, Key};
pub use error::Error;
pub use provider::Provider;
#[doc(hidden)]
pub use provider::{Component, require_provider};
/// JSON written in place, for the bodies of [requests](http::Request::json), and any JSON value.
#[doc(no_inline)]
pub use serde_json::{Value, json};
