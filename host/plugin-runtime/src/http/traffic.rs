//! What one call did on the network.

use std::{
    fmt::{self, Display},
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicU32, AtomicU64, Ordering},
    },
};

use http::{Request, Response};
use wasmtime_wasi_http::Error;

use super::pool::Origin;
use crate::recording::{Mark, Tape};

/// What the host kept a guest from on the network.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Obstacle {
    /// A destination that is not granted; the text names the key that would grant it.
    Denied(String),
    /// A bound that no setting changes.
    Bound(String),
}

impl fmt::Display for Obstacle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Denied(advice) => f.write_str(advice),
            Self::Bound(bound) => write!(f, "{bound}, a bound that no setting changes"),
        }
    }
}

/// Counters of one call; connections and bodies write to them from other tasks.
#[derive(Default)]
pub(crate) struct Traffic {
    /// What was refused or cut off, with what to do about it.
    obstacle: Mutex<Option<Obstacle>>,
    denials: AtomicU32,
    sent: AtomicU64,
    received: AtomicU64,
    tape: Option<Tape>,
}

impl Traffic {
    /// Nothing happened yet; with a tape, what happens is recorded.
    pub(crate) fn on(tape: Option<Tape>) -> Self {
        Self { tape, ..Self::default() }
    }

    pub(crate) fn tape(&self) -> Option<&Tape> {
        self.tape.as_ref()
    }

    pub(super) fn sending<B>(&self, origin: &Origin, request: &Request<B>, body: &[u8]) -> Option<Mark> {
        Some(self.tape.as_ref()?.request(&origin.to_string(), request, body))
    }

    pub(super) fn answered<B>(&self, place: Option<Mark>, response: &Response<B>) {
        if let (Some(tape), Some(mark)) = (&self.tape, place) {
            tape.answer(mark, response.status().as_u16(), response.headers());
        }
    }

    pub(super) fn passed(&self, place: Option<Mark>, bytes: &[u8]) {
        if let (Some(tape), Some(mark)) = (&self.tape, place) {
            tape.piece(mark, bytes);
        }
    }

    pub(super) fn failed(&self, place: Option<Mark>, error: &Error) {
        if let (Some(tape), Some(mark)) = (&self.tape, place) {
            tape.failure(mark, format!("{error:?}"));
        }
    }

    /// What the host refused during this call, if anything.
    pub(crate) fn obstacle(&self) -> Option<Obstacle> {
        self.obstacle.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// How often the host refused.
    pub(crate) fn denials(&self) -> u32 {
        self.denials.load(Ordering::Relaxed)
    }

    /// Bytes of requests, header sections included, that were handed to a connection.
    pub(crate) fn sent(&self) -> u64 {
        self.sent.load(Ordering::Relaxed)
    }

    /// Bytes of responses, header sections included.
    pub(crate) fn received(&self) -> u64 {
        self.received.load(Ordering::Relaxed)
    }

    pub(crate) fn deny(&self, advice: String) {
        self.denials.fetch_add(1, Ordering::Relaxed);
        let mut obstacle = self.obstacle.lock().unwrap_or_else(PoisonError::into_inner);
        // A bound that was met counts for more: it is met whatever is granted.
        if !matches!(*obstacle, Some(Obstacle::Bound(_))) {
            *obstacle = Some(Obstacle::Denied(advice));
        }
    }

    /// Takes note of a bound of this many bytes that the exchange ran into.
    pub(crate) fn exceed(&self, what: &str, bytes: impl Display) {
        self.meet(format!("{what} beyond {bytes} bytes"));
    }

    /// Takes note of a bound that the call ran into. The guest gets a code and answers in its own words; this is what the
    /// operator reads.
    pub(crate) fn meet(&self, bound: String) {
        *self.obstacle.lock().unwrap_or_else(PoisonError::into_inner) = Some(Obstacle::Bound(bound));
    }

    pub(crate) fn add_sent(&self, bytes: usize) {
        self.sent.fetch_add(bytes as u64, Ordering::Relaxed);
    }

    pub(crate) fn add_received(&self, bytes: usize) {
        self.received.fetch_add(bytes as u64, Ordering::Relaxed);
    }
}
