use acme_manager_api::{CertificateParams, TokenParams};
use serde_json::json;

use super::*;
use crate::api::error::text_of;

fn refusal<T: DeserializeOwned + std::fmt::Debug>(body: &str) -> String {
    let error = parse::<T>(body.as_bytes()).expect_err(body);
    assert_eq!(error.code(), Code::InvalidJson);
    text_of(&error).to_owned()
}

#[test]
fn the_place_and_the_field_are_told() {
    for (body, expected) in [
        ("", "the body is empty; a JSON object is expected"),
        (" \r\n\t", "the body is empty; a JSON object is expected"),
        ("[]", "the body is not a JSON object"),
        ("[\"a.example\", \"le\"]", "the body is not a JSON object"),
        ("\"text\"", "the body is not a JSON object"),
        ("null", "the body is not a JSON object"),
        ("{", "the body is not valid JSON: it ends too early, at line 1, column 1"),
        ("{\"domain\": \"a\",\n \"issuer\" \"le\"}", "the body is not valid JSON at line 2, column 11"),
        ("{} {}", "the body is not valid JSON at line 1, column 4"),
        ("{\"a\": \"\u{1}\"}", "the body is not valid JSON at line 1, column 7"),
        ("{\"days\": \"90\"}", "the field \"days\" at line 1, column 13 is wrong: expected i32"),
        ("{\"days\": 3000000000}", "the field \"days\" at line 1, column 19 is wrong: expected i32"),
        ("{\"bundle\": \"true\"}", "the field \"bundle\" at line 1, column 17 is wrong: expected a boolean"),
        ("{\"domain\": 5}", "the field \"domain\" at line 1, column 12 is wrong: expected a string"),
        ("{\"csr\": null, \"days\": []}", "the field \"days\" is wrong: expected i32"),
    ] {
        assert_eq!(refusal::<CertificateParams>(body), expected, "{body}");
    }
    let text = refusal::<TokenParams>("{\"scope\": [\"read\", 5]}");
    assert_eq!(text, "the field \"scope[1]\" at line 1, column 20 is wrong: expected a string");
}

#[test]
fn nothing_of_the_body_is_repeated() {
    for body in [
        "{\"days\": \"hunter2\"}",
        "{\"days\": \"hunter2, expected nothing\"}",
        "{\"hunter2\" 5}",
        "{\"scope\": \"hunter2\", \"days\": \"hunter2\"}",
        "hunter2",
        "{\"domain\": {\"hunter2\": 1}}",
    ] {
        assert!(!refusal::<CertificateParams>(body).contains("hunter2"), "{body}");
        if body.contains("scope") {
            assert!(!refusal::<TokenParams>(body).contains("hunter2"), "{body}");
        }
    }
}

#[test]
fn null_is_absent_and_unknown_fields_are_ignored() {
    let body = json!({
        "domain": "a.example", "issuer": "le", "san": null, "days": null, "bundle": null, "csr": null, "new": [1],
    });
    let parsed: CertificateParams = parse(body.to_string().as_bytes()).expect("a body");
    assert_eq!((parsed.domain.as_str(), parsed.days, parsed.bundle), ("a.example", 0, false));
    let parsed: TokenParams = parse(br#" {"username": "ops", "scope": null} "#).expect("a body");
    assert!(parsed.scope.is_empty());
}

#[test]
fn the_fields_are_those_of_the_existing_system() {
    let body = json!({
        "domain": "d", "issuer": "i", "name": "n", "csr": "c", "san": "s", "bundle": true, "days": 1,
        "renewal_days": "r", "dns_challenge": "p", "http_challenge": "h", "labels": "l", "key_type": "k",
        "profile": "f", "revoke": true,
    });
    let parsed: CertificateParams = parse(body.to_string().as_bytes()).expect("a body");
    assert_eq!(serde_json::to_value(&parsed).expect("JSON"), body);
    let body = json!({
        "id": "i", "username": "u", "scope": ["read"], "duration": "1d", "rate_limit_window": "1h",
        "rate_limit_max_requests": 1,
    });
    let parsed: TokenParams = parse(body.to_string().as_bytes()).expect("a body");
    assert_eq!(serde_json::to_value(&parsed).expect("JSON"), body);
}
