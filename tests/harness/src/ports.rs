//! Ports and addresses that nobody else uses.
//!
//! A port is bound, released and passed on, so another process may take it in between: starts are repeated when a
//! server finds its port taken.

use std::{
    io,
    net::{Ipv4Addr, TcpListener, UdpSocket},
};

use uuid::Uuid;

/// A TCP port of 127.0.0.1 that is free now.
///
/// # Errors
/// When the kernel has none left.
pub fn free_tcp() -> io::Result<u16> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port())
}

/// A port of 127.0.0.1 that is free now for both TCP and UDP, as name servers need.
///
/// # Errors
/// When none of many tries finds one.
pub fn free_tcp_and_udp() -> io::Result<u16> {
    const TRIES: usize = 50;
    for _ in 0..TRIES {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let port = listener.local_addr()?.port();
        if UdpSocket::bind((Ipv4Addr::LOCALHOST, port)).is_ok() {
            return Ok(port);
        }
    }
    Err(io::Error::new(io::ErrorKind::AddrInUse, "found no port that is free for TCP and UDP"))
}

/// A random address of 127.0.0.0/8, for a server that needs a well-known port such as 53 for itself.
pub fn loopback_address() -> Ipv4Addr {
    let random = Uuid::new_v4().into_bytes();
    // 127.0.0.x is left to the system's own resolvers, .0 and .255 may be taken for networks.
    Ipv4Addr::new(127, 1 + random[0] % 250, random[1], 1 + random[2] % 250)
}
