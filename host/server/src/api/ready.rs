//! `GET /ready`

use std::time::Duration;

use acme_manager_api::ErrorBody;
use axum::Json;
use axum::extract::State;
use serde::Serialize;
use utoipa::ToSchema;

use super::ApiState;
use super::error::{ApiError, Code};

/// A probe waits a few seconds at most, and a store that needs longer is of no use to a client either.
const STORE_TIME: Duration = Duration::from_secs(2);

/// That requests can be served.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Ready {
    /// Always `ready`.
    #[schema(example = "ready")]
    status: &'static str,
}

/// Whether requests can be served
///
/// They can when all that is stored was read, the store answers and this node may change things. The code of the answer says what is missing.
#[utoipa::path(
    get,
    path = "/ready",
    operation_id = "ready",
    tag = "operations",
    responses(
        (status = 200, description = "They can", body = Ready),
        (status = 503, description = "The store cannot be used, or this node may not change anything", body = ErrorBody),
    )
)]
pub(super) async fn ready(State(state): State<ApiState>) -> Result<Json<Ready>, ApiError> {
    state.require_started()?;
    state.leadership.term()?;
    match tokio::time::timeout(STORE_TIME, state.certificates.ready()).await {
        Ok(pinged) => pinged.map_err(|error| ApiError::unready(&error))?,
        Err(_) => {
            let text = format!("the store did not answer within {} s", STORE_TIME.as_secs());
            return Err(ApiError::new(Code::StoreUnavailable, text));
        }
    }
    Ok(Json(Ready { status: "ready" }))
}
