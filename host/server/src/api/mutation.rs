//! Changes: each runs to its end once begun, and leaves a line in the audit log.
//!
//! A client that hangs up, or a request that runs out of time, must not leave a secret removed from the store and
//! alive in memory, so the work goes on in a task that shutdown waits for. The audit line is written there, after
//! the work: who, what, to what, and how it ended.

use std::future::Future;

use tokio_util::task::TaskTracker;
use tracing::Instrument;

use super::error::ApiError;
use crate::names::TokenId;
use crate::tokens::Authorized;

/// A change about to be made.
#[derive(Debug)]
pub(super) struct Mutation {
    actor: Actor,
    operation: &'static str,
    target: String,
}

/// What a request names may be longer than any name that is valid; the log takes so much of it.
const LONGEST_TARGET: usize = 300;

/// Who makes it.
#[derive(Debug)]
pub(super) enum Actor {
    /// The holder of a token.
    Token { id: TokenId, owner: String },
    /// The holder of the API key.
    ApiKey,
}

impl<R> From<&Authorized<R>> for Actor {
    fn from(right: &Authorized<R>) -> Self {
        Self::Token { id: right.token(), owner: right.owner().to_string() }
    }
}

impl Mutation {
    /// A change of kind `operation` (`certificate.create`, `token.delete`, …) to the certificate or token `target`.
    pub(super) fn new(actor: Actor, operation: &'static str, target: &str) -> Self {
        Self { actor, operation, target: target[..target.floor_char_boundary(LONGEST_TARGET)].to_owned() }
    }

    /// Does the work in a task of its own.
    ///
    /// # Errors
    /// Those of the work; [`Code::Internal`](super::error::Code::Internal) when it panicked.
    pub(super) async fn run<T: Send + 'static>(
        self,
        tasks: &TaskTracker,
        work: impl Future<Output = Result<T, ApiError>> + Send + 'static,
    ) -> Result<T, ApiError> {
        let audited = async move {
            let mut line = Line { mutation: self, outcome: "panic" };
            let done = work.await;
            line.outcome = done.as_ref().map_or_else(|error| error.code().as_str(), |_| "ok");
            done
        };
        match tasks.spawn(audited.in_current_span()).await {
            Ok(done) => done,
            Err(broken) => Err(ApiError::internal(format!("the task ended without a result: {broken}"))),
        }
    }
}

/// The audit line; written when dropped, so that a panic leaves one too.
struct Line {
    mutation: Mutation,
    outcome: &'static str,
}

impl Drop for Line {
    fn drop(&mut self) {
        let Mutation { actor, operation, target } = &self.mutation;
        let (actor, token, owner) = match actor {
            Actor::Token { id, owner } => ("token", id.to_string(), owner.as_str()),
            Actor::ApiKey => ("api_key", String::new(), ""),
        };
        tracing::info!(target: "audit", actor, token, owner, operation, on = target, outcome = self.outcome);
    }
}
