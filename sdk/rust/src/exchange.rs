//! DNS messages to name servers, for providers that speak the DNS itself. The host sends them: to servers that the
//! operator granted (`allowed_dns_servers`, or a key of the description that is an
//! [`endpoint`](crate::Key::endpoint)), and without sockets in here.

use crate::Error;
use crate::bindings::acme_manager::dns::exchange as wit;

pub use wit::Transport;

/// Sends `request` to `server` (`host`, `host:port` or `[IPv6]:port`) and returns the reply to it. The host checks that
/// it is one: the same id, opcode and question. Waits 10 seconds at most.
///
/// # Errors
/// [`ErrorKind::Config`](crate::ErrorKind::Config) when the server is not granted or not written as one, and
/// [`ErrorKind::Unavailable`](crate::ErrorKind::Unavailable) when there is no reply.
pub fn exchange(server: &str, transport: Transport, request: &[u8]) -> Result<Vec<u8>, Error> {
    #[cfg(target_family = "wasm")]
    let reply = wit::exchange(server, transport, request);
    #[cfg(not(target_family = "wasm"))]
    let reply = crate::testing::answer_dns(server, transport, request);
    reply.map_err(|failure| match failure {
        wit::Failure::Denied => Error::config(format!("the name server {server} is not granted")),
        wit::Failure::Invalid(reason) => Error::config(format!("{server}: {reason}")),
        wit::Failure::Unreachable(reason) => Error::unavailable(format!("the name server {server}: {reason}")),
        wit::Failure::Timeout => Error::unavailable(format!("the name server {server} did not answer")),
        wit::Failure::Malformed => Error::unavailable(format!("the name server {server} answered something else")),
        wit::Failure::Limit => Error::other("more DNS messages than one call may send".to_owned()),
    })
}
