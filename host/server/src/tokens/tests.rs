use std::time::Duration;

use time::macros::datetime;

use super::*;
use crate::storage::embedded::{EmbeddedSettings, EmbeddedStore};

const KEY: &str = "let me in";

struct Fixture {
    tokens: Tokens,
    store: Arc<dyn Store>,
    clock: Clock,
    _folder: tempfile::TempDir,
}

async fn fixture() -> Fixture {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("store.redb");
    let settings = EmbeddedSettings::with_key_file(path, &folder.path().join("key")).expect("settings");
    let store: Arc<dyn Store> = Arc::new(EmbeddedStore::open(settings).await.expect("a store"));
    let clock = Clock::set_to(datetime!(2026-11-23 12:00 UTC));
    let tokens = over(&store, &clock);
    Fixture { tokens, store, clock, _folder: folder }
}

fn over(store: &Arc<dyn Store>, clock: &Clock) -> Tokens {
    let settings = TokenSettings {
        api_key_hash: Some(sha2::Sha256::digest(KEY.as_bytes()).to_vec()),
        prefix: "tokens".to_owned(),
    };
    Tokens::new(settings, store.clone(), Arc::default(), Leadership::alone(), clock.clone())
}

fn params(scope: &[&str]) -> TokenParams {
    TokenParams {
        username: "web".to_owned(),
        scope: scope.iter().map(|&word| word.to_owned()).collect(),
        duration: "30d".to_owned(),
        ..TokenParams::default()
    }
}

fn bearer(created: &TokenCreated) -> String {
    format!("Bearer {}", created.token)
}

#[tokio::test]
async fn a_token_works_until_it_expires() {
    let fixture = fixture().await;
    let admin = fixture.tokens.admin(Some(KEY)).expect("the key");
    let created = fixture.tokens.create(&admin, &params(&["read", "read", "create"])).await.expect("a token");
    assert_eq!(created.expires, "2026-12-23 12:00:00 +0000 UTC");
    assert_eq!(created.scope, ["read", "create"]);
    let identity = fixture.tokens.authenticate(Some(&bearer(&created))).expect("a good token");
    assert_eq!(identity.owner().as_str(), "web");
    assert!(authorize::<Read>(&identity).is_ok());
    assert_eq!(authorize::<Delete>(&identity).map(|_| ()), Err(Forbidden { needed: Scope::Delete }));
    fixture.clock.advance(Duration::from_secs(30 * 86_400));
    assert_eq!(fixture.tokens.authenticate(Some(&bearer(&created))).map(|_| ()), Err(Unauthorized));
}

#[tokio::test]
async fn every_bad_credential_is_refused() {
    let fixture = fixture().await;
    let admin = fixture.tokens.admin(Some(KEY)).expect("the key");
    let created = fixture.tokens.create(&admin, &params(&["read"])).await.expect("a token");
    let encode = |text: &str| format!("Bearer {}", BASE64_STANDARD.encode(text));
    let long = encode(&"x".repeat(10_000));
    for bad in [
        "",
        "Bearer",
        "Bearer ",
        "Bearer !",
        "Basic YTpi",
        created.token.as_str(),
        &encode("no colon"),
        &encode(":"),
        &encode(&format!("{}:", created.id)),
        &encode(&format!("{}:wrong", created.id)),
        &encode(&format!("{}:{}", TokenId::random(), "wrong")),
        &encode(&format!("{}:{}", created.id, created.token_hash)),
        &long,
    ] {
        assert_eq!(fixture.tokens.authenticate(Some(bad)).map(|_| ()), Err(Unauthorized), "{bad}");
    }
    assert!(fixture.tokens.authenticate(None).is_err());
    for bad in [None, Some(""), Some("x"), Some("let me in ")] {
        assert!(fixture.tokens.admin(bad).is_err(), "{bad:?}");
    }
}

