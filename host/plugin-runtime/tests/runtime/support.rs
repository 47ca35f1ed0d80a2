//! What every test needs: an engine, the component, and calls side by side.

use std::{
    path::PathBuf,
    sync::{Arc, LazyLock, Mutex},
    time::{Duration, Instant},
};

use acme_manager_plugin_runtime::{
    CallError, CallReport, Engine, EngineSettings, Origin, Plugin, PluginDigest, PluginSettings, TxtRecord,
};

pub(crate) static ENGINE: LazyLock<Engine> =
    LazyLock::new(|| Engine::new(EngineSettings::default()).expect("an engine"));

pub(crate) const TOKEN: &str = "s3cr3t/t0ken+value";

pub(crate) fn component() -> PathBuf {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../target/plugins/test/misbehaving.wasm");
    assert!(path.exists(), "{} is missing: run `cargo xtask plugins`", path.display());
    path
}

pub(crate) fn settings() -> PluginSettings {
    let path = component();
    let checksum = PluginDigest::of(&std::fs::read(&path).expect("a readable component"));
    let mut settings = PluginSettings::new("bad", Origin::File { path, checksum });
    settings.environment.insert("TOKEN".into(), TOKEN.into());
    settings.environment.insert("REGION".into(), "eu-central-1".into());
    settings
}

pub(crate) async fn plugin(adjust: impl FnOnce(&mut PluginSettings)) -> Plugin {
    let mut settings = settings();
    adjust(&mut settings);
    ENGINE.load(settings).await.expect("the plugin loads")
}

pub(crate) fn record(value: &str) -> TxtRecord {
    TxtRecord { zone: "example.com".into(), name: "_acme-challenge.example.com".into(), value: value.into(), ttl: 60 }
}

pub(crate) async fn present(plugin: &Plugin, value: &str) -> Result<String, CallError> {
    plugin.present(&record(value)).await
}

/// What the observer saw.
#[derive(Clone, Default)]
pub(crate) struct Reports(Arc<Mutex<Vec<CallReport>>>);

impl Reports {
    pub(crate) fn observe(&self, settings: &mut PluginSettings) {
        let reports = self.0.clone();
        settings.observer =
            Some(Arc::new(move |report: &CallReport| reports.lock().expect("no panic in here").push(report.clone())));
    }

    pub(crate) fn last(&self) -> CallReport {
        self.0.lock().expect("no panic in here").last().expect("a call was made").clone()
    }
}

/// Runs one call, and good calls of the same plugin on the same thread as long as it lasts. The good ones must all
/// succeed, and without waiting for the bad one.
pub(crate) async fn beside_good_calls(plugin: &Plugin, value: &str) -> Result<String, CallError> {
    let bad = present(plugin, value);
    tokio::pin!(bad);
    let mut good_calls = 0;
    loop {
        let started = Instant::now();
        let good = async {
            assert!(present(plugin, "ok").await.is_ok(), "a good call beside `{value}`");
            started.elapsed()
        };
        tokio::pin!(good);
        tokio::select! {
            biased;
            result = &mut bad => {
                good.await;
                assert!(present(plugin, "ok").await.is_ok(), "a good call after `{value}`");
                return result;
            }
            took = &mut good => {
                good_calls += 1;
                assert!(took < Duration::from_secs(1), "good call {good_calls} beside `{value}` took {took:?}");
            }
        }
    }
}
