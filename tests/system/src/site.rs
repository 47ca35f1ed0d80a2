//! A whole site: Pebble, PowerDNS and the server between them, and what tests of failures ask of it afterwards.

use std::path::{Path, PathBuf};
use std::sync::{
    Mutex,
    atomic::{AtomicU32, Ordering},
};
use std::time::{Duration, Instant};

use acme_manager_api::{Certificate, CertificateParams};
use acme_manager_harness::{Api, Pebble, PebbleOptions, PowerDns, Server, ServerOptions};
use anyhow::{Context, ensure};
use reqwest::{Method, RequestBuilder};
use serde_json::Value;

/// The zone that PowerDNS serves.
pub const ZONE: &str = "site.test";

/// The API key of every site.
pub const API_KEY: &str = "the site's API key 7f3a";

const STORAGE: &str = "  embedded:\n    path: '@DIR@/store.redb'\n";

/// What a test adds to the config of a site.
#[derive(Debug, Clone)]
pub struct SiteOptions {
    /// Lines of `common`, indented by two.
    pub common: String,
    /// Entries of `issuer`, indented by two, beside `pebble`.
    pub issuers: String,
    /// The content of `storage`, indented by two.
    pub storage: String,
    /// Lines of `.env`, beside those that PowerDNS needs.
    pub env: Vec<(String, String)>,
    /// Seconds that a request waits for its certificate.
    pub cert_timeout: u32,
    /// A component that many entries load: compiled once before the server starts, into the cache beside its store,
    /// which must then lie in a folder of the test.
    pub compiled_before: Option<PathBuf>,
}

impl Default for SiteOptions {
    fn default() -> Self {
        Self {
            common: String::new(),
            issuers: String::new(),
            storage: STORAGE.to_owned(),
            env: Vec::new(),
            cert_timeout: 60,
            compiled_before: None,
        }
    }
}

/// The servers, and a bearer token of one owner.
#[derive(Debug)]
pub struct Site {
    /// Serves [`ZONE`].
    pub dns: PowerDns,
    /// The CA behind the issuer `pebble`.
    pub ca: Pebble,
    /// The server under test.
    pub server: Server,
    /// Its REST API.
    pub api: Api,
    /// A token with every scope.
    pub bearer: String,
    answers: Mutex<String>,
    names: AtomicU32,
}

/// What came back.
#[derive(Debug, Clone)]
pub struct Answer {
    /// The HTTP status.
    pub status: u16,
    /// The field `code`.
    pub code: String,
    /// The field `error`.
    pub error: String,
    /// The header `Retry-After`, in seconds.
    pub retry_after: Option<u64>,
    /// From the request to the end of the body.
    pub took: Duration,
    /// The body.
    pub body: Value,
}

impl Site {
    /// Starts everything and waits until the server is ready.
    ///
    /// # Errors
    /// When something does not come up.
    pub async fn start(options: SiteOptions) -> anyhow::Result<Self> {
        let mut site = Self::start_unready(options).await?;
        site.log_in().await?;
        Ok(site)
    }

    /// Starts everything, but does not wait for the store.
    ///
    /// # Errors
    /// When something does not come up.
    pub async fn start_unready(options: SiteOptions) -> anyhow::Result<Self> {
        let dns = PowerDns::start(&[ZONE]).await?;
        let ca = Pebble::start(PebbleOptions::new(dns.dns)).await?;
        let mut server = ServerOptions::new(config(&options, &ca))
            .env("PDNS_API_URL", &dns.api_url)
            .env("PDNS_API_KEY", &dns.api_key)
            .env("ACME_MANAGER_DNS_RESOLVERS", dns.dns.to_string())
            // Pebble asks the very server that the provider writes to.
            .env("ACME_MANAGER_DNS_PROPAGATIONDISABLEANS", "true");
        API_KEY.clone_into(&mut server.api_key);
        for (name, value) in &options.env {
            server = server.env(name, value);
        }
        if let Some(component) = &options.compiled_before {
            compile(component, &options.storage).await?;
        }
        let server = Server::start(server).await?;
        let api = server.api();
        let (answers, names) = (Mutex::default(), AtomicU32::new(0));
        Ok(Self { dns, ca, server, api, bearer: String::new(), answers, names })
    }

    /// Replaces the config by that of `options` and has the running server read it.
    ///
    /// # Errors
    /// When the file cannot be written or the server is gone.
    pub fn reconfigure(&mut self, options: &SiteOptions) -> anyhow::Result<()> {
        self.server.set_config(config(options, &self.ca))?;
        self.server.process.signal("HUP")
    }

