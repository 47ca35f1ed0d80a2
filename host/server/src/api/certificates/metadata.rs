//! `GET /api/v1/certificate/metadata`

use acme_manager_api::{CertificateMetadata, ErrorBody};
use axum::Json;
use axum::extract::State;

use super::{id_by_issuer, subject_of};
use crate::api::ApiState;
use crate::api::error::ApiError;
use crate::api::identify::Known;
use crate::api::parameters::InQuery;

/// List certificates
///
/// With `issuer` and `domain` the one certificate that they name, or that `name` names if it is given too: a list of
/// one, or 404. Otherwise all certificates of the owner that have the given values. Needs no scope and no store.
#[utoipa::path(
    get,
    path = "/api/v1/certificate/metadata",
    operation_id = "listCertificates",
    tag = "certificates",
    security(("bearer" = [])),
    params(
        ("issuer" = Option<String>, Query, description = "Key of the issuer", example = "letsencrypt"),
        ("domain" = Option<String>, Query, description = "First name of the certificate", example = "www.example.com"),
        ("name" = Option<String>, Query, description = "Name of the certificate"),
    ),
    responses(
        (status = 200, description = "The certificates, without their content", body = Vec<CertificateMetadata>),
        (status = 404, description = "Issuer and domain were given and name no certificate", body = ErrorBody),
    )
)]
pub(in crate::api) async fn metadata(
    State(state): State<ApiState>,
    Known(identity): Known,
    query: InQuery,
) -> Result<Json<Vec<CertificateMetadata>>, ApiError> {
    let (issuer, domain, name) = (query.value("issuer"), query.value("domain"), query.value("name"));
    if let (Some(issuer), Some(domain)) = (issuer, domain) {
        let id = id_by_issuer(identity.owner(), issuer, domain, name)?;
        let found = state.certificates.metadata(&identity, &id);
        let record = found.map_err(|error| ApiError::from(error).about(subject_of(&id)))?;
        return Ok(Json(vec![record.metadata.clone()]));
    }
    let same = |wanted: Option<&str>, has: &str| wanted.is_none_or(|wanted| wanted == has);
    let all = state.certificates.list(&identity);
    let metadata = all.iter().map(|record| &record.metadata);
    let wanted = metadata.filter(|m| same(issuer, &m.issuer) && same(domain, &m.domain) && same(name, &m.name));
    Ok(Json(wanted.cloned().collect()))
}
