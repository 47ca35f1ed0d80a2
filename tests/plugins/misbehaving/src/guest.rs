//! The component itself.

mod fetch;
mod zoo;

use std::{env, fmt::Write as _, process, time::Duration};

use wasip2::{
    clocks::monotonic_clock,
    sockets::{
        instance_network,
        network::{IpAddressFamily, IpSocketAddress, Ipv4SocketAddress},
        tcp_create_socket,
    },
};

wit_bindgen::generate!({
    path: "../../../wit",
    inline: "
        package acme-manager:misbehaving;
        world guest {
            import acme-manager:dns/host@1.2.0;
            import acme-manager:dns/exchange@1.2.0;
            import acme-manager:dns/turn@1.2.0;
            export acme-manager:dns/provider@1.2.0;
        }
    ",
    generate_all,
});

use acme_manager::dns::{
    exchange::{self, Transport},
    host::{self, Level},
    turn,
    types::EnvironmentKey,
    types::ErrorKind,
};
use exports::acme_manager::dns::provider::{Description, Error, Guest, TxtRecord};

struct Misbehaving;
export!(Misbehaving);

impl Guest for Misbehaving {
    fn describe() -> Description {
        match env::var("DESCRIBE").as_deref() {
            Ok("loop") => spin(),
            Ok("panic") => panic!("no idea what I am"),
            _ => {}
        }
        let key = |name: &str, secret| EnvironmentKey {
            name: name.into(),
            aliases: Vec::new(),
            required: false,
            secret,
            endpoint: false,
            default: None,
            help: format!("the {name}, now {:?}", env::var(name).ok()),
        };
        let how = env::var("DESCRIBE").unwrap_or_default();
        let name = match how.as_str() {
            "bad" => "Bad Name".into(),
            // Where somebody cuts a text, and only then looks for secrets in it.
            "cut" => format!("{}{}", "A".repeat(45), token()),
            _ => "misbehaving".into(),
        };
        let mut environment = vec![key("TOKEN", how != "open"), key("REGION", false)];
        if how == "leak" {
            environment.push(key(&format!("K_{}", token()), false));
        }
        Description {
            name,
            version: env!("CARGO_PKG_VERSION").into(),
            homepage: "https://example.com/".into(),
            environment,
            hosts: vec!["api.example.com".into()],
            default_ttl: 120,
            propagation_timeout: 60,
            propagation_interval: 2,
            multiple_values: true,
            reports_ready: true,
        }
    }

    fn check() -> Result<(), Error> {
        match env::var("TOKEN") {
            Ok(_) => Ok(()),
            Err(_) => Err(error(ErrorKind::Config, "TOKEN is missing")),
        }
    }

    fn present(record: TxtRecord) -> Result<String, Error> {
        // Behind a server the value is the CA's business; there the environment says what to do.
        let behaviour = env::var("MISBEHAVE").unwrap_or_else(|_| record.value.clone());
        let words: Vec<&str> = behaviour.split(' ').collect();
        let number = |at: usize| words.get(at).and_then(|word| word.parse::<usize>().ok()).unwrap_or(0);
        match words[0] {
            "ok" => Ok(format!("{} in {}", record.name, record.zone)),
            "loop" => spin(),
            "recurse" => Ok(recurse(number(1) as u64 + 1).to_string()),
            "alloc" => alloc(),
            "sleep" => {
                std::thread::sleep(Duration::from_millis(number(1) as u64));
                Ok("rested".into())
            }
            "turns" => turns(&words[1..]),
            "panic" => panic!("the token is {}", token()),
            "exit" => process::exit(i32::from(number(1) != 0)),
            "log-flood" => flood(number(1)),
            "secrets-in-log" => secrets_in_log(),
            "secrets-in-error" => {
                Err(error(ErrorKind::Unauthorized, &format!("GET /?token={} failed\nbadly", token())))
            }
            "secrets-in-handle" => Ok(token()),
            "huge" => Ok("x".repeat(number(1))),
            "huge-error" => Err(error(ErrorKind::Other, &"é".repeat(number(1)))),
            "refuse" => {
                Err(Error { kind: ErrorKind::RateLimited, message: "slow down".into(), retry_after: Some(99_999) })
            }
            "env" => Ok(env::vars().fold(String::new(), |mut text, (key, value)| {
                let _ = write!(text, "{key}={};", value.len());
                text
            })),
            "remaining" => Ok(host::remaining().to_string()),
            "random" => Ok(wasip2::random::random::get_random_bytes(number(1) as u64).len().to_string()),
            "handles" => handles(number(1)),
            "files" => files(),
            "socket" => socket(),
            "dns" => ask(words[1], words[2], number(3)),
            "get" => fetch::get(words[1], &fetch::Options::default()),
            "impatient" => {
                fetch::get(words[1], &fetch::Options { first_byte: Some(Duration::ZERO), ..Default::default() })
            }
            "post" => fetch::get(words[1], &fetch::Options { body: Some(number(2)), ..Default::default() }),
            "smuggle" => fetch::get(
                words[1],
                &fetch::Options {
                    body: Some(4),
                    headers: vec![("content-length", words[2].into())],
                    ..Default::default()
                },
            ),
            "headers" => fetch::get(
                words[1],
                &fetch::Options { headers: vec![("x-filler", "y".repeat(number(2)))], ..Default::default() },
            ),
            "many" => {
                let mut last = String::new();
                for _ in 0..number(2) {
                    last = fetch::get(words[1], &fetch::Options::default())?;
                }
                Ok(last)
            }
            other => zoo::present(other, &words[1..]),
        }
    }

