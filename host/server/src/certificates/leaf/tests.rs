use rcgen::{BasicConstraints, CertificateParams, CertificateSigningRequestParams, IsCa, Issuer, KeyPair};

use super::*;
use crate::certificates::csr::{self, make};

struct Ca {
    issuer: Issuer<'static, KeyPair>,
    pem: String,
}

fn ca() -> Ca {
    let key = KeyPair::generate().expect("a key");
    let mut params = CertificateParams::new(Vec::new()).expect("no names");
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let pem = params.self_signed(&key).expect("a root").pem();
    Ca { issuer: Issuer::new(params, key), pem }
}

fn issue(ca: &Ca, csr: &Csr) -> String {
    let der = csr.der.clone().into();
    let request = CertificateSigningRequestParams::from_der(&der).expect("a request");
    request.signed_by(&ca.issuer).expect("a certificate").pem()
}

fn names(texts: &[&str]) -> Vec<DomainName> {
    texts.iter().map(|text| text.parse().expect("a name")).collect()
}

#[test]
fn a_chain_is_taken_apart() {
    let (ca, asked) = (ca(), names(&["a.example", "*.b.example"]));
    let csr = make(&asked, None).expect("a request").csr;
    let leaf_pem = issue(&ca, &csr);
    let chain = format!("{}\r\n{}", leaf_pem.replace('\n', "\r\n"), ca.pem);
    let alone = Leaf::check(&chain, false, &csr, &asked).expect("good");
    let bundle = Leaf::check(&chain, true, &csr, &asked).expect("good");
    assert_eq!(alone.cert, leaf_pem);
    assert_eq!(alone.ca_issuer, ca.pem);
    assert_eq!(bundle.cert, format!("{leaf_pem}{}", ca.pem));
    assert_eq!(bundle.ca_issuer, ca.pem);
    assert_eq!(alone.encryption, "ECDSA-256");
    assert!(alone.serial.chars().all(|c| c.is_ascii_hexdigit() && !c.is_ascii_uppercase()));
    assert_eq!(alone.fingerprint(), hex::encode(Sha256::digest(leaf_pem.as_bytes())));
    assert_ne!(alone.fingerprint(), bundle.fingerprint());
}

#[test]
fn what_was_not_asked_for_is_refused() {
    let (ca, asked) = (ca(), names(&["a.example"]));
    let csr = make(&asked, None).expect("a request").csr;
    let other: csr::Csr = make(&asked, None).expect("a request").csr;
    let good = issue(&ca, &csr);
    let cases = [
        (Leaf::check("", false, &csr, &asked), "there is no certificate"),
        (Leaf::check("hello", false, &csr, &asked), "there is no certificate"),
        (Leaf::check(&good[..good.len() / 2], false, &csr, &asked), "is cut off"),
        (Leaf::check(&good, false, &other, &asked), "its public key is not the one"),
        (Leaf::check(&good, false, &csr, &names(&["a.example", "b.example"])), "it lacks the name b.example"),
    ];
    for (result, expected) in cases {
        let error = result.expect_err(expected).to_string();
        assert!(error.contains(expected), "{error}");
    }
}
