//! A vendor whose zones are read and written back as a whole, and calls for eight names of one zone at the same time:
//! none of them may undo what another wrote.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
    net::SocketAddr,
    path::PathBuf,
    sync::{Arc, Mutex},
    time::Duration,
};

use acme_manager_plugin_runtime::{Origin, Plugin, PluginDigest, PluginSettings, TxtRecord};
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    net::{TcpListener, TcpStream},
    task::JoinSet,
};

use crate::support::ENGINE;

const NAMES: usize = 8;
/// How long each answer takes: enough for others to come in between.
const DELAY: Duration = Duration::from_millis(20);

/// Host records, by name and value, of the one zone there is.
type Zone = Arc<Mutex<BTreeSet<(String, String)>>>;

/// Namecheap's `getHosts` and `setHosts`, as far as `conformance.json` of the plugin has them from the documentation.
async fn start(zone: Zone) -> (SocketAddr, JoinSet<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    let mut tasks = JoinSet::new();
    tasks.spawn(async move {
        let mut connections = JoinSet::new();
        loop {
            let (stream, _) = listener.accept().await.expect("a connection");
            connections.spawn(serve(stream, zone.clone()));
        }
    });
    (address, tasks)
}

async fn serve(mut stream: TcpStream, zone: Zone) {
    let mut reader = BufReader::new(&mut stream);
    let (mut line, mut length) = (String::new(), 0);
    while reader.read_line(&mut line).await.is_ok_and(|read| read > 2) {
        if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse().expect("a number");
        }
        line.clear();
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).await.expect("the form");
    let form: BTreeMap<String, String> = url::form_urlencoded::parse(&body).into_owned().collect();
    let result = match form["Command"].as_str() {
        "namecheap.domains.dns.getHosts" => get_hosts(&zone),
        "namecheap.domains.dns.setHosts" => set_hosts(&zone, &form),
        other => panic!("{other}"),
    };
    tokio::time::sleep(DELAY).await;
    let body = format!(
        r#"<ApiResponse Status="OK" xmlns="http://api.namecheap.com/xml.response"><Errors/><CommandResponse>{result}</CommandResponse></ApiResponse>"#
    );
    let answer = format!("HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: {}\r\n\r\n{body}", body.len());
    stream.write_all(answer.as_bytes()).await.expect("it is read");
}

fn get_hosts(zone: &Zone) -> String {
    let mut hosts = String::new();
    for (number, (name, value)) in zone.lock().expect("no panic in here").iter().enumerate() {
        let _ = write!(
            hosts,
            r#"<host HostId="{number}" Name="{name}" Type="TXT" Address="{value}" MXPref="10" TTL="120" IsActive="true"/>"#
        );
    }
    format!(
        r#"<DomainDNSGetHostsResult Domain="example.com" EmailType="NONE" IsUsingOurDNS="true">{hosts}</DomainDNSGetHostsResult>"#
    )
}

fn set_hosts(zone: &Zone, form: &BTreeMap<String, String>) -> String {
    let host = |number: usize| Some((form.get(&format!("HostName{number}"))?, form.get(&format!("Address{number}"))?));
    let hosts = (1..).map_while(host).map(|(name, value)| (name.clone(), value.clone()));
    *zone.lock().expect("no panic in here") = hosts.collect();
    r#"<DomainDNSSetHostsResult Domain="example.com" IsSuccess="true"/>"#.to_owned()
}

async fn load(address: SocketAddr) -> Plugin {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../target/plugins/namecheap.wasm");
    let checksum = PluginDigest::of(&std::fs::read(&path).expect("built by `cargo xtask plugins`"));
    let mut settings = PluginSettings::new("namecheap", Origin::File { path, checksum });
    for (name, value) in [
        ("NAMECHEAP_API_USER", "user"),
        ("NAMECHEAP_API_KEY", "0123456789abcdef"),
        ("NAMECHEAP_CLIENT_IP", "192.0.2.1"),
        ("NAMECHEAP_API_URL", &format!("http://{address}/xml.response")),
    ] {
        settings.environment.insert(name.into(), value.into());
    }
    settings.grants.hosts = vec![format!("http://{address}").parse().expect("a grant")];
    ENGINE.load(settings).await.expect("it loads")
}

fn record(number: usize) -> TxtRecord {
    let name = format!("_acme-challenge.www{number}.example.com");
    TxtRecord { zone: "example.com".into(), name, value: format!("value{number}"), ttl: 120 }
}

#[tokio::test]
async fn calls_for_one_zone_do_not_undo_each_other() {
    let kept = ("www".to_owned(), "v=spf1".to_owned());
    let zone = Zone::new(Mutex::new(BTreeSet::from([kept.clone()])));
    let (address, _server) = start(zone.clone()).await;
    let plugin = load(address).await;

    let mut calls = JoinSet::new();
    for number in 0..NAMES {
        let plugin = plugin.clone();
        calls.spawn(async move { plugin.present(&record(number)).await });
    }
    while let Some(ended) = calls.join_next().await {
        ended.expect("no panic").expect("a handle");
    }
    let expected = (0..NAMES).map(|number| (format!("_acme-challenge.www{number}"), format!("value{number}")));
    let expected: BTreeSet<_> = expected.chain([kept.clone()]).collect();
    assert_eq!(*zone.lock().expect("no panic in here"), expected);

    let mut calls = JoinSet::new();
    for number in 0..NAMES {
        let plugin = plugin.clone();
        calls.spawn(async move { plugin.cleanup(&record(number), "example.com").await });
    }
    while let Some(ended) = calls.join_next().await {
        ended.expect("no panic").expect("gone");
    }
    assert_eq!(*zone.lock().expect("no panic in here"), BTreeSet::from([kept]));
}
