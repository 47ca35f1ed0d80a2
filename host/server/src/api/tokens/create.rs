//! `POST /api/v1/token`

use acme_manager_api::{TokenCreated, TokenParams};
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;

use crate::api::ApiState;
use crate::api::body::InBody;
use crate::api::error::ApiError;
use crate::api::identify::KeyHolder;
use crate::api::mutation::{Actor, Mutation};

/// Make a token
///
/// The answer holds the credential for `Authorization: Bearer …`; it is shown only there. `id` is ignored.
#[utoipa::path(
    post,
    path = "/api/v1/token",
    operation_id = "createToken",
    tag = "tokens",
    security(("api_key" = [])),
    request_body = TokenParams,
    responses((status = 201, description = "The token with its credential", body = TokenCreated))
)]
pub(in crate::api) async fn create(
    State(state): State<ApiState>,
    KeyHolder(admin): KeyHolder,
    InBody(params): InBody<TokenParams>,
) -> Result<(StatusCode, Json<TokenCreated>), ApiError> {
    // The token has no id yet; the line that the rules write about it has, under the same request id.
    let mutation = Mutation::new(Actor::ApiKey, "token.create", &params.username);
    let tokens = state.tokens.clone();
    let work = async move { Ok(tokens.create(&admin, &params).await?) };
    let created = mutation.run(&state.tasks, work).await?;
    Ok((StatusCode::CREATED, Json(created)))
}
