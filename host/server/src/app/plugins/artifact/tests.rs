//! A registry that speaks as much of the distribution protocol as a pull needs, and the real one where it is installed.

use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use axum::extract::{Path as UrlPath, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::{Router, routing::get};
use base64::Engine as _;
use oci_client::Client;
use oci_client::client::{ClientConfig, ClientProtocol};
use oci_client::manifest::OCI_IMAGE_MEDIA_TYPE;
use oci_client::secrets::RegistryAuth;
use tokio_util::task::AbortOnDropHandle;

use super::*;
use crate::config::{Config, PluginSource};

const BYTES: &[u8] = b"\0asm a component";

type Named = Vec<(String, Vec<u8>)>;

#[derive(Clone, Default)]
struct Shelf {
    /// By digest, or by any other name.
    manifests: Arc<Mutex<Named>>,
    blobs: Arc<Mutex<Named>>,
    asked: Arc<AtomicUsize>,
    /// What `Authorization` must say.
    credentials: Option<String>,
}

struct Registry {
    address: SocketAddr,
    shelf: Shelf,
    _serving: AbortOnDropHandle<()>,
}

impl Registry {
    async fn start(shelf: Shelf) -> Self {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let router = Router::new()
            .route("/v2/", get(base))
            .route("/v2/dns/plugin/manifests/{name}", get(manifest))
            .route("/v2/dns/plugin/blobs/{name}", get(blob))
            .with_state(shelf.clone());
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let tracker = tokio_util::task::TaskTracker::new();
        let task = tracker.spawn(async move { axum::serve(listener, router).await.expect("it serves") });
        Self { address, shelf, _serving: AbortOnDropHandle::new(task) }
    }

    /// Puts an artifact there and returns its reference.
    fn push(&self, layers: &[(&str, &[u8])]) -> Artifact {
        let manifest = manifest_of(layers);
        for (_, bytes) in layers {
            self.shelf.blobs.lock().expect("no panic").push((name(bytes), bytes.to_vec()));
        }
        self.shelf.manifests.lock().expect("no panic").push((name(&manifest), manifest.clone()));
        self.artifact(&name(&manifest))
    }

    fn artifact(&self, digest: &str) -> Artifact {
        artifact(&format!("{}/dns/plugin@{digest}", self.address))
    }

    fn asked(&self) -> usize {
        self.shelf.asked.load(Ordering::Relaxed)
    }
}

pub(super) fn manifest_of(layers: &[(&str, &[u8])]) -> Vec<u8> {
    let layer = |(kind, bytes): &(&str, &[u8])| serde_json::json!({ "mediaType": kind, "digest": name(bytes), "size": bytes.len() });
    let manifest = serde_json::json!({
        "schemaVersion": 2,
        "mediaType": OCI_IMAGE_MEDIA_TYPE,
        "config": { "mediaType": "application/vnd.wasm.config.v0+json", "digest": name(b"{}"), "size": 2 },
        "layers": layers.iter().map(layer).collect::<Vec<_>>(),
    });
    serde_json::to_vec(&manifest).expect("JSON")
}

pub(super) fn name(bytes: &[u8]) -> String {
    format!("sha256:{}", PluginDigest::of(bytes))
}

pub(super) fn artifact(reference: &str) -> Artifact {
    let text = format!("common: {{plugins: [{{name: p, kind: dns-provider, path: 'oci://{reference}'}}]}}");
    match Config::parse(&text).expect("valid").config.common.plugins.remove(0).source {
        PluginSource::Registry { artifact, checksum: None } => artifact,
        other => panic!("{other:?}"),
    }
}

async fn base(State(shelf): State<Shelf>, headers: HeaderMap) -> Response {
    shelf.answer(&headers, Some(Vec::new()))
}

async fn manifest(State(shelf): State<Shelf>, UrlPath(wanted): UrlPath<String>, headers: HeaderMap) -> Response {
    let found = find(&shelf.manifests, &wanted);
    shelf.answer(&headers, found)
}

async fn blob(State(shelf): State<Shelf>, UrlPath(wanted): UrlPath<String>, headers: HeaderMap) -> Response {
    let found = find(&shelf.blobs, &wanted);
    shelf.answer(&headers, found)
}

fn find(list: &Mutex<Named>, wanted: &str) -> Option<Vec<u8>> {
    list.lock().expect("no panic").iter().find(|(name, _)| name == wanted).map(|(_, bytes)| bytes.clone())
}

impl Shelf {
    fn answer(&self, headers: &HeaderMap, content: Option<Vec<u8>>) -> Response {
        self.asked.fetch_add(1, Ordering::Relaxed);
        let said = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
        if self.credentials.as_deref().is_some_and(|wanted| said != Some(wanted)) {
            let challenge = [(header::WWW_AUTHENTICATE, "Basic realm=\"here\"")];
            return (StatusCode::UNAUTHORIZED, challenge, "hunter2 is wrong").into_response();
        }
        match content {
            Some(bytes) => ([(header::CONTENT_TYPE, OCI_IMAGE_MEDIA_TYPE)], bytes).into_response(),
            None => StatusCode::NOT_FOUND.into_response(),
        }
    }
}

#[tokio::test]
async fn a_component_is_asked_for_once_and_kept() {
    let dir = tempfile::tempdir().expect("a directory");
    let folder = dir.path().join("downloads");
    let registry = Registry::start(Shelf::default()).await;
    let artifact = registry.push(&[(COMPONENT, BYTES), ("text/plain", b"read me")]);
    assert_eq!(fetch(&artifact, None, Some(&folder)).await.expect("fetched"), BYTES);
    let asked = registry.asked();
    assert_eq!(fetch(&artifact, None, Some(&folder)).await.expect("kept"), BYTES);
    assert_eq!(registry.asked(), asked, "the registry was not asked again");
    let files: Vec<_> = fs::read_dir(&folder).expect("there").map(|file| file.expect("a file").path()).collect();
    assert_eq!(files.len(), 2, "{files:?}");
    // Whatever happens to the kept files, they are not believed.
    let file = folder.join(name(BYTES).replace(':', "-"));
    for damage in [&b"evil"[..], b""] {
        fs::write(&file, damage).expect("written");
        assert_eq!(fetch(&artifact, None, Some(&folder)).await.expect("fetched again"), BYTES);
        assert_eq!(fs::read(&file).expect("mended"), BYTES);
    }
    fs::remove_file(&file).expect("removed");
    std::os::unix::fs::symlink("/dev/zero", &file).expect("a link");
    assert_eq!(fetch(&artifact, None, Some(&folder)).await.expect("fetched again"), BYTES);
    assert!(fs::symlink_metadata(&file).expect("there").is_file(), "the link was replaced, not followed");
    drop(registry);
    assert_eq!(fetch(&artifact, None, Some(&folder)).await.expect("without the registry"), BYTES);
    let error = fetch(&artifact, None, None).await.expect_err("nothing kept").to_string();
    assert!(error.contains("cannot be fetched") && error.contains("look whether"), "{error}");
}

#[tokio::test]
async fn what_is_no_plugin_or_not_what_was_named_is_refused() {
    let dir = tempfile::tempdir().expect("a directory");
    let registry = Registry::start(Shelf::default()).await;
    let index = br#"{"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json","manifests":[]}"#;
    let huge = br#"{"schemaVersion":2,"config":{"mediaType":"a","digest":"a","size":2},"layers":
        [{"mediaType":"application/wasm","digest":"sha256:00","size":99999999999}]}"#;
    let place = |bytes: &[u8], claimed: &str| {
        registry.shelf.manifests.lock().expect("no panic").push((claimed.to_owned(), bytes.to_vec()));
        registry.artifact(claimed)
    };
    let forged = manifest_of(&[(COMPONENT, b"evil")]);
    let swapped = manifest_of(&[(COMPONENT, b"wanted")]);
    registry.shelf.blobs.lock().expect("no panic").push((name(b"wanted"), b"forged".to_vec()));
    let longer = manifest_of(&[(COMPONENT, b"short")]);
    registry.shelf.blobs.lock().expect("no panic").push((name(b"short"), b"short and more".to_vec()));
    let table = [
        (registry.push(&[("text/plain", b"x")]), "one layer of the type application/wasm, it has [text/plain]"),
        (registry.push(&[(COMPONENT, b"x"), (COMPONENT, b"y")]), "one layer of the type application/wasm"),
        (place(index, &name(index)), "name that of one artifact, not of an index"),
        (place(huge, &name(huge)), "its component is larger than 64 MiB"),
        (place(&forged, &name(b"another manifest")), "answers with other bytes"),
        (place(&swapped, &name(&swapped)), "answers with other bytes"),
        (place(&longer, &name(&longer)), "larger than the 5 bytes"),
        (registry.artifact(&name(b"nothing")), "cannot be fetched"),
    ];
    for (artifact, expected) in table {
        let error = fetch(&artifact, None, Some(dir.path())).await.expect_err(expected).to_string();
        assert!(error.contains(expected) && error.contains(&artifact.to_string()), "{expected}: {error}");
    }
    assert_eq!(fs::read_dir(dir.path()).expect("there").count(), 0, "nothing of it is kept");
}

