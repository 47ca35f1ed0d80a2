//! Requests that are wrong: each is answered with 400, the field and the reason.

use super::*;

/// A good body with some fields changed.
fn changed(mut body: Value, changes: &Value) -> Value {
    for (name, value) in changes.as_object().expect("an object") {
        body[name] = value.clone();
    }
    body
}

#[tokio::test]
async fn a_wrong_certificate_request_is_refused_with_its_field() {
    let fixture = Fixture::new().await;
    let long = "a".repeat(64);
    let rows = [
        (json!({"domain": ""}), "domain: required"),
        (json!({"domain": null}), "domain: required"),
        (json!({"issuer": ""}), "issuer: required"),
        (json!({"issuer": "other"}), "issuer: \"other\" is not configured"),
        (json!({"name": "a/b"}), "name: "),
        (json!({"name": "a\\b"}), "name: "),
        (json!({"name": ".."}), "name: "),
        (json!({"name": "."}), "name: "),
        (json!({"name": "metadata"}), "name: "),
        (json!({"domain": "a..b"}), "domain: "),
        (json!({"domain": "-a.example"}), "domain: "),
        (json!({"domain": "a.*.example"}), "domain: "),
        (json!({"domain": "*"}), "domain: "),
        (json!({"domain": "ü.example"}), "domain: "),
        (json!({"domain": format!("{long}.example")}), "domain: "),
        (json!({"domain": "a.".repeat(150)}), "domain: "),
        (json!({"renewal_days": "soon"}), "renewal_days: "),
        (json!({"renewal_days": "30-20"}), "renewal_days: "),
        (json!({"renewal_days": "20-30", "days": 30}), "renewal_days: "),
        (json!({"days": -1}), "days: "),
        (json!({"days": 100_000}), "days: "),
        (json!({"dns_challenge": "pdns", "http_challenge": "kvring"}), "dns_challenge: "),
        (json!({"dns_challenge": "a b"}), "dns_challenge: "),
        (json!({"http_challenge": "other"}), "http_challenge: "),
        (json!({"domain": "*.a.example", "http_challenge": "kvring"}), "http_challenge: "),
        (json!({"domain": "*.a.example"}), "domain: "),
        (json!({"labels": "a"}), "labels: "),
        (json!({"labels": "1a=b"}), "labels: "),
        (json!({"labels": "__name__=b"}), "labels: "),
        (json!({"labels": "owner=b"}), "labels: "),
        (json!({"labels": "a=b=c"}), "labels: "),
        (json!({"key_type": "dsa"}), "key_type: "),
        (json!({"profile": "two words"}), "profile: "),
        (json!({"san": "a..b"}), "san: "),
        (json!({"csr": "!"}), "csr: "),
        (json!({"csr": "bm8gUEVN"}), "csr: "),
    ];
    for (changes, expected) in rows {
        let body = changed(json!({ "domain": "new.example.com", "issuer": "le" }), &changes);
        for method in ["POST", "PUT"] {
            let answer = fixture.web(method, "/api/v1/certificate", body.clone()).await;
            let error = answer.fails(Code::InvalidRequest);
            assert!(error.error.starts_with(expected), "{changes}: {}", error.error);
            assert_eq!(keys(&answer.json()), ["code", "error", "request_id"], "{changes}");
        }
    }
}

#[tokio::test]
async fn a_missing_challenge_or_provider_is_the_callers_to_name() {
    let fixture = Fixture::new().await;
    let body = json!({ "domain": "new.example.com", "issuer": "bare" });
    fixture.web("POST", "/api/v1/certificate", body).await.fails(Code::NoChallenge);
    let body = json!({ "domain": "new.example.com", "issuer": "bare", "dns_challenge": "none" });
    let error = fixture.web("POST", "/api/v1/certificate", body).await.fails(Code::UnknownDnsProvider);
    assert!(error.error.contains("none"), "{}", error.error);
}

#[tokio::test]
async fn a_wrong_token_request_is_refused_with_its_field() {
    let fixture = Fixture::new().await;
    for (changes, expected) in [
        (json!({"username": ""}), "username: required"),
        (json!({"username": null}), "username: required"),
        (json!({"username": "a/b"}), "username: "),
        (json!({"username": "../b"}), "username: "),
        (json!({"scope": []}), "scope: required"),
        (json!({"scope": null}), "scope: required"),
        (json!({"scope": ["all"]}), "scope: "),
        (json!({"scope": ["read", "Read"]}), "scope: "),
        (json!({"duration": "1.5h"}), "duration: "),
        (json!({"duration": "1h1d"}), "duration: "),
        (json!({"duration": "forever"}), "duration: "),
        (json!({"rate_limit_window": "1d"}), "rate_limit_window: "),
        (json!({"rate_limit_window": "-1h"}), "rate_limit_window: "),
        (json!({"rate_limit_max_requests": -1}), "rate_limit_max_requests: "),
    ] {
        let body = changed(json!({ "username": "ops", "scope": ["read"] }), &changes);
        let error = fixture.admin("POST", "/api/v1/token", body).await.fails(Code::InvalidRequest);
        assert!(error.error.starts_with(expected), "{changes}: {}", error.error);
    }
    let body = json!({ "username": "ops", "scope": ["read"], "id": "nonsense" });
    fixture.admin("PUT", "/api/v1/token", body).await.fails(Code::InvalidRequest);
}

#[tokio::test]
async fn a_path_that_names_nothing_possible_is_refused() {
    let fixture = Fixture::new().await;
    for path in [
        "/api/v1/certificate/le/a..b",
        "/api/v1/certificate/le/%ff",
        "/api/v1/certificate/%2e%2e/a.example",
        "/api/v1/certificate/a%2Fb",
        "/api/v1/certificate/%00",
        "/api/v1/certificate/met%61data",
        "/api/v1/certificate/le/a.example?name=a%2Fb",
        "/api/v1/certificate/metadata?issuer=a%2Fb&domain=a.example",
    ] {
        fixture.web("GET", path, Value::Null).await.fails(Code::InvalidRequest);
    }
    fixture.admin("GET", "/api/v1/token/%ff", Value::Null).await.fails(Code::InvalidRequest);
}

#[tokio::test]
async fn a_body_is_read_whatever_its_content_type() {
    let fixture = Fixture::new().await;
    for content_type in ["text/plain", "application/x-www-form-urlencoded", "nonsense"] {
        let request =
            request("POST", "/api/v1/token").header("X-API-Key", API_KEY).header("content-type", content_type);
        let body = json!({ "username": "ops", "scope": ["read"] }).to_string();
        let answer = fixture.send(request.body(Body::from(body)).expect("a request")).await;
        assert_eq!(answer.status, StatusCode::CREATED, "{content_type}");
    }
}