    fn cleanup(_: TxtRecord, handle: String) -> Result<(), Error> {
        if handle == "missing" { Err(error(ErrorKind::ZoneNotFound, "no such zone")) } else { Ok(()) }
    }

    fn ready(_: TxtRecord, handle: String) -> Result<bool, Error> {
        Ok(handle == "live" || env::var_os("MISBEHAVE").is_some())
    }
}

fn error(kind: ErrorKind, message: &str) -> Error {
    Error { kind, message: message.into(), retry_after: None }
}

/// Takes the turns at some names and does what the last word says: rest so many milliseconds, or panic.
fn turns(words: &[&str]) -> Result<String, Error> {
    let (end, names) = words.split_last().expect("an end");
    for name in names {
        turn::take(name).map_err(|reason| error(ErrorKind::Other, &reason))?;
    }
    let pause = end.parse().expect("a number, or a panic");
    std::thread::sleep(Duration::from_millis(pause));
    Ok("had its turn".into())
}

fn token() -> String {
    env::var("TOKEN").unwrap_or_default()
}

fn spin() -> ! {
    let mut n = 0_u64;
    loop {
        n = std::hint::black_box(n.wrapping_add(1));
    }
}

fn recurse(n: u64) -> u64 {
    let pad = std::hint::black_box([n; 16]);
    if n == 0 { 0 } else { recurse(n + 1) + pad[3] }
}

fn alloc() -> Result<String, Error> {
    let mut hoard = Vec::new();
    loop {
        hoard.push(std::hint::black_box(vec![1_u8; 1 << 20]));
    }
}

fn flood(lines: usize) -> Result<String, Error> {
    for line in 0..lines {
        println!("out {line}");
        eprintln!("err {line}");
        host::log(Level::Info, &format!("log {line}"));
    }
    Ok("flooded".into())
}

fn secrets_in_log() -> Result<String, Error> {
    let token = token();
    println!("out {token}");
    eprint!("err {}", &token[..4]);
    eprintln!("{}", &token[4..]);
    host::log(Level::Warn, &format!("log {token} region {}", env::var("REGION").unwrap_or_default()));
    let percent: String = token.bytes().map(|byte| format!("%{byte:02X}")).collect();
    let form = token.replace('/', "%2F").replace('+', "%2B");
    host::log(Level::Error, &format!("url {form}"));
    host::log(Level::Debug, &format!("all {percent}"));
    Ok("logged".into())
}

fn handles(count: usize) -> Result<String, Error> {
    let held: Vec<_> = (0..count).map(|_| monotonic_clock::subscribe_duration(1_000_000_000)).collect();
    Ok(held.len().to_string())
}

fn socket() -> Result<String, Error> {
    let address = IpSocketAddress::Ipv4(Ipv4SocketAddress { address: (127, 0, 0, 1), port: 1 });
    let tried = tcp_create_socket::create_tcp_socket(IpAddressFamily::Ipv4)
        .and_then(|socket| socket.start_connect(&instance_network::instance_network(), address));
    Ok(format!("{tried:?}"))
}

/// Asks the name server `times` times for a TXT record of `_acme-challenge.example.com`.
fn ask(transport: &str, server: &str, times: usize) -> Result<String, Error> {
    let transport = if transport == "tcp" { Transport::Tcp } else { Transport::Udp };
    let question = if is_garbage(server) { b"garbage".to_vec() } else { question() };
    let mut last = Vec::new();
    for _ in 0..times.max(1) {
        last = exchange::exchange(server.trim_start_matches('!'), transport, &question)
            .map_err(|failure| error(ErrorKind::Unavailable, &format!("{failure:?}")))?;
    }
    Ok(format!("{} bytes, id {:02x}{:02x}", last.len(), last[0], last[1]))
}

/// A leading `!` stands for a message that is none.
fn is_garbage(server: &str) -> bool {
    server.starts_with('!')
}

fn question() -> Vec<u8> {
    let mut message = vec![0xac, 0x3e, 0x01, 0, 0, 1, 0, 0, 0, 0, 0, 0];
    for label in ["_acme-challenge", "example", "com"] {
        message.push(u8::try_from(label.len()).expect("a short label"));
        message.extend(label.as_bytes());
    }
    message.extend([0, 0, 16, 0, 1]);
    message
}

fn files() -> Result<String, Error> {
    match std::fs::read_dir("/") {
        Ok(entries) => Ok(format!("{} entries", entries.count())),
        Err(problem) => Ok(format!("no files: {problem}")),
    }
}
