//! A CA that speaks just enough of RFC 8555 to break it at a chosen step. It checks no signature and validates nothing.

use std::{
    collections::HashMap,
    net::TcpListener,
    path::PathBuf,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
};

use axum::{
    Router,
    body::Body,
    extract::{Path, State},
    http::{Method, StatusCode},
    response::Response,
};
use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use rcgen::{
    BasicConstraints, CertificateParams, CertificateSigningRequestParams, CertifiedIssuer, DnType, IsCa, KeyPair,
    KeyUsagePurpose,
};
use rustls_pki_types::{CertificateSigningRequestDer, PrivatePkcs8KeyDer};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::task::JoinSet;

/// More than a client should read.
const HUGE: usize = 4 << 20;

/// A running CA with a directory for every flaw: `{url}/{flaw}/dir`.
pub(crate) struct Authority {
    pub(crate) url: String,
    pub(crate) ca_root_file: PathBuf,
    _folder: TempDir,
    _server: JoinSet<()>,
}

struct Shared {
    url: String,
    issuer: CertifiedIssuer<'static, KeyPair>,
    nonces: AtomicU64,
    orders: Mutex<HashMap<String, Progress>>,
}

/// The one order of a flaw.
#[derive(Default, Clone)]
struct Progress {
    names: Vec<Value>,
    answered: bool,
    csr: Vec<u8>,
}

impl Authority {
    pub(crate) fn start() -> Self {
        let issuer = issuer();
        let folder = tempfile::tempdir().unwrap();
        let ca_root_file = folder.path().join("ca.pem");
        std::fs::write(&ca_root_file, issuer.pem()).unwrap();
        let server_key = KeyPair::generate().unwrap();
        let server = CertificateParams::new(vec!["127.0.0.1".to_owned()]).unwrap();
        let certificate = server.signed_by(&server_key, &issuer).unwrap();
        let key = PrivatePkcs8KeyDer::from(server_key.serialize_der());
        let tls = rustls::ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![certificate.der().clone()], key.into())
            .unwrap();
        let socket = TcpListener::bind("127.0.0.1:0").unwrap();
        socket.set_nonblocking(true).unwrap();
        let url = format!("https://{}", socket.local_addr().unwrap());
        let shared = Shared { url: url.clone(), issuer, nonces: AtomicU64::new(0), orders: Mutex::default() };
        let router = Router::new().route("/{flaw}/{step}", axum::routing::any(answer)).with_state(Arc::new(shared));
        let tls = axum_server::tls_rustls::RustlsConfig::from_config(Arc::new(tls));
        let mut tasks = JoinSet::new();
        tasks.spawn(async move {
            let server = axum_server::from_tcp_rustls(socket, tls).unwrap();
            let _ = server.serve(router.into_make_service()).await;
        });
        Self { url, ca_root_file, _folder: folder, _server: tasks }
    }
}

fn issuer() -> CertifiedIssuer<'static, KeyPair> {
    let mut authority = CertificateParams::new(Vec::new()).unwrap();
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    authority.key_usages = vec![KeyUsagePurpose::KeyCertSign];
    authority.distinguished_name.push(DnType::CommonName, "a CA with flaws");
    CertifiedIssuer::self_signed(authority, KeyPair::generate().unwrap()).unwrap()
}

async fn answer(
    State(shared): State<Arc<Shared>>,
    Path((flaw, step)): Path<(String, String)>,
    method: Method,
    body: String,
) -> Response {
    if flaw == "silent" {
        return std::future::pending().await;
    }
    if let Some(broken) = broken(&flaw, &step) {
        return with_nonce(&shared, broken);
    }
    let link = |step: &str| format!("{}/{flaw}/{step}", shared.url);
    let payload = payload(&body);
    let mut orders = shared.orders.lock().unwrap();
    let progress = orders.entry(flaw.clone()).or_default();
    let response = match step.as_str() {
        "dir" => json(200, &directory(&flaw, link)),
        "nonce" => plain(if method == Method::HEAD { 200 } else { 204 }, ""),
        "account" => located(json(201, &json!({"status": "valid"})), &link("account-1")),
        "order" => {
            *progress = Progress {
                names: payload["identifiers"].as_array().cloned().unwrap_or_default(),
                ..Progress::default()
            };
            let order = json(201, &order(&flaw, progress, link));
            if flaw == "unlocated" { order } else { located(order, &link("order-1")) }
        }
        "order-1" => json(200, &order(&flaw, progress, link)),
        "authorization" => json(200, &authorization(&flaw, progress, link)),
        "challenge" => {
            // The verdict comes with the authorization, as from CAs that validate later.
            let pending = json(200, &challenge(&flaw, progress, link));
            progress.answered = true;
            pending
        }
        "finalize" => {
            progress.csr =
                BASE64_URL_SAFE_NO_PAD.decode(payload["csr"].as_str().unwrap_or_default()).unwrap_or_default();
            json(200, &order(&flaw, progress, link))
        }
        "certificate" => plain(200, &certificate(&flaw, progress, &shared.issuer)),
        _ => problem(404, "malformed", "no such thing"),
    };
    with_nonce(&shared, response)
}

