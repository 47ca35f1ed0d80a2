//! The Vault store against a Vault that is sealed, gone, misconfigured, slow or lying.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use acme_manager_server::storage::vault::{VaultSettings, VaultStore};
use acme_manager_server::storage::{Expect, Store, StoreError, Version};
use reqwest::Method;
use secrecy::SecretString;
use serde_json::{Value, json};

use crate::bao::{Bao, FULL_POLICY, quiet};
use crate::middleman::{Fate, Middleman, answer};
use crate::{path, secret};

fn unavailable<T: std::fmt::Debug>(result: Result<T, StoreError>, text: &str) {
    match result {
        Err(error @ StoreError::Unavailable { .. }) => assert!(error.to_string().contains(text), "{error}"),
        other => panic!("expected unavailable ({text}), got {other:?}"),
    }
}

fn denied<T: std::fmt::Debug>(result: Result<T, StoreError>, texts: &[&str]) {
    match result {
        Err(error @ StoreError::Denied { .. }) => {
            for text in texts {
                assert!(error.to_string().contains(text), "{text:?} is not in: {error}");
            }
        }
        other => panic!("expected denied ({texts:?}), got {other:?}"),
    }
}

#[tokio::test]
async fn sealed_in_the_middle() {
    let bao = Bao::start().await;
    let store = quiet(bao.settings().await);
    let a = path("a");
    let version = store.write(&a, &secret("one"), Expect::Absent).await.unwrap();
    bao.seal().await;
    let sealed = format!("Vault at {} is sealed", bao.url);
    unavailable(store.ping().await, &sealed);
    unavailable(store.read(&a).await, &sealed);
    unavailable(store.write(&a, &secret("two"), Expect::Version(version)).await, &sealed);
    unavailable(store.delete(&a, version).await, &sealed);
    unavailable(store.destroy(&a).await, &sealed);
    unavailable(store.list("").await, &sealed);
    unavailable(quiet(bao.settings_for(("role".to_owned(), "secret".to_owned()))).read(&a).await, &sealed);
    bao.unseal().await;
    store.ping().await.unwrap();
    assert_eq!(store.read(&a).await.unwrap().unwrap().version, version);
    store.write(&a, &secret("two"), Expect::Version(version)).await.unwrap();
}

#[tokio::test]
async fn token_revoked() {
    let bao = Bao::start().await;
    let middleman = Middleman::start(bao.port(), |_, _, _| Fate::Pass).await;
    let store = quiet(VaultSettings { url: middleman.url.clone(), ..bao.settings().await });
    let a = path("a");
    let mut version = store.write(&a, &secret("one"), Expect::Absent).await.unwrap();
    for round in 2..5 {
        bao.api(Method::PUT, "sys/leases/revoke-prefix/auth/approle/login", json!({})).await;
        version = store.write(&a, &secret(round), Expect::Version(version)).await.unwrap();
        assert_eq!(version, Version(round));
        assert_eq!(middleman.count("POST /v1/auth/approle/login"), usize::try_from(round).unwrap());
    }
}

#[tokio::test]
async fn wrong_credentials_do_not_storm() {
    let bao = Bao::start().await;
    let middleman = Middleman::start(bao.port(), |_, _, _| Fate::Pass).await;
    let settings = VaultSettings { url: middleman.url.clone(), ..bao.settings().await };
    let store = quiet(VaultSettings { secret_id: SecretString::from("wrong"), ..settings.clone() });
    for _ in 0..4 {
        denied(store.read(&path("a")).await, &["log in", "role_id` and `secret_id`"]);
        denied(store.ping().await, &["log in"]);
    }
    assert_eq!(middleman.count("POST /v1/auth/approle/login"), 1);
    let store = quiet(VaultSettings { mount_path: "nope".to_owned(), ..settings.clone() });
    denied(store.read(&path("a")).await, &["`auth/nope/`", "storage.vault.mount_path"]);
    let store = quiet(VaultSettings { secret_engine: "nope".to_owned(), ..settings });
    denied(store.read(&path("a")).await, &["read at nope/a", "`nope/data/a`", "KV version 2"]);
}

