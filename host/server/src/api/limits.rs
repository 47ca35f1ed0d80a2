//! What one request may cost: time, and its share of the server. A handler that panics costs an answer, not a node.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use futures::FutureExt;
use tokio::sync::Semaphore;

use super::error::{ApiError, Code};

/// Ends a request that takes too long or panics.
pub(super) async fn guard(State(longest): State<Duration>, request: Request, next: Next) -> Response {
    // Nothing outside the handler sees what a panic left half-done: shared state is behind locks of its own.
    let answer = AssertUnwindSafe(next.run(request)).catch_unwind();
    match tokio::time::timeout(longest, answer).await {
        Ok(Ok(response)) => response,
        Ok(Err(panic)) => ApiError::internal(format!("panic: {}", words(panic.as_ref()))).into_response(),
        Err(_) => {
            let text = format!("the request took longer than {} s", longest.as_secs_f64());
            ApiError::new(Code::RequestTimeout, text).into_response()
        }
    }
}

/// Refuses a request when too many are being answered, rather than make all of them wait.
pub(super) async fn admit(State(places): State<Arc<Semaphore>>, request: Request, next: Next) -> Response {
    match places.try_acquire() {
        Ok(_place) => next.run(request).await,
        Err(_) => ApiError::new(Code::Overloaded, "the server is answering as many requests as it can").into_response(),
    }
}

fn words(panic: &(dyn std::any::Any + Send)) -> &str {
    panic
        .downcast_ref::<&'static str>()
        .copied()
        .or_else(|| panic.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("without words")
}
