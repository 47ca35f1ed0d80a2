//! `GET /`

use axum::Json;
use serde::Serialize;
use utoipa::ToSchema;

/// Where to go from here.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Pointer {
    /// What this is.
    #[schema(example = "acme-manager")]
    service: &'static str,
    /// Where the interface is explained.
    #[schema(example = "/swagger/")]
    documentation: &'static str,
}

/// Point to the documentation
#[utoipa::path(
    get,
    path = "/",
    operation_id = "root",
    tag = "operations",
    responses((status = 200, description = "Where to go from here", body = Pointer))
)]
pub(super) async fn root() -> Json<Pointer> {
    Json(Pointer { service: "acme-manager", documentation: "/swagger/" })
}