#[tokio::test]
async fn wrong_engines_are_told_apart() {
    let bao = Bao::start().await;
    let policy = r#"path "*" { capabilities = ["create", "read", "update", "delete", "list"] }"#;
    let settings = bao.settings_for(bao.app_role(policy, json!({})).await);
    bao.api(Method::POST, "sys/mounts/old", json!({ "type": "kv" })).await;
    bao.api(Method::POST, "sys/mounts/cipher", json!({ "type": "transit" })).await;
    for (engine, texts) in [
        ("old", ["`old/` is a KV version 1 engine", "vault kv enable-versioning old"]),
        ("cipher", ["`cipher/` is a `transit` engine", "storage.vault.secret_engine"]),
        ("none", ["mounted at `none/`", "storage.vault.secret_engine"]),
    ] {
        let store = quiet(VaultSettings { secret_engine: engine.to_owned(), ..settings.clone() });
        denied(store.read(&path("a")).await, &texts);
        denied(store.write(&path("a"), &secret("x"), Expect::Absent).await, &texts);
        denied(store.list("a").await, &texts);
    }
}

#[tokio::test]
async fn a_policy_that_is_too_small_is_explained() {
    let bao = Bao::start().await;
    let policy = r#"path "secret/data/certificates/*" {
        capabilities = ["create", "read", "update", "delete", "list"] }"#;
    let store = quiet(bao.settings_for(bao.app_role(policy, json!({})).await));
    let a = path("certificates/a");
    store.ping().await.unwrap();
    let version = store.write(&a, &secret("one"), Expect::Absent).await.unwrap();
    denied(
        store.list("certificates").await,
        &["list at secret/certificates", "`list` on `secret/metadata/certificates/*`"],
    );
    denied(store.destroy(&a).await, &["`delete` on `secret/metadata/certificates/a`"]);
    denied(store.read(&path("tokens/a")).await, &["`read` on `secret/data/tokens/a`"]);
    // The tombstone deletes even where the soft delete is not allowed.
    store.delete(&a, version).await.unwrap();
    assert_eq!(store.read(&a).await.unwrap(), None);
    assert_eq!(store.write(&a, &secret("two"), Expect::Absent).await.unwrap(), Version(3));
    let read_only = r#"path "secret/data/*" { capabilities = ["read"] }"#;
    bao.api(Method::PUT, "sys/policies/acl/store", json!({ "policy": read_only })).await;
    let refused = store.write(&a, &secret("x"), Expect::Version(Version(3))).await;
    denied(refused, &["write at secret/certificates/a", "`create` and `update` on `secret/data/certificates/a`"]);
    let with_list = r#"path "secret/metadata/certificates/*" { capabilities = ["list"] }"#;
    bao.api(Method::PUT, "sys/policies/acl/store", json!({ "policy": with_list })).await;
    assert_eq!(store.list("certificates").await.unwrap(), [a]);
}

#[tokio::test]
async fn killed_and_restarted() {
    let mut bao = Bao::start().await;
    let store = quiet(bao.settings().await);
    let a = path("a");
    let version = store.write(&a, &secret("one"), Expect::Absent).await.unwrap();
    bao.kill();
    let gone = format!("Vault at {} does not answer", bao.url);
    unavailable(store.ping().await, &gone);
    unavailable(store.read(&a).await, &gone);
    unavailable(store.write(&a, &secret("two"), Expect::Version(version)).await, &gone);
    bao.start_again().await;
    store.ping().await.unwrap();
    let version = store.write(&a, &secret("two"), Expect::Version(version)).await.unwrap();
    assert_eq!(version, Version(2));
}

#[tokio::test]
async fn never_answers() {
    let silent = Middleman::start(0, |_, _, _| Fate::Ignore).await;
    let bao = Bao::start().await;
    let settings = VaultSettings { url: silent.url.clone(), ..bao.settings().await };
    let settings = VaultSettings { request_timeout: Duration::from_millis(200), retry_max: 2, ..settings };
    let store = quiet(settings);
    let start = Instant::now();
    unavailable(store.read(&path("a")).await, "no answer in time");
    unavailable(store.ping().await, "no answer in time");
    assert!(start.elapsed() < Duration::from_secs(3), "{:?}", start.elapsed());
    assert_eq!(silent.count("POST /v1/auth/approle/login"), 3, "one try and two retries");
}

