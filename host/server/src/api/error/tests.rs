use std::collections::BTreeSet;
use std::time::Duration;

use acme_manager_plugin_runtime::{CallError, ErrorKind};
use http_body_util::BodyExt;

use super::*;
use crate::acme::Stage;
use crate::challenges::Invisible;
use crate::hooks::HookError;
use crate::names::CertificateId;
use crate::records::Scope;

fn id() -> CertificateId {
    let (owner, issuer) = ("web".parse().expect("an owner"), "le".parse().expect("an issuer"));
    CertificateId::new(owner, issuer, "a.example".parse().expect("a domain"), None)
}

fn ca_errors() -> Vec<(AcmeError, Code)> {
    let (stage, reason) = (Stage::Order, "reason".to_owned());
    let problem = |kind: &str| AcmeError::Problem { stage, kind: kind.to_owned(), detail: "detail".to_owned() };
    let name = "a.example".to_owned();
    vec![
        (problem("rejectedIdentifier"), Code::CaRefused),
        (problem("malformed"), Code::CaRefused),
        (problem("rateLimited"), Code::CaRateLimited),
        (
            AcmeError::Validation { name: name.clone(), kind: "dns".into(), detail: "NXDOMAIN".into() },
            Code::CaValidationFailed,
        ),
        (AcmeError::Unreachable { stage, reason: reason.clone() }, Code::CaUnreachable),
        (AcmeError::Garbage { stage, reason: reason.clone() }, Code::CaBadAnswer),
        (AcmeError::Timeout { stage, seconds: 60 }, Code::CaTimeout),
        (AcmeError::NoChallenge { name, challenge: "dns-01", offered: "http-01".into() }, Code::CaOffersNoChallenge),
        (AcmeError::OrderLost { state: "invalid", reason: reason.clone() }, Code::CaOrderLost),
        (AcmeError::StoredAccount { issuer: "le".parse().expect("an issuer") }, Code::Internal),
        (AcmeError::Import { path: "/etc/secret".into(), reason }, Code::Internal),
    ]
}

fn challenge_errors() -> Vec<(ChallengeError, Code)> {
    let (fqdn, waited) = (String::from("_acme-challenge.a.example"), Duration::from_secs(60));
    let provider = || "pdns".parse().expect("a provider");
    let broken = || CallError::OutOfFuel { plugin: "pdns".into(), limit: 7 };
    let missing = vec![Invisible { fqdn: fqdn.clone(), server: "ns1".into(), shown: "nothing".into() }];
    vec![
        (ChallengeError::IpAddress { address: [127, 0, 0, 1].into() }, Code::InvalidRequest),
        (ChallengeError::NameTooLong { domain: "a.example".parse().expect("a domain") }, Code::InvalidRequest),
        (
            ChallengeError::UnknownProvider { name: provider(), nearest: None, available: vec![] },
            Code::UnknownDnsProvider,
        ),
        (ChallengeError::ProviderUnusable { name: provider(), reason: "r".into() }, Code::PluginUnusable),
        (
            ChallengeError::Refused {
                provider: provider(),
                action: "place",
                fqdn: fqdn.clone(),
                kind: ErrorKind::Rejected,
                message: "no".into(),
                retry_after: None,
                retryable: false,
            },
            Code::PluginRefused,
        ),
        (
            ChallengeError::Broken {
                provider: provider(),
                action: "place",
                fqdn: fqdn.clone(),
                source: Box::new(broken()),
            },
            Code::PluginFailed,
        ),
        (ChallengeError::AliasLoop { fqdn: fqdn.clone(), at: "b".into() }, Code::DnsAliasUnusable),
        (ChallengeError::AliasChainTooLong { fqdn: fqdn.clone(), limit: 8 }, Code::DnsAliasUnusable),
        (ChallengeError::AliasTarget { fqdn: fqdn.clone(), target: "b".into() }, Code::DnsAliasUnusable),
        (ChallengeError::ZoneNotFound { fqdn: fqdn.clone() }, Code::DnsZoneNotFound),
        (
            ChallengeError::Lookup { name: fqdn.clone(), record_type: "SOA".into(), detail: "d".into() },
            Code::DnsLookupFailed,
        ),
        (ChallengeError::NotVisible { waited, missing }, Code::DnsNotVisible),
        (ChallengeError::NoResolvers { detail: "d".into() }, Code::Internal),
        (ChallengeError::Busy { provider: provider(), fqdn, waited }, Code::DnsRecordBusy),
        (ChallengeError::Http01Full { capacity: 1 }, Code::TooManyChallenges),
    ]
}

