//! The server as it is meant to run: a CA that validates for real, a name server that a plugin writes to, and a store.

use std::{env, future::Future, time::Duration};

use acme_manager_api::{Certificate, CertificateParams};
use acme_manager_harness::{
    AppRole, Bao, Pebble, PebbleOptions, PowerDns, Server, ServerOptions,
    certs::{self, Certificate as X509},
    dns, kv_policy,
};
use anyhow::{Context, bail, ensure};
use serde_json::Value;
use sha2::{Digest, Sha256};
use tokio::time::{Instant, sleep};

/// The zone that PowerDNS serves.
pub const ZONE: &str = "example.test";

/// The issuer's name in the config.
pub const ISSUER: &str = "pebble";

/// The owner of the first token.
pub const OWNER: &str = "web";

/// A debug build on a busy machine, between two other tests.
pub const PATIENCE: Duration = Duration::from_secs(90);

/// How the server finds out that a TXT value is visible.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Propagation {
    /// As soon as the provider has taken it: the CA asks the very server that the provider writes to.
    Written,
    /// All resolvers show it. The zone's name servers are asked for aliases, so they must be on port 53.
    Resolvers,
    /// It waits so many seconds; slows an issuance down at a known place.
    Wait(u32),
    /// As without any variable: the zone's authoritative servers, on port 53.
    Authoritative,
}

impl Propagation {
    fn variables(self) -> Vec<(&'static str, String)> {
        match self {
            Self::Written => vec![("ACME_MANAGER_DNS_PROPAGATIONDISABLEANS", "true".to_owned())],
            Self::Resolvers => vec![
                ("ACME_MANAGER_DNS_PROPAGATIONDISABLEANS", "true".to_owned()),
                ("ACME_MANAGER_DNS_PROPAGATIONRNS", "true".to_owned()),
            ],
            Self::Wait(seconds) => vec![("ACME_MANAGER_DNS_PROPAGATIONWAIT", seconds.to_string())],
            Self::Authoritative => Vec::new(),
        }
    }
}

/// Servers with an issuer [`ISSUER`] that uses the provider `pdns`.
#[derive(Debug)]
pub struct Installation {
    /// Where the provider writes.
    pub dns: PowerDns,
    /// The CA.
    pub pebble: Pebble,
    /// The store, unless the server keeps everything in its file.
    pub bao: Option<Bao>,
    /// The server under test.
    pub server: Server,
    /// A token of [`OWNER`] with every scope.
    pub bearer: String,
}

/// What an [`Installation`] is made of.
#[derive(Clone, Debug)]
pub struct Plan {
    /// OpenBao instead of the embedded store.
    pub is_vault: bool,
    /// Leave on what real CAs do to clients.
    pub is_strict: bool,
    /// When a TXT value counts as visible.
    pub propagation: Propagation,
    /// How long a request waits for its certificate, in seconds.
    pub request_budget_seconds: u32,
}

impl Plan {
    /// OpenBao, and a CA that behaves.
    #[must_use]
    pub fn vault() -> Self {
        Self { is_vault: true, is_strict: false, propagation: Propagation::Written, request_budget_seconds: 120 }
    }

    /// The embedded store, and a CA that behaves.
    #[must_use]
    pub fn embedded() -> Self {
        Self { is_vault: false, ..Self::vault() }
    }

    /// With the CA's full share of mischief.
    #[must_use]
    pub fn strict(self) -> Self {
        Self { is_strict: true, ..self }
    }

    /// With this way to find out that a value is visible.
    #[must_use]
    pub fn propagation(self, propagation: Propagation) -> Self {
        Self { propagation, ..self }
    }

    /// Starts everything on `dns` and waits until the server is ready.
    ///
    /// # Errors
    /// When something does not start.
    pub async fn start_on(self, dns: PowerDns) -> anyhow::Result<Installation> {
        let pebble = Pebble::start(PebbleOptions { strict: self.is_strict, ..PebbleOptions::new(dns.dns) }).await?;
        let (bao, storage) = if self.is_vault {
            let (bao, role) = vault().await?;
            let storage = vault_yaml(&bao, &role);
            (Some(bao), storage)
        } else {
            (None, embedded_yaml())
        };
        let budget = format!("  cert_timeout: {}\n", self.request_budget_seconds);
        let config = config_yaml(&budget, &issuer_yaml(&pebble, "pdns"), &storage);
        let mut options = ServerOptions::new(config).env("ACME_MANAGER_DNS_RESOLVERS", dns.dns.to_string());
        for (name, value) in pdns_variables(&dns).into_iter().chain(self.propagation.variables()) {
            options = options.env(name, value);
        }
        let mut server = Server::start(options).await?;
        server.wait_ready().await?;
        let bearer = server.api().bearer(OWNER).await?;
        Ok(Installation { dns, pebble, bao, server, bearer })
    }

