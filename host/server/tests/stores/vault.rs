//! The Vault store against a healthy server: conformance, layout, login, TLS.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use acme_manager_server::storage::vault::{Operation, VaultSettings, VaultStore};
use acme_manager_server::storage::{Expect, Store, StoreError, Version};
use futures::future::join_all;
use reqwest::Method;
use serde_json::{Value, json};

use crate::bao::{Bao, FULL_POLICY, quiet};
use crate::middleman::{Fate, Middleman};
use crate::{conformance, path, secret};

#[tokio::test(flavor = "multi_thread")]
async fn conforms() {
    let bao = Bao::start().await;
    conformance::all(Arc::new(quiet(bao.settings().await))).await;
}

#[tokio::test]
async fn shares_its_secrets_with_the_command_line() {
    let bao = Bao::start().await;
    let store = quiet(bao.settings().await);
    let (theirs, ours) = ("certificates/o/i/*.example.com", "certificates/a b/user@x+y/100%.example.com");
    bao.cli(&["kv", "put", "-mount=secret", theirs, "cert=PEM", "domain=*.example.com"]);
    let found = store.read(&path(theirs)).await.unwrap().unwrap();
    assert_eq!(Value::Object(found.secret.0.clone()), json!({ "cert": "PEM", "domain": "*.example.com" }));
    store.write(&path(theirs), &secret("changed"), Expect::Version(found.version)).await.unwrap();
    store.write(&path(ours), &secret("ours"), Expect::Absent).await.unwrap();
    for (name, value) in [(theirs, "changed"), (ours, "ours")] {
        assert_eq!(bao.cli(&["kv", "get", "-mount=secret", "-field=key", name]).trim(), value);
    }
    let listed = bao.cli(&["kv", "list", "-mount=secret", "-format=json", "certificates/o/i"]);
    assert_eq!(serde_json::from_str::<Value>(&listed).unwrap(), json!(["*.example.com"]));
    // What the command line deleted softly is absent and counts on.
    bao.cli(&["kv", "delete", "-mount=secret", theirs]);
    assert_eq!(store.read(&path(theirs)).await.unwrap(), None);
    let late = store.write(&path(theirs), &secret("late"), Expect::Version(Version(2))).await;
    assert!(conformance::is_conflict(late));
    assert_eq!(store.write(&path(theirs), &secret("new"), Expect::Absent).await.unwrap(), Version(3));
    // What we delete is gone for others too.
    store.delete(&path(theirs), Version(3)).await.unwrap();
    let (status, _) = bao.try_api(Method::GET, &format!("secret/data/{theirs}"), Value::Null).await;
    assert_eq!(status, 404);
}

#[tokio::test]
async fn tells_the_observer() {
    let bao = Bao::start().await;
    let seen = Arc::new(Mutex::new(Vec::new()));
    let log = Arc::clone(&seen);
    let observer =
        move |operation, path: &_, success| log.lock().unwrap().push((operation, format!("{path}"), success));
    let store = VaultStore::connect(bao.settings().await, Arc::new(observer)).unwrap();
    let path = path("a/b");
    store.read(&path).await.unwrap();
    store.write(&path, &secret("x"), Expect::Absent).await.unwrap();
    store.write(&path, &secret("x"), Expect::Absent).await.unwrap_err();
    store.list("a").await.unwrap();
    store.delete(&path, Version(1)).await.unwrap();
    store.destroy(&path).await.unwrap();
    let seen: Vec<(Operation, bool)> = seen.lock().unwrap().iter().map(|(o, _, success)| (*o, *success)).collect();
    let (get, put, delete) = (Operation::Get, Operation::Put, Operation::Delete);
    assert_eq!(seen, [(get, true), (put, true), (put, false), (delete, true), (delete, true)]);
}

#[tokio::test]
async fn trusts_the_given_ca_and_no_other() {
    let bao = Bao::start_tls().await;
    let settings = bao.settings().await;
    quiet(settings.clone()).ping().await.unwrap();
    let error = quiet(VaultSettings { ca_file: None, retry_max: 0, ..settings }).ping().await.unwrap_err();
    assert!(error.retryable() && error.to_string().to_lowercase().contains("certificate"), "{error}");
}