#[tokio::test]
async fn an_old_sha1_hash_of_the_api_key_still_works_and_none_refuses_all() {
    let fixture = fixture().await;
    let mut tokens = over(&fixture.store, &fixture.clock);
    tokens.settings.api_key_hash = Some(sha1::Sha1::digest(KEY.as_bytes()).to_vec());
    assert!(tokens.admin(Some(KEY)).is_ok());
    assert!(tokens.admin(Some("other")).is_err());
    tokens.settings.api_key_hash = None;
    assert!(tokens.admin(Some(KEY)).is_err());
    assert!(tokens.admin(Some("")).is_err());
}

#[tokio::test]
async fn a_replaced_token_refuses_the_old_secret_for_ever() {
    let fixture = fixture().await;
    let admin = fixture.tokens.admin(Some(KEY)).expect("the key");
    let old = fixture.tokens.create(&admin, &params(&["read"])).await.expect("a token");
    let change = TokenParams { id: old.id.clone(), username: "other".to_owned(), ..params(&["delete"]) };
    let new = fixture.tokens.replace(&admin, &change).await.expect("a new secret");
    assert_eq!(new.id, old.id);
    assert!(fixture.tokens.authenticate(Some(&bearer(&old))).is_err());
    assert_eq!(fixture.tokens.authenticate(Some(&bearer(&new))).expect("good").owner().as_str(), "other");
    let restarted = over(&fixture.store, &fixture.clock);
    assert_eq!(restarted.restore().await.expect("readable"), 1);
    assert!(restarted.authenticate(Some(&bearer(&old))).is_err());
    assert!(restarted.authenticate(Some(&bearer(&new))).is_ok());
}

#[tokio::test]
async fn the_store_never_sees_the_credential() {
    let fixture = fixture().await;
    let admin = fixture.tokens.admin(Some(KEY)).expect("the key");
    let created = fixture.tokens.create(&admin, &params(&["read"])).await.expect("a token");
    let paths = fixture.store.list("tokens").await.expect("a list");
    assert_eq!(paths.iter().map(SecretPath::as_str).collect::<Vec<_>>(), [format!("tokens/web/{}", created.id)]);
    let found = fixture.store.read(&paths[0]).await.expect("readable").expect("there");
    let text = serde_json::to_string(&found.secret.0).expect("JSON");
    let secret = String::from_utf8(BASE64_STANDARD.decode(&created.token).expect("base64")).expect("text");
    let secret = secret.split_once(':').expect("two parts").1;
    assert!(!text.contains(secret) && !text.contains(&created.token));
    assert!(!format!("{created:?}").contains(secret));
}

#[tokio::test]
async fn a_token_of_the_existing_system_is_taken_over() {
    let fixture = fixture().await;
    let (id, secret) = (TokenId::random(), "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA");
    let stored = serde_json::json!({
        "id": id.to_string(), "token": "plain", "tokenHash": hex::encode(sha2::Sha256::digest(secret.as_bytes())),
        "scope": ["create", "read"], "username": "web", "expires": "Never", "duration": "",
    });
    let path = SecretPath::new("tokens", &format!("web/{id}")).expect("a path");
    let fields = stored.as_object().expect("an object").clone();
    fixture.store.write(&path, &crate::storage::Secret(fields), Expect::Absent).await.expect("written");
    assert_eq!(fixture.tokens.restore().await.expect("readable"), 1);
    let credential = format!("Bearer {}", BASE64_STANDARD.encode(format!("{id}:{secret}")));
    let identity = fixture.tokens.authenticate(Some(&credential)).expect("good");
    assert_eq!(info(&identity.token).expires, "Never");
}

