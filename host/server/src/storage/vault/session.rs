//! The login: one token for all calls, renewed in the background, replaced when it is no longer good.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use arc_swap::ArcSwapOption;
use secrecy::{ExposeSecret, SecretString};
use tokio::sync::{Mutex, Notify};
use tokio::time::{Instant, sleep, sleep_until};
use vaultrs::api::AuthInfo;
use vaultrs::client::VaultClient;
use zeroize::Zeroize;

use super::connection::Connection;
use super::failure::Failure;

/// After a refused login the next one waits this long: Vault locks a role out that fails often.
const LOGIN_PAUSE: Duration = Duration::from_secs(5);
/// A token is not used in the last moments of its lease: it could end on the way.
const SAFETY_MARGIN: Duration = Duration::from_secs(5);
/// The share of the lease after which the token is renewed, in percent: from, to. Spread so that the nodes of a
/// cluster that started together do not renew together.
const RENEW_AT_PERCENT: (u32, u32) = (50, 65);
/// A token younger than this has the policies that the AppRole has now.
const FRESH: Duration = Duration::from_secs(60);

/// A token that works, as far as known.
pub(super) struct Session {
    /// Carries the token; wiped when the session is dropped.
    client: VaultClient,
    number: u64,
    since: Instant,
    lease: Option<Duration>,
    first_lease: Option<Duration>,
    renewable: bool,
}

impl Session {
    pub(super) fn client(&self) -> &VaultClient {
        &self.client
    }

    fn usable(&self) -> bool {
        self.lease.is_none_or(|lease| self.since.elapsed() + SAFETY_MARGIN.min(lease / 10) < lease)
    }

    fn renew_at(&self) -> Option<Instant> {
        let (from, to) = RENEW_AT_PERCENT;
        self.lease.map(|lease| self.since + lease * rand::random_range(from..=to) / 100)
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        self.client.middle.token.zeroize();
    }
}

/// Keeps the one session.
pub(super) struct Sessions {
    connection: Arc<Connection>,
    current: ArcSwapOption<Session>,
    /// Held while logging in, so that many callers make one login; it is the queue for that, guarding only the last
    /// refusal.
    login: Mutex<Option<(Instant, Failure)>>,
    changed: Notify,
    count: AtomicU64,
}

impl Sessions {
    pub(super) fn new(connection: Arc<Connection>) -> Self {
        Self {
            connection,
            current: ArcSwapOption::empty(),
            login: Mutex::new(None),
            changed: Notify::new(),
            count: AtomicU64::new(0),
        }
    }

    /// The session; logs in if there is none.
    pub(super) async fn session(&self) -> Result<Arc<Session>, Failure> {
        self.other_than(None).await
    }

    /// A session to try after `refused` got a 403, or `None` when a new login would not help.
    pub(super) async fn after_refusal(&self, refused: &Session) -> Result<Option<Arc<Session>>, Failure> {
        if refused.since.elapsed() < FRESH {
            match vaultrs::token::lookup_self(refused.client()).await.map_err(Failure::from) {
                Ok(_) => return Ok(None),
                Err(Failure::Forbidden) => {}
                Err(failure) => return Err(failure),
            }
        }
        self.other_than(Some(refused.number)).await.map(Some)
    }

    async fn other_than(&self, bad: Option<u64>) -> Result<Arc<Session>, Failure> {
        let good = || self.current.load_full().filter(|session| session.usable() && Some(session.number) != bad);
        if let Some(session) = good() {
            return Ok(session);
        }
        let mut refusal = self.login.lock().await;
        if let Some(session) = good() {
            return Ok(session);
        }
        if let Some((_, failure)) = refusal.as_ref().filter(|(when, _)| when.elapsed() < LOGIN_PAUSE) {
            return Err(failure.clone());
        }
        match self.log_in().await {
            Ok(session) => {
                *refusal = None;
                Ok(self.adopt(session))
            }
            Err(failure) => {
                if !failure.passing() {
                    *refusal = Some((Instant::now(), failure.clone()));
                }
                Err(failure)
            }
        }
    }

    fn adopt(&self, session: Session) -> Arc<Session> {
        let session = Arc::new(session);
        self.current.store(Some(Arc::clone(&session)));
        self.changed.notify_one();
        session
    }

