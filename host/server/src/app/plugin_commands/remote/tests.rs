use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio::task::JoinSet;

use super::*;

const KEY: &str = "an-invented-key";

/// Something that answers every request with the same bytes, and what it was asked.
struct Server {
    url: Url,
    asked: Arc<Mutex<Vec<String>>>,
    _tasks: JoinSet<()>,
}

impl Server {
    async fn start(answer: impl Into<Vec<u8>>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("loopback");
        let url = format!("http://{}", listener.local_addr().expect("loopback")).parse().expect("a URL");
        let (answer, asked) = (answer.into(), Arc::<Mutex<Vec<String>>>::default());
        let (mut tasks, heard) = (JoinSet::new(), asked.clone());
        tasks.spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let mut request = vec![0; 16 << 10];
                let length = stream.read(&mut request).await.unwrap_or_default();
                heard.lock().expect("no panic").push(String::from_utf8_lossy(&request[..length]).into_owned());
                // Who has enough goes away.
                let _ = stream.write_all(&answer).await;
            }
        });
        Self { url, asked, _tasks: tasks }
    }

    async fn saying(status: &str, head: &str, body: &str) -> Self {
        let length = body.len();
        Self::start(format!("HTTP/1.1 {status}\r\n{head}connection: close\r\ncontent-length: {length}\r\n\r\n{body}"))
            .await
    }

    fn asked(&self) -> Vec<String> {
        self.asked.lock().expect("no panic").clone()
    }
}

async fn listed(server: &Url) -> Result<String, String> {
    // The other tests of this process may have done it.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let environment = Environment::parse(&format!("{API_KEY}={KEY}\n"), []).expect("an environment");
    list(server, &environment).await.map_err(|error| format!("{error:#}"))
}

async fn refused(status: &str, head: &str, body: &str) -> String {
    let server = Server::saying(status, head, body).await;
    listed(&server.url).await.expect_err("it is refused")
}

const TWO: &str = r#"[
  {"name": "alpha", "kind": "dns-provider", "origin": "bundled", "state": "suspended", "reason": "out of fuel",
   "version": "1.0", "digest": "00ff", "size_bytes": 2048, "breakages_in_a_row": 3, "suspended_seconds": 25,
   "refused_update": "no such file", "check": "ok",
   "limits": {"timeout_seconds": 30.0, "memory_mb": 64, "fuel": 500000000, "max_concurrency": 8},
   "operations": {
     "cleanup": {"calls": 0},
     "present": {"calls": 4, "errors": {"unavailable": 2, "out-of-fuel": 1}, "seconds": 2.0, "fuel": 1234567,
                 "peak_memory_bytes": 1048576, "host_calls": 11, "requests": 12, "sent_bytes": 1024,
                 "received_bytes": 2048, "denials": 13, "dropped_log_lines": 14},
     "ready": {"calls": 1, "seconds": 0.5}}},
  {"name": "beta", "kind": "issuance-hook", "origin": "/b.wasm", "state": "unloaded", "operations": {}}
]"#;

#[tokio::test]
async fn everything_that_the_server_knows_is_told() {
    let server = Server::saying("200 OK", "", TWO).await;
    let text = listed(&server.url).await.unwrap();
    assert_eq!(
        text.lines().map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")).collect::<Vec<_>>(),
        [
            "NAME KIND STATE VERSION ORIGIN SIZE CALLS ERRORS MEAN SHA-256",
            "alpha dns-provider suspended 1.0 bundled 2 KiB 5 3 500 ms 00ff",
            "suspended for 25 s more, after 3 calls that broke",
            "reason: out of fuel",
            "runs with its settings of before, those of the config are not usable: no such file",
            "check: ok",
            "limits of a call: 30 s, 64 MiB, fuel 500 M; 8 at the same time",
            "present: 4 calls, 3 errors (1 × out-of-fuel, 2 × unavailable), mean 500 ms",
            "fuel 1.23 M, peak memory 1 MiB, host calls 11, requests 12, sent 1 KiB, received 2 KiB, denials 13, dropped \
             log lines 14",
            "ready: 1 calls, 0 errors, mean 500 ms",
            "fuel 0, peak memory 0 B, host calls 0, requests 0, sent 0 B, received 0 B, denials 0, dropped log lines 0",
            "beta issuance-hook unloaded - /b.wasm - 0 0 - -",
        ]
    );
    assert!(text.lines().all(|line| line.starts_with("  ") || !line.contains("fuel")), "details are indented:\n{text}");
    let asked = server.asked();
    assert!(asked.len() == 1 && asked[0].starts_with("GET /api/v1/plugins HTTP/1.1"), "{asked:?}");
    assert!(asked[0].contains(&format!("x-api-key: {KEY}\r\n")), "{asked:?}");
}

