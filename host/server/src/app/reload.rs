//! Takes up changes of the config and the environment file while the server runs: looked for twice a minute, as before,
//! and at once at SIGHUP. Plugins change; what else the files say is taken up at the next start.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

use super::plugins::PluginSet;
use crate::certificates::chain;
use crate::challenges::providers::Providers;
use crate::config::{Config, Environment, Flags};
use crate::hooks::Hooks;
use crate::telemetry::Metrics;

const INTERVAL: Duration = Duration::from_secs(30);

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
}

impl Reloader {
    pub(super) fn new(
        flags: &Flags,
        plugins: PluginSet,
        (providers, hooks): (Arc<Providers>, Arc<Hooks>),
        metrics: Metrics,
    ) -> Self {
        Self {
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
        loop {
            let asked = async {
                match &mut hangup {
                    Some(hangup) => hangup.recv().await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                () = stop.cancelled() => return,
                _ = asked => tracing::info!("SIGHUP: reading the config again"),
                () = tokio::time::sleep(INTERVAL) => {}
            }
            self.reload().await;
        }
    }

    async fn reload(&mut self) {
        let (config, environment) = (self.config.clone(), self.environment.clone());
        let read = tokio::task::spawn_blocking(move || {
            let environment = Environment::load(&environment).map_err(|error| chain(&error))?;
            let loaded = Config::load(&config).map_err(|error| chain(&error))?;
            Ok((loaded, Arc::new(environment)))
        });
        let Ok(read) = read.await else { return };
        self.metrics.config(read.is_ok());
        match read {
            Ok((loaded, environment)) => {
                self.complaint = None;
                let changes = self.plugins.change(&loaded.config, &environment, &self.providers, &self.hooks).await;
                for name in &changes.replaced {
                    tracing::info!(plugin = %name, "changed by the config");
                }
                for name in &changes.removed {
                    tracing::info!(plugin = %name, "removed by the config");
                }
            }
            Err(reason) if self.complaint.as_ref() != Some(&reason) => {
                tracing::error!(reason, "the changed config cannot be used; what was read before stays");
                self.complaint = Some(reason);
            }
            Err(_) => {}
        }
    }
}
