//! Certificates: what owners see of theirs, and of others nothing.

use super::*;

/// The names of the existing system.
const METADATA: [&str; 20] = [
    "bundle",
    "csr",
    "days",
    "dns_challenge",
    "domain",
    "encryption",
    "expires",
    "fingerprint",
    "issuer",
    "key_type",
    "labels",
    "name",
    "owner",
    "profile",
    "renewal_count",
    "renewal_date",
    "renewal_days",
    "san",
    "serial",
    "updated_at",
];

#[tokio::test]
async fn a_certificate_has_the_names_of_the_existing_system_and_its_key() {
    let fixture = Fixture::new().await;
    let answer = fixture.web("GET", "/api/v1/certificate/shop", Value::Null).await;
    assert_eq!(answer.status, StatusCode::OK);
    assert_eq!(answer.header("content-type"), "application/json");
    assert_eq!(answer.header("cache-control"), "no-store");
    assert_eq!(answer.header("x-content-type-options"), "nosniff");
    assert_eq!(answer.header("owner"), "");
    let mut expected: Vec<&str> = METADATA.into_iter().chain(["cert", "ca_issuer", "url", "key"]).collect();
    expected.sort_unstable();
    let body = answer.json();
    assert_eq!(keys(&body), expected);
    assert_eq!(body["cert"], "PEM of the leaf");
    assert_eq!(body["days"], 90);
    assert_eq!(body["updated_at"], 1_764_000_000_000_i64);
}

#[tokio::test]
async fn issuer_and_domain_or_the_name_find_a_certificate() {
    let fixture = Fixture::new().await;
    for (path, domain) in [
        ("/api/v1/certificate/le/www.example.com", "www.example.com"),
        ("/api/v1/certificate/le/www%2Eexample.com", "www.example.com"),
        ("/api/v1/certificate/le/www.example.com?name=", "www.example.com"),
        ("/api/v1/certificate/shop", "shop.example.com"),
        ("/api/v1/certificate/le/www.example.com?name=shop", "shop.example.com"),
        ("/api/v1/certificate/any/-?name=shop&name=other", "shop.example.com"),
    ] {
        let answer = fixture.web("GET", path, Value::Null).await;
        assert_eq!(answer.status, StatusCode::OK, "{path}: {}", answer.text());
        assert_eq!(answer.json()["domain"], domain, "{path}");
    }
}

#[tokio::test]
async fn an_error_about_a_certificate_names_it() {
    let fixture = Fixture::new().await;
    let answer = fixture.web("GET", "/api/v1/certificate/le/none.example.com", Value::Null).await;
    let body = answer.fails(Code::CertificateNotFound);
    assert_eq!(body.err, body.error);
    assert_eq!((&*body.owner, &*body.issuer, &*body.domain), ("web", "le", "none.example.com"));
    assert_eq!(keys(&answer.json()), ["code", "domain", "err", "error", "issuer", "owner", "request_id"]);
    let answer = fixture.web("DELETE", "/api/v1/certificate/none", Value::Null).await;
    answer.fails(Code::CertificateNotFound);
    assert_eq!(keys(&answer.json()), ["code", "err", "error", "name", "owner", "request_id"]);
}

#[tokio::test]
async fn owners_do_not_see_each_other() {
    let fixture = Fixture::new().await;
    let other = fixture.token("other", &["read", "delete"]).await;
    let send = |method: &'static str, path: &'static str| {
        let request = request(method, path).header("authorization", format!("Bearer {other}"));
        fixture.send(request.body(Body::empty()).expect("a request"))
    };
    for path in ["/api/v1/certificate/shop", "/api/v1/certificate/le/www.example.com"] {
        send("GET", path).await.fails(Code::CertificateNotFound);
        send("DELETE", path).await.fails(Code::CertificateNotFound);
    }
    assert_eq!(send("GET", "/api/v1/certificate/metadata").await.text(), "[]");
}

