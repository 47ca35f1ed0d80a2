//! Registries that send too much, to the wrong place, or ask for what is not theirs.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use tokio_util::task::AbortOnDropHandle;

use super::super::fetch;
use super::super::tests::{artifact, manifest_of, name};
use super::*;

const BYTES: &[u8] = b"\0asm a component";
/// "me:hunter2"
const BASIC: &str = "Basic bWU6aHVudGVyMg==";
/// No end, as far as memory goes, and an end for a test that fails.
const ENDLESS: usize = 256 << 20;

type Asked = Arc<Mutex<Vec<(String, Option<String>)>>>;

/// A server that answers to paths as the test says, and notes who asked with what.
struct Stranger {
    address: SocketAddr,
    asked: Asked,
    _serving: AbortOnDropHandle<()>,
}

impl Stranger {
    async fn start(answer: impl Fn(SocketAddr, &str) -> Response + Clone + Send + Sync + 'static) -> Self {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let asked = Asked::default();
        let notes = asked.clone();
        let router = Router::new().fallback(move |request: Request| {
            let path = request.uri().path().to_owned();
            let said = request.headers().get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
            notes.lock().expect("no panic").push((path.clone(), said.map(str::to_owned)));
            let answer = answer(address, &path);
            async move { answer }
        });
        let tracker = tokio_util::task::TaskTracker::new();
        let task = tracker.spawn(async move { axum::serve(listener, router).await.expect("it serves") });
        Self { address, asked, _serving: AbortOnDropHandle::new(task) }
    }

    /// What came with the requests whose path has this in it.
    fn came_with(&self, part: &str) -> Vec<Option<String>> {
        let asked = self.asked.lock().expect("no panic");
        asked.iter().filter(|(path, _)| path.contains(part)).map(|(_, said)| said.clone()).collect()
    }

    /// Fetches as "me".
    async fn fetch(&self) -> Result<Bytes, String> {
        let digest = name(&manifest_of(&[(super::super::COMPONENT, BYTES)]));
        let artifact = artifact(&format!("{}/dns/plugin@{digest}", self.address));
        let user = RegistryUser { name: "me".to_owned(), password: "hunter2".into() };
        fetch(&artifact, Some(&user), None).await.map_err(|error| {
            let error = error.to_string();
            assert!(error.contains(&artifact.to_string()) && !error.contains("hunter2"), "{error}");
            error
        })
    }
}

/// What an honest registry answers.
fn honest(path: &str) -> Response {
    match path {
        path if path.contains("/manifests/") => manifest_of(&[(super::super::COMPONENT, BYTES)]).into_response(),
        path if path.contains("/blobs/") => BYTES.into_response(),
        "/token" => r#"{"token":"a-token"}"#.into_response(),
        _ => StatusCode::OK.into_response(),
    }
}

fn challenge(realm: &str) -> Response {
    let challenge = format!("Bearer realm=\"{realm}\",service=\"here\"");
    (StatusCode::UNAUTHORIZED, [(header::WWW_AUTHENTICATE, challenge)]).into_response()
}

fn sends_to(to: &str) -> Response {
    (StatusCode::TEMPORARY_REDIRECT, [(header::LOCATION, to.to_owned())]).into_response()
}

/// A body that counts what was taken of it.
fn endless(taken: &Arc<AtomicUsize>) -> Body {
    let (taken, chunk) = (taken.clone(), Bytes::from(vec![b'x'; 64 << 10]));
    let chunks = (0..ENDLESS / chunk.len()).map(move |_| {
        taken.fetch_add(chunk.len(), Ordering::Relaxed);
        Ok::<_, std::io::Error>(chunk.clone())
    });
    Body::from_stream(futures::stream::iter(chunks))
}

