//! Every known way of misbehaving, in one list: each is stopped by its own limit, says which key of the configuration
//! would let it pass, and leaves nothing behind, however often it happens.

mod leaks;
mod rows;
#[path = "../runtime/server.rs"]
#[expect(dead_code, reason = "the rows need a part of it")]
mod server;
#[path = "../runtime/support.rs"]
#[expect(dead_code, reason = "the rows need a part of it")]
mod support;
mod wat;

use std::{
    collections::BTreeMap,
    io::Write as _,
    net::{IpAddr, SocketAddr},
    time::{Duration, Instant},
};

use acme_manager_plugin_runtime::{CallError, LoadError, Origin, Plugin, PluginDigest, PluginSettings, Resolver};
use flate2::{Compression, write::ZlibEncoder};
use tokio::{net::UdpSocket, sync::Mutex, task::JoinSet};

use crate::{
    rows::{FIXED, Row},
    server::Server,
    support::{ENGINE, present, settings},
};

/// The tests count what the process holds, so they run one after the other.
static ALONE: Mutex<()> = Mutex::const_new(());
/// Nothing here takes this long unless its limit does not work.
const PATIENCE: Duration = Duration::from_secs(40);

/// Where the names of the rows lead.
fn names(server: SocketAddr, dns: SocketAddr) -> BTreeMap<String, Vec<SocketAddr>> {
    let leads = |name: &str, addresses: &[&str]| {
        let at = |address: &&str| SocketAddr::new(address.parse::<IpAddr>().expect("an address"), server.port());
        (format!("{name}.example.com"), addresses.iter().map(at).collect())
    };
    BTreeMap::from([
        leads("api", &["127.0.0.1"]),
        leads("private", &["10.0.0.1", "fd00::1"]),
        leads("mapped", &["::ffff:169.254.169.254", "::ffff:10.0.0.1"]),
        leads("nat64", &["64:ff9b::a9fe:a9fe", "64:ff9b:1::1"]),
        leads("6to4", &["2002:7f00:1::1"]),
        leads("teredo", &["2001:0:4136:e378:8000:63bf:3fff:fdd2"]),
        leads("metadata", &["169.254.169.254"]),
        leads("metadata6", &["fd00:ec2::254"]),
        leads("alibaba", &["100.100.100.200"]),
        leads("rebinding", &["10.0.0.1", "127.0.0.1"]),
        (dns.ip().to_string(), vec![dns]),
        ("169.254.169.254".into(), vec!["169.254.169.254:80".parse().expect("an address")]),
    ])
}

/// What the rows talk to.
struct Servers {
    http: Server,
    dns: SocketAddr,
    _dns: JoinSet<()>,
}

impl Servers {
    async fn start() -> Self {
        let socket = UdpSocket::bind("127.0.0.1:0").await.expect("a port");
        let dns = socket.local_addr().expect("an address");
        let mut tasks = JoinSet::new();
        tasks.spawn(async move {
            let mut message = [0; 512];
            loop {
                let (length, from) = socket.recv_from(&mut message).await.expect("a datagram");
                // The question, as a reply without an answer.
                message[2] |= 0x80;
                socket.send_to(&message[..length], from).await.expect("it is sent");
            }
        });
        Self { http: Server::start(None).await, dns, _dns: tasks }
    }
}

fn pack(bytes: &[u8]) -> Vec<u8> {
    let mut packer = ZlibEncoder::new(Vec::new(), Compression::fast());
    packer.write_all(bytes).expect("memory takes it");
    packer.finish().expect("memory takes it")
}

/// The row's plugin.
async fn load(row: &Row, servers: &Servers) -> Result<Plugin, LoadError> {
    let mut settings = match row.bytes() {
        None => settings(),
        Some(bytes) => {
            let digest = PluginDigest::of(&bytes);
            PluginSettings::new("bad", Origin::Bundled { packed: pack(&bytes).leak(), digest })
        }
    };
    settings.resolver = Resolver::Fixed(names(servers.http.address, servers.dns));
    settings.grants.dns_servers = vec![servers.dns.to_string().parse().expect("a grant")];
    settings.grants.hosts =
        ["http://*.example.com", "http://169.254.169.254"].map(|grant| grant.parse().expect("a grant")).into();
    settings.grants.cidrs = vec!["127.0.0.0/8".parse().expect("a network")];
    // Every call must come to its end by itself, the thousandth too.
    settings.limits.breakages = 0;
    (row.limits)(&mut settings.limits);
    ENGINE.load(settings).await
}

/// How one call of the row ended, or its plugin's introduction when there was no call.
async fn end(row: &Row, servers: &Servers) -> Result<String, CallError> {
    let ended = tokio::time::timeout(PATIENCE, async {
        match load(row, servers).await {
            Ok(plugin) => {
                let begun = Instant::now();
                let ended = present(&plugin, &row.value(servers.dns)).await;
                assert!(begun.elapsed() < row.budget(), "{} took {:?}", row.name, begun.elapsed());
                ended
            }
            Err(LoadError::Describe(error)) => Err(error),
            Err(error) => panic!("{}: {error}", row.name),
        }
    });
    ended.await.unwrap_or_else(|_| panic!("{}: nothing stopped it", row.name))
}

/// What is wrong with how it ended, if anything.
fn fault(row: &Row, ended: &Result<String, CallError>) -> Option<String> {
    let class = ended.as_ref().err().map_or("ok", CallError::class);
    let text = match ended {
        Ok(text) => text.clone(),
        Err(error) => error.to_string(),
    };
    if class != row.class || !text.contains(row.says) {
        let Row { name, class: expected, says, .. } = row;
        return Some(format!("{name}: expected {expected} and {says:?}, got {class}: {text}"));
    }
    let Err(error) = ended else { return None };
    if text.contains(support::TOKEN) || text.chars().any(char::is_control) {
        return Some(format!("{}: not fit to be read: {text:?}", row.name));
    }
    match row.key {
        Some(key) if !text.contains(&format!("`{key}")) => Some(format!("{}: `{key}` is not in: {text}", row.name)),
        Some(key) if !error.is_refusal() && error.setting() != Some(key) => {
            Some(format!("{}: {:?} instead of {key}", row.name, error.setting()))
        }
        None if error.setting().is_some() => Some(format!("{}: {:?}", row.name, error.setting())),
        None if class == "out-of-bounds" && !text.contains(FIXED) => Some(format!("{}: {text}", row.name)),
        _ => None,
    }
}

#[tokio::test]
async fn each_is_stopped_by_its_limit_which_the_error_names() {
    let _alone = ALONE.lock().await;
    let servers = Servers::start().await;
    // As long as it lives, its component is not compiled again.
    let _kept = ENGINE.load(settings()).await.expect("it loads");
    let mut faults = Vec::new();
    let rows = rows::all();
    for row in &rows {
        faults.extend(fault(row, &end(row, &servers).await));
    }
    assert!(faults.is_empty(), "{} of {}:\n{}", faults.len(), rows.len(), faults.join("\n"));
    let mut names: Vec<_> = rows.iter().map(|row| row.name).collect();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), rows.len(), "names are unique");
}
