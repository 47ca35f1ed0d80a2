//! `PUT /api/v1/certificate`

use acme_manager_api::{Certificate, CertificateParams, ErrorBody};
use axum::Json;
use axum::extract::State;

use super::{subject_of_request, target_of_request};
use crate::api::ApiState;
use crate::api::body::InBody;
use crate::api::error::ApiError;
use crate::api::identify::Allowed;
use crate::api::mutation::{Actor, Mutation};
use crate::tokens::Update;

/// Change a certificate
///
/// Orders another certificate when the change asks for it, otherwise stores the changed settings. The old
/// certificate stays until the new one is stored; with `revoke` it is revoked after that.
#[utoipa::path(
    put,
    path = "/api/v1/certificate",
    operation_id = "updateCertificate",
    tag = "certificates",
    security(("bearer" = [])),
    request_body = CertificateParams,
    responses(
        (status = 200, description = "The certificate", body = Certificate),
        (status = 403, description = "The token lacks the scope `update`", body = ErrorBody),
        (status = 404, description = "The owner has no such certificate", body = ErrorBody),
        (status = 409, description = "Somebody else changed it at the same time", body = ErrorBody),
        (status = 429, description = "Another operation on the certificate is under way", body = ErrorBody),
    )
)]
pub(in crate::api) async fn update(
    State(state): State<ApiState>,
    Allowed(right): Allowed<Update>,
    InBody(params): InBody<CertificateParams>,
) -> Result<Json<Certificate>, ApiError> {
    let target = target_of_request(right.owner(), &params);
    let mutation = Mutation::new(Actor::from(&right), "certificate.update", &target);
    let certificates = state.certificates.clone();
    let work = async move {
        let subject = subject_of_request(right.owner(), &params);
        let updated = certificates.update(&right, params).await;
        updated.map_err(|error| ApiError::from(error).about(subject))
    };
    mutation.run(&state.tasks, work).await.map(Json)
}