    /// How many orders the CA took.
    pub fn orders(&self) -> usize {
        self.ca.process.log().matches("Added order ").count()
    }

    /// Waits until so many lines of the server's log hold each of `words`.
    ///
    /// # Errors
    /// When they do not within half a minute.
    pub async fn until_logged_times(&self, times: usize, words: &[&str]) -> anyhow::Result<()> {
        let end = Instant::now() + Duration::from_secs(30);
        let found = |log: &str| log.lines().filter(|line| words.iter().all(|word| line.contains(word))).count();
        while found(&self.server.process.log()) < times {
            ensure!(
                Instant::now() < end,
                "not {times} lines of the log hold {words:?}:\n{}",
                self.server.process.log()
            );
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        Ok(())
    }

    /// Waits until the server is ready and takes a token.
    ///
    /// # Errors
    /// When it does not become ready.
    pub async fn log_in(&mut self) -> anyhow::Result<()> {
        self.server.wait_ready().await?;
        self.bearer = self.api.bearer("web").await?;
        Ok(())
    }

    /// A name in [`ZONE`] that was not used yet.
    pub fn name(&self) -> String {
        format!("host-{}.{ZONE}", self.names.fetch_add(1, Ordering::Relaxed))
    }

    /// Sends a request and keeps the answer for [`Site::assert_discreet`].
    ///
    /// # Errors
    /// When nothing comes back.
    pub async fn ask(&self, request: RequestBuilder) -> anyhow::Result<Answer> {
        let begun = Instant::now();
        let response = request.send().await?;
        let status = response.status().as_u16();
        let headers = format!("{:?}", response.headers());
        let retry_after = response.headers().get("retry-after").and_then(|value| value.to_str().ok()?.parse().ok());
        let text = response.text().await?;
        let took = begun.elapsed();
        let body: Value = serde_json::from_str(&text).unwrap_or_default();
        // A granted certificate comes with its key; what was refused must hold no secret at all.
        if status >= 400 {
            let mut answers = self.answers.lock().expect("no test panics while it holds the lock");
            answers.push_str(&headers);
            answers.push_str(&text);
        }
        let field = |name: &str| body[name].as_str().unwrap_or_default().to_owned();
        Ok(Answer { status, code: field("code"), error: field("error"), retry_after, took, body })
    }

    /// Asks for a certificate.
    ///
    /// # Errors
    /// When nothing comes back.
    pub async fn order(&self, params: &CertificateParams) -> anyhow::Result<Answer> {
        let request = self.api.request(Method::POST, "/api/v1/certificate");
        self.ask(request.bearer_auth(&self.bearer).json(params)).await
    }

    /// Asserts that the server goes on: it is alive, issues a certificate for `name`, and leaves no TXT value. Since a
    /// certificate or an intent that was left for `name` would refuse this, it proves that there is none.
    ///
    /// # Errors
    /// When one of that is not so.
    pub async fn assert_sound(&self, name: &str) -> anyhow::Result<Certificate> {
        let health = self.api.request(Method::GET, "/health").send().await?.status();
        ensure!(health == 200, "/health: {health}");
        let params = params(name);
        let issued = self.api.create_certificate(&self.bearer, &params).await;
        let certificate = issued.with_context(|| format!("a good order for {name} afterwards"))?;
        ensure!(!certificate.cert.is_empty(), "no certificate for {name}");
        let left = self.txt_values().await?;
        ensure!(left.is_empty(), "TXT values were left: {left:?}");
        Ok(certificate)
    }

    /// Asserts that none of `secrets`, nor those of the site itself, is in the server's log or in a refusal.
    ///
    /// # Errors
    /// When one is.
    pub fn assert_discreet(&self, secrets: &[&str]) -> anyhow::Result<()> {
        let log = self.server.process.log();
        let answers = self.answers.lock().expect("no test panics while it holds the lock");
        let own = [API_KEY, self.dns.api_key.as_str(), self.bearer.as_str()];
        for secret in own.iter().chain(secrets).filter(|secret| !secret.is_empty()) {
            for (place, text) in [("log", log.as_str()), ("answers", answers.as_str())] {
                ensure!(!text.contains(secret), "the {place} show the secret {secret:?}");
            }
        }
        for (place, text) in [("log", log.as_str()), ("answers", answers.as_str())] {
            ensure!(!text.contains("PRIVATE KEY"), "the {place} show a private key");
        }
        let panicked = log.lines().find(|line| line.contains("panicked at") && !line.contains("target=plugin"));
        ensure!(panicked.is_none(), "the server panicked: {panicked:?}");
        Ok(())
    }

    /// Waits until the server's log holds each of `words` in one line.
    ///
    /// # Errors
    /// When it does not within half a minute.
    pub async fn until_logged(&self, words: &[&str]) -> anyhow::Result<()> {
        self.until_logged_times(1, words).await
    }

    /// Everything of type TXT in [`ZONE`].
    ///
    /// # Errors
    /// When PowerDNS does not answer.
    pub async fn txt_values(&self) -> anyhow::Result<Vec<String>> {
        let zone = self.dns.call(Method::GET, &format!("/zones/{ZONE}."), None).await?;
        let sets = zone["rrsets"].as_array().cloned().unwrap_or_default();
        Ok(sets.iter().filter(|set| set["type"] == "TXT").map(|set| set["name"].to_string()).collect())
    }

    /// The certificates of the owner, by their first name.
    ///
    /// # Errors
    /// When the server refuses.
    pub async fn known_domains(&self) -> anyhow::Result<Vec<String>> {
        let list = self.api.metadata(&self.bearer).await?;
        let list = list.as_array().cloned().unwrap_or_default();
        Ok(list.iter().filter_map(|entry| entry["domain"].as_str().map(str::to_owned)).collect())
    }
}

impl Answer {
    /// What is missing of an answer with this status and code whose text holds each of `words`.
    pub fn differs(&self, status: u16, code: &str, words: &[&str]) -> Option<String> {
        let request_id = self.body["request_id"].as_str().unwrap_or_default();
        let same = self.status == status && self.code == code && !request_id.is_empty();
        let said = words.iter().all(|word| self.error.contains(word));
        (!same || !said).then(|| format!("expected {status} {code} {words:?}, got {} {}", self.status, self.body))
    }

