//! The runtime against real components: `tests/plugins/misbehaving`, built by `cargo xtask plugins`.

#[path = "../../src/testing.rs"]
mod lines;

mod dns;
mod hooks;
mod http;
mod limits;
mod load;
mod logs;
mod namecheap;
mod server;
mod support;
mod turns;
mod versions;