#[tokio::test]
async fn answers_garbage() {
    let html = "<html>hidden in the page</html>";
    let bao = Bao::start().await;
    for status in ["200 OK", "404 Not Found", "500 Oops", "502 Bad Gateway", "204 No Content"] {
        let page = answer(status, if status.starts_with("204") { "" } else { html });
        let middleman = Middleman::start(0, move |_, _, _| Fate::Answer(page.clone())).await;
        let settings = VaultSettings { url: middleman.url.clone(), retry_max: 1, ..bao.settings().await };
        let store = quiet(settings);
        for result in [
            store.read(&path("a")).await.map(drop),
            store.ping().await,
            store.list("a").await.map(drop),
            store.write(&path("a"), &secret("x"), Expect::Absent).await.map(drop),
        ] {
            let error = result.expect_err(status);
            assert!(!format!("{error} {error:?}").contains("hidden"), "{error:?}");
            assert_eq!(
                error.retryable(),
                !status.starts_with("404") || error.to_string().contains("like Vault"),
                "{error}"
            );
        }
    }
    // After a good login only the data is garbage.
    let page = answer("200 OK", html);
    let judge = move |line: &str, _: &str, _| match line.contains("/secret/data/") {
        true => Fate::Answer(page.clone()),
        false => Fate::Pass,
    };
    let middleman = Middleman::start(bao.port(), judge).await;
    let store = quiet(VaultSettings { url: middleman.url.clone(), ..bao.settings().await });
    unavailable(store.read(&path("a")).await, "does not answer like Vault");
}

