use acme_manager_plugin::testing::{MockApi, record, run_script};
use acme_manager_plugin::{ErrorKind, Provider as _};
use serde_json::json;

use super::*;

const NAME: &str = "_acme-challenge.www.example.com";
const ZONE: &str = "http://ns:8081/api/v1/servers/localhost/zones/example.com.";
const READ: &str = "http://ns:8081/api/v1/servers/localhost/zones/example.com.\
    ?rrset_name=_acme-challenge.www.example.com.&rrset_type=TXT";
const VERSIONS: &str = r#"[{"url": "/api/v1", "version": 1}]"#;

fn api() -> MockApi {
    MockApi::new().env(URL, "http://ns:8081/").env(API_KEY, "k3y")
}

fn zone(kind: &str, contents: &[&str]) -> String {
    let records: Vec<_> = contents.iter().map(|c| json!({"content": c, "disabled": false})).collect();
    let sets = if records.is_empty() {
        json!([])
    } else {
        json!([{"name": format!("{NAME}."), "type": "TXT", "ttl": 60, "records": records, "comments": []}])
    };
    json!({"name": "example.com.", "kind": kind, "rrsets": sets}).to_string()
}

fn expect_version(api: &MockApi) {
    api.expect("GET", "http://ns:8081/api").header("x-api-key", "k3y").answer(200, VERSIONS);
}

#[test]
fn a_value_is_added_beside_those_that_are_there() {
    let api = api();
    expect_version(&api);
    api.expect("GET", READ).answer(200, &zone("Native", &["\"other\""]));
    api.expect("PATCH", ZONE)
        .header("x-api-key", "k3y")
        .json(json!({"rrsets": [{
            "name": format!("{NAME}."), "type": "TXT", "ttl": 120, "changetype": "REPLACE",
            "records": [{"content": "\"other\"", "disabled": false}, {"content": "\"v\"", "disabled": false}]
        }]}))
        .answer(204, "");
    let handle = PowerDns::from_env().unwrap().present(&record("example.com", NAME, "v")).unwrap();
    assert_eq!(handle, "example.com.");
}

#[test]
fn a_value_that_is_there_is_left_alone() {
    let api = api();
    expect_version(&api);
    api.expect("GET", READ).answer(200, &zone("Native", &["\"v\""]));
    PowerDns::from_env().unwrap().present(&record("example.com", NAME, "v")).unwrap();
}

#[test]
fn only_the_value_is_removed_and_the_last_takes_the_set_along() {
    let api = api().env(API_VERSION, "1");
    let provider = PowerDns::from_env().unwrap();
    let record = record("example.com", NAME, "v");
    api.expect("GET", READ).answer(200, &zone("Primary", &["\"v\"", "\"other\""]));
    api.expect("PATCH", ZONE).containing(r#""records":[{"content":"\"other\"","disabled":false}]"#).answer(204, "");
    api.expect("PUT", &format!("{ZONE}/notify")).answer(422, r#"{"error": "no slaves"}"#);
    provider.cleanup(&record, "example.com.").unwrap();
    assert_eq!(api.log().len(), 1, "a failed notification is a warning");

    api.expect("GET", READ).answer(200, &zone("Native", &["\"v\""]));
    api.expect("PATCH", ZONE).containing(r#""changetype":"DELETE""#).answer(204, "");
    provider.cleanup(&record, "").unwrap();

    api.expect("GET", READ).answer(200, &zone("Native", &[]));
    provider.cleanup(&record, "").unwrap();

    api.expect("GET", READ).answer(404, r#"{"error": "Not Found"}"#);
    provider.cleanup(&record, "").unwrap();
}

#[test]
fn without_a_zone_the_parents_are_tried() {
    let api = api().env(API_VERSION, "1");
    let missing = "http://ns:8081/api/v1/servers/localhost/zones/www.example.com.\
        ?rrset_name=_acme-challenge.www.example.com.&rrset_type=TXT";
    api.expect("GET", missing).answer(422, r#"{"error": "Could not find domain 'www.example.com.'"}"#);
    api.expect("GET", READ).answer(200, &zone("Native", &["\"v\""]));
    PowerDns::from_env().unwrap().present(&record("", NAME, "v")).unwrap();
}

#[test]
fn servers_before_4_get_names_without_dots_and_records_with_names() {
    let api = api().env(API_VERSION, "0");
    api.expect(
        "GET",
        "http://ns:8081/servers/localhost/zones/example.com\
         ?rrset_name=_acme-challenge.www.example.com.&rrset_type=TXT",
    )
    .answer(200, r#"{"name": "example.com", "kind": "Master", "records": []}"#);
    api.expect("PATCH", "http://ns:8081/servers/localhost/zones/example.com")
        .json(json!({"rrsets": [{
            "name": NAME, "type": "TXT", "ttl": 120, "changetype": "REPLACE",
            "records": [{"name": NAME, "type": "TXT", "ttl": 120, "content": "\"v\"", "disabled": false}]
        }]}))
        .answer(200, "{}");
    PowerDns::from_env().unwrap().present(&record("example.com", NAME, "v")).unwrap();
}

#[test]
fn failures_keep_their_kind() {
    let api = api();
    api.expect("GET", "http://ns:8081/api").answer(401, "Unauthorized");
    let error = PowerDns::from_env().unwrap().check().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unauthorized);

    expect_version(&api);
    api.expect("GET", READ).answer(404, "");
    let error = PowerDns::from_env().unwrap().present(&record("example.com", NAME, "v")).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ZoneNotFound);
    drop(api);

    let _empty = MockApi::new();
    assert_eq!(PowerDns::from_env().err().map(|error| error.kind()), Some(ErrorKind::Config));
}

#[test]
fn conformance() {
    run_script::<PowerDns>(include_str!("../conformance.json"));
}
