//! The contract of the stores, checked on both, and the faults of each: a real OpenBao server and real files.

#![expect(
    clippy::unwrap_used,
    reason = "a test that cannot go on fails; its helpers are not seen as tests by the lint"
)]

mod bao;
mod conformance;
mod embedded;
mod middleman;
mod secrecy;
mod vault;
mod vault_faults;

use acme_manager_server::names::SecretPath;
use acme_manager_server::storage::Secret;
use serde_json::{Value, json};

fn path(text: &str) -> SecretPath {
    text.parse().expect("a valid path")
}

fn secret(value: impl Into<Value>) -> Secret {
    let Value::Object(fields) = json!({ "key": value.into() }) else { unreachable!("it is an object") };
    Secret(fields)
}
