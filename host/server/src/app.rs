//! Assembly: makes every service from config, environment and flags, and runs the server until it is told to stop.
//!
//! The only place that constructs services and the only one that knows all of them.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use acme_manager_plugin_runtime::read_regular_file;
use anyhow::Context;
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::acme::{AcmeError, Issuer, IssuerSettings, Retries, Stage};
use crate::api::{self, ApiLimits, ApiState};
use crate::certificates::request::Challenge;
use crate::certificates::{Accounts, CertificateSettings, Certificates, ConfiguredIssuer, Neighbours};
use crate::challenges::dns01::Solver;
use crate::challenges::http01::Http01;
use crate::clock::Clock;
use crate::cluster::{Leadership, Registry};
use crate::config::{self, ApiKeyHash, CaSettings, Config, DefaultChallenge, Environment, Flags, LogFlags, LogLevel};
use crate::names::IssuerName;
use crate::storage::Store;
use crate::telemetry::{self, LogFormat, Metrics};
use crate::tokens::{TokenSettings, Tokens};
use crate::workers;
/// Prints what a command has to say; whoever stopped reading has read enough.
pub use acme_manager_workbench::{print, tell};
use plugins::{Loader, PluginSet};
use reload::Reloader;

pub mod check;
pub mod dns;
pub mod plugin_commands;
mod plugin_signatures;
pub mod plugins;
mod reload;
mod serve;
mod stores;

/// What is done within this after a signal is done; the rest is parked as intents and finished after the restart.
const SHUTDOWN_PATIENCE: Duration = Duration::from_secs(30);

/// Sends log lines to standard output as the flags say.
pub fn start_logging(flags: &LogFlags) {
    let level = match flags.level {
        LogLevel::Debug => tracing::Level::DEBUG,
        LogLevel::Info => tracing::Level::INFO,
        LogLevel::Warn => tracing::Level::WARN,
        LogLevel::Error => tracing::Level::ERROR,
    };
    let format = match flags.format {
        config::LogFormat::Logfmt => LogFormat::Logfmt,
        config::LogFormat::Json => LogFormat::Json,
    };
    telemetry::start_logging(level, format);
}

/// Runs the server until SIGINT or SIGTERM.
///
/// # Errors
/// When it cannot start: bad config, no store, address taken, no TLS files.
pub async fn serve(flags: &Flags) -> anyhow::Result<()> {
    let environment = Arc::new(Environment::load(&flags.env_config_path)?);
    let loaded = Config::load(&flags.config_path)?;
    let file = flags.config_path.display();
    for warning in &loaded.warnings {
        tracing::warn!("{file}: {warning}");
    }
    for warning in plugins::doubts(&loaded.config) {
        tracing::warn!("{file}: {warning}");
    }
    for warning in environment.warnings() {
        tracing::warn!("{}: {warning}", flags.env_config_path.display());
    }
    let listener = serve::Listener::bind(&flags.server)?;
    let app = App::new(&loaded.config, &environment, flags).await?;
    app.run(listener).await
}

/// A server ready to run.
struct App {
    certificates: Arc<Certificates>,
    tokens: Arc<Tokens>,
    router: axum::Router,
    restored: watch::Sender<bool>,
    reloader: Reloader,
    tracker: TaskTracker,
}

impl App {
    async fn new(config: &Config, environment: &Arc<Environment>, flags: &Flags) -> anyhow::Result<Self> {
        let clock = Clock::system();
        let metrics = Metrics::new();
        let tracker = TaskTracker::new();
        let leadership = Leadership::alone();
        metrics.leader(true);
        let registry = Arc::new(Registry::default());
        let dns_settings = dns::settings(&environment.dns_settings()?).await?;
        let loader = Loader::new(config, flags.allow_unverified_plugins, Some(&metrics))?;
        let mut plugins = PluginSet::new(loader);
        let (providers, hooks) = plugins.start(config, environment, &tracker);
        let (providers, hooks) = (Arc::new(providers), Arc::new(hooks));
        let reloader = Reloader::new(flags, plugins, (providers.clone(), hooks.clone()), metrics.clone());
        let (store, prefixes) = stores::open(&config.storage, &metrics).await?;
        let solver = Solver::new(dns_settings, providers.clone());
        let http01 = Arc::new(Http01::default());
        let accounts = accounts(config, environment, store.clone(), &prefixes.certificates, &metrics)?;
        let with = Neighbours {
            store: store.clone(),
            registry: registry.clone(),
            leadership: leadership.clone(),
            http01: http01.clone(),
            hooks,
            clock: clock.clone(),
            metrics: metrics.clone(),
            tracker: tracker.clone(),
        };
        let settings = CertificateSettings {
            prefix: prefixes.certificates,
            renewal_days: config.common.renewal_days,
            request_budget: config.common.cert_timeout,
        };
        let certificates = Arc::new(Certificates::new(settings, accounts, solver, with));
        let settings = TokenSettings { api_key_hash: api_key_hash(config), prefix: prefixes.tokens };
        let tokens = Arc::new(Tokens::new(settings, store, registry, leadership.clone(), clock));
        let (restored, started) = watch::channel(false);
        let state = ApiState {
            certificates: certificates.clone(),
            tokens: tokens.clone(),
            http01,
            metrics,
            leadership,
            started,
            tasks: tracker.clone(),
        };
        let limits = ApiLimits { request_timeout: flags.server.http_read_timeout, ..ApiLimits::default() };
        Ok(Self { certificates, tokens, router: api::router(state, limits), restored, reloader, tracker })
    }

