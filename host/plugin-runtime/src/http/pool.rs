//! Idle connections of one plugin. Never shared between plugins: they may carry the identity of the account.

use std::{
    fmt,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use bytes::Bytes;
use http_body_util::Full;
use hyper::client::conn::http1::SendRequest;
use tokio::{task::JoinSet, time::Instant};
use url::Host;

use crate::grants::Scheme;

/// One call after the other needs one or two; this is for a few at once.
const MAX_IDLE: usize = 4;
/// Below the idle time-out of the usual API front ends, so that we rarely meet a connection that is being closed.
const MAX_IDLE_TIME: Duration = Duration::from_secs(30);

pub(super) type Sender = SendRequest<Full<Bytes>>;

/// What a connection is good for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Origin {
    pub(super) scheme: Scheme,
    pub(super) host: Host<String>,
    pub(super) port: u16,
}

/// Idle connections, and the tasks that drive all connections; both end with the plugin.
#[derive(Default)]
pub(super) struct Pool(Mutex<Inner>);

#[derive(Default)]
struct Inner {
    idle: Vec<(Origin, Sender, Instant)>,
    drivers: JoinSet<()>,
}

impl Pool {
    /// The connection to `origin` that was used last.
    pub(super) fn take(&self, origin: &Origin) -> Option<Sender> {
        let mut inner = self.lock();
        inner.purge();
        let at = inner.idle.iter().rposition(|(own, sender, _)| own == origin && !sender.is_closed())?;
        Some(inner.idle.remove(at).1)
    }

    /// Keeps a connection for the next request.
    pub(super) fn put(&self, origin: Origin, sender: Sender) {
        let mut inner = self.lock();
        inner.purge();
        if inner.idle.len() >= MAX_IDLE {
            inner.idle.remove(0);
        }
        if !sender.is_closed() {
            inner.idle.push((origin, sender, Instant::now()));
        }
    }

    /// Runs the task that moves a connection's bytes.
    pub(super) fn drive(&self, connection: impl Future<Output = ()> + Send + 'static) {
        let mut inner = self.lock();
        while inner.drivers.try_join_next().is_some() {}
        inner.drivers.spawn(connection);
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    fn purge(&mut self) {
        self.idle.retain(|(_, sender, since)| !sender.is_closed() && since.elapsed() < MAX_IDLE_TIME);
    }
}

impl Origin {
    /// The value of the header `Host` (RFC 9110 §7.2).
    pub(super) fn host_header(&self) -> String {
        if self.port == self.scheme.default_port() {
            self.host.to_string()
        } else {
            format!("{}:{}", self.host, self.port)
        }
    }

    /// The grant that would cover it.
    pub(super) fn as_grant(&self) -> String {
        match self.scheme {
            Scheme::Https => self.host_header(),
            Scheme::Http => format!("http://{}", self.host_header()),
        }
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}", self.scheme.as_str(), self.host_header())
    }
}
