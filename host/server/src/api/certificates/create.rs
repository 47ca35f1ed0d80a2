//! `POST /api/v1/certificate`

use acme_manager_api::{Certificate, CertificateParams, ErrorBody};
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;

use super::{subject_of_request, target_of_request};
use crate::api::ApiState;
use crate::api::body::InBody;
use crate::api::error::ApiError;
use crate::api::identify::Allowed;
use crate::api::mutation::{Actor, Mutation};
use crate::tokens::Create;

/// Order a certificate
///
/// Proves control of every name and answers when the certificate is stored. Without `csr` the server makes key and
/// request, and the answer holds the key. When the CA takes longer than a request may (504 `still_running`), the
/// order goes on and the certificate can be fetched later.
#[utoipa::path(
    post,
    path = "/api/v1/certificate",
    operation_id = "createCertificate",
    tag = "certificates",
    security(("bearer" = [])),
    request_body = CertificateParams,
    responses(
        (status = 201, description = "The certificate", body = Certificate),
        (status = 403, description = "The token lacks the scope `create`", body = ErrorBody),
        (status = 409, description = "There is such a certificate already", body = ErrorBody),
        (status = 429, description = "Another operation on the certificate is under way", body = ErrorBody),
    )
)]
pub(in crate::api) async fn create(
    State(state): State<ApiState>,
    Allowed(right): Allowed<Create>,
    InBody(params): InBody<CertificateParams>,
) -> Result<(StatusCode, Json<Certificate>), ApiError> {
    let target = target_of_request(right.owner(), &params);
    let mutation = Mutation::new(Actor::from(&right), "certificate.create", &target);
    let certificates = state.certificates.clone();
    let work = async move {
        let subject = subject_of_request(right.owner(), &params);
        let created = certificates.create(&right, params).await;
        created.map_err(|error| ApiError::of_creation(&error).about(subject))
    };
    let certificate = mutation.run(&state.tasks, work).await?;
    Ok((StatusCode::CREATED, Json(certificate)))
}
