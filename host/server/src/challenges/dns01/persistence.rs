//! Calling a provider until it succeeds, within bounds.

use std::time::Duration;

use acme_manager_plugin_runtime::CallError;
use tokio::time::{Instant, sleep};

use super::super::ChallengeError;
use super::super::providers::Account;

/// How often a change is tried. A vendor that fails this often in a row is down; the order is tried again later.
pub(super) const ATTEMPTS: u32 = 5;

/// The pause after the first failure; it doubles after each further one.
pub(super) const FIRST_PAUSE: Duration = Duration::from_secs(1);

/// How long all attempts at one change may take. Longer waits belong to the order's own schedule, which survives
/// a restart.
pub(super) const BUDGET: Duration = Duration::from_secs(5 * 60);

/// Calls until success, a final refusal or the end of the bounds, and keeps the rate of the vendor's account.
/// A call that is under way is never given up halfway.
pub(super) async fn persist<T, Call>(
    account: &Account,
    action: &'static str,
    fqdn: &str,
    mut call: impl FnMut() -> Call,
) -> Result<T, ChallengeError>
where
    Call: Future<Output = Result<T, CallError>>,
{
    let deadline = Instant::now() + BUDGET;
    let mut attempt = 0;
    loop {
        attempt += 1;
        let from_call = |failure| ChallengeError::from_call(&account.name, action, fqdn, failure);
        account.pace(deadline).await.map_err(from_call)?;
        let failure = match call().await {
            Ok(done) => return Ok(done),
            Err(failure) => failure,
        };
        let error = from_call(failure);
        let pause = error.retry_after().unwrap_or_default().max(FIRST_PAUSE * 2_u32.saturating_pow(attempt - 1));
        if !error.retryable() || attempt >= ATTEMPTS || Instant::now() + pause > deadline {
            return Err(error);
        }
        tracing::warn!(provider = %account.name, fqdn, attempt, ?pause, %error, "trying again");
        sleep(pause).await;
    }
}