fn store_errors() -> Vec<(StoreError, Code)> {
    let path = || String::from("certificates/web/secret");
    vec![
        (StoreError::Conflict { path: path().parse().expect("a path") }, Code::ChangedMeanwhile),
        (StoreError::Unavailable { reason: "secret address".into(), source: None }, Code::StoreUnavailable),
        (StoreError::Denied { operation: "read", path: path(), reason: "policy".into() }, Code::StoreRefused),
        (StoreError::Corrupt { path: path(), reason: "torn".into() }, Code::StoreCorrupt),
    ]
}

fn certificate_errors() -> Vec<(CertificateError, Code)> {
    let issuer = || "le".parse().expect("an issuer");
    let hook = || "policy".parse().expect("a hook");
    let broken = CallError::OutOfFuel { plugin: "policy".into(), limit: 9 };
    let timeout = AcmeError::Timeout { stage: Stage::Account, seconds: 9 };
    let mut all = vec![
        (CertificateError::Invalid { field: "days", reason: "expected 0".into() }, Code::InvalidRequest),
        (CertificateError::NotFound { id: id() }, Code::CertificateNotFound),
        (CertificateError::Exists { id: id() }, Code::CertificateExists),
        (CertificateError::Busy { id: id() }, Code::CertificateBusy),
        (CertificateError::NoChallenge { issuer: issuer() }, Code::NoChallenge),
        (CertificateError::StillRunning { waited: Duration::from_secs(240) }, Code::StillRunning),
        (CertificateError::Issuer { issuer: issuer(), source: timeout }, Code::IssuerUnusable),
        (CertificateError::WrongCertificate { reason: "key".into() }, Code::CaWrongCertificate),
        (CertificateError::NotLeader(NotLeader), Code::NotLeader),
        (HookError::Refused { hook: hook(), message: "no CAA record".into() }.into(), Code::HookRefused),
        (HookError::Failed { hook: hook(), source: broken }.into(), Code::HookFailed),
        (HookError::Unusable { hook: hook(), reason: "there is no file".into() }.into(), Code::HookUnusable),
        (CertificateError::Internal("secret detail".into()), Code::Internal),
    ];
    all.extend(ca_errors().into_iter().map(|(error, code)| (error.into(), code)));
    all.extend(challenge_errors().into_iter().map(|(error, code)| (error.into(), code)));
    all.extend(store_errors().into_iter().map(|(error, code)| (error.into(), code)));
    all
}

fn token_errors() -> Vec<(TokenError, Code)> {
    let id = "8c2c1f8e-58c8-4f0a-9a54-6a8f3f6e4b1d".parse().expect("an id");
    let mut all = vec![
        (TokenError::Invalid { field: "scope", reason: "required".into() }, Code::InvalidRequest),
        (TokenError::NotFound { id }, Code::TokenNotFound),
        (TokenError::NotLeader(NotLeader), Code::NotLeader),
    ];
    all.extend(store_errors().into_iter().map(|(error, code)| (error.into(), code)));
    all
}

async fn body_of(error: ApiError) -> (StatusCode, serde_json::Value) {
    let (response, code) = render(error.into_response(), "req_1");
    let status = response.status();
    assert_eq!(code.map(Code::status), Some(status));
    let bytes = response.into_body().collect().await.expect("a body").to_bytes();
    (status, serde_json::from_slice(&bytes).expect("JSON"))
}

