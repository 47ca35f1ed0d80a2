//! What a guest reaches over HTTP, and what it does not.

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use acme_manager_plugin_runtime::{CallError, HostGrant, LookUp, Plugin, PluginSettings, Resolver};

use crate::{
    lines::Lines,
    server::{Identity, Server},
    support::{Reports, beside_good_calls, plugin, present},
};

/// A plugin that may talk to the server as `http://api.example.com`.
fn lead_to(settings: &mut PluginSettings, server: &Server, host: &str, grant: &str) {
    settings.resolver = Resolver::Fixed(BTreeMap::from([(host.to_owned(), vec![server.address])]));
    settings.grants.hosts = vec![grant.parse().expect("a grant")];
    settings.grants.cidrs = vec!["127.0.0.0/8".parse().expect("a network")];
}

async fn plain(server: &Server, adjust: impl FnOnce(&mut PluginSettings)) -> Plugin {
    plugin(|settings| {
        lead_to(settings, server, "api.example.com", "http://api.example.com");
        adjust(settings);
    })
    .await
}

/// What the plugin said, and what the host has to add.
async fn refusal(plugin: &Plugin, value: &str) -> (String, Option<String>) {
    match present(plugin, value).await {
        Err(CallError::OutOfBounds { detail, .. }) => (detail, None),
        Err(CallError::Refused { message, denied, .. }) => (message, denied),
        other => panic!("{value}: {other:?}"),
    }
}

#[tokio::test]
async fn a_granted_host_is_reached_and_connections_are_kept() {
    let server = Server::start(None).await;
    let reports = Reports::default();
    let plugin = plain(&server, |settings| reports.observe(settings)).await;
    for _ in 0..3 {
        assert_eq!(present(&plugin, "get http://api.example.com/x?y=1").await.expect("an answer"), "200 5 hello");
    }
    assert_eq!(present(&plugin, "many http://api.example.com/ 5").await.expect("answers"), "200 5 hello");
    let report = reports.last();
    assert_eq!((report.requests, report.host_calls, report.denials), (5, 5, 0));
    assert!(report.sent_bytes > 5 * 20, "{report:?}");
    assert!(report.received_bytes > 5 * 5, "{report:?}");
    assert_eq!(server.connections(), 1, "across calls as well");
    let request = &server.requests()[0];
    assert!(
        request.starts_with("get /x?y=1 http/1.1\r\n") && request.contains("\r\nhost: api.example.com\r\n"),
        "{request}"
    );
    assert_eq!(present(&plugin, "get http://api.example.com/close").await.expect("an answer"), "200 5 hello");
    assert_eq!(present(&plugin, "get http://api.example.com/").await.expect("a new connection"), "200 5 hello");
    assert_eq!(server.connections(), 2);
}

#[tokio::test]
async fn bodies_arrive_with_their_exact_length() {
    let server = Server::start(None).await;
    let plugin = plain(&server, |settings| settings.limits.request_body_bytes = 100_000).await;
    assert_eq!(
        present(&plugin, "post http://api.example.com/echo 70000").await.expect("an answer"),
        "200 14 received 70000"
    );
    let request = &server.requests()[0];
    assert!(request.contains("content-length: 70000") && !request.contains("transfer-encoding"), "{request}");
    let (message, _) = refusal(&plugin, "post http://api.example.com/echo 200000").await;
    assert!(message.contains("HttpRequestBodySize"), "{message}");
    for declared in ["2", "100", "4, 4"] {
        let outcome = present(&plugin, &format!("smuggle http://api.example.com/echo {declared}")).await;
        assert!(outcome.is_err(), "{declared}: {outcome:?}");
    }
    assert_eq!(server.requests().len(), 1, "nothing with a wrong length was sent");
}

#[tokio::test]
async fn what_is_not_granted_is_refused_and_the_way_out_is_logged_once() {
    let lines = Lines::default();
    let _guard = tracing::subscriber::set_default(lines.clone());
    let server = Server::start(None).await;
    let plugin = plain(&server, |_| {}).await;
    for value in ["get https://api.example.com/", "get http://api.example.com:8080/", "get http://evil.example.com/"] {
        for _ in 0..3 {
            let (message, denied) = refusal(&plugin, value).await;
            assert!(message.contains("HttpRequestDenied"), "{message}");
            assert!(denied.expect("a hint").contains("allowed_hosts"), "{value}");
        }
    }
    let lines = lines.take();
    assert_eq!(lines.len(), 3, "{lines:?}");
    assert!(lines[0].contains("`allowed_hosts: [\"api.example.com\"]`"), "{}", lines[0]);
    assert!(lines[1].contains("`allowed_hosts: [\"http://api.example.com:8080\"]`"), "{}", lines[1]);
    assert_eq!(server.connections(), 0);
}

#[tokio::test]
async fn names_that_lead_to_private_addresses_are_refused() {
    let server = Server::start(None).await;
    let plugin = plain(&server, |settings| settings.grants.cidrs.clear()).await;
    let (message, denied) = refusal(&plugin, "get http://api.example.com/").await;
    assert!(message.contains("DestinationIpProhibited"), "{message}");
    assert!(denied.expect("a hint").contains("`allowed_cidrs: [\"127.0.0.1/32\"]`"));
    assert_eq!(server.connections(), 0);
    // The system's own resolution is filtered the same way.
    let local = crate::support::plugin(|settings| {
        settings.grants.hosts = vec![format!("http://localhost:{}", server.address.port()).parse().expect("a grant")];
    })
    .await;
    let (message, _) = refusal(&local, &format!("get http://localhost:{}/", server.address.port())).await;
    assert!(message.contains("DestinationIpProhibited"), "{message}");
    assert_eq!(server.connections(), 0);
}

