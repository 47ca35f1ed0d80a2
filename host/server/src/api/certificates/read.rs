//! `GET /api/v1/certificate/{issuer}/{domain}` and `GET /api/v1/certificate/{name}`

use acme_manager_api::{Certificate, ErrorBody};
use axum::Json;
use axum::extract::State;

use super::{id_by_issuer, id_by_name, subject_of};
use crate::api::ApiState;
use crate::api::error::ApiError;
use crate::api::identify::Allowed;
use crate::api::parameters::{InPath, InQuery};
use crate::names::CertificateId;
use crate::tokens::{Authorized, Read};

/// Fetch a certificate by issuer and domain
#[utoipa::path(
    get,
    path = "/api/v1/certificate/{issuer}/{domain}",
    operation_id = "readCertificate",
    tag = "certificates",
    security(("bearer" = [])),
    params(
        ("issuer" = String, Path, description = "Key of the issuer", example = "letsencrypt"),
        ("domain" = String, Path, description = "First name of the certificate", example = "www.example.com"),
        ("name" = Option<String>, Query, description = "Name of the certificate, in place of issuer and domain"),
    ),
    responses(
        (status = 200, description = "The certificate", body = Certificate),
        (status = 403, description = "The token lacks the scope `read`", body = ErrorBody),
        (status = 404, description = "The owner has no such certificate", body = ErrorBody),
    )
)]
pub(in crate::api) async fn by_issuer(
    State(state): State<ApiState>,
    Allowed(right): Allowed<Read>,
    InPath((issuer, domain)): InPath<(String, String)>,
    query: InQuery,
) -> Result<Json<Certificate>, ApiError> {
    let id = id_by_issuer(right.owner(), &issuer, &domain, query.value("name"))?;
    read(&state, &right, &id).await
}

/// Fetch a certificate by its name
#[utoipa::path(
    get,
    path = "/api/v1/certificate/{name}",
    operation_id = "readNamedCertificate",
    tag = "certificates",
    security(("bearer" = [])),
    params(("name" = String, Path, description = "Name of the certificate", example = "web")),
    responses(
        (status = 200, description = "The certificate", body = Certificate),
        (status = 403, description = "The token lacks the scope `read`", body = ErrorBody),
        (status = 404, description = "The owner has no such certificate", body = ErrorBody),
    )
)]
pub(in crate::api) async fn by_name(
    State(state): State<ApiState>,
    Allowed(right): Allowed<Read>,
    InPath(name): InPath<String>,
) -> Result<Json<Certificate>, ApiError> {
    let id = id_by_name(right.owner(), &name)?;
    read(&state, &right, &id).await
}

async fn read(state: &ApiState, right: &Authorized<Read>, id: &CertificateId) -> Result<Json<Certificate>, ApiError> {
    let found = state.certificates.read(right, id).await;
    found.map(Json).map_err(|error| ApiError::from(error).about(subject_of(id)))
}
