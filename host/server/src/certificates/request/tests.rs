use super::*;
use crate::certificates::csr::tests::request as csr;

fn parsed(params: CertificateParams) -> Result<Request, CertificateError> {
    let issuers = ["letsencrypt".parse().expect("a name"), "sectigo".parse().expect("a name")];
    parse(&"web".parse().expect("a name"), params, &issuers)
}

fn base() -> CertificateParams {
    CertificateParams {
        domain: "a.example".to_owned(),
        issuer: "letsencrypt".to_owned(),
        ..CertificateParams::default()
    }
}

#[test]
fn a_full_request_is_parsed() {
    let params = CertificateParams {
        name: "front".to_owned(),
        csr: csr("a.example", &["a.example", "b.example"]),
        san: "b.example".to_owned(),
        days: 90,
        renewal_days: "20-30".to_owned(),
        dns_challenge: "pdns".to_owned(),
        labels: "team=web,env=prod".to_owned(),
        key_type: "EC256".to_owned(),
        profile: "shortlived".to_owned(),
        ..base()
    };
    let request = parsed(params).expect("good");
    assert_eq!(request.id.to_string(), "web/front");
    assert_eq!(request.names.len(), 2);
    assert_eq!(request.challenge, Some(Challenge::Dns("pdns".parse().expect("a name"))));
    assert_eq!(request.key_type, Some(KeyType::Ec256));
}

#[test]
fn names_are_trimmed_and_counted_once() {
    let request = parsed(CertificateParams { san: " b.example , a.example,,B.example".to_owned(), ..base() });
    let names: Vec<String> = request.expect("good").names.iter().map(ToString::to_string).collect();
    assert_eq!(names, ["a.example", "b.example"]);
}

#[test]
fn every_wrong_field_is_named() {
    let with = |change: fn(&mut CertificateParams)| {
        let mut params = base();
        change(&mut params);
        params
    };
    let cases: &[(CertificateParams, &str)] = &[
        (with(|p| p.domain.clear()), "domain: required"),
        (with(|p| p.issuer.clear()), "issuer: required"),
        (
            with(|p| p.issuer = "letsencrpyt".into()),
            r#"issuer: "letsencrpyt" is not configured; configured are: letsencrypt, sectigo"#,
        ),
        (with(|p| p.domain = "a b".into()), "domain: labels are made of"),
        (with(|p| p.domain = "ä.example".into()), "domain: labels are made of"),
        (with(|p| p.domain = "*".into()), "domain: labels"),
        (with(|p| p.domain = "a..b".into()), "domain: every label"),
        (with(|p| p.domain = "x.".repeat(130)), "domain: expected 1 to 253"),
        (with(|p| p.san = "b.example,-c.example".into()), r#"san: "-c.example": a label must not"#),
        (
            with(|p| p.san = (0..100).map(|i| format!("n{i}.example,")).collect()),
            "san: a certificate holds at most 100",
        ),
        (with(|p| p.name = "../x".into()), "name: expected letters"),
        (with(|p| p.name = "metadata".into()), "name: the name is reserved"),
        (with(|p| p.renewal_days = "30-20".into()), "renewal_days: "),
        (with(|p| p.renewal_days = "soon".into()), "renewal_days: "),
        (with(|p| p.days = -1), "days: expected 0"),
        (with(|p| p.days = i32::MAX), "days: expected 0"),
        (
            with(|p| {
                p.days = 30;
                p.renewal_days = "20-30".into();
            }),
            "renewal_days: both bounds",
        ),
        (
            with(|p| {
                p.dns_challenge = "a".into();
                p.http_challenge = "b".into();
            }),
            "dns_challenge: dns_challenge and http_challenge exclude",
        ),
        (with(|p| p.dns_challenge = "a/b".into()), "dns_challenge: expected 1 to 64"),
        (
            with(|p| {
                p.domain = "*.a.example".into();
                p.http_challenge = "kvring".into();
            }),
            "http_challenge: a wildcard",
        ),
        (with(|p| p.labels = "nonsense".into()), r#"labels: "nonsense" is not of the form"#),
        (with(|p| p.labels = "1a=b".into()), r#"labels: "1a": a key is made of"#),
        (with(|p| p.labels = "__name__=b".into()), r#"labels: "__name__" is a reserved key"#),
        (with(|p| p.labels = "issuer=b".into()), r#"labels: "issuer" is a reserved key"#),
        (with(|p| p.labels = "a=b=c".into()), "labels: "),
        (with(|p| p.key_type = "ed25519".into()), "key_type: expected rsa2048"),
        (with(|p| p.profile = "a b".into()), "profile: expected up to 64"),
        (with(|p| p.csr = "?".into()), "csr: is not standard base64"),
    ];
    for (params, expected) in cases {
        let error = parsed(params.clone()).expect_err(expected).to_string();
        assert!(error.starts_with(expected), "expected {expected}, got {error}");
    }
}
