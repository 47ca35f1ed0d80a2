//! `DELETE /api/v1/token/{id}`

use acme_manager_api::ErrorBody;
use axum::extract::State;
use axum::http::StatusCode;

use super::id_in_path;
use crate::api::ApiState;
use crate::api::error::ApiError;
use crate::api::identify::KeyHolder;
use crate::api::mutation::{Actor, Mutation};
use crate::api::parameters::InPath;

/// Delete a token
///
/// Its credential ends at once. Certificates made with it stay with their owner.
#[utoipa::path(
    delete,
    path = "/api/v1/token/{id}",
    operation_id = "deleteToken",
    tag = "tokens",
    security(("api_key" = [])),
    params(("id" = String, Path, description = "The token's id, a UUID")),
    responses(
        (status = 204, description = "It is deleted"),
        (status = 404, description = "There is no such token", body = ErrorBody),
    )
)]
pub(in crate::api) async fn delete(
    State(state): State<ApiState>,
    KeyHolder(admin): KeyHolder,
    InPath(id): InPath<String>,
) -> Result<StatusCode, ApiError> {
    let id = id_in_path(&id)?;
    let mutation = Mutation::new(Actor::ApiKey, "token.delete", &id.to_string());
    let tokens = state.tokens.clone();
    let work = async move { Ok(tokens.delete(&admin, id).await?) };
    mutation.run(&state.tasks, work).await?;
    Ok(StatusCode::NO_CONTENT)
}
