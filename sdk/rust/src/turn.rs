//! Turns, for what two calls must not change at the same time: a zone that the vendor has read and written back as a
//! whole. The host orders the calls for one name by itself, so most providers need none of this.
//!
//! A component that uses it does not load in servers of the contract's versions before 1.2.

use crate::Error;

/// Waits until no other call of this plugin on this server has the turn at `what`, and keeps it until this call ends.
/// The waiting counts as time of the call. A call has one turn: take it before the first look at what is to be changed.
///
/// # Errors
/// [`ErrorKind::Other`](crate::ErrorKind::Other) when the call has another turn, or `what` is longer than 255 bytes.
pub fn take(what: &str) -> Result<(), Error> {
    #[cfg(target_family = "wasm")]
    let taken = crate::bindings::acme_manager::dns::turn::take(what);
    #[cfg(not(target_family = "wasm"))]
    let taken = crate::testing::take_turn(what);
    taken.map_err(|reason| Error::other(format!("the turn at {what}: {reason}")))
}
