//! No secret is in any `Debug`, `Display` or log line of the stores.

use std::io::Write;
use std::sync::{Arc, Mutex};

use acme_manager_server::storage::embedded::{EmbeddedSettings, EmbeddedStore, StoreKey};
use acme_manager_server::storage::vault::VaultSettings;
use acme_manager_server::storage::{Expect, Store, Version};
use reqwest::Method;
use secrecy::{ExposeSecret, SecretString};
use serde_json::json;
use tracing_subscriber::fmt::MakeWriter;

use crate::bao::{Bao, quiet};
use crate::middleman::{Fate, Middleman, answer};
use crate::{path, secret};

const VALUE: &str = "hidden-private-key";

#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Log {
    fn text(&self) -> String {
        String::from_utf8_lossy(&self.0.lock().unwrap()).into_owned()
    }
}

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Log {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

/// Everything that is written at the most talkative level, while a store does all it can and meets every fault.
#[tokio::test]
async fn vault_keeps_its_secrets_out_of_logs_and_errors() {
    let log = Log::default();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing::Level::TRACE)
        .with_span_events(tracing_subscriber::fmt::format::FmtSpan::FULL)
        .with_writer(log.clone())
        .finish();
    let _guard = tracing::subscriber::set_default(subscriber);
    let bao = Bao::start().await;
    let settings = bao.settings().await;
    let secret_id = settings.secret_id.expose_secret().to_owned();
    let told = r#"{"errors":["internal error"],"data":"hidden-private-key"}"#;
    let judge = move |line: &str, _: &str, _: usize| match line {
        line if line.contains("/data/error") => Fate::Answer(answer("500 Oops", told)),
        line if line.contains("/data/shape") => {
            Fate::Answer(answer("200 OK", r#"{"data":"hidden-private-key","lease_id":"hidden-private-key"}"#))
        }
        line if line.contains("/data/text") => Fate::Answer(answer("200 OK", "hidden-private-key")),
        line if line.contains("/data/array") => Fate::Answer(answer("200 OK", ARRAY)),
        _ => Fate::Pass,
    };
    let middleman = Middleman::start(bao.port(), judge).await;
    let settings = VaultSettings { url: middleman.url.clone(), retry_max: 1, ..settings };
    let mut shown = format!("{settings:?} {settings:#?}");
    let store = quiet(settings.clone());
    let a = path("a");
    let version = store.write(&a, &secret(VALUE), Expect::Absent).await.unwrap();
    let found = store.read(&a).await.unwrap().unwrap();
    shown += &format!("{store:?} {found:?} {:?} {}", found.secret, store.describe());
    let mut note = |error: acme_manager_server::storage::StoreError| shown += &format!("{error} {error:?} {error:#?}");
    note(store.write(&a, &secret(VALUE), Expect::Absent).await.unwrap_err());
    for name in ["error", "shape", "text", "array"] {
        note(store.read(&path(name)).await.unwrap_err());
        note(store.write(&path(name), &secret(VALUE), Expect::Absent).await.unwrap_err());
    }
    note(store.delete(&a, Version(9)).await.unwrap_err());
    bao.api(Method::PUT, "sys/policies/acl/store", json!({ "policy": "path \"x\" { capabilities = [\"read\"] }" }))
        .await;
    note(store.write(&a, &secret(VALUE), Expect::Version(version)).await.unwrap_err());
    note(store.list("").await.unwrap_err());
    let wrong = VaultSettings { secret_id: SecretString::from("hidden-secret-id"), ..settings };
    note(quiet(wrong).read(&a).await.unwrap_err());
    bao.seal().await;
    note(store.read(&a).await.unwrap_err());
    let mut hidden = middleman.tokens.lock().unwrap().clone();
    assert!(hidden.len() > 10, "the tokens were not seen");
    hidden.extend([secret_id, "hidden-".to_owned()]);
    drop((bao, middleman));
    note(store.ping().await.unwrap_err());
    let text = log.text();
    assert!(text.contains("vaultrs"), "the log has the client library's lines");
    for hidden in hidden.iter().map(String::as_str) {
        assert!(!shown.contains(hidden), "{hidden} is shown:\n{shown}");
        let line = text.lines().find(|line| line.contains(hidden));
        assert!(line.is_none(), "{hidden} is logged: {line:?}");
    }
}

const ARRAY: &str = r#"{"request_id":"","lease_id":"","renewable":false,"lease_duration":0,"wrap_info":null,"warnings":null,
    "auth":null,"data":{"data":["hidden-private-key"],"metadata":{"created_time":"","deletion_time":"",
    "custom_metadata":null,"destroyed":false,"version":1}}}"#;

#[tokio::test]
async fn the_embedded_store_does_too() {
    let dir = tempfile::tempdir().unwrap();
    let database = dir.path().join("store.redb");
    let key = StoreKey::from_bytes(*b"hidden-key-hidden-key-hidden-key");
    let settings = EmbeddedSettings { path: database.clone(), key: key.clone() };
    let mut shown = format!("{settings:?} {settings:#?} {key:?}");
    let store = EmbeddedStore::open(settings).await.unwrap();
    store.write(&path("a"), &secret(VALUE), Expect::Absent).await.unwrap();
    let found = store.read(&path("a")).await.unwrap();
    shown += &format!("{store:?} {found:?} {}", store.describe());
    let mut note = |error: acme_manager_server::storage::StoreError| shown += &format!("{error} {error:?}");
    note(store.write(&path("a"), &secret(VALUE), Expect::Absent).await.unwrap_err());
    note(EmbeddedStore::open(EmbeddedSettings { path: database.clone(), key }).await.unwrap_err());
    drop(store);
    let other = StoreKey::from_bytes(*b"hidden-kez-hidden-key-hidden-key");
    note(EmbeddedStore::open(EmbeddedSettings { path: database.clone(), key: other }).await.unwrap_err());
    let key_file = dir.path().join("key");
    std::fs::write(&key_file, "hidden-key").unwrap();
    note(EmbeddedSettings::with_key_file(database, &key_file).unwrap_err());
    assert!(!shown.contains("hidden-") && !shown.contains("104, 105, 100"), "{shown}");
}
