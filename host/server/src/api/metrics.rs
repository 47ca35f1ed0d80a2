//! `GET /metrics`

use axum::extract::State;
use axum::http::HeaderName;
use axum::http::header::CONTENT_TYPE;

use super::ApiState;

/// The Prometheus text format.
const FORMAT: &str = "text/plain; version=0.0.4";

/// Show all metrics
#[utoipa::path(
    get,
    path = "/metrics",
    operation_id = "metrics",
    tag = "operations",
    responses((
        status = 200,
        description = "All series in the Prometheus text format",
        body = String,
        content_type = "text/plain; version=0.0.4"
    ))
)]
pub(super) async fn metrics(State(state): State<ApiState>) -> ([(HeaderName, &'static str); 1], String) {
    let (certificates, tokens) = state.certificates.counts();
    state.metrics.records("certificate", certificates);
    state.metrics.records("token", tokens);
    ([(CONTENT_TYPE, FORMAT)], state.metrics.render())
}
