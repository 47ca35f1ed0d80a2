use acme_manager_plugin::testing::{MockApi, run_script};
use acme_manager_plugin::{ErrorKind, Provider as _};

use super::AzureDns;

#[test]
fn conformance() {
    run_script::<AzureDns>(include_str!("../conformance.json"));
}

#[test]
fn an_unknown_cloud_is_the_operators_to_mend() {
    let _api = MockApi::new()
        .env("AZURE_TENANT_ID", "t")
        .env("AZURE_CLIENT_ID", "c")
        .env("AZURE_CLIENT_SECRET", "s")
        .env("AZURE_ENVIRONMENT", "germany");
    let error = AzureDns::from_env().err().unwrap();
    assert_eq!(error.kind(), ErrorKind::Config);
    assert!(error.message().contains("usgovernment"), "{error}");
}