#[tokio::test]
async fn metadata_is_a_list_and_can_be_narrowed() {
    let fixture = Fixture::new().await;
    let all = fixture.web("GET", "/api/v1/certificate/metadata", Value::Null).await;
    assert_eq!(all.json().as_array().map(Vec::len), Some(2));
    let named = all.json().as_array().and_then(|all| all.iter().find(|c| c["name"] == "shop").cloned());
    assert_eq!(keys(&named.expect("the named one")), METADATA);
    assert!(!all.text().contains("PEM"), "content does not belong here");
    for (query, found) in [
        ("issuer=le&domain=www.example.com", &["www.example.com"][..]),
        ("issuer=le&domain=www.example.com&name=shop", &["shop.example.com"]),
        ("issuer=&domain=www.example.com", &["www.example.com"]),
        ("name=shop", &["shop.example.com"]),
        ("domain=www.example.com", &["www.example.com"]),
        ("issuer=le", &["shop.example.com", "www.example.com"]),
        ("issuer=other", &[]),
        ("name=none", &[]),
        ("unknown=1", &["shop.example.com", "www.example.com"]),
    ] {
        let answer = fixture.web("GET", &format!("/api/v1/certificate/metadata?{query}"), Value::Null).await;
        assert_eq!(answer.status, StatusCode::OK, "{query}");
        let body = answer.json();
        let mut domains: Vec<&str> =
            body.as_array().expect("a list").iter().filter_map(|c| c["domain"].as_str()).collect();
        domains.sort_unstable();
        assert_eq!(domains, found, "{query}");
    }
    for query in ["issuer=le&domain=none.example.com", "issuer=le&domain=www.example.com&name=none"] {
        let answer = fixture.web("GET", &format!("/api/v1/certificate/metadata?{query}"), Value::Null).await;
        answer.fails(Code::CertificateNotFound);
    }
}

#[tokio::test]
async fn a_deleted_certificate_is_gone() {
    let fixture = Fixture::new().await;
    for path in ["/api/v1/certificate/shop", "/api/v1/certificate/le/www.example.com?revoke=TRUE"] {
        let deleted = fixture.web("DELETE", path, Value::Null).await;
        assert_eq!((deleted.status, deleted.body.len()), (StatusCode::NO_CONTENT, 0), "{path}");
        fixture.web("GET", path, Value::Null).await.fails(Code::CertificateNotFound);
        fixture.web("DELETE", path, Value::Null).await.fails(Code::CertificateNotFound);
    }
    assert_eq!(fixture.web("GET", "/api/v1/certificate/metadata", Value::Null).await.text(), "[]");
}

#[tokio::test]
async fn a_certificate_that_cannot_be_revoked_stays() {
    let fixture = Fixture::new().await;
    // What is stored is no PEM, so it cannot be sent to the CA.
    let answer = fixture.web("DELETE", "/api/v1/certificate/shop?revoke=true", Value::Null).await;
    assert_eq!(answer.error().name, "shop");
    assert_eq!(fixture.web("GET", "/api/v1/certificate/shop", Value::Null).await.status, StatusCode::OK);
}

#[tokio::test]
async fn a_second_certificate_of_a_name_is_a_conflict_and_a_change_of_none_is_not_found() {
    let fixture = Fixture::new().await;
    let body = json!({ "domain": "www.example.com", "issuer": "le" });
    let error = fixture.web("POST", "/api/v1/certificate", body).await.fails(Code::CertificateExists);
    assert_eq!((&*error.owner, &*error.issuer, &*error.domain), ("web", "le", "www.example.com"));
    let body = json!({ "domain": "none.example.com", "issuer": "le" });
    fixture.web("PUT", "/api/v1/certificate", body).await.fails(Code::CertificateNotFound);
}

#[tokio::test]
async fn an_issuer_that_cannot_be_used_says_why() {
    let fixture = Fixture::new().await;
    let body = json!({ "domain": "new.example.com", "issuer": "le" });
    let error = fixture.web("POST", "/api/v1/certificate", body).await.fails(Code::IssuerUnusable);
    assert!(error.error.contains("connection refused"), "{}", error.error);
    assert_eq!(error.domain, "new.example.com");
}
