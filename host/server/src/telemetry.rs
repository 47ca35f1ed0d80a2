//! Logs and metrics.
//!
//! [`metrics`] holds the documented series, [`plugins`] those of plugins; [`start_logging`] sets up `tracing`. Nothing here may see a secret:
//! fields are named one by one where they are logged, and secret types have no `Display`.

use tracing_subscriber::EnvFilter;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

pub mod metrics;
pub mod plugins;

pub use metrics::Metrics;

/// How log lines look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum LogFormat {
    /// `key=value` pairs.
    #[default]
    Logfmt,
    /// One JSON object a line.
    Json,
}

/// Sends log lines of `level` and above to standard output. Does nothing when logging was started before.
pub fn start_logging(level: tracing::Level, format: LogFormat) {
    // Audit lines are written whatever the level. The Vault client logs every conflict and refusal as an error of its
    // own; the store decides what is one.
    let filter = EnvFilter::new(format!(
        "{level},audit=info,vaultrs=off,rustify=off,hyper=warn,rustls=warn,h2=warn,hickory_resolver=warn,\
         hickory_net=warn,hickory_proto=warn,reqwest=warn,cranelift_codegen=warn,wasmtime=warn,regalloc2=warn,tower=warn"
    ));
    let registry = tracing_subscriber::registry().with(filter);
    // A logger that is already there (in tests) stays.
    let _ = match format {
        LogFormat::Logfmt => registry.with(tracing_logfmt::layer()).try_init(),
        LogFormat::Json => registry
            .with(tracing_subscriber::fmt::layer().json().flatten_event(true).with_writer(std::io::stdout))
            .try_init(),
    };
}