#[tokio::test]
async fn every_error_has_its_code_status_and_words() {
    let subject =
        || Subject { owner: "web".into(), domain: "a.example".into(), issuer: "le".into(), name: String::new() };
    let mut met = BTreeSet::new();
    let mut shown = Vec::new();
    let certificates = certificate_errors().into_iter().map(|(e, code)| (ApiError::from(e).about(subject()), code));
    let tokens = token_errors().into_iter().map(|(e, code)| (ApiError::from(e), code));
    let others = [
        (ApiError::unauthorized(Scheme::Bearer), Code::Unauthorized),
        (ApiError::unauthorized(Scheme::ApiKey), Code::Unauthorized),
        (Forbidden { needed: Scope::Create }.into(), Code::MissingScope),
        (ApiError::internal("secret detail"), Code::Internal),
    ];
    for (error, code) in certificates.chain(tokens).chain(others) {
        assert_eq!(error.code(), code);
        met.insert(code);
        let (status, body) = body_of(error).await;
        assert_eq!(status, code.status());
        let text = body.to_string();
        assert!(!text.contains("secret"), "{text}");
        shown.push(format!("{} {text}", status.as_u16()));
    }
    insta::assert_snapshot!("error_bodies", shown.join("\n"));
    // The rest is found by the interface itself; its tests are in `api/tests`.
    let rest: Vec<&str> = Code::ALL.iter().filter(|code| !met.contains(code)).map(|code| code.as_str()).collect();
    let expected = [
        "invalid_json",
        "ca_malformed",
        "path_not_found",
        "challenge_not_found",
        "method_not_allowed",
        "body_timeout",
        "body_too_large",
        "starting",
        "overloaded",
        "request_timeout",
    ];
    assert_eq!(rest, expected);
}

#[test]
fn codes_are_unlike_each_other_and_errors_all() {
    let words: BTreeSet<&str> = Code::ALL.iter().map(|code| code.as_str()).collect();
    assert_eq!(words.len(), Code::ALL.len());
    for code in Code::ALL {
        let word = code.as_str();
        assert!(word.bytes().all(|b| b.is_ascii_lowercase() || b == b'_'), "{word}");
        assert!(code.status().is_client_error() || code.status().is_server_error(), "{word}");
        assert!(code.meaning().ends_with('.'), "{word}");
    }
    assert!(Code::ALL.is_sorted_by_key(|code| code.status()));
}

#[test]
fn a_ca_that_calls_a_creation_malformed_blames_the_caller() {
    let malformed = || {
        let detail = String::from("the CSR is not acceptable");
        CertificateError::Ca(AcmeError::Problem { stage: Stage::Finalize, kind: "malformed".into(), detail })
    };
    assert_eq!(ApiError::of_creation(&malformed()).code(), Code::CaMalformed);
    assert_eq!(ApiError::from(malformed()).code(), Code::CaRefused);
    assert_eq!(ApiError::of_creation(&CertificateError::NotFound { id: id() }).code(), Code::CertificateNotFound);
}

#[tokio::test]
async fn an_unusable_account_is_told_without_its_file() {
    let import = AcmeError::Import { path: "/etc/secret.key".into(), reason: "secret reason".into() };
    for creation in [false, true] {
        let issuer = "le".parse().expect("an issuer");
        let error = CertificateError::Issuer { issuer, source: import.clone() };
        let told = if creation { ApiError::of_creation(&error) } else { ApiError::from(error) };
        let (status, body) = body_of(told).await;
        assert_eq!((status, &body["error"]), (StatusCode::INTERNAL_SERVER_ERROR, &"issuer le cannot be used".into()));
    }
}

#[tokio::test]
async fn long_words_are_cut_between_characters() {
    let subject = Subject { owner: "web".into(), domain: "ü".repeat(1000), ..Subject::default() };
    let error = ApiError::new(Code::CaRefused, "ü".repeat(100_000)).about(subject);
    let (_, body) = body_of(error).await;
    assert!(body["error"].as_str().is_some_and(|text| text.len() <= LONGEST_TEXT + 3 && text.ends_with('…')));
    assert!(body["domain"].as_str().is_some_and(|text| text.len() <= LONGEST_NAME + 3));
}
