use std::time::Duration;

use acme_manager_plugin::testing::{MockApi, record, run_script};
use acme_manager_plugin::{ErrorKind, Provider as _, http};

use super::Exoscale;
use super::sign::Signer;

const KEY: &str = "EXOxxxxxxxxxxxxxxxxxxxxxxxx";
const SECRET: &str = "XXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXX";

#[test]
fn conformance() {
    run_script::<Exoscale>(include_str!("../conformance.json"));
}

#[test]
fn requests_are_signed_as_by_exoscales_own_client() {
    let api = MockApi::new();
    // Ten minutes before 2077-01-01T00:00:00Z.
    api.clock(3_376_684_200);
    let authorization =
        |signature: &str| format!("EXO2-HMAC-SHA256 credential={KEY},expires=3376684800,signature={signature}");
    let signer = Signer { key: KEY.into(), secret: SECRET.into() };
    let client = http::Client::new("https://api.exoscale.com/v2").unwrap().sign_with(move |request| {
        signer.sign(request);
        Ok(())
    });

    // The key, the request and the signature of the tests of Exoscale's Go client.
    api.expect("GET", "https://api.exoscale.com/v2/zone")
        .header("authorization", &authorization("Ntbq/p0HVmA3Zg1HHY+Lq1vjFGi7HeMrrgXDS5jRNlY="))
        .answer(200, "");
    client.get("zone").send().unwrap();

    // The request that the documentation shows for one with a body; its signature was made with OpenSSL.
    api.expect("POST", "https://api.exoscale.com/v2/security-group")
        .header("authorization", &authorization("bBqOwexDm1294v4dXoMT8esbfDFrJ1PnyBtzWWDXfPw="))
        .answer(200, "");
    client.post("security-group").body("application/json", r#"{"name": "my-security-group"}"#).send().unwrap();
}

#[test]
fn an_operation_that_does_not_end_in_time_is_tried_again() {
    let api = MockApi::new().env("EXOSCALE_API_KEY", KEY).env("EXOSCALE_API_SECRET", SECRET);
    api.remaining(Duration::from_secs(7));
    let url = |path: &str| format!("https://api-ch-gva-2.exoscale.com/v2/{path}");
    api.expect("GET", &url("dns-domain"))
        .answer(200, r#"{"dns-domains": [{"id": "1", "unicode-name": "example.com"}]}"#);
    api.expect("GET", &url("dns-domain/1/record")).answer(200, r#"{"dns-domain-records": []}"#);
    let pending = r#"{"id": "2", "state": "pending"}"#;
    api.expect("POST", &url("dns-domain/1/record")).answer(200, pending);
    for _ in 0..2 {
        api.expect("GET", &url("operation/2")).answer(200, pending);
    }
    let record = record("example.com", "_acme-challenge.example.com", "v");
    let error = Exoscale::from_env().and_then(|provider| provider.present(&record)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    assert_eq!(error.message(), "the operation 2 is still under way");
}
