//! What the server does with bad input and hostile neighbours: it says what is wrong, keeps nothing half-made, and
//! goes on.

#![expect(clippy::unwrap_used, reason = "a test ends where its set-up breaks")]

mod authority;
mod dns_faults;
mod hostile_ca;
mod plugin_files;
mod requests;
mod startup;
mod store_faults;
