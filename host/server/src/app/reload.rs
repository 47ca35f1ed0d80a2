//! Takes up changes of the config and the environment file while the server runs: looked for twice a minute, as before,
//! and at once at SIGHUP. Plugins change; what else the files say is taken up at the next start, and the log says so.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use acme_manager_plugin_runtime::{PluginDigest, read_regular_file};
use tokio::signal::unix::{SignalKind, signal};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::plugins::{PluginSet, Sections, Settled, sections, wrong_files};
use crate::certificates::chain;
use crate::challenges::providers::Providers;
use crate::config::{Config, Environment, Flags, Loaded};
use crate::hooks::Hooks;
use crate::names::ProviderName;
use crate::telemetry::Metrics;

const INTERVAL: Duration = Duration::from_secs(30);
const LARGEST_TLS_FILE: u64 = 1 << 20;

/// Watches the two files.
pub(super) struct Reloader {
    config: PathBuf,
    environment: PathBuf,
    plugins: PluginSet,
    providers: Arc<Providers>,
    hooks: Arc<Hooks>,
    metrics: Metrics,
    /// What was wrong last time, so that the log says it once.
    complaint: Option<String>,
    /// Certificate, key and client CA of the listener, and what they were at the start.
    tls_files: Vec<PathBuf>,
    tls: Contents,
    /// What was said to take effect at the next start, so that the log says it once.
    announced: Vec<String>,
}

impl Reloader {
    pub(super) fn new(
        flags: &Flags,
        plugins: PluginSet,
        (providers, hooks): (Arc<Providers>, Arc<Hooks>),
        metrics: Metrics,
    ) -> Self {
        let server = &flags.server;
        let tls_files = [&server.tls_cert_file, &server.tls_key_file, &server.tls_client_ca_file];
        let tls_files: Vec<PathBuf> = tls_files.into_iter().flatten().cloned().collect();
        Self {
            tls: contents(&tls_files),
            tls_files,
            announced: Vec::new(),
            config: flags.config_path.clone(),
            environment: flags.env_config_path.clone(),
            plugins,
            providers,
            hooks,
            metrics,
            complaint: None,
        }
    }

