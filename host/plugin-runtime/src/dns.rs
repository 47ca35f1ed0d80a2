//! DNS messages of plugins to name servers: beside HTTP the only way in which a guest reaches the network.
//!
//! The order is fixed: count → server and message are what they should be → grant → resolve once → refuse addresses that
//! are not granted → send to the very address that was checked, from a socket of its own that hears nobody else.

use std::{
    io,
    net::{Ipv4Addr, Ipv6Addr, SocketAddr},
    time::Duration,
};

use hickory_proto::op::{Message, MessageType, OpCode, Query};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpStream, UdpSocket},
    time::{Instant, timeout_at},
};

use crate::{
    bindings::exchange::{Failure, Transport},
    grants::{DnsServer, Reach},
    guest_log::escape,
    http::{Network, Outbound},
};

/// The whole exchange, whatever is tried.
const PATIENCE: Duration = Duration::from_secs(10);
/// A datagram that gets no reply is sent again after these.
const RETRIES: [Duration; 2] = [Duration::from_secs(2), Duration::from_secs(3)];
/// What fits the length in front of a message over TCP (RFC 1035 §4.2.2).
const MAX_MESSAGE_BYTES: usize = 65_535;
/// Addresses of one name that are tried.
const MAX_ADDRESSES: usize = 4;

/// What a reply must repeat.
struct Asked {
    id: u16,
    op_code: OpCode,
    queries: Vec<Query>,
}

/// What can be said of something that arrived.
enum Arrival {
    Reply { is_truncated: bool },
    Something,
}

/// Does one exchange for the guest.
pub(crate) async fn exchange(
    outbound: &mut Outbound,
    server: &str,
    transport: Transport,
    request: &[u8],
) -> Result<Vec<u8>, Failure> {
    if !outbound.count() {
        return Err(Failure::Limit);
    }
    let server = DnsServer::parse(server).map_err(|reason| Failure::Invalid(format!("the server: {reason}")))?;
    let asked = Asked::read(request)?;
    let Some(reach) = outbound.network.grants.permit_dns(&server) else {
        outbound.deny(format!(
            "it may not exchange DNS messages with {server}; `allowed_dns_servers: [\"{server}\"]` would allow it"
        ));
        return Err(Failure::Denied);
    };
    let end = outbound.deadline.min(Instant::now() + PATIENCE);
    let addresses = timeout_at(end, addresses(outbound, &server, reach)).await.unwrap_or(Err(Failure::Timeout))?;
    let mut last = Failure::Timeout;
    for (tried, address) in addresses.iter().enumerate() {
        let left = end.saturating_duration_since(Instant::now());
        let until = Instant::now() + left / u32::try_from(addresses.len() - tried).unwrap_or(1);
        match at(outbound, *address, transport, request, &asked, until).await {
            Ok(reply) => return Ok(reply),
            Err(failure) => {
                note(&outbound.network, &server, &format!("{address}: {}", words(&failure)));
                last = failure;
            }
        }
    }
    Err(last)
}

/// The addresses that messages may be sent to.
async fn addresses(outbound: &Outbound, server: &DnsServer, reach: Reach) -> Result<Vec<SocketAddr>, Failure> {
    let network = &outbound.network;
    let resolved = network.resolver.resolve(&network.lookups, &server.host, server.port).await.map_err(|error| {
        note(network, server, &format!("the name does not resolve: {error}"));
        Failure::Unreachable("its name does not resolve".into())
    })?;
    let mut prohibited = None;
    let mut allowed = Vec::new();
    for address in resolved {
        match network.grants.prohibits(address.ip(), reach) {
            None => allowed.push(address),
            Some(reason) => prohibited = Some((address.ip(), reason)),
        }
    }
    match prohibited {
        _ if !allowed.is_empty() => {
            allowed.truncate(MAX_ADDRESSES);
            Ok(allowed)
        }
        None => Err(Failure::Unreachable("its name has no address".into())),
        Some((address, reason)) => {
            let bits = if address.is_ipv4() { 32 } else { 128 };
            outbound.deny(format!(
                "the name server {server} leads to {address}, which is no public address ({reason}); \
                 `allowed_cidrs: [\"{address}/{bits}\"]` would allow it"
            ));
            Err(Failure::Denied)
        }
    }
}

async fn at(
    outbound: &Outbound,
    address: SocketAddr,
    transport: Transport,
    request: &[u8],
    asked: &Asked,
    until: Instant,
) -> Result<Vec<u8>, Failure> {
    if transport == Transport::Udp {
        let reply = timeout_at(until, by_datagram(outbound, address, request, asked)).await;
        let reply = reply.unwrap_or(Err(Failure::Timeout))?;
        if let Some(reply) = reply {
            return Ok(reply);
        }
    }
    timeout_at(until, by_stream(outbound, address, request, asked)).await.unwrap_or(Err(Failure::Timeout))
}

