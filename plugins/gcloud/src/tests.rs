use acme_manager_plugin::ErrorKind;
use acme_manager_plugin::testing::run_script;

use super::GoogleCloud;
use super::account::ServiceAccount;

#[test]
fn conformance() {
    run_script::<GoogleCloud>(include_str!("../conformance.json"));
}

#[test]
fn what_is_no_service_account_is_told_without_repeating_it() {
    let cases = [
        ("/etc/gcp/key.json", "GCE_SERVICE_ACCOUNT_FILE"),
        (r#"{"type": "authorized_user", "refresh_token": "s3cr3t"}"#, "a authorized_user"),
        (r#"{"type": "service_account", "private_key": "s3cr3t"}"#, "GCE_SERVICE_ACCOUNT: the private key"),
        (r#"{"type": "service_account", "private_key": ["s3cr3t"]}"#, "not a key in JSON"),
    ];
    for (json, reason) in cases {
        let error = ServiceAccount::from_json(json).err().unwrap();
        assert_eq!(error.kind(), ErrorKind::Config);
        assert!(error.message().contains(reason) && !error.message().contains("s3cr3t"), "{error}");
    }
}