#[tokio::test]
async fn a_server_neither_steers_a_terminal_nor_breaks_the_table() {
    let evil = "\\u001b[2J\\nx\\u202e";
    let big = u64::MAX;
    let plugin = format!(
        r#"[{{"name": "a{evil}", "origin": "{evil}", "version": "{evil}", "digest": "{evil}", "reason": "{evil}",
            "check": "{evil}", "refused_update": "{evil}", "operations": {{"p{evil}": {{"calls": {big},
            "errors": {{"{evil}": {big}, "b": {big}}}, "seconds": -1e300, "fuel": {big}}}, "q": {{"calls": {big}}}}}}}]"#
    );
    let text = listed(&Server::saying("200 OK", "", &plugin).await.url).await.unwrap();
    assert!(!text.contains(|c: char| (c.is_control() && c != '\n') || c == '\u{202e}'), "{text:?}");
    assert_eq!(text.lines().count(), 2 + 3 + 4, "{text}");
    for (status, head, body) in [
        ("302 Found", "location: /\u{1b}[2J\u{202e}\r\n", ""),
        ("200 OK", "", "[{\"name\": \"a\", \"state\": \"\\u001b[2J\"}]"),
    ] {
        let error = refused(status, head, body).await;
        let shown = acme_manager_workbench::text::block(&error);
        assert!(!shown.contains(['\u{1b}', '\u{202e}']), "{shown}");
    }
}

#[tokio::test]
async fn a_key_that_is_not_accepted_is_told() {
    let error = refused("401 Unauthorized", "", "{}").await;
    assert!(error.contains("does not accept the key in ACME_MANAGER_API_KEY") && !error.contains(KEY), "{error}");
    let none = Environment::parse("", []).unwrap();
    let error = list(&"https://127.0.0.1:1".parse().unwrap(), &none).await.unwrap_err().to_string();
    assert!(error.contains("set ACME_MANAGER_API_KEY"), "{error}");
}

#[tokio::test]
async fn the_key_does_not_follow_a_redirect() {
    let other = Server::saying("200 OK", "", TWO).await;
    for status in ["301 Moved Permanently", "302 Found", "307 Temporary Redirect", "308 Permanent Redirect"] {
        let error = refused(status, &format!("location: {}elsewhere\r\n", other.url), "").await;
        assert!(
            error.contains(&format!("leads to {}elsewhere", other.url)) && error.contains("not sent on"),
            "{error}"
        );
    }
    assert!(refused("307 Temporary Redirect", "", "").await.contains("leads to nowhere"));
    assert_eq!(other.asked(), [""; 0]);
}

#[tokio::test]
async fn the_key_does_not_travel_in_clear() {
    for server in ["http://192.0.2.1", "http://localhost.example.com", "http://10.0.0.1:8080/x", "http://[2001:db8::1]"]
    {
        let error = listed(&server.parse().unwrap()).await.unwrap_err();
        assert!(error.contains("write https://") && error.contains("this machine alone"), "{error}");
    }
    for server in ["http://127.0.0.1:1", "http://[::1]:1", "http://localhost:1"] {
        let error = listed(&server.parse().unwrap()).await.unwrap_err();
        assert!(error.contains("cannot be asked"), "{error}");
    }
    let error = listed(&"https://ann:s3cr3t@127.0.0.1:1".parse().unwrap()).await.unwrap_err();
    assert!(error.contains("no user and no password") && !error.contains("s3cr3t"), "{error}");
}

#[tokio::test]
async fn what_is_no_acme_manager_is_told() {
    for (status, body, expected) in [
        ("200 OK", "<html></html>", "is this an acme-manager?"),
        ("200 OK", "{}", "is this an acme-manager?"),
        ("200 OK", "[{\"id\": 1}]", "something else than plugins"),
        ("404 Not Found", "", "404 Not Found: is this an acme-manager"),
        ("500 Internal Server Error", "", "500"),
    ] {
        let error = refused(status, "", body).await;
        assert!(error.contains(expected), "{error}");
    }
    let endless = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n", u32::MAX) + &" ".repeat(5 << 20);
    let error = listed(&Server::start(endless).await.url).await.unwrap_err();
    assert!(error.contains("longer than any list of plugins"), "{error}");
    let error = listed(&Server::start("SSH-2.0-x\r\n").await.url).await.unwrap_err();
    assert!(error.contains("cannot be asked"), "{error}");
    let error = listed(&Server::start("HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n[").await.url).await.unwrap_err();
    assert!(error.contains("it broke off"), "{error}");
}