    async fn log_in(&self) -> Result<Session, Failure> {
        let settings = &self.connection.settings;
        let nobody = self.connection.client(&SecretString::default());
        let secret_id = settings.secret_id.expose_secret();
        let answer = vaultrs::auth::approle::login(&nobody, &settings.mount_path, &settings.role_id, secret_id).await;
        let auth = answer.map_err(|error| match Failure::from(error) {
            Failure::NoRoute | Failure::NotFound(_) => Failure::NoSession(format!(
                "no auth method is mounted at `auth/{}/`; check `storage.vault.mount_path`",
                settings.mount_path
            )),
            Failure::Refused(code, text) => Failure::NoSession(format!(
                "the AppRole login failed ({code} {text}); check `storage.vault.role_id` and `secret_id`, and whether \
                 the secret ID has expired"
            )),
            Failure::Forbidden => Failure::NoSession(format!(
                "the AppRole login is forbidden (403); is an AppRole auth method mounted at `auth/{}/` \
                 (`storage.vault.mount_path`)? If so, the secret ID may be used up or bound to other addresses",
                settings.mount_path
            )),
            other => other,
        })?;
        let session = self.new_session(auth, None)?;
        self.check_engine(&session).await?;
        tracing::debug!(lease = ?session.lease, renewable = session.renewable, "logged in to Vault");
        Ok(session)
    }

    fn new_session(&self, mut auth: AuthInfo, first_lease: Option<Duration>) -> Result<Session, Failure> {
        let token = SecretString::from(std::mem::take(&mut auth.client_token));
        let text = token.expose_secret();
        // The client library panics on a token that cannot be a header.
        if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(Failure::Garbage);
        }
        let lease = Some(Duration::from_secs(auth.lease_duration)).filter(|lease| !lease.is_zero());
        Ok(Session {
            client: self.connection.client(&token),
            number: self.count.fetch_add(1, Ordering::Relaxed),
            since: Instant::now(),
            lease,
            first_lease: first_lease.or(lease),
            renewable: auth.renewable,
        })
    }

    /// A version 1 engine answers reads and writes of version 2 paths as if all were well and stores them elsewhere.
    async fn check_engine(&self, session: &Session) -> Result<(), Failure> {
        let engine = &self.connection.settings.secret_engine;
        let path = format!("sys/internal/ui/mounts/{engine}");
        let (code, answer) = self.connection.ask(&path, Some(&session.client.middle.token)).await?;
        let text = |pointer: &str| answer.pointer(pointer).and_then(serde_json::Value::as_str).unwrap_or_default();
        match (code, text("/data/type"), text("/data/options/version")) {
            (200, "kv", "2") => Ok(()),
            (200, "kv" | "generic", _) => Err(Failure::NoSession(format!(
                "`{engine}/` is a KV version 1 engine and version 2 is needed; run `vault kv enable-versioning {engine}`"
            ))),
            (200, kind, _) if !kind.is_empty() => Err(Failure::NoSession(format!(
                "`{engine}/` is a `{kind}` engine and KV version 2 is needed; check `storage.vault.secret_engine`"
            ))),
            (503, ..) => Err(Failure::NotActive("is sealed")),
            // Without access to anything below the mount Vault does not tell; the call that follows will.
            _ => Ok(()),
        }
    }

    async fn renew(&self, session: &Session) -> Result<(), Failure> {
        if session.renewable {
            match vaultrs::token::renew_self(session.client(), None).await.map_err(Failure::from) {
                Ok(auth) => {
                    let renewed = self.new_session(auth, session.first_lease)?;
                    // Near the end of its longest life a token gets ever shorter leases, at last one of 0.
                    let worthwhile = match session.first_lease {
                        Some(first) => renewed.lease.is_some_and(|lease| lease > first / 2),
                        None => true,
                    };
                    if worthwhile {
                        self.adopt(renewed);
                        return Ok(());
                    }
                }
                Err(failure) if failure.passing() => return Err(failure),
                Err(_) => {}
            }
        }
        self.other_than(Some(session.number)).await.map(drop)
    }
}

/// Renews the token before its lease ends, for ever. Without a session it waits: a caller logs in.
pub(super) async fn keep_alive(sessions: Arc<Sessions>) {
    let settings = &sessions.connection.settings;
    loop {
        let due = sessions.current.load_full().and_then(|session| session.renew_at().map(|at| (session, at)));
        let Some((session, at)) = due else {
            sessions.changed.notified().await;
            continue;
        };
        tokio::select! {
            () = sleep_until(at) => {}
            () = sessions.changed.notified() => continue,
        }
        let current = || sessions.current.load().as_ref().is_some_and(|current| current.number == session.number);
        while session.usable() && current() {
            match sessions.renew(&session).await {
                Ok(()) => break,
                Err(failure) => {
                    let error = failure.into_error(settings, &super::caller::logging_in());
                    tracing::warn!(%error, "the Vault token could not be renewed");
                    sleep(settings.retry_wait_max).await;
                }
            }
        }
        // A lease that ran out is the next caller's business.
        if current() {
            sessions.changed.notified().await;
        }
    }
}
