use rcgen::{CertificateParams, DistinguishedName, DnType, KeyPair, SanType};

use super::*;

/// A client's request: common name (none if empty), then DNS names.
pub(crate) fn request(common: &str, dns: &[&str]) -> String {
    BASE64_STANDARD.encode(request_pem(common, dns))
}

fn request_pem(common: &str, dns: &[&str]) -> String {
    let key = KeyPair::generate().expect("a key");
    let names: Vec<String> = dns.iter().map(|&name| name.to_owned()).collect();
    let mut params = CertificateParams::new(names).expect("names");
    params.distinguished_name = DistinguishedName::new();
    if !common.is_empty() {
        params.distinguished_name.push(DnType::CommonName, common);
    }
    params.serialize_request(&key).expect("a request").pem().expect("PEM")
}

fn names(texts: &[&str]) -> Vec<DomainName> {
    texts.iter().map(|text| text.parse().expect("a name")).collect()
}

#[test]
fn a_request_for_exactly_the_names_is_taken() {
    for (common, dns, asked) in [
        ("a.example", &["a.example", "b.example"][..], &["a.example", "b.example"][..]),
        ("", &["a.example", "b.example"], &["a.example", "b.example"]),
        ("a.example", &[], &["a.example"]),
        ("*.a.example", &["*.a.example", "a.example"], &["*.a.example", "a.example"]),
        ("A.Example", &["a.example"], &["a.EXAMPLE"]),
        ("a.example", &["c.example", "b.example"], &["a.example", "b.example", "c.example"]),
    ] {
        let parsed = Csr::parse(&request(common, dns), &names(asked));
        assert!(parsed.is_ok(), "{common} {dns:?}: {parsed:?}");
    }
}

#[test]
fn other_names_are_refused_with_the_difference() {
    for (common, dns, asked, expected) in [
        (
            "a.example",
            &["a.example"][..],
            &["b.example"][..],
            r#"domain: is "b.example", but the csr's first name is "a.example""#,
        ),
        ("a.example", &["a.example", "b.example"], &["a.example"], r#"san: lacks "b.example", which the csr asks for"#),
        (
            "a.example",
            &["a.example"],
            &["a.example", "b.example"],
            r#"san: holds "b.example", which the csr does not ask for"#,
        ),
        ("", &[], &["a.example"], "csr: names nothing"),
    ] {
        let error = Csr::parse(&request(common, dns), &names(asked)).expect_err(expected).to_string();
        assert!(error.starts_with(expected), "{error}");
    }
}

#[test]
fn what_is_no_request_is_refused() {
    let certificate = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    let garbage = "-----BEGIN CERTIFICATE REQUEST-----\nAAAA\n-----END CERTIFICATE REQUEST-----\n";
    for (encoded, expected) in [
        ("§".to_owned(), "csr: is not standard base64"),
        (BASE64_STANDARD.encode("hello"), "csr: holds no PEM block"),
        (BASE64_STANDARD.encode(certificate), r#"csr: holds a PEM block "CERTIFICATE""#),
        (BASE64_STANDARD.encode(garbage), "csr: is no PKCS#10"),
        (request_pem("a.example", &[]), "csr: is not standard base64"),
        ("A".repeat(MAX_CSR + 1), "csr: is longer than 64 KiB"),
    ] {
        let error = Csr::parse(&encoded, &names(&["a.example"])).expect_err(expected).to_string();
        assert!(error.starts_with(expected), "{error}");
    }
}

#[test]
fn a_request_signed_with_another_key_is_refused() {
    let mut der = Csr::parse(&request("a.example", &[]), &names(&["a.example"])).expect("good").der;
    let last = der.len() - 1;
    der[last] ^= 1;
    let body = BASE64_STANDARD.encode(&der);
    let pem = format!("-----BEGIN CERTIFICATE REQUEST-----\n{body}\n-----END CERTIFICATE REQUEST-----\n");
    let error = Csr::parse(&BASE64_STANDARD.encode(pem), &names(&["a.example"])).expect_err("forged").to_string();
    assert!(error.starts_with("csr: its signature does not fit"), "{error}");
}

#[test]
fn a_name_of_another_type_is_refused() {
    let key = KeyPair::generate().expect("a key");
    let mut params = CertificateParams::new(vec!["a.example".to_owned()]).expect("names");
    params.subject_alt_names.push(SanType::Rfc822Name("ops@a.example".try_into().expect("ASCII")));
    let pem = params.serialize_request(&key).expect("a request").pem().expect("PEM");
    let error = Csr::parse(&BASE64_STANDARD.encode(pem), &names(&["a.example"])).expect_err("mail").to_string();
    assert!(error.contains("type other than DNS or IP"), "{error}");
}

#[test]
fn the_server_makes_requests_that_it_would_take() {
    let asked = names(&["*.a.example", "A.example", &format!("{}.a.example", "x".repeat(60))]);
    for key_type in [None, Some(KeyType::Ec256), Some(KeyType::Ec384)] {
        let made = make(&asked, key_type).expect("a request");
        assert_eq!(Csr::parse(&made.csr.encoded, &asked).expect("good"), made.csr);
        assert!(!format!("{made:?}").contains("PRIVATE"));
    }
    let error = make(&asked, Some(KeyType::Rsa(2048))).expect_err("not here").to_string();
    assert!(error.contains("send a csr"), "{error}");
}
