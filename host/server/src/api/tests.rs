//! The whole interface over real rules and a real store; no CA, no DNS, no network.

use std::collections::BTreeMap;
use std::sync::Mutex;

use acme_manager_api::{ErrorBody, TokenParams};
use async_trait::async_trait;
use axum::body::Body;
use axum::http::request::Builder;
use axum::http::{HeaderMap, Request, StatusCode};
use http_body_util::BodyExt;
use serde_json::{Value, json};
use sha2::Digest;
use time::macros::datetime;
use tower::ServiceExt;

use super::*;
use crate::acme::{AcmeError, Stage};
use crate::certificates::request::Challenge;
use crate::certificates::{Accounts, CertificateSettings, ConfiguredIssuer, Neighbours};
use crate::challenges::dns01::{Dns01Settings, Solver};
use crate::challenges::providers::Providers;
use crate::clock::Clock;
use crate::cluster::Registry;
use crate::names::SecretPath;
use crate::storage::embedded::{EmbeddedSettings, EmbeddedStore};
use crate::storage::{Expect, Secret, Store, StoreError, Version, Versioned};
use crate::tokens::TokenSettings;

mod certificates;
mod credentials;
mod document;
mod log;
mod operations;
mod plugins;
mod tokens;
mod validation;

const API_KEY: &str = "let me in";

/// A server with one certificate by issuer and domain and one by name, both of the owner `web`.
struct Fixture {
    state: ApiState,
    store: Arc<dyn Store>,
    started: watch::Sender<bool>,
    /// A token of `web` with every scope.
    web: String,
    _folder: tempfile::TempDir,
}

/// An answer, read to its end.
struct Answer {
    status: StatusCode,
    headers: HeaderMap,
    body: Vec<u8>,
}

impl Fixture {
    async fn new() -> Self {
        Self::with(Leadership::alone(), |store| store).await
    }

    /// With another leadership, and with another store in place of the filled one.
    async fn with(leadership: Leadership, replaced: fn(Arc<dyn Store>) -> Arc<dyn Store>) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("store.redb");
        let settings = EmbeddedSettings::with_key_file(path, &folder.path().join("key")).expect("settings");
        let store: Arc<dyn Store> = Arc::new(EmbeddedStore::open(settings).await.expect("a store"));
        fill(&store).await;
        let registry = Arc::new(Registry::default());
        let filled = state(&store, &registry, &Leadership::alone());
        filled.0.certificates.restore().await.expect("stored certificates");
        let web = token_of(&filled.0, "web", &["create", "read", "update", "delete"]).await;
        let store = replaced(store);
        let (state, started) = state(&store, &registry, &leadership);
        Self { state, store, started, web, _folder: folder }
    }

    fn router(&self) -> Router {
        router(self.state.clone(), ApiLimits::default())
    }

    /// A bearer token of `owner` with these scopes.
    async fn token(&self, owner: &str, scope: &[&str]) -> String {
        token_of(&self.state, owner, scope).await
    }

    async fn send(&self, request: Request<Body>) -> Answer {
        send(self.router(), request).await
    }

    /// Sends a request of `web` with a JSON body, or without one if it is `null`.
    async fn web(&self, method: &str, path: &str, body: Value) -> Answer {
        let body = if body.is_null() { Body::empty() } else { Body::from(body.to_string()) };
        let request = request(method, path).header("authorization", format!("Bearer {}", self.web));
        self.send(request.body(body).expect("a request")).await
    }

    /// The same with the API key.
    async fn admin(&self, method: &str, path: &str, body: Value) -> Answer {
        let body = if body.is_null() { Body::empty() } else { Body::from(body.to_string()) };
        self.send(request(method, path).header("X-API-Key", API_KEY).body(body).expect("a request")).await
    }
}

impl Answer {
    fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|_| panic!("{} is no JSON", self.text()))
    }

    fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().expect("ASCII"))
    }

    /// The body of an error, which must have every mark of one.
    fn error(&self) -> ErrorBody {
        assert!(self.status.as_u16() >= 400, "{}", self.status);
        assert_eq!(self.header("content-type"), "application/json", "{}", self.text());
        let body: ErrorBody = serde_json::from_slice(&self.body).expect("an error body");
        assert_eq!(body.request_id, self.header("x-request-id"));
        assert!(!body.error.is_empty());
        let code = Code::ALL.into_iter().find(|code| code.as_str() == body.code).expect("a known code");
        assert_eq!(code.status(), self.status);
        body
    }

    #[track_caller]
    fn fails(&self, code: Code) -> ErrorBody {
        let body = self.error();
        assert_eq!(body.code, code.as_str(), "{}", body.error);
        body
    }
}

async fn send(router: Router, request: Request<Body>) -> Answer {
    let response = router.oneshot(request).await.expect("the router never fails");
    let (parts, body) = response.into_parts();
    let body = body.collect().await.expect("a body").to_bytes().to_vec();
    Answer { status: parts.status, headers: parts.headers, body }
}

fn request(method: &str, path: &str) -> Builder {
    Request::builder().method(method).uri(path)
}

fn plain(method: &str, path: &str) -> Request<Body> {
    request(method, path).body(Body::empty()).expect("a request")
}