    /// Starts everything and waits until the server is ready.
    ///
    /// # Errors
    /// When something does not start.
    pub async fn start(self) -> anyhow::Result<Installation> {
        self.start_on(PowerDns::start(&[ZONE]).await?).await
    }
}

impl Installation {
    /// Orders a certificate.
    ///
    /// # Errors
    /// When the server refuses.
    pub async fn create(&self, params: &CertificateParams) -> anyhow::Result<Certificate> {
        self.server.api().create_certificate(&self.bearer, params).await
    }

    /// Orders a certificate in the background, for tests that interrupt it.
    pub fn begin(&self, params: CertificateParams) -> tokio::task::JoinSet<anyhow::Result<Certificate>> {
        let (api, bearer) = (self.server.api(), self.bearer.clone());
        let mut tasks = tokio::task::JoinSet::new();
        tasks.spawn(async move { api.create_certificate(&bearer, &params).await });
        tasks
    }

    /// The store.
    ///
    /// # Errors
    /// When the server keeps everything in its file.
    pub fn bao(&self) -> anyhow::Result<&Bao> {
        self.bao.as_ref().context("this installation has no OpenBao")
    }

    /// The TXT values for `domain` that the name server shows.
    ///
    /// # Errors
    /// When it does not answer.
    pub async fn txt(&self, domain: &str) -> anyhow::Result<Vec<String>> {
        dns::txt(self.dns.dns, &format!("_acme-challenge.{domain}")).await
    }

    /// Waits until the certificate `key` (`issuer/domain` or a name) is there.
    ///
    /// # Errors
    /// When it does not come in time.
    pub async fn until_stored(&self, key: &str) -> anyhow::Result<Certificate> {
        let api = self.server.api();
        until(PATIENCE, || async { api.certificate(&self.bearer, key).await }).await
    }

    /// Waits until no TXT value for `domain` and no intent is left.
    ///
    /// # Errors
    /// When something is left.
    pub async fn until_clean(&self, domain: &str) -> anyhow::Result<()> {
        let clean = || async {
            let values = self.txt(domain).await?;
            ensure!(values.is_empty(), "TXT values are left for {domain}: {values:?}");
            let Some(bao) = &self.bao else { return Ok(()) };
            let intents = bao.kv_list("certificates/.acme-manager/intents").await?;
            ensure!(intents.is_empty(), "intents are left: {intents:?}");
            Ok(())
        };
        until(PATIENCE, clean).await
    }

    /// The intent of the unnamed certificate for `domain`, as far as it is stored.
    ///
    /// # Errors
    /// When there is none, or the store does not answer.
    pub async fn intent(&self, domain: &str) -> anyhow::Result<Value> {
        let path = format!("certificates/.acme-manager/intents/{OWNER}/{ISSUER}/{domain}");
        let found = self.bao()?.kv_get(&path).await?.context("there is no intent")?;
        Ok(found["data"].clone())
    }

    /// How many orders the CA took.
    #[must_use]
    pub fn orders(&self) -> usize {
        self.pebble.process.log().matches("Added order ").count()
    }

    /// How many certificates the CA issued.
    #[must_use]
    pub fn issued(&self) -> usize {
        self.pebble.process.log().matches("Issued certificate serial ").count()
    }

    /// The CA's word on a certificate: `Valid` or `Revoked`.
    ///
    /// # Errors
    /// When it did not issue it.
    pub async fn status(&self, certificate: &Certificate) -> anyhow::Result<String> {
        let status = self.pebble.certificate_status(&certificate.metadata.serial).await?;
        Ok(status["Status"].as_str().unwrap_or_default().to_owned())
    }

    /// Checks a certificate against what was asked for and what is said of it.
    ///
    /// # Errors
    /// When anything of it is wrong; `key_pem` is the key that it must belong to.
    pub async fn check(&self, certificate: &Certificate, names: &[&str], key_pem: &str) -> anyhow::Result<()> {
        check(&self.pebble, certificate, names, key_pem).await
    }
}