#[tokio::test]
async fn answers_without_end_are_left() {
    let token = |address: SocketAddr| challenge(&format!("http://{address}/token"));
    for (part, status, expected) in [
        ("/v2/", 200, "larger than the"),
        ("/token", 200, "the token from http://"),
        ("/token", 403, "answers 403 Forbidden: xxx"),
        ("/manifests/", 200, "larger than the 4194304 bytes"),
        ("/manifests/", 404, "answers 404 Not Found: xxx"),
        ("/blobs/", 200, "the layer from http://"),
        ("/blobs/", 500, "answers 500 Internal Server Error: xxx"),
    ] {
        let taken = Arc::new(AtomicUsize::new(0));
        let counted = taken.clone();
        let stranger = Stranger::start(move |address, path| {
            let status = StatusCode::from_u16(status).expect("a status");
            match path {
                path if path.contains(part) && (part != "/v2/" || !path.contains("/blobs/")) => {
                    (status, endless(&counted)).into_response()
                }
                "/v2/" => token(address),
                path => honest(path),
            }
        })
        .await;
        let error = stranger.fetch().await.expect_err(expected);
        assert!(error.contains(expected), "{part} {status}: {error}");
        assert!(error.len() < 1000, "{part} {status}: {} characters", error.len());
        // Besides the bound, what lies in the buffers of two sockets.
        let taken = taken.load(Ordering::Relaxed);
        assert!(taken > 0 && taken < 32 << 20, "{part} {status}: {taken} bytes were taken");
    }
}

#[tokio::test]
async fn a_password_is_for_the_token_service_and_a_token_for_the_registry() {
    let elsewhere = Stranger::start(|_, path| honest(path)).await;
    let other = elsewhere.address;
    let registry = Stranger::start(move |_, path| match path {
        "/v2/" => challenge(&format!("http://{other}/token")),
        path if path.starts_with("/moved/") => honest(path),
        path if path.contains("/manifests/") => sends_to("/moved/manifests/one"),
        path if path.contains("/blobs/") => sends_to(&format!("http://{other}/storage/blobs/one?signed=secret")),
        path => honest(path),
    })
    .await;
    assert_eq!(registry.fetch().await.expect("fetched"), BYTES);
    let (basic, bearer) = (Some(BASIC.to_owned()), Some("Bearer a-token".to_owned()));
    assert_eq!(
        registry.came_with(""),
        [None, bearer.clone(), bearer.clone(), bearer],
        "and also after a redirect there"
    );
    assert_eq!(elsewhere.came_with("/token"), [basic]);
    assert_eq!(elsewhere.came_with("/storage/"), [None], "another port is another server");
}

#[tokio::test]
async fn nobody_is_asked_whom_no_registry_means() {
    // Of the documentation's network: where this test fails, nobody is asked for real. Others stand in `destinations`.
    const PLAIN: &str = "http://192.0.2.1/latest/meta-data?token=secret";
    for (part, answer, expected) in [
        (
            "/v2/",
            challenge as fn(&str) -> Response,
            (PLAIN, "to http://192.0.2.1/latest/meta-data, which is not https"),
        ),
        ("/v2/", challenge, ("http://tokens.example/", "to http://tokens.example/, which is not https")),
        ("/v2/", challenge, ("file:///etc/passwd", "which is not https")),
        ("/v2/", challenge, ("https://[fe80::1]/", "to https://[fe80::1]/, which is an address of this machine")),
        ("/v2/", challenge, ("here", "names a token service without an address")),
        ("/v2/", sends_to, (PLAIN, "which is not https")),
        ("/manifests/", sends_to, (PLAIN, "which is not https")),
        ("/blobs/", sends_to, (PLAIN, "which is not https")),
        ("/blobs/", sends_to, ("http://192.0.2.2/storage", "to http://192.0.2.2/storage, which is not https")),
        ("/blobs/", sends_to, ("https://[fe80::1]/", "which is an address of this machine or of its link")),
        ("/blobs/", sends_to, ("/v2/dns/plugin/blobs/again", "sends on more than 5 times")),
    ] {
        let (to, expected) = expected;
        let registry = Stranger::start(move |_, path| match path {
            path if path == part || part != "/v2/" && path.contains(part) => answer(to),
            path => honest(path),
        })
        .await;
        let error = registry.fetch().await.expect_err(expected);
        assert!(error.contains(expected) && !error.contains("secret"), "{part} {to}: {error}");
    }
}