    /// Runs until `stop`.
    pub(super) async fn run(mut self, stop: CancellationToken) {
        let mut hangup = signal(SignalKind::hangup()).ok();
        let mut next = Instant::now() + INTERVAL;
        loop {
            let asked = async {
                match &mut hangup {
                    Some(hangup) => hangup.recv().await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                () = stop.cancelled() => return,
                Some(settled) = self.plugins.settle(&self.providers, &self.hooks), if self.plugins.is_loading() => {
                    if let Settled::Replaced(name) = settled {
                        tracing::info!(plugin = %name, "changed by the config");
                    }
                    self.tell_metrics();
                    continue;
                }
                _ = asked => {
                    tracing::info!("SIGHUP: reading the config again");
                    self.reload(Occasion::Asked).await;
                }
                () = tokio::time::sleep_until(next) => self.reload(Occasion::Time).await,
            }
            next = Instant::now() + INTERVAL;
        }
    }

    /// Whoever asks for it is told of files as well that the server no longer needs, but will at its next start.
    async fn reload(&mut self, occasion: Occasion) {
        let (config, environment, tls_files) = (self.config.clone(), self.environment.clone(), self.tls_files.clone());
        let read = move || Found::read(&config, &environment, &tls_files, occasion);
        let Ok(read) = tokio::task::spawn_blocking(read).await else { return };
        match read.and_then(|found| self.take_up(found)) {
            Ok(()) => self.complaint = None,
            Err(reason) if self.complaint.as_ref() != Some(&reason) => {
                tracing::error!(reason, "the changed config cannot be used; what was read before stays");
                self.complaint = Some(reason);
            }
            Err(_) => {}
        }
        self.tell_metrics();
    }

    /// Changes the plugins, or says why nothing is taken up.
    fn take_up(&mut self, found: Found) -> Result<(), String> {
        let Found { config, environment, tls, warnings } = found;
        for warning in warnings {
            tracing::warn!("{}: {warning}", self.config.display());
        }
        let (hooks, new) = (self.hooks.list(), sections(&config, &environment));
        let hooks: Vec<&ProviderName> = hooks.iter().map(|(name, _)| name).collect();
        if let Some(reason) = cut_off(&hooks, &config, self.plugins.started_with(), &new) {
            return Err(reason);
        }
        let changes = self.plugins.change(&config, &environment, &self.providers, &self.hooks);
        for name in &changes.replaced {
            tracing::info!(plugin = %name, "changed by the config");
        }
        for name in &changes.removed {
            match hooks.contains(&name) {
                true => tracing::warn!(plugin = %name, "removed by the config: this policy is no longer asked"),
                false => tracing::info!(plugin = %name, "removed by the config"),
            }
        }
        self.warn_of_restart(&new, &tls);
        Ok(())
    }

    fn tell_metrics(&self) {
        self.metrics.config(self.complaint.is_none() && self.plugins.is_in_force());
    }

    /// Names once what differs from what the server started with and is not taken up while it runs.
    fn warn_of_restart(&mut self, new: &Sections, tls: &Contents) {
        let mut changed = differences(self.plugins.started_with(), new);
        if *tls != self.tls {
            changed.push("the TLS files".to_owned());
        }
        if !changed.is_empty() && changed != self.announced {
            let sections = changed.join(", ");
            tracing::warn!(sections, "changed since the start of the server: takes effect at its next start");
        }
        self.announced = changed;
    }
}

/// Why the files are looked at.
#[derive(Clone, Copy)]
enum Occasion {
    /// Somebody wants to know.
    Asked,
    /// It is time again.
    Time,
}

/// What the files say now.
struct Found {
    config: Config,
    environment: Arc<Environment>,
    tls: Contents,
    warnings: Vec<String>,
}

impl Found {
    /// Blocks. Warnings are gathered for who asks: components are read for them.
    fn read(config: &Path, environment: &Path, tls_files: &[PathBuf], occasion: Occasion) -> Result<Self, String> {
        let environment = Environment::load(environment).map_err(|error| chain(&error))?;
        let Loaded { config, warnings } = Config::load(config).map_err(|error| chain(&error))?;
        let warnings = warnings.iter().map(ToString::to_string);
        let warnings = match occasion {
            Occasion::Asked => warnings.chain(wrong_files(&config)).collect(),
            Occasion::Time => Vec::new(),
        };
        Ok(Self { config, environment: Arc::new(environment), tls: contents(tls_files), warnings })
    }
}

/// Why a config is not taken up that looks like the beginning of a file: with a policy it lost what the server runs with.
/// The issuers stay in force until the next start, so that orders would go on unasked.
fn cut_off(in_force: &[&ProviderName], config: &Config, old: &Sections, new: &Sections) -> Option<String> {
    let policy = in_force.iter().find(|name| config.common.plugins.iter().all(|entry| entry.name != ***name))?;
    let is_lost = |name: &&String| match new.get(*name) {
        None => true,
        Some(now) => *name == "storage" && old.get(*name) != Some(now),
    };
    let lost: Vec<&str> = old.keys().filter(is_lost).map(String::as_str).collect();
    (!lost.is_empty()).then(|| {
        format!(
            "the issuance hook {policy} is not in it any more, nor is {} as the server started with it, as if the file were \
             cut off; if this is meant, restart the server",
            lost.join(", ")
        )
    })
}

/// The names that are not the same in both.
fn differences(old: &Sections, new: &Sections) -> Vec<String> {
    let names: BTreeSet<&String> = old.keys().chain(new.keys()).collect();
    names.into_iter().filter(|name| old.get(*name) != new.get(*name)).cloned().collect()
}

/// Digests of files, `None` for one that cannot be read.
type Contents = Vec<Option<PluginDigest>>;

/// Blocks.
fn contents(files: &[PathBuf]) -> Contents {
    files.iter().map(|file| Some(PluginDigest::of(&read_regular_file(file, LARGEST_TLS_FILE).ok()?))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const BASE: &str = "
common: {cert_timeout: 100, plugins: [{name: pdns, dns_rate_limit: 1}]}
issuer:
  le: {ca_dir_url: 'https://ca', eab: true, kid: k, hmac: aaaa}
storage:
  vault: {url: 'https://v', role_id: r, secret_id: hunter2}
";

    fn of(text: &str, variables: &str) -> Sections {
        let config = Config::parse(text).unwrap_or_else(|error| panic!("{text}: {error}")).config;
        sections(&config, &Environment::parse(variables, []).expect("valid"))
    }

    #[test]
    fn a_policy_goes_only_with_a_config_that_is_whole() {
        let started = of(BASE, "");
        let policy: ProviderName = "policy".parse().expect("a name");
        let check = |text: &str, in_force: &[&ProviderName]| {
            let config = Config::parse(text).unwrap_or_else(|error| panic!("{text}: {error}")).config;
            cut_off(in_force, &config, &started, &of(text, ""))
        };
        assert_eq!(check(BASE, &[&policy]), None, "it was taken out, and all else is as it was");
        let storage = BASE.find("storage:").expect("it is there");
        let issuer = BASE.find("issuer:").expect("it is there");
        for end in [0, issuer, storage] {
            let reason = check(&BASE[..end], &[&policy]).expect("it is cut off");
            assert!(reason.contains("hook policy") && reason.contains("storage"), "{reason}");
            assert_eq!(reason.contains("issuer.le"), end < storage, "{reason}");
            assert_eq!(check(&BASE[..end], &[]), None, "without a policy as before");
        }
        let kept = "common: {plugins: [{name: policy, kind: issuance-hook}]}";
        assert_eq!(check(kept, &[&policy]), None, "it is still asked");
    }

    #[test]
    fn what_needs_a_restart_is_named() {
        let table: &[(&str, &str, &[&str])] = &[
            ("cert_timeout: 100", "cert_timeout: 200", &["common.cert_timeout"]),
            ("https://ca", "https://other", &["issuer.le"]),
            ("hmac: aaaa", "hmac: bbbb", &["issuer.le"]),
            ("  le: {", "  more: {ca_dir_url: 'https://x'}\n  le: {", &["issuer.more"]),
            ("hunter2", "hunter3", &["storage"]),
            ("dns_rate_limit: 1", "dns_rate_limit: 2", &[]),
            ("common: {", "common: {api_key_hash: '@'", &["common.api_key_hash"]),
        ];
        for (old, new, names) in table {
            let hash = format!("{}', ", "a".repeat(64));
            let text = BASE.replace(old, new).replace("@'", &hash);
            assert_ne!(text, BASE, "{old}");
            assert_eq!(differences(&of(BASE, ""), &of(&text, "")), *names, "{old} -> {new}");
        }
        let key = |digit: &str| BASE.replace("common: {", &format!("common: {{api_key_hash: '{}', ", digit.repeat(64)));
        assert_eq!(differences(&of(&key("a"), ""), &of(&key("b"), "")), ["common.api_key_hash"]);
        let changed = differences(&of(BASE, ""), &of(BASE, "ACME_MANAGER_DNS_TIMEOUT=7\n"));
        assert_eq!(changed, ["the variables ACME_MANAGER_DNS_* and LEGO_*"]);
        assert!(differences(&of(BASE, ""), &of(BASE, "CF_DNS_API_TOKEN=x\n")).is_empty(), "plugins take it up");
    }
}