    /// # Panics
    /// When [`Answer::differs`] finds something.
    pub fn assert_refusal(&self, status: u16, code: &str, words: &[&str]) {
        let difference = self.differs(status, code, words);
        assert!(difference.is_none(), "{}", difference.unwrap_or_default());
    }
}

/// A file below `target/plugins`.
///
/// # Panics
/// When it was not built.
pub fn plugin_component(name: &str) -> PathBuf {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/plugins").join(name);
    assert!(file.is_file(), "{} is missing: run `cargo xtask plugins`", file.display());
    file
}

/// The built server.
///
/// # Panics
/// When it was not built.
pub fn server_binary() -> PathBuf {
    if let Some(binary) = std::env::var_os("CARGO_BIN_EXE_acme-manager-server") {
        return binary.into();
    }
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/debug/acme-manager-server");
    assert!(file.is_file(), "{} is missing: run `cargo build -p acme-manager-server`", file.display());
    file
}

/// A request for `domain` from the issuer `pebble`.
pub fn params(domain: &str) -> CertificateParams {
    CertificateParams { domain: domain.to_owned(), issuer: "pebble".to_owned(), ..CertificateParams::default() }
}

/// Lets the server's own command load the component with the same storage, so that its cache is filled.
async fn compile(component: &Path, storage: &str) -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let checksum =
        tokio::process::Command::new(server_binary()).args(["plugin", "checksum"]).arg(component).output().await?;
    let checksum = String::from_utf8(checksum.stdout)?;
    let entry =
        format!("    - name: first\n      path: {}\n      checksum: '{}'\n", component.display(), checksum.trim());
    std::fs::write(folder.path().join("config.yml"), format!("common:\n  plugins:\n{entry}storage:\n{storage}"))?;
    let mut list = tokio::process::Command::new(server_binary());
    let list = list.args(["plugin", "list"]).current_dir(folder.path()).output().await?;
    ensure!(list.status.success(), "{}", String::from_utf8_lossy(&list.stderr));
    Ok(())
}

fn config(options: &SiteOptions, ca: &Pebble) -> String {
    let SiteOptions { common, issuers, storage, cert_timeout, .. } = options;
    let (directory, roots) = (&ca.directory_url, ca.ca_root_file.display());
    format!(
        "common:\n  api_key_hash: '@API_KEY_HASH@'\n  cert_timeout: {cert_timeout}\n  http_client_retry_max: 1\n  http_client_retry_wait_max: 1\n{common}\
         issuer:\n  pebble:\n    ca_dir_url: {directory}\n    ca_root_file: {roots}\n    dns_challenge: pdns\n{issuers}\
         storage:\n{storage}"
    )
}
