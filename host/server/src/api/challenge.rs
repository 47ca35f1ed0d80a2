//! `GET /.well-known/acme-challenge/{token}` (RFC 8555 §8.3)

use acme_manager_api::ErrorBody;
use axum::extract::State;

use super::ApiState;
use super::error::{ApiError, Code};
use super::parameters::InPath;

/// Answer an HTTP-01 challenge
///
/// CAs ask this on port 80 of the name; whoever serves that port passes the path on to this server.
#[utoipa::path(
    get,
    path = "/.well-known/acme-challenge/{token}",
    operation_id = "answerChallenge",
    tag = "challenges",
    params(("token" = String, Path, description = "The challenge's token")),
    responses(
        (status = 200, description = "The key authorization", body = String, content_type = "text/plain"),
        (status = 404, description = "No challenge with that token is open", body = ErrorBody),
    )
)]
pub(super) async fn answer(State(state): State<ApiState>, InPath(token): InPath<String>) -> Result<String, ApiError> {
    let unknown = || ApiError::new(Code::ChallengeNotFound, "no HTTP-01 challenge with this token is open");
    state.http01.answer(&token).ok_or_else(unknown)
}
