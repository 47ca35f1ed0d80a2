//! Fills the registry from the store at start, and keeps trying while the store is away.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::certificates::{CertificateError, Certificates, chain};
use crate::tokens::{TokenError, Tokens};

/// Between attempts; a sealed Vault is unsealed by people.
const RETRY: Duration = Duration::from_secs(5);

/// Reads everything, then sets `restored`. Returns then, or at `stop`.
pub async fn run(
    certificates: Arc<Certificates>,
    tokens: Arc<Tokens>,
    restored: watch::Sender<bool>,
    stop: CancellationToken,
) {
    loop {
        let outcome = tokio::select! {
            () = stop.cancelled() => return,
            outcome = attempt(&certificates, &tokens) => outcome,
        };
        match outcome {
            Ok((certificates, tokens)) => {
                tracing::info!(certificates, tokens, "records read from the store");
                // Nobody listening is as good as everybody told.
                let _ = restored.send(true);
                return;
            }
            Err(reason) => tracing::error!(
                reason,
                retry_s = RETRY.as_secs(),
                "cannot read the store; requests are refused until it can be read"
            ),
        }
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(RETRY) => {}
        }
    }
}

async fn attempt(certificates: &Certificates, tokens: &Tokens) -> Result<(usize, usize), String> {
    let (certificates, tokens) = tokio::join!(certificates.restore(), tokens.restore());
    let certificates = certificates.map_err(|e: CertificateError| chain(&e))?;
    let tokens = tokens.map_err(|e: TokenError| chain(&e))?;
    Ok((certificates, tokens))
}
