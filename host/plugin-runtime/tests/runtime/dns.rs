//! The interface `exchange`, against name servers of every temper.

use std::{net::SocketAddr, time::Duration};

use acme_manager_plugin_runtime::{Plugin, Resolver};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, UdpSocket},
    time::Instant,
};

use crate::support::{Reports, plugin, present};

/// What a name server does with a request.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Temper {
    Answers,
    /// Only the second time, as after a lost datagram.
    AnswersLate,
    /// Something else first: another id, no response, another question, no message at all.
    AnswersAmongLies,
    /// By datagram only that it is too long; the whole over TCP.
    Truncates,
    Silent,
    /// Over TCP: a length and then nothing.
    Stalls,
    /// Over TCP: a reply to another request.
    Confused,
}

/// The request with the response bit, and `tail` behind it where a TXT record would be.
fn reply(request: &[u8], is_truncated: bool) -> Vec<u8> {
    let mut reply = request.to_vec();
    reply[2] |= 0x80;
    if is_truncated {
        reply[2] |= 0x02;
        return reply;
    }
    reply[7] = 1;
    reply.extend([0xc0, 0x0c, 0, 16, 0, 1, 0, 0, 0, 60, 0, 4, 3, b'a', b'b', b'c']);
    reply
}

fn changed(bytes: &[u8], at: usize, mask: u8) -> Vec<u8> {
    let mut other = bytes.to_vec();
    other[at] ^= mask;
    other
}

/// A server that ends with its test.
pub(crate) struct NameServer {
    pub(crate) address: SocketAddr,
    _tasks: tokio::task::JoinSet<()>,
}

pub(crate) async fn name_server(temper: Temper) -> NameServer {
    let tcp = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = tcp.local_addr().expect("an address");
    let udp = UdpSocket::bind(address).await.expect("the same port");
    let mut tasks = tokio::task::JoinSet::new();
    tasks.spawn(async move {
        let mut buffer = [0; 4096];
        for round in 0.. {
            let (length, from) = udp.recv_from(&mut buffer).await.expect("a datagram");
            let request = &buffer[..length];
            let good = reply(request, false);
            let arrivals = match temper {
                Temper::Answers => vec![good],
                Temper::AnswersLate if round == 0 => vec![],
                Temper::AnswersLate => vec![good],
                Temper::AnswersAmongLies => {
                    let lies =
                        vec![changed(&good, 0, 1), changed(&good, 2, 0x80), changed(&good, 14, 1), b"hello".to_vec()];
                    [lies, vec![good]].concat()
                }
                Temper::Truncates => vec![reply(request, true)],
                _ => vec![],
            };
            for arrival in arrivals {
                udp.send_to(&arrival, from).await.expect("sent");
            }
        }
    });
    tasks.spawn(async move {
        loop {
            let (mut stream, _) = tcp.accept().await.expect("a connection");
            let length = stream.read_u16().await.expect("a length");
            let mut request = vec![0; length.into()];
            stream.read_exact(&mut request).await.expect("a request");
            let answer = match temper {
                Temper::Stalls => {
                    stream.write_u16(500).await.expect("sent");
                    std::future::pending::<()>().await;
                    continue;
                }
                Temper::Confused => changed(&reply(&request, false), 0, 1),
                _ => reply(&request, false),
            };
            stream.write_u16(answer.len().try_into().expect("short")).await.expect("sent");
            stream.write_all(&answer).await.expect("sent");
        }
    });
    NameServer { address, _tasks: tasks }
}

/// A plugin that may ask `server`, and how long its calls may take.
async fn asking(server: &NameServer, timeout: Duration, reports: &Reports) -> Plugin {
    plugin(|settings| {
        settings.grants.dns_servers = vec![server.address.to_string().parse().expect("a grant")];
        settings.limits.timeout = timeout;
        reports.observe(settings);
    })
    .await
}

const LONG: Duration = Duration::from_secs(20);

#[tokio::test]
async fn a_reply_arrives_by_datagram_and_by_stream() {
    let (server, reports) = (name_server(Temper::Answers).await, Reports::default());
    let plugin = asking(&server, LONG, &reports).await;
    for transport in ["udp", "tcp"] {
        let said = present(&plugin, &format!("dns {transport} {}", server.address)).await.expect("a reply");
        assert_eq!(said, "61 bytes, id ac3e");
        let report = reports.last();
        assert_eq!((report.requests, report.host_calls, report.denials), (1, 1, 0));
        let frame = if transport == "tcp" { 2 } else { 0 };
        assert_eq!((report.sent_bytes, report.received_bytes), (45 + frame, 61 + frame), "{transport}");
    }
}