/// The reply, or nothing if it was cut short.
async fn by_datagram(
    outbound: &Outbound,
    address: SocketAddr,
    request: &[u8],
    asked: &Asked,
) -> Result<Option<Vec<u8>>, Failure> {
    let any: SocketAddr = match address {
        SocketAddr::V4(_) => (Ipv4Addr::UNSPECIFIED, 0).into(),
        SocketAddr::V6(_) => (Ipv6Addr::UNSPECIFIED, 0).into(),
    };
    // Connected, so that the kernel drops what comes from elsewhere; its port is new and random.
    let socket = UdpSocket::bind(any).await.map_err(unreachable)?;
    socket.connect(address).await.map_err(unreachable)?;
    let mut buffer = vec![0; MAX_MESSAGE_BYTES];
    let mut retries = RETRIES.iter();
    loop {
        socket.send(request).await.map_err(unreachable)?;
        outbound.traffic().add_sent(request.len());
        let wait = retries.next().copied().unwrap_or(PATIENCE);
        let again = Instant::now() + wait;
        while let Ok(received) = timeout_at(again, socket.recv(&mut buffer)).await {
            let length = received.map_err(unreachable)?;
            outbound.traffic().add_received(length);
            match asked.look_at(&buffer[..length]) {
                Arrival::Reply { is_truncated: true } => return Ok(None),
                Arrival::Reply { is_truncated: false } => {
                    buffer.truncate(length);
                    return Ok(Some(buffer));
                }
                Arrival::Something => {}
            }
        }
    }
}

async fn by_stream(
    outbound: &Outbound,
    address: SocketAddr,
    request: &[u8],
    asked: &Asked,
) -> Result<Vec<u8>, Failure> {
    let mut stream = TcpStream::connect(address).await.map_err(unreachable)?;
    let length = u16::try_from(request.len()).map_err(|_| too_long())?;
    let framed = [&length.to_be_bytes(), request].concat();
    stream.write_all(&framed).await.map_err(unreachable)?;
    outbound.traffic().add_sent(framed.len());
    let length = stream.read_u16().await.map_err(unreachable)?;
    let mut reply = vec![0; length.into()];
    stream.read_exact(&mut reply).await.map_err(unreachable)?;
    outbound.traffic().add_received(reply.len() + 2);
    // On this connection nothing else was asked.
    match asked.look_at(&reply) {
        Arrival::Reply { .. } => Ok(reply),
        Arrival::Something => Err(Failure::Malformed),
    }
}

impl Asked {
    fn read(request: &[u8]) -> Result<Self, Failure> {
        if request.len() > MAX_MESSAGE_BYTES {
            return Err(too_long());
        }
        let invalid = |reason: &str| Failure::Invalid(format!("the request is no DNS message: {reason}"));
        let message = Message::from_vec(request).map_err(|error| invalid(&error.to_string()))?;
        if message.metadata.message_type != MessageType::Query {
            return Err(invalid("it has the response bit set"));
        }
        Ok(Self { id: message.metadata.id, op_code: message.metadata.op_code, queries: message.queries })
    }

    fn look_at(&self, bytes: &[u8]) -> Arrival {
        let Ok(message) = Message::from_vec(bytes) else { return Arrival::Something };
        let fits = message.metadata.message_type == MessageType::Response
            && message.metadata.id == self.id
            && message.metadata.op_code == self.op_code
            // Servers leave it out of refusals.
            && (message.queries.is_empty() || message.queries == self.queries);
        if fits { Arrival::Reply { is_truncated: message.metadata.truncation } } else { Arrival::Something }
    }
}

/// Whether `request` would be sent, and if so whether `arrival` is a reply to it.
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) fn is_reply(request: &[u8], arrival: &[u8]) -> Option<bool> {
    Some(matches!(Asked::read(request).ok()?.look_at(arrival), Arrival::Reply { .. }))
}

fn too_long() -> Failure {
    Failure::Invalid(format!("the request has more than {MAX_MESSAGE_BYTES} bytes"))
}

#[expect(clippy::needless_pass_by_value, reason = "it stands where errors are mapped")]
fn unreachable(error: io::Error) -> Failure {
    Failure::Unreachable(error.kind().to_string())
}

fn words(failure: &Failure) -> &str {
    match failure {
        Failure::Denied => "not granted",
        Failure::Invalid(reason) | Failure::Unreachable(reason) => reason,
        Failure::Timeout => "no reply",
        Failure::Malformed => "the reply is not one to the request",
        Failure::Limit => "too many requests",
    }
}

/// The guest only gets a class; the reason is for whoever reads the log.
fn note(network: &Network, server: &DnsServer, reason: &str) {
    let reason = escape(&network.redactor.redact(reason));
    let server = escape(&network.redactor.redact(&server.to_string()));
    tracing::info!(target: "plugin", plugin = &*network.plugin, server, "DNS exchange failed: {reason}");
}
