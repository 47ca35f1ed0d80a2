//! The OpenAPI 3.1 document and the pages that show it.
//!
//! Each endpoint describes itself where it is written. What is the same for many of them is added here: the
//! credentials, the errors that every route of a kind can give, and an example of each.

use std::sync::LazyLock;

use acme_manager_api::ErrorBody;
use axum::Router;
use axum::body::Bytes;
use axum::http::HeaderName;
use axum::http::header::CONTENT_TYPE;
use serde_json::json;
use utoipa::OpenApi;
use utoipa::openapi::path::{Operation, ParameterIn, PathItem};
use utoipa::openapi::security::{ApiKey, ApiKeyValue, Http, HttpAuthScheme, SecurityScheme};
use utoipa::openapi::{ContentBuilder, Ref, RefOr, Response};
use utoipa_swagger_ui::{Config, SwaggerUi};

use super::error::Code;

/// Where the document is served; the existing system's address.
const DOCUMENT: &str = "/swagger/doc.json";

#[derive(OpenApi)]
#[openapi(
    info(
        title = "acme-manager",
        description = "Obtains, stores, renews, revokes and hands out TLS certificates from any ACME CA.",
        license(name = "Apache-2.0", identifier = "Apache-2.0")
    ),
    components(schemas(ErrorBody)),
    tags(
        (name = "certificates", description = "Certificates of the token's owner"),
        (name = "tokens", description = "Credentials of clients"),
        (name = "challenges", description = "Answers for CAs"),
        (name = "plugins", description = "The DNS providers and what their calls came to"),
        (name = "operations", description = "Probes, metrics and this document"),
    )
)]
struct Frame;

/// The description of all routes.
#[must_use]
pub fn document() -> utoipa::openapi::OpenApi {
    let mut document = Frame::openapi();
    env!("CARGO_PKG_VERSION").clone_into(&mut document.info.version);
    document.merge(super::service().into_openapi());
    document.merge(super::operations().into_openapi());
    let components = document.components.get_or_insert_default();
    components.add_security_scheme("bearer", SecurityScheme::Http(bearer()));
    let api_key = ApiKeyValue::with_description("X-API-Key", "The key whose hash is `common.api_key_hash`");
    components.add_security_scheme("api_key", SecurityScheme::ApiKey(ApiKey::Header(api_key)));
    for operation in document.paths.paths.values_mut().flat_map(operations) {
        add_errors(operation);
    }
    document
}