#[tokio::test]
async fn only_a_reply_to_the_request_counts() {
    for temper in [Temper::AnswersAmongLies, Temper::AnswersLate, Temper::Truncates] {
        let (server, reports) = (name_server(temper).await, Reports::default());
        let plugin = asking(&server, LONG, &reports).await;
        let said = present(&plugin, &format!("dns udp {}", server.address)).await.expect("a reply");
        assert_eq!(said, "61 bytes, id ac3e");
    }
    let (server, reports) = (name_server(Temper::Confused).await, Reports::default());
    let plugin = asking(&server, LONG, &reports).await;
    let error = present(&plugin, &format!("dns tcp {}", server.address)).await.expect_err("another reply");
    assert!(error.to_string().contains("Failure::Malformed"), "{error}");
}

#[tokio::test]
async fn a_server_that_does_not_answer_costs_no_more_than_the_call() {
    for (temper, transport) in [(Temper::Silent, "udp"), (Temper::Stalls, "tcp")] {
        let (server, reports) = (name_server(temper).await, Reports::default());
        let plugin = asking(&server, Duration::from_millis(300), &reports).await;
        let begun = Instant::now();
        let error = present(&plugin, &format!("dns {transport} {}", server.address)).await.expect_err("no reply");
        assert!(matches!(error.class(), "timeout" | "unavailable"), "{error}");
        assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
    }
    // Nobody listens there.
    let gone = name_server(Temper::Answers).await.address;
    let plugin =
        plugin(|settings| settings.grants.dns_servers = vec![gone.to_string().parse().expect("a grant")]).await;
    let error = present(&plugin, &format!("dns tcp {gone}")).await.expect_err("no server");
    assert!(error.to_string().contains("Unreachable"), "{error}");
}

#[tokio::test]
async fn what_is_not_granted_is_refused_with_the_key_that_would_allow_it() {
    let (server, reports) = (name_server(Temper::Answers).await, Reports::default());
    let other = name_server(Temper::Answers).await.address;
    let plugin = asking(&server, LONG, &reports).await;
    let error = present(&plugin, &format!("dns udp {other}")).await.expect_err("another port");
    assert!(error.to_string().contains(&format!("`allowed_dns_servers: [\"{other}\"]`")), "{error}");
    assert_eq!((reports.last().denials, reports.last().sent_bytes), (1, 0));
    for (server, words) in
        [("http://ns.example.com/", "a name server is written"), ("ns.example.com:0", "from 1 to 65535")]
    {
        let error = present(&plugin, &format!("dns udp {server}")).await.expect_err("no server");
        assert!(error.to_string().contains(words), "{error}");
    }
    let error = present(&plugin, &format!("dns udp !{}", server.address)).await.expect_err("no message");
    assert!(error.to_string().contains("the request is no DNS message"), "{error}");
    let error = present(&plugin, &format!("dns udp {} 101", server.address)).await.expect_err("too many");
    assert!(error.to_string().contains("more than 100 requests and messages in one call"), "{error}");
}

#[tokio::test]
async fn a_name_that_leads_inside_needs_the_network_granted() {
    let server = name_server(Temper::Answers).await;
    let leads = |cidrs: Vec<&str>, address: SocketAddr| {
        let cidrs: Vec<_> = cidrs.into_iter().map(|text| text.parse().expect("a network")).collect();
        plugin(move |settings| {
            settings.grants.dns_servers = vec!["ns.example.com".parse().expect("a grant")];
            settings.grants.cidrs = cidrs;
            settings.resolver = Resolver::Fixed([("ns.example.com".to_owned(), vec![address])].into());
        })
    };
    let plugin = leads(vec![], server.address).await;
    let error = present(&plugin, "dns udp ns.example.com").await.expect_err("a loopback address");
    assert!(error.to_string().contains("`allowed_cidrs: [\"127.0.0.1/32\"]` would allow it"), "{error}");
    let plugin = leads(vec![], "169.254.169.254:53".parse().expect("an address")).await;
    let error = present(&plugin, "dns udp ns.example.com:53").await.expect_err("the metadata service");
    assert!(error.to_string().contains("169.254.169.254"), "{error}");
    let plugin = leads(vec!["127.0.0.0/8"], server.address).await;
    present(&plugin, "dns udp ns.example.com").await.expect("a reply");
}
