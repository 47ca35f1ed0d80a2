//! `GET /api/v1/token/self`

use acme_manager_api::TokenInfo;
use axum::Json;

use crate::api::identify::Known;
use crate::tokens::info;

/// Show the token that is used
///
/// Needs no scope: a client finds out what it may do and until when.
#[utoipa::path(
    get,
    path = "/api/v1/token/self",
    operation_id = "readOwnToken",
    tag = "tokens",
    security(("bearer" = [])),
    responses((status = 200, description = "The token, without its credential", body = TokenInfo))
)]
pub(in crate::api) async fn own(Known(identity): Known) -> Json<TokenInfo> {
    Json(info(&identity.token))
}
