//! `DELETE /api/v1/certificate/{issuer}/{domain}` and `DELETE /api/v1/certificate/{name}`

use acme_manager_api::ErrorBody;
use axum::extract::State;
use axum::http::StatusCode;

use super::{id_by_issuer, id_by_name, subject_of};
use crate::api::ApiState;
use crate::api::error::ApiError;
use crate::api::identify::Allowed;
use crate::api::mutation::{Actor, Mutation};
use crate::api::parameters::{InPath, InQuery};
use crate::names::CertificateId;
use crate::tokens::{Authorized, Delete};

/// Delete a certificate by issuer and domain
///
/// With `revoke=true` it is revoked at the CA first; when that fails, nothing is deleted.
#[utoipa::path(
    delete,
    path = "/api/v1/certificate/{issuer}/{domain}",
    operation_id = "deleteCertificate",
    tag = "certificates",
    security(("bearer" = [])),
    params(
        ("issuer" = String, Path, description = "Key of the issuer", example = "letsencrypt"),
        ("domain" = String, Path, description = "First name of the certificate", example = "www.example.com"),
        ("name" = Option<String>, Query, description = "Name of the certificate, in place of issuer and domain"),
        ("revoke" = Option<bool>, Query, description = "`true` revokes it first; everything else does not"),
    ),
    responses(
        (status = 204, description = "It is deleted"),
        (status = 403, description = "The token lacks the scope `delete`", body = ErrorBody),
        (status = 404, description = "The owner has no such certificate", body = ErrorBody),
        (status = 409, description = "Somebody else changed it at the same time", body = ErrorBody),
        (status = 429, description = "Another operation on the certificate is under way", body = ErrorBody),
    )
)]
pub(in crate::api) async fn by_issuer(
    State(state): State<ApiState>,
    Allowed(right): Allowed<Delete>,
    InPath((issuer, domain)): InPath<(String, String)>,
    query: InQuery,
) -> Result<StatusCode, ApiError> {
    let id = id_by_issuer(right.owner(), &issuer, &domain, query.value("name"))?;
    delete(state, right, id, &query).await
}

/// Delete a certificate by its name
///
/// With `revoke=true` it is revoked at the CA first; when that fails, nothing is deleted.
#[utoipa::path(
    delete,
    path = "/api/v1/certificate/{name}",
    operation_id = "deleteNamedCertificate",
    tag = "certificates",
    security(("bearer" = [])),
    params(
        ("name" = String, Path, description = "Name of the certificate", example = "web"),
        ("revoke" = Option<bool>, Query, description = "`true` revokes it first; everything else does not"),
    ),
    responses(
        (status = 204, description = "It is deleted"),
        (status = 403, description = "The token lacks the scope `delete`", body = ErrorBody),
        (status = 404, description = "The owner has no such certificate", body = ErrorBody),
        (status = 409, description = "Somebody else changed it at the same time", body = ErrorBody),
        (status = 429, description = "Another operation on the certificate is under way", body = ErrorBody),
    )
)]
pub(in crate::api) async fn by_name(
    State(state): State<ApiState>,
    Allowed(right): Allowed<Delete>,
    InPath(name): InPath<String>,
    query: InQuery,
) -> Result<StatusCode, ApiError> {
    let id = id_by_name(right.owner(), &name)?;
    delete(state, right, id, &query).await
}

async fn delete(
    state: ApiState,
    right: Authorized<Delete>,
    id: CertificateId,
    query: &InQuery,
) -> Result<StatusCode, ApiError> {
    let revoke = query.value("revoke") == Some("true");
    let operation = if revoke { "certificate.revoke_and_delete" } else { "certificate.delete" };
    let mutation = Mutation::new(Actor::from(&right), operation, &id.to_string());
    let certificates = state.certificates.clone();
    let work = async move {
        let deleted = certificates.delete(&right, &id, revoke).await;
        deleted.map_err(|error| ApiError::from(error).about(subject_of(&id)))
    };
    mutation.run(&state.tasks, work).await?;
    Ok(StatusCode::NO_CONTENT)
}