/// Checks a certificate of `pebble` against the wanted names, the key, and its own metadata.
///
/// # Errors
/// When anything of it is wrong.
pub async fn check(pebble: &Pebble, found: &Certificate, names: &[&str], key_pem: &str) -> anyhow::Result<()> {
    let chain = if found.metadata.bundle { found.cert.clone() } else { format!("{}{}", found.cert, found.ca_issuer) };
    certs::openssl_verify(&chain, &pebble.root_pem().await?)?;
    let wanted = if found.metadata.bundle { 2 } else { 1 };
    let count = certs::count(&found.cert)?;
    ensure!(count == wanted, "`cert` holds {count} certificates, not {wanted}");
    ensure!(certs::count(&found.ca_issuer)? == 1, "`ca_issuer` does not hold the one intermediate");
    let leaf = X509::from_pem(&found.cert)?;
    let mut names: Vec<&str> = names.to_vec();
    names.sort_unstable();
    ensure!(leaf.names == names, "the certificate is for {:?}, not for {names:?}", leaf.names);
    ensure!(leaf.belongs_to_key(key_pem)?, "the certificate does not belong to the key");
    let metadata = &found.metadata;
    let fingerprint = hex::encode(Sha256::digest(&found.cert));
    ensure!(metadata.fingerprint == fingerprint, "fingerprint {} is not {fingerprint}", metadata.fingerprint);
    let (said, is) = (metadata.serial.trim_start_matches('0'), leaf.serial.trim_start_matches('0'));
    ensure!(said == is, "serial {said} is not {is}");
    ensure!(metadata.encryption == "ECDSA-256", "encryption {}", metadata.encryption);
    let expires = utc(leaf.not_after);
    ensure!(metadata.expires == expires, "expires {} is not {expires}", metadata.expires);
    Ok(())
}

/// Polls `probe` until it succeeds.
///
/// # Errors
/// Its last error, when `deadline` passes.
pub async fn until<T, F>(deadline: Duration, mut probe: impl FnMut() -> F) -> anyhow::Result<T>
where
    F: Future<Output = anyhow::Result<T>>,
{
    const INTERVAL: Duration = Duration::from_millis(25);
    let end = Instant::now() + deadline;
    loop {
        match probe().await {
            Ok(value) => return Ok(value),
            Err(error) if Instant::now() >= end => bail!("not within {deadline:?}: {error:#}"),
            Err(_) => sleep(INTERVAL).await,
        }
    }
}

/// A request for one domain from [`ISSUER`], with the key made by the server.
#[must_use]
pub fn order(domain: &str) -> CertificateParams {
    CertificateParams { domain: domain.to_owned(), issuer: ISSUER.to_owned(), ..CertificateParams::default() }
}

/// OpenBao with the rights of the operators' guide.
///
/// # Errors
/// When it does not start.
pub async fn vault() -> anyhow::Result<(Bao, AppRole)> {
    const TOKEN_LIFETIME: Duration = Duration::from_secs(3600);
    let bao = Bao::start().await?;
    let policy = format!("{}\n{}", kv_policy("certificates"), kv_policy("tokens"));
    let role = bao.approle(&policy, TOKEN_LIFETIME).await?;
    Ok((bao, role))
}

/// What the provider `pdns` needs.
#[must_use]
pub fn pdns_variables(dns: &PowerDns) -> Vec<(&'static str, String)> {
    vec![("PDNS_API_URL", dns.api_url.clone()), ("PDNS_API_KEY", dns.api_key.clone())]
}

/// A config file of its parts, each indented by two.
#[must_use]
pub fn config_yaml(common: &str, issuers: &str, storage: &str) -> String {
    // Compiled plugins are kept beside this folder, and all tests share them.
    let shared = env::temp_dir().join("acme-manager-system-tests/certificates");
    let shared = shared.display();
    format!(
        "common:\n  api_key_hash: '@API_KEY_HASH@'\n  rootpath_certificate: {shared}\n{common}issuer:\n{issuers}storage:\n{storage}"
    )
}

/// The issuer [`ISSUER`] at `pebble`.
#[must_use]
pub fn issuer_yaml(pebble: &Pebble, provider: &str) -> String {
    let (url, roots) = (&pebble.directory_url, pebble.ca_root_file.display());
    format!(
        "  {ISSUER}:\n    ca_dir_url: {url}\n    ca_root_file: {roots}\n    contact: ops@example.org\n    dns_challenge: {provider}\n"
    )
}

/// The store in the server's own folder.
#[must_use]
pub fn embedded_yaml() -> String {
    "  embedded:\n    path: '@DIR@/store.redb'\n".to_owned()
}

/// The store in `bao`, found wanting sooner than by default.
#[must_use]
pub fn vault_yaml(bao: &Bao, role: &AppRole) -> String {
    format!(
        "  vault:\n    url: {}\n    role_id: '{}'\n    secret_id: '{}'\n    secret_engine: secret\n    mount_path: approle\n\
         \x20   certificate_prefix: certificates\n    token_prefix: tokens\n    retry_max: 1\n",
        bao.address, role.role_id, role.secret_id
    )
}

/// Seconds since 1970 in the form of the metadata, computed apart from the server's own code.
fn utc(seconds: i64) -> String {
    let (days, rest) = (seconds.div_euclid(86_400), seconds.rem_euclid(86_400));
    // Days to civil date: Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms".
    let z = days + 719_468;
    let (era, day_of_era) = (z.div_euclid(146_097), z.rem_euclid(146_097));
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted + 2) / 5 + 1;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    let (hour, minute, second) = (rest / 3600, rest % 3600 / 60, rest % 60);
    format!("{year:04}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02} +0000 UTC")
}
