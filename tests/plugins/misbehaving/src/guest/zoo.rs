//! Further behaviours: what strains the border between guest and host.

use std::io::Read as _;

use wasip2::clocks::monotonic_clock;
use wasip2::http::types::{Fields, Method, OutgoingRequest};
use wasip2::sockets::network::{ErrorCode, IpAddressFamily, IpSocketAddress, Ipv4SocketAddress};
use wasip2::sockets::{instance_network, ip_name_lookup, udp_create_socket};

use super::{
    Error, ErrorKind, error, fetch,
    host::{self, Level},
    token,
};

/// Does what `verb` says.
pub(super) fn present(verb: &str, words: &[&str]) -> Result<String, Error> {
    let number = |at: usize| words.get(at).and_then(|word| word.parse::<usize>().ok()).unwrap_or(0);
    match verb {
        "trap" => core::arch::wasm32::unreachable(),
        "host-loop" => loop {
            std::hint::black_box(host::remaining());
        },
        "log-loop" => loop {
            host::log(Level::Info, "again");
        },
        "poll-loop" => loop {
            monotonic_clock::subscribe_duration(0).block();
        },
        "ready-loop" => {
            let far = monotonic_clock::subscribe_duration(60_000_000_000);
            while !far.ready() {}
            Ok("far".into())
        }
        "huge-log" => {
            host::log(Level::Info, &"x".repeat(number(0)));
            Ok("logged".into())
        }
        "huge-print" => {
            print!("{}", "x".repeat(number(0)));
            Ok("printed".into())
        }
        "steer" => {
            println!("\u{1b}[2J\u{1b}]0;owned\u{7}\rlevel=error msg=forged\u{202e}");
            eprintln!("zero \0, next line \u{85}, separator \u{2028}, backspace \u{8}");
            host::log(Level::Info, "first\nsecond\u{9b}31m");
            Ok("logged".into())
        }
        "refuse-with" => Err(error(ErrorKind::Other, &format!("\u{1b}[31m{}\r\n\u{202e}forged", token()))),
        "stdin" => {
            let mut text = String::new();
            let read = std::io::stdin().read_to_string(&mut text);
            Ok(format!("{read:?}"))
        }
        "write-file" => Ok(format!("{:?}", std::fs::write("/tmp/plugin", b"x"))),
        "args" => Ok(std::env::args().count().to_string()),
        "udp" => Ok(format!("{:?}", bind_datagrams())),
        "lookup" => {
            let looked_up = ip_name_lookup::resolve_addresses(&instance_network::instance_network(), words[0]);
            Ok(format!("{:?}", looked_up.and_then(|addresses| addresses.resolve_next_address())))
        }
        // Requests that are never sent, each with something in it that the host has to hold.
        "hoard" => {
            let held: Vec<_> = (0..number(0)).map(|_| unsent()).collect();
            Ok(held.len().to_string())
        }
        // A connection each, none of them read to its end.
        "hold" => hold(words[0], number(1)),
        _ => Err(error(ErrorKind::Other, &format!("`{verb}` is no behaviour"))),
    }
}

fn bind_datagrams() -> Result<(), ErrorCode> {
    let address = IpSocketAddress::Ipv4(Ipv4SocketAddress { address: (127, 0, 0, 1), port: 0 });
    let socket = udp_create_socket::create_udp_socket(IpAddressFamily::Ipv4)?;
    socket.start_bind(&instance_network::instance_network(), address)
}

fn unsent() -> OutgoingRequest {
    let request = OutgoingRequest::new(Fields::new());
    let _ = request.set_method(&Method::Other("X".repeat(10_000)));
    let _ = request.set_path_with_query(Some(&format!("/{}", "x".repeat(10_000))));
    request
}

fn hold(url: &str, count: usize) -> Result<String, Error> {
    let mut held = Vec::new();
    for _ in 0..count {
        held.push(fetch::open(url)?);
    }
    Ok(held.len().to_string())
}
