//! `PUT /api/v1/token`

use acme_manager_api::{ErrorBody, TokenCreated, TokenParams};
use axum::Json;
use axum::extract::State;

use crate::api::ApiState;
use crate::api::body::InBody;
use crate::api::error::ApiError;
use crate::api::identify::KeyHolder;
use crate::api::mutation::{Actor, Mutation};

/// Replace a token
///
/// All fields are set anew, so one that is left out gets its default (without `duration` the token is valid for
/// ever), and the secret is replaced: the old credential ends with the answer.
#[utoipa::path(
    put,
    path = "/api/v1/token",
    operation_id = "replaceToken",
    tag = "tokens",
    security(("api_key" = [])),
    request_body = TokenParams,
    responses(
        (status = 200, description = "The token with its new credential", body = TokenCreated),
        (status = 404, description = "There is no such token", body = ErrorBody),
        (status = 409, description = "Somebody else changed it at the same time", body = ErrorBody),
    )
)]
pub(in crate::api) async fn replace(
    State(state): State<ApiState>,
    KeyHolder(admin): KeyHolder,
    InBody(params): InBody<TokenParams>,
) -> Result<Json<TokenCreated>, ApiError> {
    let mutation = Mutation::new(Actor::ApiKey, "token.replace", &params.id);
    let tokens = state.tokens.clone();
    let work = async move { Ok(tokens.replace(&admin, &params).await?) };
    mutation.run(&state.tasks, work).await.map(Json)
}
