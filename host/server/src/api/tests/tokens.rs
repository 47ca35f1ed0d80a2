//! Tokens: made, shown, replaced and removed with the API key.

use super::*;

#[tokio::test]
async fn a_token_lives_from_post_to_delete() {
    let fixture = Fixture::new().await;
    let asked = json!({
        "id": "ignored", "username": "ops", "scope": ["read"], "duration": "30d", "rate_limit_window": "1h",
        "rate_limit_max_requests": 10, "unknown": {},
    });
    let made = fixture.admin("POST", "/api/v1/token", asked.clone()).await;
    assert_eq!(made.status, StatusCode::CREATED, "{}", made.text());
    assert_eq!(made.header("cache-control"), "no-store");
    let body = made.json();
    let names = [
        "duration",
        "expires",
        "id",
        "rate_limit_max_requests",
        "rate_limit_window",
        "scope",
        "token",
        "tokenHash",
        "username",
    ];
    assert_eq!(keys(&body), names);
    assert_eq!(body["expires"], "2026-12-23 12:00:00 +0000 UTC");
    let (id, token) = (body["id"].as_str().expect("an id"), body["token"].as_str().expect("a token"));
    let path = format!("/api/v1/token/{id}");

    let shown = fixture.admin("GET", &path, Value::Null).await;
    let names = [
        "duration",
        "expires",
        "rate_limit_max_requests",
        "rate_limit_window",
        "scope",
        "tokenHash",
        "updated_at",
        "username",
    ];
    assert_eq!(keys(&shown.json()), names);
    assert_eq!(own(&fixture, token).await.json(), shown.json());

    let mut changed = asked;
    changed["id"] = id.into();
    changed["username"] = "ops2".into();
    let replaced = fixture.admin("PUT", "/api/v1/token", changed).await;
    assert_eq!(replaced.status, StatusCode::OK, "{}", replaced.text());
    let body = replaced.json();
    assert_eq!((&body["id"], &body["username"]), (&id.into(), &"ops2".into()));
    own(&fixture, token).await.fails(Code::Unauthorized);
    let token = body["token"].as_str().expect("a token");
    assert_eq!(own(&fixture, token).await.status, StatusCode::OK);

    let deleted = fixture.admin("DELETE", &path, Value::Null).await;
    assert_eq!((deleted.status, deleted.body.len()), (StatusCode::NO_CONTENT, 0));
    own(&fixture, token).await.fails(Code::Unauthorized);
    fixture.admin("GET", &path, Value::Null).await.fails(Code::TokenNotFound);
    fixture.admin("DELETE", &path, Value::Null).await.fails(Code::TokenNotFound);
}

#[tokio::test]
async fn what_is_no_token_id_names_no_token() {
    let fixture = Fixture::new().await;
    for method in ["GET", "DELETE"] {
        fixture.admin(method, "/api/v1/token/nonsense", Value::Null).await.fails(Code::TokenNotFound);
    }
    let body = json!({ "id": "8c2c1f8e-58c8-4f0a-9a54-6a8f3f6e4b1d", "username": "ops", "scope": ["read"] });
    fixture.admin("PUT", "/api/v1/token", body).await.fails(Code::TokenNotFound);
}

#[tokio::test]
async fn a_token_without_a_duration_never_ends() {
    let fixture = Fixture::new().await;
    let body = json!({ "username": "ops", "scope": ["read"], "duration": null, "rate_limit_window": null });
    let made = fixture.admin("POST", "/api/v1/token", body).await;
    assert_eq!(made.status, StatusCode::CREATED, "{}", made.text());
    assert_eq!(made.json()["expires"], "Never");
}

async fn own(fixture: &Fixture, token: &str) -> Answer {
    let request = request("GET", "/api/v1/token/self").header("authorization", format!("Bearer {token}"));
    fixture.send(request.body(Body::empty()).expect("a request")).await
}
