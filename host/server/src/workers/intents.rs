//! Finishes what was begun: orders that a restart or a failing store interrupted, and TXT values left behind.

use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::certificates::{CertificateError, Certificates, chain};

/// How often the intents are looked at when nothing wakes the worker. Their own back-off starts at a minute.
const INTERVAL: Duration = Duration::from_secs(30);

/// Runs until `stop`.
pub async fn run(certificates: Arc<Certificates>, stop: CancellationToken) {
    loop {
        match certificates.resume().await {
            Ok(0) => {}
            Ok(count) => tracing::info!(count, "taking up unfinished work"),
            // A store that is away is reported by whoever needs it; here it only means to look again.
            Err(CertificateError::Store(error)) if error.retryable() => {
                tracing::debug!(%error, "cannot look for unfinished work")
            }
            Err(error) => tracing::warn!(error = chain(&error), "cannot look for unfinished work"),
        }
        tokio::select! {
            () = stop.cancelled() => return,
            () = certificates.nudged() => {}
            () = tokio::time::sleep(INTERVAL) => {}
        }
    }
}