#[tokio::test]
async fn wrong_fields_are_named() {
    let fixture = fixture().await;
    let admin = fixture.tokens.admin(Some(KEY)).expect("the key");
    let base = params(&["read"]);
    let cases = [
        (TokenParams { username: String::new(), ..base.clone() }, "username: required"),
        (TokenParams { username: "a/b".to_owned(), ..base.clone() }, "username: expected letters"),
        (TokenParams { scope: Vec::new(), ..base.clone() }, "scope: required"),
        (params(&["read", "admin"]), r#"scope: "admin" is not known"#),
        (TokenParams { duration: "1 day".to_owned(), ..base.clone() }, "duration: "),
        (TokenParams { rate_limit_window: "1d".to_owned(), ..base.clone() }, "rate_limit_window: "),
        (TokenParams { rate_limit_max_requests: -1, ..base.clone() }, "rate_limit_max_requests: must not"),
    ];
    for (params, expected) in cases {
        let error = fixture.tokens.create(&admin, &params).await.expect_err(expected).to_string();
        assert!(error.starts_with(expected), "{error}");
    }
    let unknown = TokenParams { id: TokenId::random().to_string(), ..base.clone() };
    assert!(matches!(fixture.tokens.replace(&admin, &unknown).await, Err(TokenError::NotFound { .. })));
    let no_id = TokenParams { id: "7".to_owned(), ..base };
    assert!(matches!(fixture.tokens.replace(&admin, &no_id).await, Err(TokenError::Invalid { .. })));
    assert!(fixture.store.list("tokens").await.expect("a list").is_empty());
}

#[tokio::test]
async fn a_deleted_token_stays_deleted_whatever_else_happens_to_it() {
    let fixture = fixture().await;
    let admin = fixture.tokens.admin(Some(KEY)).expect("the key");
    for round in 0..20 {
        let made = fixture.tokens.create(&admin, &params(&["read"])).await.expect("a token");
        let id: TokenId = made.id.parse().expect("an id");
        let change = TokenParams { id: made.id.clone(), username: format!("other{round}"), ..params(&["read"]) };
        let replace = fixture.tokens.replace(&admin, &change);
        // Every second round the other way around.
        let (replaced, deleted) = if round % 2 == 0 {
            tokio::join!(replace, fixture.tokens.delete(&admin, id))
        } else {
            let (deleted, replaced) = tokio::join!(fixture.tokens.delete(&admin, id), replace);
            (replaced, deleted)
        };
        deleted.expect("it was there");
        let credentials = [Some(made), replaced.ok()];
        let restored = over(&fixture.store, &fixture.clock);
        restored.restore().await.expect("the store is readable");
        for credential in credentials.iter().flatten() {
            for tokens in [&fixture.tokens, &restored] {
                assert_eq!(tokens.authenticate(Some(&bearer(credential))).map(|_| ()), Err(Unauthorized));
            }
        }
    }
}

#[tokio::test]
async fn of_two_stored_versions_of_a_token_the_newer_one_counts() {
    let fixture = fixture().await;
    let admin = fixture.tokens.admin(Some(KEY)).expect("the key");
    let first = fixture.tokens.create(&admin, &params(&["read"])).await.expect("a token");
    let path = SecretPath::new("tokens", &format!("web/{}", first.id)).expect("a path");
    let former = fixture.store.read(&path).await.expect("readable").expect("stored");
    for name in ["a", "z"] {
        fixture.clock.advance(Duration::from_secs(1));
        let change = TokenParams { id: first.id.clone(), username: name.to_owned(), ..params(&["read"]) };
        let second = fixture.tokens.replace(&admin, &change).await.expect("replaced");
        // As after a crash before the former place was cleared.
        fixture.store.write(&path, &former.secret, Expect::Absent).await.expect("written");
        let restored = over(&fixture.store, &fixture.clock);
        assert_eq!(restored.restore().await.expect("readable"), 1);
        assert!(restored.authenticate(Some(&bearer(&second))).is_ok());
        assert_eq!(restored.authenticate(Some(&bearer(&first))).map(|_| ()), Err(Unauthorized));
        assert!(fixture.store.read(&path).await.expect("readable").is_none(), "the former version is gone");
    }
}
