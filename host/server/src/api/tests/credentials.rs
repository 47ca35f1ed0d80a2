//! Who gets in: every route that needs a credential, every credential that is none, every right.

use super::*;

/// Method and path of every described operation, with the credentials it names; variables are filled in.
pub(super) fn operations() -> Vec<(String, String, Vec<String>)> {
    let document = serde_json::to_value(document()).expect("a document");
    let mut all = Vec::new();
    for (path, item) in document["paths"].as_object().expect("paths") {
        let filled = path
            .replace("{issuer}", "le")
            .replace("{domain}", "www.example.com")
            .replace("{name}", "shop")
            .replace("{id}", "8c2c1f8e-58c8-4f0a-9a54-6a8f3f6e4b1d")
            .replace("{token}", "abc");
        assert!(!filled.contains('{'), "{path}: fill in its variable here");
        for (method, operation) in item.as_object().expect("an item") {
            let schemes = operation["security"].as_array().into_iter().flatten();
            let schemes = schemes.flat_map(|scheme| keys(scheme).into_iter().map(str::to_owned).collect::<Vec<_>>());
            all.push((method.to_uppercase(), filled.clone(), schemes.collect()));
        }
    }
    all
}

#[tokio::test]
async fn every_route_but_the_open_ones_refuses_a_stranger_in_the_same_words() {
    let fixture = Fixture::new().await;
    let mut open = Vec::new();
    let mut refused = 0;
    for (method, path, schemes) in operations() {
        if schemes.is_empty() {
            open.push(format!("{method} {path}"));
            continue;
        }
        let answer = fixture.send(plain(&method, &path)).await;
        let body = answer.fails(Code::Unauthorized);
        assert_eq!(body.error, "missing or invalid credential", "{method} {path}");
        assert_eq!(keys(&answer.json()), ["code", "error", "request_id"], "{method} {path}");
        assert!(!answer.header("www-authenticate").is_empty(), "{method} {path}");
        refused += 1;
    }
    open.sort();
    let expected = [
        "GET /",
        "GET /.well-known/acme-challenge/abc",
        "GET /health",
        "GET /metrics",
        "GET /ready",
        "GET /swagger/doc.json",
    ];
    assert_eq!(open, expected);
    assert_eq!(refused, 13);
}

#[tokio::test]
async fn a_refusal_never_says_what_was_wrong() {
    let fixture = Fixture::new().await;
    let encode = |text: &str| base64::Engine::encode(&base64::prelude::BASE64_STANDARD, text);
    let id = {
        let decoded = base64::Engine::decode(&base64::prelude::BASE64_STANDARD, &fixture.web).expect("base64");
        String::from_utf8(decoded).expect("text").split_once(':').expect("a colon").0.to_owned()
    };
    let mut answers = Vec::new();
    for value in [
        "Bearer".to_owned(),
        "Bearer !!!".to_owned(),
        format!("Basic {}", fixture.web),
        fixture.web.clone(),
        format!("Bearer {}", encode("8c2c1f8e-58c8-4f0a-9a54-6a8f3f6e4b1d:secret")),
        format!("Bearer {}", encode(&format!("{id}:wrong"))),
        format!("Bearer {API_KEY}"),
    ] {
        let request =
            request("GET", "/api/v1/token/self").header("authorization", value).header("x-request-id", "same");
        let answer = fixture.send(request.body(Body::empty()).expect("a request")).await;
        answers.push((answer.status, answer.text(), answer.header("www-authenticate").to_owned()));
    }
    answers.dedup();
    assert_eq!(answers.len(), 1, "{answers:?}");
    assert_eq!(answers[0].0, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn two_credentials_are_none() {
    let fixture = Fixture::new().await;
    let twice = request("GET", "/api/v1/token/self")
        .header("authorization", format!("Bearer {}", fixture.web))
        .header("authorization", "Bearer x");
    fixture.send(twice.body(Body::empty()).expect("a request")).await.fails(Code::Unauthorized);
}

#[tokio::test]
async fn api_key_and_token_do_not_replace_each_other() {
    let fixture = Fixture::new().await;
    fixture.admin("GET", "/api/v1/certificate/metadata", Value::Null).await.fails(Code::Unauthorized);
    fixture
        .web("GET", "/api/v1/token/8c2c1f8e-58c8-4f0a-9a54-6a8f3f6e4b1d", Value::Null)
        .await
        .fails(Code::Unauthorized);
    for key in ["", "let me", "LET ME IN"] {
        let request = request("POST", "/api/v1/token").header("X-API-Key", key);
        fixture.send(request.body(Body::empty()).expect("a request")).await.fails(Code::Unauthorized);
    }
}

#[tokio::test]
async fn a_scope_opens_its_own_routes_and_is_looked_at_before_anything_else() {
    let fixture = Fixture::new().await;
    let routes = [
        ("create", "POST", "/api/v1/certificate"),
        ("update", "PUT", "/api/v1/certificate"),
        ("read", "GET", "/api/v1/certificate/le/www.example.com"),
        ("read", "GET", "/api/v1/certificate/le/unknown.example.com"),
        ("read", "GET", "/api/v1/certificate/shop"),
        ("delete", "DELETE", "/api/v1/certificate/le/unknown.example.com"),
        ("delete", "DELETE", "/api/v1/certificate/unknown"),
    ];
    for scope in ["create", "read", "update", "delete"] {
        let token = fixture.token("web", &[scope]).await;
        for (needed, method, path) in routes {
            // The body is no JSON: with the right that is the next thing to fail.
            let request = request(method, path).header("authorization", format!("Bearer {token}"));
            let answer = fixture.send(request.body(Body::from("no JSON")).expect("a request")).await;
            if scope == needed {
                assert_ne!(answer.status, StatusCode::FORBIDDEN, "{scope} {method} {path}");
            } else {
                let body = answer.fails(Code::MissingScope);
                assert_eq!(body.error, format!("the token lacks the scope {needed:?}"));
                assert_eq!(keys(&answer.json()), ["code", "error", "request_id"]);
            }
        }
        let own = request("GET", "/api/v1/token/self").header("authorization", format!("Bearer {token}"));
        assert_eq!(fixture.send(own.body(Body::empty()).expect("a request")).await.status, StatusCode::OK);
    }
}

#[tokio::test]
async fn nobody_is_refused_before_the_tokens_are_known() {
    let fixture = Fixture::new().await;
    fixture.started.send_replace(false);
    for (method, path, schemes) in operations() {
        let answer = fixture.send(plain(&method, &path)).await;
        if !schemes.is_empty() || path == "/ready" {
            answer.fails(Code::Starting);
            assert_eq!(answer.header("retry-after"), "5");
        }
    }
    fixture.started.send_replace(true);
    assert_eq!(fixture.send(plain("GET", "/ready")).await.status, StatusCode::OK);
}