#[tokio::test]
async fn an_endpoint_origin_may_be_private() {
    let server = Server::start(None).await;
    let endpoint = format!("http://{}", server.address);
    let grant = HostGrant::origin(&url::Url::parse(&endpoint).expect("a URL")).expect("a grant");
    let plugin = plugin(|settings| settings.grants.hosts = vec![grant]).await;
    assert_eq!(present(&plugin, &format!("get {endpoint}/")).await.expect("an answer"), "200 5 hello");
    let (message, _) = refusal(&plugin, "get http://127.0.0.1:1/").await;
    assert!(message.contains("HttpRequestDenied"), "{message}");
}

#[tokio::test]
async fn redirects_are_answers() {
    let server = Server::start(None).await;
    let plugin = plain(&server, |_| {}).await;
    assert_eq!(present(&plugin, "get http://api.example.com/redirect").await.expect("an answer"), "302 0 ");
    assert_eq!(server.requests().len(), 1);
}

#[tokio::test]
async fn tls_is_checked_by_name_against_the_given_roots() {
    let identity = Identity::new("api.example.com");
    let server = Server::start(Some(&identity)).await;
    let with = |host: &'static str, root: bool| {
        let (server, root) = (&server, root.then(|| identity.root.clone()));
        plugin(move |settings| {
            lead_to(settings, server, host, host);
            settings.extra_roots.extend(root);
        })
    };
    let trusting = with("api.example.com", true).await;
    assert_eq!(present(&trusting, "get https://api.example.com/").await.expect("an answer"), "200 5 hello");
    let (message, _) = refusal(&with("api.example.com", false).await, "get https://api.example.com/").await;
    assert!(message.contains("TlsCertificateError"), "{message}");
    let (message, _) = refusal(&with("www.example.com", true).await, "get https://www.example.com/").await;
    assert!(message.contains("TlsCertificateError"), "{message}");
    let plain = Server::start(None).await;
    let plugin = plugin(|settings| lead_to(settings, &plain, "api.example.com", "api.example.com")).await;
    let (message, _) = refusal(&plugin, "get https://api.example.com/").await;
    assert!(message.contains("TlsProtocolError"), "{message}");
}

#[tokio::test]
async fn responses_are_bounded_in_size_and_time() {
    let server = Server::start(None).await;
    let plugin = plain(&server, |settings| settings.limits.timeout = Duration::from_secs(5)).await;
    for (value, expected) in [
        ("get http://api.example.com/big", "response body size exceeds limit: 8388608 bytes"),
        ("get http://api.example.com/headers", "HttpResponseHeaderSectionSize"),
        ("get http://api.example.com/header", "HttpResponseHeaderSectionSize"),
        ("get http://api.example.com/garbage", "HttpProtocolError"),
        ("headers http://api.example.com/ 70000", "HttpRequestHeaderSectionSize"),
        ("impatient http://api.example.com/silent", "HttpResponseTimeout"),
    ] {
        let (message, _) = refusal(&plugin, value).await;
        assert!(message.contains(expected), "{value}: {message}");
    }
    let small = plain(&server, |settings| settings.limits.timeout = Duration::from_millis(300)).await;
    for path in ["silent", "drip"] {
        let started = Instant::now();
        let error = beside_good_calls(&small, &format!("get http://api.example.com/{path}")).await.expect_err(path);
        assert!(error.retryable(), "{path}: {error}");
        assert!(started.elapsed() < Duration::from_secs(2), "{path} took {:?}", started.elapsed());
    }
}

/// A name that leads to the server when it is looked at and inside when it is used: it is looked up once.
#[tokio::test]
async fn a_name_that_changes_its_address_leads_nowhere_else() {
    let server = Server::start(None).await;
    let (address, asked) = (server.address, Arc::new(AtomicUsize::new(0)));
    let counter = asked.clone();
    let plugin = plain(&server, |settings| {
        settings.resolver = Resolver::By(LookUp::new(move |_| match counter.fetch_add(1, Ordering::Relaxed) {
            0 => vec![address],
            _ => vec![([10, 0, 0, 1], 80).into()],
        }));
    })
    .await;
    // The server closes the connection, so that the next request has to look again.
    assert_eq!(present(&plugin, "get http://api.example.com/close").await.expect("an answer"), "200 5 hello");
    assert_eq!(asked.load(Ordering::Relaxed), 1);
    let error = present(&plugin, "get http://api.example.com/").await.expect_err("it leads inside now");
    assert_eq!((error.class(), asked.load(Ordering::Relaxed)), ("denied", 2));
    assert!(error.to_string().contains("`allowed_cidrs: [\"10.0.0.1/32\"]`"), "{error}");
    assert_eq!(server.connections(), 1);
}

#[tokio::test]
async fn requests_per_call_are_counted() {
    let server = Server::start(None).await;
    let reports = Reports::default();
    let plugin = plain(&server, |settings| {
        settings.limits.max_requests = 3;
        reports.observe(settings);
    })
    .await;
    assert!(present(&plugin, "many http://api.example.com/ 3").await.is_ok());
    let (message, denied) = refusal(&plugin, "many http://api.example.com/ 4").await;
    assert!(message.contains("more than 3 requests and messages in one call; it said: "), "{message}");
    assert!(message.contains("ConnectionLimitReached") && denied.is_none(), "{message}");
    let report = reports.last();
    assert_eq!((report.requests, report.denials, report.error), (4, 0, Some("out-of-bounds")));
    assert_eq!(server.requests().len(), 6);
}