#[tokio::test]
async fn only_the_registry_itself_asks_for_a_password() {
    // Its storage, say, at which it redirects, names a token service of its own.
    let thief = Stranger::start(|address, path| match path {
        "/v2/" => challenge(&format!("http://{address}/token")),
        path => honest(path),
    })
    .await;
    let address = thief.address;
    let registry = Stranger::start(move |_, _| sends_to(&format!("http://{address}/v2/"))).await;
    let error = registry.fetch().await.expect_err("refused");
    assert!(error.contains(&format!("to http://{address}/v2/, which asks for a password of its own")), "{error}");
    assert_eq!(thief.came_with(""), [None]);
}

#[tokio::test]
async fn tokens_are_of_any_kind() {
    for (answer, expected) in [
        (r#"{"access_token":"a-token","expires_in":60}"#, Ok(())),
        (r#"{"token":"","access_token":"a-token"}"#, Ok(())),
        (r#"{"token":"two\nlines"}"#, Err("/token answers without a token")),
        ("{}", Err("/token answers without a token")),
        ("hello", Err("/token answers without a token")),
    ] {
        let registry = Stranger::start(move |address, path| match path {
            "/v2/" => challenge(&format!("http://{address}/token")),
            "/token" => answer.into_response(),
            path => honest(path),
        })
        .await;
        let fetched = registry.fetch().await;
        match expected {
            Ok(()) => assert_eq!(fetched.expect(answer), BYTES),
            Err(expected) => assert!(fetched.as_ref().is_err_and(|error| error.contains(expected)), "{fetched:?}"),
        }
    }
}

#[tokio::test]
async fn refusals_are_shown_without_secrets() {
    let elsewhere =
        Stranger::start(|_, _| (StatusCode::FORBIDDEN, "what the inner network says").into_response()).await;
    let other = elsewhere.address;
    let echo =
        "{\"errors\":[{\"code\":\"DENIED\",\"message\":\"no \\u001b[31mhunter2, bWU6aHVudGVyMg== or a-token\"}]}";
    let registry = Stranger::start(move |address, path| match path {
        "/v2/" => challenge(&format!("http://{address}/token")),
        path if path.contains("/manifests/") => (StatusCode::FORBIDDEN, echo).into_response(),
        path => honest(path),
    })
    .await;
    let error = registry.fetch().await.expect_err("refused");
    assert!(error.contains("answers 403 Forbidden: no [31m…, … or …;"), "{error}");
    let registry = Stranger::start(move |_, path| match path {
        path if path.contains("/blobs/") => sends_to(&format!("http://{other}/x?signed=secret")),
        path => honest(path),
    })
    .await;
    let error = registry.fetch().await.expect_err("refused");
    assert!(error.contains(&format!("http://{other}/x answers 403 Forbidden;")), "{error}");
}

#[test]
fn destinations() {
    let refused = |registry: &str, to: &str| {
        let url = |text: &str| Url::parse(text).expect("an address");
        destination::check(&url(registry), &url(to)).is_err()
    };
    let (far, inner, here) = ("https://registry.example/v2/", "https://10.0.0.5:5000/v2/", "http://127.0.0.1:5000/v2/");
    for (to, from_far, from_inner, from_here) in [
        ("https://storage.example/x", false, false, false),
        ("https://10.0.0.5/x", false, false, false),
        ("http://storage.example/x", true, true, true),
        ("http://registry.example/x", true, true, true),
        ("http://10.0.0.5:5000/x", true, true, true),
        ("http://localhost:5000/x", true, true, false),
        ("http://[::1]/x", true, true, false),
        ("https://localhost/x", true, true, false),
        ("https://a.localhost./x", true, true, false),
        ("https://127.1.2.3/x", true, true, false),
        ("https://[::ffff:127.0.0.1]/x", true, true, false),
        ("https://0.0.0.0/x", true, true, true),
        ("https://169.254.169.254/x", true, true, true),
        ("https://[::ffff:169.254.169.254]/x", true, true, true),
        ("https://[fd00:ec2::254]/x", true, true, true),
        ("ftp://storage.example/x", true, true, true),
        ("file:///etc/passwd", true, true, true),
    ] {
        assert_eq!(
            [refused(far, to), refused(inner, to), refused(here, to)],
            [from_far, from_inner, from_here],
            "{to}"
        );
    }
    assert!(!refused("https://169.254.1.1/v2/", "https://169.254.1.1/token"), "the operator named it");
}
