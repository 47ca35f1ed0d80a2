//! Loads, limits and calls the WASI components that acme-manager uses as DNS providers and as issuance hooks.
//!
//! An [`Engine`] compiles components and owns what all of them share: the instance pool, the epoch clock and the
//! functions offered to guests. [`Engine::load`] turns [`PluginSettings`] into a [`Plugin`], whose methods are the
//! functions of the world `dns-provider` (`wit/dns-provider.wit`); [`Engine::load_hook`] gives a [`Hook`] of the world
//! `issuance-hook` (`wit/issuance-hook/issuance-hook.wit`). Every call runs in a store of its own, under fuel,
//! an epoch deadline, a wall-clock timeout and a sum of memory, and the store is thrown away afterwards.
//!
//! What a plugin can reach is exactly what its settings say: its own environment, and over HTTP the hosts in
//! [`Grants`], at addresses that [`grants`](Grants) permit. This crate must never read the process environment, follow
//! a redirect, or let the value of a secret into a log line, an error or a trace. It knows nothing of ACME, of
//! configuration files or of serving HTTP.

mod address;
mod bindings;
mod breaker;
mod call;
mod compiler;
mod components;
mod description;
mod digest;
mod dns;
mod engine;
mod error;
#[cfg(feature = "fuzzing")]
pub mod fuzzing;
mod grants;
mod guest_log;
mod hook;
mod http;
mod inspect;
mod limiter;
mod limits;
mod load;
mod plugin;
mod recording;
mod redact;
mod report;
mod state;
#[cfg(test)]
mod testing;
mod turns;
mod world;

pub use breaker::Suspension;
pub use compiler::enter as enter_compiler;
pub use description::{About, Description, EnvironmentKey, TxtRecord};
pub use digest::{DigestParseError, PluginDigest};
pub use engine::{Engine, EngineError, EngineSettings, Usage};
pub use error::{CallError, ErrorKind};
pub use grants::{DnsGrant, Grants, HostGrant, HostGrantError};
pub use hook::{ChallengeKind, Hook, HookDescription, ProposedOrder};
pub use http::{LookUp, Resolver};
pub use inspect::Inspection;
pub use limits::Limits;
pub use load::{LoadError, Origin, PluginSettings, read_component, read_regular_file};
pub use plugin::{Loaded, Plugin};
pub use recording::{
    MAX_RECORDED_BODY_BYTES, RecordedAnswer, RecordedComponent, RecordedError, RecordedExchange, Recorder, Recording,
};
pub use report::{CallReport, Function, Observer, Outcome};
pub use turns::{Turn, Turns};
pub use world::World;