fn state(store: &Arc<dyn Store>, registry: &Arc<Registry>, leadership: &Leadership) -> (ApiState, watch::Sender<bool>) {
    let clock = Clock::set_to(datetime!(2026-11-23 12:00 UTC));
    let (metrics, tasks, http01) = (Metrics::new(), TaskTracker::new(), Arc::new(Http01::default()));
    let accounts = Accounts::new(issuers(), store.clone(), "certificates", None, metrics.clone());
    let solver = Solver::new(Dns01Settings::default(), Arc::new(Providers::default()));
    let settings = CertificateSettings {
        prefix: "certificates".to_owned(),
        renewal_days: "20-30".parse().expect("days"),
        request_budget: Duration::from_secs(5),
    };
    let with = Neighbours {
        store: store.clone(),
        registry: registry.clone(),
        leadership: leadership.clone(),
        http01: http01.clone(),
        hooks: Arc::default(),
        clock: clock.clone(),
        metrics: metrics.clone(),
        tracker: tasks.clone(),
    };
    let certificates = Arc::new(Certificates::new(settings, accounts, solver, with));
    let settings = TokenSettings {
        api_key_hash: Some(sha2::Sha256::digest(API_KEY.as_bytes()).to_vec()),
        prefix: "tokens".to_owned(),
    };
    let tokens = Arc::new(Tokens::new(settings, store.clone(), registry.clone(), leadership.clone(), clock));
    let (started, receiver) = watch::channel(true);
    let leadership = leadership.clone();
    (ApiState { certificates, tokens, http01, metrics, leadership, started: receiver, tasks }, started)
}

/// `le` proves over HTTP and has a CA that is not there; `bare` has no challenge of its own.
fn issuers() -> BTreeMap<crate::names::IssuerName, ConfiguredIssuer> {
    let broken = || AcmeError::Unreachable { stage: Stage::Directory, reason: "connection refused".to_owned() };
    let kvring = Challenge::Http("kvring".parse().expect("a provider"));
    [("le", Some(kvring)), ("bare", None)]
        .into_iter()
        .map(|(name, default_challenge)| {
            let issuer = ConfiguredIssuer { issuer: Err(broken()), default_challenge, profile: None };
            (name.parse().expect("an issuer"), issuer)
        })
        .collect()
}

async fn fill(store: &Arc<dyn Store>) {
    for (path, domain, name) in [
        ("certificates/web/le/www.example.com", "www.example.com", ""),
        ("certificates/web/shop", "shop.example.com", "shop"),
    ] {
        let Value::Object(fields) = json!({
            "domain": domain, "issuer": "le", "name": name, "bundle": true, "san": "a.example,b.example", "days": 90,
            "renewal_days": "20-30", "renewal_date": "2026-12-30 00:00:00 +0000 UTC", "dns_challenge": "cloudflare",
            "http_challenge": "", "expires": "2027-01-21 20:11:05 +0000 UTC", "fingerprint": "00ff", "owner": "web",
            "csr": "Y3Ny", "labels": "team=web", "encryption": "ECDSA-256", "serial": "0af3", "key_type": "ec256",
            "updated_at": 1_764_000_000_000_i64, "profile": "classic", "renewal_count": 3,
            "cert": "PEM of the leaf", "ca_issuer": "PEM of the chain", "url": "https://ca.example/cert/1",
            "key": "PEM of the key",
        }) else {
            unreachable!("an object");
        };
        let path: SecretPath = path.parse().expect("a path");
        store.write(&path, &Secret(fields), Expect::Absent).await.expect("a write");
    }
}

async fn token_of(state: &ApiState, owner: &str, scope: &[&str]) -> String {
    let admin = state.tokens.admin(Some(API_KEY)).expect("the key");
    let scope = scope.iter().map(|&word| word.to_owned()).collect();
    let params = TokenParams { username: owner.to_owned(), scope, ..TokenParams::default() };
    state.tokens.create(&admin, &params).await.expect("a token").token
}

/// A store that does nothing but fail, in one of the ways that stores do.
#[derive(Debug)]
enum Failing {
    Unavailable,
    Denied,
    Silent,
}

impl Failing {
    async fn fail<T>(&self) -> Result<T, StoreError> {
        match self {
            Self::Unavailable => {
                Err(StoreError::Unavailable { reason: "https://vault.secret is sealed".to_owned(), source: None })
            }
            Self::Denied => Err(StoreError::Denied {
                operation: "read",
                path: "certificates/secret".to_owned(),
                reason: "permission denied".to_owned(),
            }),
            Self::Silent => std::future::pending().await,
        }
    }
}

#[async_trait]
impl Store for Failing {
    async fn read(&self, _: &SecretPath) -> Result<Option<Versioned>, StoreError> {
        self.fail().await
    }

    async fn write(&self, _: &SecretPath, _: &Secret, _: Expect) -> Result<Version, StoreError> {
        self.fail().await
    }

    async fn delete(&self, _: &SecretPath, _: Version) -> Result<(), StoreError> {
        self.fail().await
    }

    async fn destroy(&self, _: &SecretPath) -> Result<(), StoreError> {
        self.fail().await
    }

    async fn list(&self, _: &str) -> Result<Vec<SecretPath>, StoreError> {
        self.fail().await
    }

    async fn ping(&self) -> Result<(), StoreError> {
        self.fail().await
    }

    fn describe(&self) -> String {
        "failing store".to_owned()
    }
}

/// The keys of a JSON object, sorted.
fn keys(value: &Value) -> Vec<&str> {
    let mut keys: Vec<&str> = value.as_object().expect("an object").keys().map(String::as_str).collect();
    keys.sort_unstable();
    keys
}
