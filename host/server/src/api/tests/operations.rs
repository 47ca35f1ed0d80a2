//! What operators and proxies rely on: probes, ids, limits, methods, and an answer whatever happens.

use axum::extract::Path;
use axum::routing::get;

use super::*;

#[tokio::test]
async fn probes_metrics_and_pointers_answer_everybody() {
    let fixture = Fixture::new().await;
    for (path, text) in [("/health", r#"{"status":"ok"}"#), ("/ready", r#"{"status":"ready"}"#)] {
        let answer = fixture.send(plain("GET", path)).await;
        assert_eq!((answer.status, answer.text().as_str()), (StatusCode::OK, text));
    }
    let metrics = fixture.send(plain("GET", "/metrics")).await;
    assert_eq!(metrics.header("content-type"), "text/plain; version=0.0.4");
    assert!(metrics.text().contains("acme_manager_http_requests_in_flight 1"), "{}", metrics.text());
    assert_eq!(fixture.send(plain("GET", "/")).await.json()["documentation"], "/swagger/");
}

#[tokio::test]
async fn a_challenge_is_answered_until_it_is_withdrawn() {
    let fixture = Fixture::new().await;
    let path = "/.well-known/acme-challenge/abc-_1";
    fixture.state.http01.publish("abc-_1", "abc-_1.thumbprint").expect("room");
    let answer = fixture.send(plain("GET", &format!("{path}?query=ignored"))).await;
    assert_eq!((answer.status, answer.text().as_str()), (StatusCode::OK, "abc-_1.thumbprint"));
    assert!(answer.header("content-type").starts_with("text/plain"));
    fixture.state.http01.withdraw("abc-_1");
    fixture.send(plain("GET", path)).await.fails(Code::ChallengeNotFound);
}

#[tokio::test(start_paused = true)]
async fn a_server_without_a_usable_store_is_not_ready_and_says_little() {
    type Replace = fn(Arc<dyn Store>) -> Arc<dyn Store>;
    let stores: [(Replace, &str); 3] = [
        (|_| Arc::new(Failing::Unavailable), "the store is sealed"),
        (|_| Arc::new(Failing::Denied), "the store refuses this server; its log says why"),
        (|_| Arc::new(Failing::Silent), "the store did not answer within 2 s"),
    ];
    for (store, reason) in stores {
        let fixture = Fixture::with(Leadership::alone(), store).await;
        let answer = fixture.send(plain("GET", "/ready")).await;
        assert_eq!(answer.fails(Code::StoreUnavailable).error, reason);
        assert_eq!(answer.header("retry-after"), "30");
        assert_eq!(fixture.send(plain("GET", "/health")).await.status, StatusCode::OK);
    }
}

#[tokio::test]
async fn a_failing_store_gives_no_detail_away() {
    for (store, code) in [(Failing::Unavailable, Code::StoreUnavailable), (Failing::Denied, Code::StoreRefused)] {
        let mut fixture = Fixture::new().await;
        let failing: Arc<dyn Store> = Arc::new(store);
        let registry = Arc::new(Registry::default());
        let good = state(&fixture.store, &registry, &Leadership::alone()).0;
        good.certificates.restore().await.expect("stored certificates");
        good.tokens.restore().await.expect("stored tokens");
        fixture.state = state(&failing, &registry, &Leadership::alone()).0;
        for (method, path) in [("GET", "/api/v1/certificate/shop"), ("DELETE", "/api/v1/certificate/shop")] {
            let error = fixture.web(method, path, Value::Null).await.fails(code);
            assert!(!error.error.contains("secret"), "{}", error.error);
            assert_eq!(error.name, "shop");
        }
        // What is known without the store is still answered.
        assert_eq!(fixture.web("GET", "/api/v1/certificate/metadata", Value::Null).await.status, StatusCode::OK);
    }
}

#[tokio::test]
async fn a_follower_reads_and_does_not_write() {
    let (_sender, term) = watch::channel(None);
    let fixture = Fixture::with(Leadership::decided_by(term), |store| store).await;
    assert_eq!(fixture.web("GET", "/api/v1/certificate/shop", Value::Null).await.status, StatusCode::OK);
    let new = json!({ "domain": "new.example.com", "issuer": "le" });
    let token = json!({ "username": "ops", "scope": ["read"] });
    for answer in [
        fixture.send(plain("GET", "/ready")).await,
        fixture.web("POST", "/api/v1/certificate", new).await,
        fixture.web("DELETE", "/api/v1/certificate/shop", Value::Null).await,
        fixture.admin("POST", "/api/v1/token", token).await,
    ] {
        answer.fails(Code::NotLeader);
        assert_eq!(answer.header("retry-after"), "5");
    }
}

#[tokio::test]
async fn an_unknown_path_or_method_is_answered_as_an_error() {
    let fixture = Fixture::new().await;
    for path in
        ["/nothing", "/api/v1", "/api/v1/certificate/", "/api/v1/certificate/a/b/c", "/api/v2/token", "/swagger/no.js"]
    {
        fixture.send(plain("GET", path)).await.fails(Code::PathNotFound);
    }
    for (method, path, allowed) in [
        ("GET", "/api/v1/certificate", &["POST", "PUT"][..]),
        ("DELETE", "/api/v1/certificate/metadata", &["GET", "HEAD"]),
        ("POST", "/api/v1/certificate/le/a.example", &["GET", "HEAD", "DELETE"]),
        ("PATCH", "/health", &["GET", "HEAD"]),
        ("BREW", "/ready", &["GET", "HEAD"]),
    ] {
        let answer = fixture.send(plain(method, path)).await;
        answer.fails(Code::MethodNotAllowed);
        let mut allow: Vec<&str> = answer.header("allow").split(',').map(str::trim).collect();
        let mut allowed = allowed.to_vec();
        allow.sort_unstable();
        allowed.sort_unstable();
        assert_eq!(allow, allowed, "{method} {path}");
    }
}

#[tokio::test]
async fn head_is_get_without_the_body() {
    let fixture = Fixture::new().await;
    let paths = [
        "/health",
        "/ready",
        "/swagger/doc.json",
        "/api/v1/certificate/shop",
        "/api/v1/certificate/metadata",
        "/api/v1/token/self",
        "/nothing",
    ];
    for path in paths {
        let get = fixture.web("GET", path, Value::Null).await;
        let head = fixture.web("HEAD", path, Value::Null).await;
        assert_eq!((head.status, head.body.len()), (get.status, 0), "{path}");
        assert_eq!(head.header("content-type"), get.header("content-type"), "{path}");
    }
}

#[tokio::test]
async fn a_harmless_request_id_comes_back_and_any_other_is_replaced() {
    let fixture = Fixture::new().await;
    let longest = "x".repeat(128);
    let too_long = "x".repeat(129);
    let ask = |id: &str| {
        fixture.send(request("GET", "/health").header("X-Request-ID", id).body(Body::empty()).expect("a request"))
    };
    for id in ["a", "req_1.2-3_Z", &longest] {
        assert_eq!(ask(id).await.header("x-request-id"), id);
    }
    for id in ["", "a b", "a\tb", "a=b", "a\"", "é", &too_long] {
        let answer = ask(id).await;
        let made = answer.header("x-request-id");
        let hex = made.strip_prefix("req_").expect("a prefix");
        assert!(hex.len() == 32 && hex.bytes().all(|b| b.is_ascii_hexdigit()), "{made}");
    }
    let first = fixture.send(plain("GET", "/health")).await.header("x-request-id").to_owned();
    assert_ne!(first, fixture.send(plain("GET", "/health")).await.header("x-request-id"));
}

#[tokio::test]
async fn a_body_beyond_the_limit_is_refused() {
    let fixture = Fixture::new().await;
    let send = |bytes: usize| {
        let body = json!({ "username": "ops", "scope": ["read"], "padding": "x".repeat(bytes) }).to_string();
        let request = request("POST", "/api/v1/token").header("X-API-Key", API_KEY);
        fixture.send(request.body(Body::from(body)).expect("a request"))
    };
    assert_eq!(send(1_000_000).await.status, StatusCode::CREATED);
    send(1_100_000).await.fails(Code::BodyTooLarge);
}

#[tokio::test(start_paused = true)]
async fn a_body_that_does_not_arrive_is_not_waited_for() {
    let fixture = Fixture::new().await;
    let never = futures::stream::pending::<Result<Vec<u8>, std::io::Error>>();
    let request = request("POST", "/api/v1/token").header("X-API-Key", API_KEY);
    let answer = fixture.send(request.body(Body::from_stream(never)).expect("a request")).await;
    answer.fails(Code::BodyTimeout);
}

/// Routes that misbehave, within what surrounds all routes.
fn misbehaving(limits: ApiLimits) -> Router {
    let routes = Router::new()
        .route("/panic", get(|| async { panic!("the reason is for the log") as &'static str }))
        .route("/slow", get(|| async { std::future::pending::<&'static str>().await }))
        .route("/bare", get(|| async { StatusCode::IM_A_TEAPOT }))
        .route("/broken", get(|| async { (StatusCode::BAD_GATEWAY, "detail") }))
        .route("/path/{id}", get(|_: Path<u8>| async { "fine" }));
    surrounded(routes, Metrics::new(), limits)
}

#[tokio::test(start_paused = true)]
async fn a_handler_that_panics_hangs_or_fails_bare_still_gives_an_error_body() {
    let router = misbehaving(ApiLimits::default());
    let get = |path: &'static str| send(router.clone(), plain("GET", path));
    for (path, code) in [
        ("/panic", Code::Internal),
        ("/slow", Code::RequestTimeout),
        ("/bare", Code::InvalidRequest),
        ("/broken", Code::Internal),
        ("/path/x", Code::InvalidRequest),
    ] {
        let error = get(path).await.fails(code);
        assert!(!error.error.contains("reason") && !error.error.contains("detail"), "{path}: {}", error.error);
    }
    assert_eq!(get("/path/1").await.text(), "fine");
}

#[tokio::test]
async fn a_full_server_refuses_clients_and_answers_probes() {
    let fixture = Fixture::new().await;
    let full = ApiLimits { concurrent_requests: 0, ..ApiLimits::default() };
    let router = router(fixture.state.clone(), full);
    let answer = send(router.clone(), plain("GET", "/api/v1/token/self")).await;
    answer.fails(Code::Overloaded);
    assert_eq!(answer.header("retry-after"), "1");
    for path in ["/health", "/ready", "/metrics"] {
        assert_eq!(send(router.clone(), plain("GET", path)).await.status, StatusCode::OK);
    }
}

#[tokio::test]
async fn requests_are_counted_under_their_route() {
    let fixture = Fixture::new().await;
    fixture.web("GET", "/api/v1/certificate/le/www.example.com", Value::Null).await;
    fixture.send(plain("GET", "/nothing/of/the/kind")).await;
    fixture.send(plain("BREW", "/health")).await;
    let text = fixture.send(plain("GET", "/metrics")).await.text();
    for line in [
        r#"acme_manager_http_requests_total{method="GET",path="/api/v1/certificate/{issuer}/{domain}",status_code="200"} 1"#,
        r#"acme_manager_http_requests_total{method="GET",path="/",status_code="404"} 1"#,
        r#"acme_manager_http_requests_total{method="other",path="/health",status_code="405"} 1"#,
    ] {
        assert!(text.contains(line), "{line} is not in {text}");
    }
    assert!(!text.contains("www.example.com\",status"), "no path of a client is a label");
}
