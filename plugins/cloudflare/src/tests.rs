use acme_manager_plugin::testing::{MockApi, record, run_script};
use acme_manager_plugin::{ErrorKind, Provider as _};
use serde_json::json;

use super::*;

const NAME: &str = "_acme-challenge.www.example.com";
const API: &str = "https://api.cloudflare.com/client/v4";
const RECORDS: &str = "https://api.cloudflare.com/client/v4/zones/z1/dns_records";
const ZONES: &str = r#"{"success": true, "errors": [], "result": [
    {"id": "z0", "name": "example.com", "status": "moved"}, {"id": "z1", "name": "example.com", "status": "active"}]}"#;
const NONE: &str = r#"{"success": true, "errors": [], "messages": [], "result": []}"#;

fn api() -> MockApi {
    MockApi::new().env(DNS_TOKEN, "dns").env(ZONE_TOKEN, "zone")
}

fn expect_zone(api: &MockApi, name: &str, answer: &str) {
    api.expect("GET", &format!("{API}/zones?name={name}&per_page=50"))
        .header("authorization", "Bearer zone")
        .answer(200, answer);
}

#[test]
fn a_record_is_created_with_the_right_tokens_and_deleted_by_its_identifier() {
    let api = api();
    let provider = Cloudflare::from_env().unwrap();
    let record = record("example.com", NAME, "v");
    expect_zone(&api, "example.com", ZONES);
    api.expect("POST", RECORDS)
        .header("authorization", "Bearer dns")
        .header("content-type", "application/json")
        .json(json!({"type": "TXT", "name": NAME, "content": "\"v\"", "ttl": 120}))
        .answer(200, r#"{"success": true, "errors": [], "result": {"id": "r1", "type": "TXT"}}"#);
    let handle = provider.present(&record).unwrap();
    assert_eq!(handle, "z1/r1");

    api.expect("DELETE", &format!("{RECORDS}/r1"))
        .header("authorization", "Bearer dns")
        .answer(200, r#"{"success": true, "result": {"id": "r1"}}"#);
    provider.cleanup(&record, &handle).unwrap();

    api.expect("DELETE", &format!("{RECORDS}/r1")).answer(
        404,
        r#"{"success": false, "errors": [{"code": 81044, "message": "Record does not exist."}], "result": null}"#,
    );
    provider.cleanup(&record, &handle).unwrap();
}

#[test]
fn an_identical_record_is_found_again_over_all_pages() {
    let api = api();
    expect_zone(&api, "example.com", ZONES);
    api.expect("POST", RECORDS).answer(
        400,
        r#"{"success": false, "errors": [{"code": 81058, "message": "An identical record already exists."}]}"#,
    );
    let page = |number| format!("{RECORDS}?name={NAME}&page={number}&per_page=100");
    api.expect("GET", &page(1)).answer(
        200,
        r#"{"success": true, "result": [{"id": "r1", "type": "TXT", "content": "\"other\""}],
            "result_info": {"page": 1, "total_pages": 2}}"#,
    );
    api.expect("GET", &page(2)).answer(
        200,
        r#"{"success": true, "result": [{"id": "r2", "type": "TXT", "content": "v"}],
            "result_info": {"page": 2, "total_pages": 2}}"#,
    );
    assert_eq!(Cloudflare::from_env().unwrap().present(&record("example.com", NAME, "v")).unwrap(), "z1/r2");
}

#[test]
fn without_a_handle_only_the_value_is_removed() {
    let api = api();
    expect_zone(&api, "example.com", ZONES);
    api.expect("GET", &format!("{RECORDS}?name={NAME}&page=1&per_page=100")).answer(
        200,
        r#"{"success": true, "result": [{"id": "r1", "type": "TXT", "content": "\"other\""},
            {"id": "r2", "type": "TXT", "content": "\"v\""}, {"id": "r3", "type": "CNAME", "content": "v"}]}"#,
    );
    api.expect("DELETE", &format!("{RECORDS}/r2")).answer(200, r#"{"success": true, "result": {"id": "r2"}}"#);
    Cloudflare::from_env().unwrap().cleanup(&record("example.com", NAME, "v"), "").unwrap();
}

#[test]
fn without_a_zone_the_parents_are_tried_to_the_last() {
    let api = api();
    for parent in ["www.example.com", "example.com", "com"] {
        expect_zone(&api, parent, NONE);
    }
    let error = Cloudflare::from_env().unwrap().present(&record("", NAME, "v")).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ZoneNotFound);
}

#[test]
fn the_global_key_is_sent_with_its_email() {
    let api = MockApi::new().env(EMAIL, "a@b.example").env(API_KEY, "k").env(BASE_URL, "http://localhost:1/v4");
    api.expect("GET", "http://localhost:1/v4/zones?per_page=5")
        .header("x-auth-email", "a@b.example")
        .header("x-auth-key", "k")
        .answer(200, NONE);
    Cloudflare::from_env().unwrap().check().unwrap();
}

#[test]
fn refusals_keep_their_kind_and_say_cloudflares_words() {
    let api = api();
    let check = || Cloudflare::from_env().unwrap().check().unwrap_err();
    let url = format!("{API}/zones?per_page=5");
    let bad_token = r#"{"success": false, "errors": [{"code": 6003, "message": "Invalid request headers"}]}"#;
    api.expect("GET", &url).answer(400, bad_token);
    let error = check();
    assert_eq!(error.kind(), ErrorKind::Unauthorized);
    assert!(error.message().ends_with("answered 400: Invalid request headers (6003)"), "{error}");

    api.expect("GET", &url).answer_with(429, &[("retry-after", "300")], "{}");
    let error = check();
    assert_eq!((error.kind(), error.retry_after_seconds()), (ErrorKind::RateLimited, Some(300)));

    api.expect("GET", &url).answer(502, "<html>bad gateway</html>");
    assert_eq!(check().kind(), ErrorKind::Unavailable);
    drop(api);

    let _partly = MockApi::new().env(EMAIL, "a@b.example");
    assert_eq!(Cloudflare::from_env().err().map(|error| error.kind()), Some(ErrorKind::Config));
}

#[test]
fn a_foreign_handle_is_not_put_into_a_path() {
    assert!(RecordPlace::from_handle("z1/../../accounts").is_none());
    assert!(RecordPlace::from_handle("z1/r1").is_some());
}

#[test]
fn conformance() {
    run_script::<Cloudflare>(include_str!("../conformance.json"));
}
