//! One call to Vault: a session, one new login if it was refused, retries of passing faults.

use std::sync::Arc;
use std::time::Duration;

use futures::future::BoxFuture;
use vaultrs::error::ClientError;

use super::VaultSettings;
use super::failure::{Asked, Failure};
use super::session::{Session, Sessions};

/// One request, made anew for every try.
pub(super) type Request<'a, T> = &'a (dyn Fn(Arc<Session>) -> BoxFuture<'a, Result<T, ClientError>> + Send + Sync);

/// Makes requests as the current session.
pub(super) struct Caller {
    sessions: Arc<Sessions>,
}

impl Caller {
    pub(super) fn new(sessions: Arc<Sessions>) -> Self {
        Self { sessions }
    }

    pub(super) fn sessions(&self) -> &Sessions {
        &self.sessions
    }

    /// Makes a request that may be repeated at will.
    pub(super) async fn call<'a, T>(&self, settings: &VaultSettings, request: Request<'a, T>) -> Result<T, Failure> {
        let mut tries = 0;
        loop {
            match self.once(request).await {
                Err(failure) if failure.passing() && tries < settings.retry_max => {
                    tokio::time::sleep(backoff(settings, tries)).await;
                    tries += 1;
                }
                result => return result,
            }
        }
    }

    /// Makes a request once; with a token that was revoked, once more after a new login (a 403 changed nothing).
    pub(super) async fn once<'a, T>(&self, request: Request<'a, T>) -> Result<T, Failure> {
        let session = self.sessions.session().await?;
        match request(Arc::clone(&session)).await.map_err(Failure::from) {
            Err(Failure::Forbidden) => match self.sessions.after_refusal(&session).await? {
                Some(session) => request(session).await.map_err(Failure::from),
                None => Err(Failure::Forbidden),
            },
            result => result,
        }
    }
}

/// The wait after the try number `tries` (from 0): its upper end doubles each time.
pub(super) fn backoff(settings: &VaultSettings, tries: u32) -> Duration {
    let (shortest, longest) = (settings.retry_wait_min, settings.retry_wait_max);
    let doubled = shortest.saturating_mul(2_u32.saturating_pow(tries.saturating_add(1)));
    shortest + doubled.min(longest).saturating_sub(shortest).mul_f64(rand::random::<f64>())
}

/// For errors of the login itself.
pub(super) fn logging_in() -> Asked {
    Asked {
        operation: "log in",
        place: String::new(),
        capability: "`update`",
        needs: "auth/token/renew-self".to_owned(),
    }
}