    async fn run(self, listener: serve::Listener) -> anyhow::Result<()> {
        let stop = CancellationToken::new();
        let (certificates, tokens) = (self.certificates.clone(), self.tokens.clone());
        let (restored, stopped) = (self.restored, stop.clone());
        self.tracker.spawn(async move {
            workers::restore::run(certificates.clone(), tokens, restored, stopped.clone()).await;
            workers::intents::run(certificates, stopped).await;
        });
        self.tracker.spawn(self.reloader.run(stop.clone()));
        let serving = async {
            let served = listener.serve(self.router, stop.clone(), SHUTDOWN_PATIENCE).await;
            stop.cancel();
            served
        };
        let begin_of_end = async {
            stop.cancelled().await;
            tokio::time::Instant::now()
        };
        let (served, begin_of_end) = tokio::join!(serving, begin_of_end);
        self.tracker.close();
        // Requests and orders share one patience: a service manager that kills has little more.
        if tokio::time::timeout_at(begin_of_end + SHUTDOWN_PATIENCE, self.tracker.wait()).await.is_err() {
            tracing::warn!("unfinished orders are parked and taken up again at the next start");
        }
        tracing::info!("stopped");
        served
    }
}

fn accounts(
    config: &Config,
    environment: &Environment,
    store: Arc<dyn Store>,
    prefix: &str,
    metrics: &Metrics,
) -> anyhow::Result<Accounts> {
    let roots = environment.ca_settings()?;
    let issuers: BTreeMap<IssuerName, ConfiguredIssuer> =
        config.issuers.iter().map(|(name, issuer)| (name.clone(), configured(name, issuer, config, &roots))).collect();
    for (name, issuer) in &issuers {
        if let Err(error) = &issuer.issuer {
            tracing::error!(issuer = %name, %error, "the issuer cannot be used");
        }
    }
    Ok(Accounts::new(issuers, store, prefix, config.common.rootpath_account.clone(), metrics.clone()))
}

fn configured(name: &IssuerName, issuer: &config::Issuer, config: &Config, roots: &CaSettings) -> ConfiguredIssuer {
    let default_challenge = issuer.challenge.as_ref().map(|challenge| match challenge {
        DefaultChallenge::Dns(provider) => Challenge::Dns(provider.clone()),
        DefaultChallenge::Http(provider) => Challenge::Http(provider.clone()),
    });
    ConfiguredIssuer { issuer: ca(name, issuer, config, roots), default_challenge, profile: issuer.profile.clone() }
}

fn ca(name: &IssuerName, issuer: &config::Issuer, config: &Config, roots: &CaSettings) -> Result<Issuer, AcmeError> {
    let mut extra_roots = Vec::new();
    // An issuer's own file counts before the variable that is for all of them.
    let files = match &issuer.ca_root_file {
        Some(file) => vec![file.as_path()],
        None => roots.certificates.iter().map(|path| path.as_path()).collect(),
    };
    for file in files {
        let read = certificates_in(file)
            .map_err(|e| AcmeError::Unreachable { stage: Stage::Connection, reason: format!("{e:#}") })?;
        extra_roots.extend(read);
    }
    let retry = &config.common.http_client_retry;
    Issuer::new(IssuerSettings {
        name: name.clone(),
        directory: issuer.ca_dir_url.clone(),
        contact: issuer.contact.clone(),
        external_account: issuer
            .external_account
            .as_ref()
            .map(|external| crate::acme::ExternalAccount::new(external.kid.clone(), external.key().to_vec())),
        extra_roots,
        certificate_timeout: issuer.certificate_timeout,
        retries: Retries {
            max: retry.max,
            wait_min: retry.wait_min,
            wait_max: retry.wait_max,
            statuses: config.common.http_client_retry_status_codes.iter().copied().collect(),
        },
    })
}

/// The largest collections of roots have some hundred KiB.
const LARGEST_PEM_FILE: u64 = 16 << 20;

/// The certificates of a PEM file; at least one. Never waits for the other end of a pipe.
fn certificates_in(file: &Path) -> anyhow::Result<Vec<CertificateDer<'static>>> {
    let pem = read_regular_file(file, LARGEST_PEM_FILE).context("cannot read the certificates")?;
    let certificates = CertificateDer::pem_slice_iter(&pem)
        .collect::<Result<Vec<_>, _>>()
        .map_err(|e| anyhow::anyhow!("{} is not PEM: {e}", file.display()))?;
    anyhow::ensure!(!certificates.is_empty(), "{} holds no certificate", file.display());
    Ok(certificates)
}

fn api_key_hash(config: &Config) -> Option<Vec<u8>> {
    config.common.api_key_hash.map(|hash| match hash {
        ApiKeyHash::Sha256(bytes) => bytes.to_vec(),
        ApiKeyHash::Sha1(bytes) => bytes.to_vec(),
    })
}
