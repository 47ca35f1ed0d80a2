use acme_manager_plugin::testing::{MockApi, run_script};
use acme_manager_plugin::{Error, ErrorKind, Provider as _};

use super::Designate;

#[test]
fn conformance() {
    run_script::<Designate>(include_str!("../conformance.json"));
}

#[test]
fn an_address_that_is_not_granted_is_named() {
    let api = MockApi::new()
        .env("OS_AUTH_URL", "https://keystone.example.org")
        .env("OS_APPLICATION_CREDENTIAL_ID", "id")
        .env("OS_APPLICATION_CREDENTIAL_SECRET", "secret");
    api.expect("POST", "https://keystone.example.org/v3/auth/tokens").answer_with(
        201,
        &[("X-Subject-Token", "token")],
        r#"{"token": {"catalog": [{"type": "dns", "endpoints": [
            {"interface": "public", "region_id": "One", "url": "https://dns.example.org:9001/"}]}]}}"#,
    );
    api.expect("GET", "https://dns.example.org:9001/v2/zones?limit=1").fail(Error::config("the host is not granted"));
    let error = Designate::from_env().and_then(|provider| provider.check()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Config);
    assert!(error.message().contains("DESIGNATE_ENDPOINT=https://dns.example.org:9001:"), "{error}");
}