/// What is said instead of the right answer.
fn broken(flaw: &str, step: &str) -> Option<Response> {
    let response = match (flaw, step) {
        ("down", "dir") => plain(500, "oops"),
        ("torn", "dir") => plain(200, "{\"newNonce\":"),
        ("page", "dir") => plain(200, "<html>welcome</html>"),
        ("moved", "dir") => located(plain(302, ""), "https://elsewhere.test/dir"),
        ("endless", "dir") | ("endless-chain", "certificate") => plain(200, &" ".repeat(HUGE)),
        ("unwelcome", "account") => problem(403, "unauthorized", "you are not on the list"),
        ("forgetful", "account" | "order") => problem(400, "badNonce", "never heard of it"),
        ("busy", "order") => {
            let mut busy = problem(429, "rateLimited", "too many orders of late");
            busy.headers_mut().insert("retry-after", "120".parse().unwrap());
            busy
        }
        ("failing", "order") => plain(500, "oops"),
        ("pedantic", "order") => problem(400, "malformed", "what a strange order"),
        ("choosy", "order") => problem(403, "rejectedIdentifier", "not this name"),
        ("picky", "finalize") => problem(400, "badCSR", "not such a key"),
        _ => return None,
    };
    Some(response)
}

fn directory(flaw: &str, link: impl Fn(&str) -> String) -> Value {
    let mut directory = json!({
        "newNonce": link("nonce"),
        "newAccount": link("account"),
        "newOrder": link("order"),
        "revokeCert": link("revoke"),
        "keyChange": link("key"),
    });
    if flaw == "orderless" {
        directory.as_object_mut().unwrap().remove("newOrder");
    }
    directory
}

fn order(flaw: &str, progress: &Progress, link: impl Fn(&str) -> String) -> Value {
    let mut order = json!({
        "status": match (progress.answered, progress.csr.is_empty()) {
            (false, _) => "pending",
            (true, true) => "ready",
            (true, false) => "valid",
        },
        "identifiers": progress.names,
        "authorizations": [link("authorization")],
        "finalize": link("finalize"),
    });
    match (flaw, order["status"].as_str()) {
        ("fickle", Some("valid")) => {
            order["status"] = json!("invalid");
            order["error"] = json!({"type": "urn:ietf:params:acme:error:serverInternal", "detail": "changed our mind"});
        }
        ("slow", Some("valid")) => order["status"] = json!("processing"),
        (_, Some("valid")) => order["certificate"] = json!(link("certificate")),
        _ => {}
    }
    order
}

fn authorization(flaw: &str, progress: &Progress, link: impl Fn(&str) -> String) -> Value {
    let status = match (flaw, progress.answered) {
        (_, false) => "pending",
        ("doubtful", true) => "invalid",
        (_, true) => "valid",
    };
    json!({
        "status": status,
        "identifier": progress.names.first(),
        "challenges": [challenge(flaw, progress, link)],
    })
}

fn challenge(flaw: &str, progress: &Progress, link: impl Fn(&str) -> String) -> Value {
    let kind = if flaw == "web-only" { "http-01" } else { "dns-01" };
    let mut challenge = json!({"type": kind, "url": link("challenge"), "token": "a-token", "status": "pending"});
    if progress.answered {
        challenge["status"] = json!("valid");
    }
    if progress.answered && flaw == "doubtful" {
        challenge["status"] = json!("invalid");
        challenge["error"] = json!({"type": "urn:ietf:params:acme:error:unauthorized", "detail": "that is no proof"});
    }
    challenge
}

fn certificate(flaw: &str, progress: &Progress, issuer: &CertifiedIssuer<'static, KeyPair>) -> String {
    let name = progress.names[0]["value"].as_str().unwrap().to_owned();
    let of = |names: Vec<String>, key: &KeyPair| CertificateParams::new(names).unwrap().signed_by(key, issuer).unwrap();
    match flaw {
        "nonsense" => "a certificate, honestly".to_owned(),
        "headless" => issuer.pem(),
        "swapped" => of(vec![name], &KeyPair::generate().unwrap()).pem() + &issuer.pem(),
        _ => {
            let csr = CertificateSigningRequestDer::from(progress.csr.clone());
            let mut csr = CertificateSigningRequestParams::from_der(&csr).unwrap();
            if flaw == "misnamed" {
                csr.params = CertificateParams::new(vec!["elsewhere.test".to_owned()]).unwrap();
            }
            csr.signed_by(issuer).unwrap().pem() + &issuer.pem()
        }
    }
}

/// The payload of a JWS; `null` when it is empty.
fn payload(body: &str) -> Value {
    let jws: Value = serde_json::from_str(body).unwrap_or_default();
    let payload = BASE64_URL_SAFE_NO_PAD.decode(jws["payload"].as_str().unwrap_or_default()).unwrap_or_default();
    serde_json::from_slice(&payload).unwrap_or_default()
}

fn plain(status: u16, text: &str) -> Response {
    let mut response = Response::new(Body::from(text.to_owned()));
    *response.status_mut() = StatusCode::from_u16(status).unwrap();
    response
}

fn json(status: u16, value: &Value) -> Response {
    let mut response = plain(status, &value.to_string());
    response.headers_mut().insert("content-type", "application/json".parse().unwrap());
    response
}

fn problem(status: u16, kind: &str, detail: &str) -> Response {
    let mut response = json(
        status,
        &json!({"type": format!("urn:ietf:params:acme:error:{kind}"), "detail": detail, "status": status}),
    );
    response.headers_mut().insert("content-type", "application/problem+json".parse().unwrap());
    response
}

fn located(mut response: Response, url: &str) -> Response {
    response.headers_mut().insert("location", url.parse().unwrap());
    response
}

fn with_nonce(shared: &Shared, mut response: Response) -> Response {
    let nonce = format!("nonce{}", shared.nonces.fetch_add(1, Ordering::Relaxed));
    response.headers_mut().insert("replay-nonce", nonce.parse().unwrap());
    response
}
