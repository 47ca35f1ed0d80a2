use serde_json::json;
use vaultrs::error::ClientError;

use super::caller::backoff;
use super::failure::{Asked, Failure};
use super::*;

fn settings() -> VaultSettings {
    VaultSettings {
        url: "https://vault.example:8200/".to_owned(),
        role_id: "role".to_owned(),
        secret_id: SecretString::from("hidden-secret-id"),
        mount_path: "/approle/".to_owned(),
        secret_engine: "secret".to_owned(),
        ca_file: None,
        retry_max: 3,
        retry_wait_min: Duration::from_secs(1),
        retry_wait_max: Duration::from_secs(10),
        request_timeout: Duration::from_secs(10),
    }
}

fn answered(code: u16, body: &serde_json::Value) -> Failure {
    let errors =
        body["errors"].as_array().map(|errors| errors.iter().map(|e| e.as_str().unwrap().to_owned()).collect());
    Failure::from(match errors {
        Some(errors) => ClientError::APIError { code, errors },
        None => ClientError::RestClientError {
            source: rustify::errors::ClientError::ServerResponseError { code, content: Some(body.to_string()) },
        },
    })
}

#[test]
fn every_answer_has_its_meaning() {
    let errors = |text: &str| json!({ "errors": [text] });
    let deleted = json!({ "data": { "data": null, "metadata": { "version": 4 } } });
    assert!(matches!(answered(404, &deleted), Failure::NotFound(Some(4))));
    assert!(matches!(answered(404, &json!({ "errors": [] })), Failure::NotFound(None)));
    assert!(matches!(answered(404, &errors("no handler for route \"x\". route entry not found.")), Failure::NoRoute));
    let cas = "check-and-set parameter did not match the current version";
    assert!(matches!(answered(400, &errors(cas)), Failure::Mismatch));
    assert!(matches!(answered(400, &errors("bad")), Failure::Refused(400, _)));
    assert!(matches!(answered(403, &errors("permission denied")), Failure::Forbidden));
    assert!(matches!(answered(503, &errors("Vault is sealed")), Failure::NotActive("is sealed")));
    assert!(matches!(answered(307, &json!({})), Failure::Redirect(307)));
    for (code, passing, unknown) in [
        (429, true, false),
        (472, true, false),
        (473, true, false),
        (500, true, true),
        (502, true, true),
        (413, false, false),
    ] {
        let failure = answered(code, &errors("x"));
        assert_eq!((failure.passing(), failure.outcome_unknown()), (passing, unknown), "{code}");
    }
}

#[test]
fn a_refusal_names_what_the_policy_lacks() {
    let asked = Asked {
        operation: "list",
        place: "certificates".to_owned(),
        capability: "`list`",
        needs: "metadata/certificates/*".to_owned(),
    };
    let text = Failure::Forbidden.into_error(&settings(), &asked).to_string();
    assert!(text.contains("the store refused list at secret/certificates"), "{text}");
    assert!(text.contains("must allow `list` on `secret/metadata/certificates/*`"), "{text}");
}

#[test]
fn waits_stay_between_their_bounds_and_grow() {
    let settings = settings();
    for tries in 0..40 {
        let longest = Duration::from_secs(10).min(Duration::from_secs(1) * 2_u32.saturating_pow(tries + 1));
        for _ in 0..50 {
            let wait = backoff(&settings, tries);
            assert!(wait >= Duration::from_secs(1) && wait <= longest, "try {tries}: {wait:?}");
        }
    }
}

#[tokio::test]
async fn settings_that_cannot_work_are_named() {
    let nobody: VaultObserver = Arc::new(|_, _, _| {});
    let refused = |settings: VaultSettings, setting: &str| {
        let text = VaultStore::connect(settings, Arc::clone(&nobody)).unwrap_err().to_string();
        assert!(text.contains(&format!("storage.vault.{setting}:")), "{text}");
        assert!(!text.contains("hidden"), "{text}");
    };
    for url in ["", "vault", "ftp://vault", "https://u:hidden@vault", "https://vault/?x=hidden", "https://"] {
        refused(VaultSettings { url: url.to_owned(), ..settings() }, "url");
    }
    refused(VaultSettings { role_id: String::new(), ..settings() }, "role_id");
    refused(VaultSettings { secret_id: SecretString::default(), ..settings() }, "secret_id");
    refused(VaultSettings { mount_path: "/".to_owned(), ..settings() }, "mount_path");
    refused(VaultSettings { secret_engine: String::new(), ..settings() }, "secret_engine");
    refused(VaultSettings { ca_file: Some("/does/not/exist.pem".into()), ..settings() }, "ca_file");
    let empty = tempfile::NamedTempFile::new().unwrap();
    refused(VaultSettings { ca_file: Some(empty.path().to_owned()), ..settings() }, "ca_file");
    let store = VaultStore::connect(settings(), nobody).unwrap();
    assert_eq!(store.describe(), "vault at https://vault.example:8200, engine secret");
    assert!(!format!("{:?} {store:?}", settings()).contains("hidden"));
}