#[tokio::test]
async fn credentials_are_sent_and_not_shown() {
    let basic = format!("Basic {}", base64::engine::general_purpose::STANDARD.encode("me:hunter2"));
    let registry = Registry::start(Shelf { credentials: Some(basic), ..Shelf::default() }).await;
    let artifact = registry.push(&[(COMPONENT, BYTES)]);
    let user = |password: &str| RegistryUser { name: "me".to_owned(), password: password.into() };
    assert_eq!(fetch(&artifact, Some(&user("hunter2")), None).await.expect("let in"), BYTES);
    for wrong in [None, Some(user("hunter3"))] {
        let error = fetch(&artifact, wrong.as_ref(), None).await.expect_err("not let in").to_string();
        assert!(error.contains("registry_username") && !error.contains("hunter3"), "{error}");
    }
}

#[test]
fn plain_http_is_for_this_machine() {
    let digest = name(BYTES);
    for (host, expected) in [
        ("localhost", true),
        ("localhost:5000", true),
        ("127.0.0.1:5000", true),
        ("registry.example", false),
        ("localhost.example", false),
        ("10.0.0.1:5000", false),
    ] {
        assert_eq!(artifact(&format!("{host}/a/b@{digest}")).is_loopback(), expected, "{host}");
    }
    assert_eq!(artifact(&format!("r.example/a/b:1@{digest}")).to_string(), format!("oci://r.example/a/b:1@{digest}"));
}

