//! `GET /api/v1/token/{id}`

use acme_manager_api::{ErrorBody, TokenInfo};
use axum::Json;
use axum::extract::State;

use super::id_in_path;
use crate::api::ApiState;
use crate::api::error::ApiError;
use crate::api::identify::KeyHolder;
use crate::api::parameters::InPath;

/// Show a token
#[utoipa::path(
    get,
    path = "/api/v1/token/{id}",
    operation_id = "readToken",
    tag = "tokens",
    security(("api_key" = [])),
    params(("id" = String, Path, description = "The token's id, a UUID")),
    responses(
        (status = 200, description = "The token, without its credential", body = TokenInfo),
        (status = 404, description = "There is no such token", body = ErrorBody),
    )
)]
pub(in crate::api) async fn read(
    State(state): State<ApiState>,
    KeyHolder(admin): KeyHolder,
    InPath(id): InPath<String>,
) -> Result<Json<TokenInfo>, ApiError> {
    Ok(Json(state.tokens.find(&admin, id_in_path(&id)?)?))
}