#[tokio::test]
async fn many_callers_make_one_login() {
    let bao = Bao::start().await;
    let middleman = Middleman::start(bao.port(), |_, _, _| Fate::Pass).await;
    let store = quiet(VaultSettings { url: middleman.url.clone(), ..bao.settings().await });
    let a = path("a");
    for result in join_all((0..16).map(|_| store.read(&a))).await {
        assert_eq!(result.unwrap(), None);
    }
    store.ping().await.unwrap();
    assert_eq!(middleman.count("POST /v1/auth/approle/login"), 1);
}

async fn until(what: &str, ready: impl Fn() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(30);
    while !ready() {
        assert!(Instant::now() < deadline, "{what}: not within 30 s");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test]
async fn renews_its_token_and_replaces_it_at_the_end_of_its_life() {
    let bao = Bao::start().await;
    let role = bao.app_role(FULL_POLICY, json!({ "token_ttl": "2s", "token_max_ttl": "6s" })).await;
    let middleman = Middleman::start(bao.port(), |_, _, _| Fate::Pass).await;
    let store = quiet(VaultSettings { url: middleman.url.clone(), ..bao.settings_for(role) });
    store.ping().await.unwrap();
    let renewals = || middleman.count("POST /v1/auth/token/renew-self");
    until("two renewals without any call", || renewals() >= 2).await;
    assert_eq!(middleman.count("POST /v1/auth/approle/login"), 1);
    until("a new login", || middleman.count("POST /v1/auth/approle/login") >= 2).await;
    assert_eq!(store.read(&path("a")).await.unwrap(), None);
    drop(store);
    tokio::time::sleep(Duration::from_millis(20)).await;
    let after = renewals();
    tokio::time::sleep(Duration::from_secs(3)).await;
    assert_eq!(renewals(), after, "a dropped store still renews");
}

#[tokio::test]
async fn lives_with_tokens_that_cannot_be_renewed_or_never_end() {
    let bao = Bao::start().await;
    let role = bao.app_role(FULL_POLICY, json!({ "token_type": "batch", "token_ttl": "2s" })).await;
    let store = quiet(bao.settings_for(role));
    let end = Instant::now() + Duration::from_secs(5);
    let mut calls = 0;
    while Instant::now() < end {
        store.read(&path("a")).await.unwrap();
        calls += 1;
        tokio::time::sleep(Duration::from_millis(40)).await;
    }
    assert!(calls > 20);
    // Without a lease the token never ends: no login for every call.
    let no_lease = |line: &str, _: &str, _| match line {
        "POST /v1/auth/approle/login" => Fate::Answer(crate::middleman::answer("200 OK", NO_LEASE)),
        _ => Fate::Answer(crate::middleman::answer("404 Not Found", r#"{"errors":[]}"#)),
    };
    let middleman = Middleman::start(bao.port(), no_lease).await;
    let store = quiet(VaultSettings { url: middleman.url.clone(), ..bao.settings().await });
    for _ in 0..5 {
        assert_eq!(store.read(&path("a")).await.unwrap(), None);
    }
    assert_eq!(middleman.count("POST /v1/auth/approle/login"), 1);
}

const NO_LEASE: &str = r#"{"request_id":"","lease_id":"","renewable":false,"lease_duration":0,"data":null,"wrap_info":null,
    "warnings":null,"auth":{"client_token":"hvs.token","accessor":"","policies":[],"token_policies":[],"metadata":null,
    "lease_duration":0,"renewable":false,"entity_id":"","token_type":"service","orphan":true}}"#;

#[tokio::test]
async fn a_path_in_the_url_comes_before_the_api() {
    let not_here = |_: &str, _: &str, _| Fate::Answer(crate::middleman::answer("404 Not Found", r#"{"errors":[]}"#));
    let middleman = Middleman::start(0, not_here).await;
    let bao = Bao::start().await;
    let settings = VaultSettings { url: format!("{}/below/vault/", middleman.url), ..bao.settings().await };
    assert!(matches!(quiet(settings).read(&path("a")).await, Err(StoreError::Denied { .. })));
    assert_eq!(middleman.count("POST /below/vault/v1/auth/approle/login"), 1);
}