#[tokio::test]
async fn redirects_are_not_followed() {
    let elsewhere = Middleman::start(0, |_, _, _| Fate::Answer(answer("200 OK", "{}"))).await;
    let location = format!("{}/v1/x", elsewhere.url);
    for status in ["301 Moved", "302 Found", "307 Temporary Redirect", "308 Permanent Redirect"] {
        let reply =
            format!("HTTP/1.1 {status}\r\nLocation: {location}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
        let middleman = Middleman::start(0, move |_, _, _| Fate::Answer(reply.clone())).await;
        let bao = VaultSettings {
            url: middleman.url.clone(),
            role_id: "role".to_owned(),
            secret_id: SecretString::from("secret"),
            mount_path: "approle".to_owned(),
            secret_engine: "secret".to_owned(),
            ca_file: None,
            retry_max: 3,
            retry_wait_min: Duration::from_millis(1),
            retry_wait_max: Duration::from_millis(1),
            request_timeout: Duration::from_secs(2),
        };
        let store = quiet(bao);
        unavailable(store.read(&path("a")).await, "redirect");
        unavailable(store.ping().await, "redirect");
    }
    assert_eq!(elsewhere.count(""), 0);
}

/// A store behind a middleman that spoils each write to `secret/data/` once.
async fn spoiled(bao: &Bao, fate: Fate) -> (Middleman, VaultStore) {
    let armed = AtomicBool::new(true);
    let judge = move |line: &str, _: &str, _| match line.starts_with("POST /v1/secret/data/") {
        true if armed.swap(false, Ordering::SeqCst) => fate.clone(),
        _ => Fate::Pass,
    };
    let middleman = Middleman::start(bao.port(), judge).await;
    let store = quiet(VaultSettings { url: middleman.url.clone(), ..bao.settings().await });
    (middleman, store)
}

const BAD_GATEWAY: &str = "HTTP/1.1 502 Bad Gateway\r\nContent-Length: 3\r\nConnection: close\r\n\r\nbad";

#[tokio::test]
async fn a_write_without_an_answer_is_looked_for_not_repeated() {
    let bao = Bao::start().await;
    for (index, fate) in [Fate::LoseAnswer, Fate::Instead(BAD_GATEWAY)].into_iter().enumerate() {
        let (middleman, store) = spoiled(&bao, fate).await;
        let a = path(&format!("lost/{index}"));
        assert_eq!(store.write(&a, &secret("one"), Expect::Absent).await.unwrap(), Version(1));
        assert_eq!(middleman.count("POST /v1/secret/data/"), 1, "{:?}", middleman.seen.lock().unwrap());
        assert_eq!(store.read(&a).await.unwrap().unwrap().secret, secret("one"));
    }
    let (middleman, store) = spoiled(&bao, Fate::LoseAnswer).await;
    let a = path("lost/0");
    store.delete(&a, Version(1)).await.unwrap();
    assert_eq!(middleman.count("POST /v1/secret/data/"), 1);
    assert_eq!(store.write(&a, &secret("new"), Expect::Absent).await.unwrap(), Version(3));
}

#[tokio::test]
async fn a_write_that_never_arrived_is_made_again() {
    let bao = Bao::start().await;
    let faults = ["429 Too Many Requests", "500 Oops", "502 Bad Gateway", "503 Service Unavailable", "472 x", "473 x"];
    for (index, status) in faults.into_iter().enumerate() {
        let (middleman, store) = spoiled(&bao, Fate::Answer(answer(status, r#"{"errors":["x"]}"#))).await;
        let a = path(&format!("again/{index}"));
        assert_eq!(store.write(&a, &secret("one"), Expect::Absent).await.unwrap(), Version(1), "{status}");
        assert_eq!(middleman.count("POST /v1/secret/data/"), 2, "{status}");
    }
}

/// Our write is lost on the way and somebody else's takes its number: that is a conflict, not a success.
#[tokio::test]
async fn a_lost_write_that_somebody_overtook_is_a_conflict() {
    let bao = Arc::new(Bao::start().await);
    let direct = Arc::new(quiet(bao.settings().await));
    let (other, handle) = (Arc::clone(&direct), tokio::runtime::Handle::current());
    let armed = AtomicBool::new(true);
    let overtaken = Arc::new(AtomicBool::new(false));
    let done = Arc::clone(&overtaken);
    let judge = move |line: &str, _: &str, _| {
        if line.starts_with("POST /v1/secret/data/") && armed.swap(false, Ordering::SeqCst) {
            let (other, done) = (Arc::clone(&other), Arc::clone(&done));
            let _task = handle.spawn(async move {
                other.write(&path("a"), &secret("theirs"), Expect::Absent).await.unwrap();
                done.store(true, Ordering::SeqCst);
            });
            return Fate::Answer(String::new());
        }
        Fate::Pass
    };
    let middleman = Middleman::start(bao.port(), judge).await;
    let settings =
        VaultSettings { url: middleman.url.clone(), ..bao.settings_for(bao.app_role(FULL_POLICY, json!({})).await) };
    let settings =
        VaultSettings { retry_wait_min: Duration::from_secs(1), retry_wait_max: Duration::from_secs(1), ..settings };
    let result = quiet(settings).write(&path("a"), &secret("ours"), Expect::Absent).await;
    assert!(overtaken.load(Ordering::SeqCst));
    assert!(matches!(result, Err(StoreError::Conflict { .. })), "{result:?}");
    assert_eq!(direct.read(&path("a")).await.unwrap().unwrap().secret, secret("theirs"));
}

#[tokio::test]
async fn a_value_beyond_the_limit_of_the_engine_is_refused() {
    let bao = Bao::start().await;
    let store = quiet(bao.settings().await);
    let large = secret("x".repeat(5 << 20));
    denied(store.write(&path("large"), &large, Expect::Absent).await, &["write at secret/large", "too large"]);
    assert_eq!(store.read(&path("large")).await.unwrap(), None);
}

#[tokio::test]
async fn retries_are_bounded() {
    let bao = Bao::start().await;
    let judge = |line: &str, _: &str, _| match line.contains("/secret/data/") {
        true => Fate::Answer(answer("500 Oops", r#"{"errors":["internal error"]}"#)),
        false => Fate::Pass,
    };
    let middleman = Middleman::start(bao.port(), judge).await;
    let store = quiet(VaultSettings { url: middleman.url.clone(), ..bao.settings().await });
    unavailable(store.read(&path("a")).await, "500 internal error");
    assert_eq!(middleman.count("GET /v1/secret/data/a"), 4, "one try and three retries");
    let (status, _) = bao.try_api(Method::GET, "secret/data/a", Value::Null).await;
    assert_eq!(status, 404);
}