/// Show this document
#[utoipa::path(
    get,
    path = "/swagger/doc.json",
    operation_id = "document",
    tag = "operations",
    responses((status = 200, description = "The OpenAPI 3.1 document", content_type = "application/json"))
)]
pub(super) async fn read() -> ([(HeaderName, &'static str); 1], Bytes) {
    static TEXT: LazyLock<Bytes> = LazyLock::new(|| {
        let text = document().to_json().expect("a document of strings and numbers is JSON");
        text.into()
    });
    ([(CONTENT_TYPE, "application/json")], TEXT.clone())
}

/// The pages at `/swagger/`; they load nothing from anywhere else.
pub(super) fn pages() -> Router {
    // Unless told not to, the page shows a badge that an outside service draws.
    let config = Config::from(DOCUMENT).validator_url("none");
    SwaggerUi::new("/swagger").config(config).into()
}

fn bearer() -> Http {
    let mut scheme = Http::new(HttpAuthScheme::Bearer);
    scheme.bearer_format = Some("base64 of <id>:<secret>".to_owned());
    scheme.description = Some("The `token` that `POST /api/v1/token` answered".to_owned());
    scheme
}

fn operations(item: &mut PathItem) -> impl Iterator<Item = &mut Operation> {
    [&mut item.get, &mut item.put, &mut item.post, &mut item.delete].into_iter().flatten()
}

/// Adds the errors that follow from what an operation takes, and shows what each looks like.
fn add_errors(operation: &mut Operation) {
    let secured = operation.security.as_ref().is_some_and(|all| !all.is_empty());
    let variable = operation.parameters.iter().flatten().any(
        |parameter| matches!(parameter, RefOr::T(parameter) if matches!(parameter.parameter_in, ParameterIn::Path)),
    );
    let mut add = |status: u16, description: &str| {
        let known = operation.responses.responses.entry(status.to_string());
        known.or_insert_with(|| RefOr::T(Response::new(description)));
    };
    if variable || secured {
        add(400, "The request is wrong; the text says where");
    }
    if secured {
        add(401, "The credential is missing or not accepted");
        add(500, "A CA, a plugin, the DNS or the server failed; the code says which");
        add(503, "Not now: store, leadership or load; `Retry-After` says when to ask again");
        add(504, "It took too long");
    }
    if operation.request_body.is_some() {
        add(408, "The body did not arrive in time");
        add(413, "The body is too large");
    }
    let tag = operation.tags.iter().flatten().next().cloned().unwrap_or_default();
    for (status, response) in &mut operation.responses.responses {
        if let (true, RefOr::T(response)) = (status.as_str() >= "400", response) {
            exemplify(status, &tag, response);
        }
    }
}

/// Sets the schema of an error, lists its codes and shows the first of them.
fn exemplify(status: &str, tag: &str, response: &mut Response) {
    let codes: Vec<Code> =
        Code::ALL.into_iter().filter(|code| code.status().as_str() == status && fits(*code, tag)).collect();
    let words: Vec<String> = codes.iter().map(|code| format!("`{}`", code.as_str())).collect();
    response.description = format!("{}. Codes: {}", response.description, words.join(", "));
    let code = codes.first().copied().unwrap_or(Code::Internal);
    let example = json!({ "error": code.meaning(), "code": code.as_str(), "request_id": "req_0f8c51a2" });
    let schema = Ref::from_schema_name("ErrorBody");
    let content = ContentBuilder::new().schema(Some(schema)).example(Some(example)).build();
    response.content.clear();
    response.content.insert("application/json".to_owned(), RefOr::T(content));
}

/// Whether routes under a tag can answer with a code.
fn fits(code: Code, tag: &str) -> bool {
    match code {
        // A described route is found by path and method.
        Code::PathNotFound | Code::MethodNotAllowed => false,
        Code::InvalidRequest
        | Code::Unauthorized
        | Code::MissingScope
        | Code::Internal
        | Code::StoreUnavailable
        | Code::Starting
        | Code::NotLeader => true,
        Code::InvalidJson
        | Code::BodyTimeout
        | Code::BodyTooLarge
        | Code::ChangedMeanwhile
        | Code::StoreRefused
        | Code::StoreCorrupt
        | Code::Overloaded
        | Code::RequestTimeout => tag != "operations",
        Code::TokenNotFound => tag == "tokens",
        Code::ChallengeNotFound => tag == "challenges",
        Code::NoChallenge
        | Code::UnknownDnsProvider
        | Code::CaMalformed
        | Code::CertificateNotFound
        | Code::CertificateExists
        | Code::CertificateBusy
        | Code::IssuerUnusable
        | Code::CaRefused
        | Code::CaRateLimited
        | Code::CaValidationFailed
        | Code::CaUnreachable
        | Code::CaBadAnswer
        | Code::CaTimeout
        | Code::CaOffersNoChallenge
        | Code::CaOrderLost
        | Code::CaWrongCertificate
        | Code::PluginRefused
        | Code::PluginFailed
        | Code::PluginUnusable
        | Code::HookRefused
        | Code::HookFailed
        | Code::HookUnusable
        | Code::DnsNotVisible
        | Code::DnsLookupFailed
        | Code::DnsAliasUnusable
        | Code::DnsZoneNotFound
        | Code::DnsRecordBusy
        | Code::TooManyChallenges
        | Code::StillRunning => tag == "certificates",
    }
}