/// Ends with the test.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The registry of the CNCF.
#[tokio::test]
async fn the_distribution_registry_hands_it_out() {
    let dir = tempfile::tempdir().expect("a directory");
    let free = std::net::TcpListener::bind("127.0.0.1:0").and_then(|socket| socket.local_addr()).expect("a port");
    let config = format!(
        "version: 0.1\nstorage: {{filesystem: {{rootdirectory: '{}'}}}}\nhttp: {{addr: '{free}'}}\n",
        dir.path().join("registry").display()
    );
    let file = dir.path().join("config.yml");
    fs::write(&file, config).expect("written");
    let (out, error) = (Stdio::null(), Stdio::null());
    let child = Command::new("docker-registry").arg("serve").arg(&file).stdout(out).stderr(error).spawn();
    let running = Running(child.expect("docker-registry: run `cargo xtask setup`"));
    let _ = rustls::crypto::ring::default_provider().install_default();
    for _ in 0..100 {
        if tokio::net::TcpStream::connect(free).await.is_ok() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let client = Client::new(ClientConfig { protocol: ClientProtocol::Http, ..ClientConfig::default() });
    let tag: oci_client::Reference = format!("{free}/dns/plugin:1").parse().expect("a reference");
    let layer = oci_client::client::ImageLayer::new(BYTES.to_vec(), COMPONENT.to_owned(), None);
    let kind = "application/vnd.wasm.config.v0+json".to_owned();
    let settings = oci_client::client::Config::new(b"{}".to_vec(), kind, None);
    client.push(&tag, &[layer], settings, &RegistryAuth::Anonymous, None).await.expect("pushed");
    let digest = client.fetch_manifest_digest(&tag, &RegistryAuth::Anonymous).await.expect("there");
    let folder = dir.path().join("downloads");
    let pinned = artifact(&format!("{free}/dns/plugin@{digest}"));
    assert_eq!(fetch(&pinned, None, Some(&folder)).await.expect("fetched"), BYTES);
    drop(running);
    assert_eq!(fetch(&pinned, None, Some(&folder)).await.expect("kept"), BYTES);
    assert!(fetch(&pinned, None, None).await.is_err(), "the registry is gone");
}
