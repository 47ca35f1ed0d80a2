use acme_manager_plugin::testing::{MockApi, record, run_script};
use acme_manager_plugin::{ErrorKind, Provider as _};

use super::*;

const NAME: &str = "_acme-challenge.www.example.com";
const API: &str = "https://route53.amazonaws.com/2013-04-01";

fn api() -> MockApi {
    MockApi::new().env(ACCESS_KEY_ID, "AKID").env(SECRET_ACCESS_KEY, "secret")
}

fn provider() -> Route53 {
    Route53::from_env().unwrap()
}

fn expect_zone(api: &MockApi) {
    let zone = |id: &str, name: &str, private: bool| {
        format!(
            "<HostedZone><Id>/hostedzone/{id}</Id><Name>{name}.</Name><CallerReference>x</CallerReference>\
             <Config><PrivateZone>{private}</PrivateZone></Config></HostedZone>"
        )
    };
    let zones =
        [zone("Z0", "example.com", true), zone("Z1", "example.com", false), zone("Z2", "example.org", false)].concat();
    api.expect("GET", &format!("{API}/hostedzonesbyname?dnsname=example.com")).answer(
        200,
        &format!(
            "<ListHostedZonesByNameResponse><HostedZones>{zones}</HostedZones><IsTruncated>false</IsTruncated>\
             <MaxItems>100</MaxItems></ListHostedZonesByNameResponse>"
        ),
    );
}

fn expect_set(api: &MockApi, name: &str, values: &[&str]) {
    let values: String = values
        .iter()
        .map(|value| format!("<ResourceRecord><Value>&quot;{value}&quot;</Value></ResourceRecord>"))
        .collect();
    api.expect("GET", &format!("{API}/hostedzone/Z1/rrset?name={NAME}.&type=TXT&maxitems=1")).answer(
        200,
        &format!(
            "<ListResourceRecordSetsResponse><ResourceRecordSets><ResourceRecordSet><Name>{name}.</Name>\
             <Type>TXT</Type><TTL>33</TTL><ResourceRecords>{values}</ResourceRecords></ResourceRecordSet>\
             </ResourceRecordSets><IsTruncated>false</IsTruncated><MaxItems>1</MaxItems>\
             </ListResourceRecordSetsResponse>"
        ),
    );
}

fn expect_change(api: &MockApi, holding: &str) {
    api.expect("POST", &format!("{API}/hostedzone/Z1/rrset")).containing(holding).answer(
        200,
        "<ChangeResourceRecordSetsResponse><ChangeInfo><Id>/change/C1</Id><Status>PENDING</Status>\
         <SubmittedAt>2026-01-01T00:00:00Z</SubmittedAt></ChangeInfo></ChangeResourceRecordSetsResponse>",
    );
}

fn values(values: &[&str]) -> String {
    values.iter().map(|value| format!("<ResourceRecord><Value>&quot;{value}&quot;</Value></ResourceRecord>")).collect()
}

#[test]
fn a_value_is_added_to_the_set_of_the_public_zone() {
    let api = api();
    expect_zone(&api);
    expect_set(&api, NAME, &["other"]);
    expect_change(
        &api,
        &format!(
            "<Action>UPSERT</Action><ResourceRecordSet><Name>{NAME}.</Name><Type>TXT</Type><TTL>10</TTL>\
             <ResourceRecords>{}</ResourceRecords>",
            values(&["other", "v"])
        ),
    );
    assert_eq!(provider().present(&record("example.com", NAME, "v")).unwrap(), "C1");
}

#[test]
fn the_set_of_the_next_name_is_not_ours() {
    let api = api().env(HOSTED_ZONE_ID, "Z1");
    expect_set(&api, "b.example.com", &["other"]);
    expect_change(&api, &format!("<ResourceRecords>{}</ResourceRecords>", values(&["v"])));
    provider().present(&record("example.com", NAME, "v")).unwrap();
}

#[test]
fn only_the_value_is_removed_and_the_last_takes_the_set_along() {
    let api = api().env(HOSTED_ZONE_ID, "Z1");
    let record = record("example.com", NAME, "v");
    expect_set(&api, NAME, &["v", "other"]);
    expect_change(
        &api,
        &format!(
            "<Action>UPSERT</Action><ResourceRecordSet><Name>{NAME}.</Name><Type>TXT</Type><TTL>33</TTL>\
             <ResourceRecords>{}</ResourceRecords>",
            values(&["other"])
        ),
    );
    provider().cleanup(&record, "C1").unwrap();

    expect_set(&api, NAME, &["v"]);
    expect_change(&api, "<Action>DELETE</Action>");
    provider().cleanup(&record, "").unwrap();

    expect_set(&api, NAME, &["other"]);
    provider().cleanup(&record, "").unwrap();
}

#[test]
fn a_change_is_ready_when_it_is_in_sync() {
    let api = api();
    let record = record("example.com", NAME, "v");
    for (status, ready) in [("PENDING", false), ("INSYNC", true)] {
        api.expect("GET", &format!("{API}/change/C1")).answer(
            200,
            &format!(
                "<GetChangeResponse><ChangeInfo><Id>/change/C1</Id><Status>{status}</Status>\
                 <SubmittedAt>2026-01-01T00:00:00Z</SubmittedAt></ChangeInfo></GetChangeResponse>"
            ),
        );
        assert_eq!(provider().ready(&record, "C1").unwrap(), ready, "{status}");
    }
    assert!(provider().ready(&record, "").unwrap());
}

#[test]
fn failures_keep_their_kind() {
    let api = api().env(HOSTED_ZONE_ID, "Z1").env(ENDPOINT_URL, "http://localhost:1");
    let refuse = |status, code: &str, times| {
        for _ in 0..times {
            api.expect("GET", "http://localhost:1/2013-04-01/hostedzone/Z1").answer(
                status,
                &format!("<ErrorResponse><Error><Code>{code}</Code><Message>words</Message></Error></ErrorResponse>"),
            );
        }
        provider().check().unwrap_err()
    };
    // What the SDK takes for passing it tries three times by itself.
    let error = refuse(400, "PriorRequestNotComplete", 3);
    assert_eq!(error.kind(), ErrorKind::Conflict);
    assert_eq!(error.message(), "GetHostedZone answered 400: PriorRequestNotComplete: words");
    assert_eq!(refuse(400, "Throttling", 3).kind(), ErrorKind::RateLimited);
    assert_eq!(refuse(503, "ServiceUnavailable", 3).kind(), ErrorKind::Unavailable);
    assert_eq!(refuse(403, "SignatureDoesNotMatch", 1).kind(), ErrorKind::Unauthorized);
    assert_eq!(refuse(404, "NoSuchHostedZone", 1).kind(), ErrorKind::ZoneNotFound);
    assert_eq!(refuse(400, "InvalidInput", 1).kind(), ErrorKind::Rejected);
}

#[test]
fn a_broken_connection_is_told_in_one_line() {
    let api = api().env(HOSTED_ZONE_ID, "Z1");
    for _ in 0..3 {
        api.expect("GET", &format!("{API}/hostedzone/Z1"))
            .fail(Error::unavailable("it broke\nStack backtrace:\n 0: x"));
    }
    let error = provider().check().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    assert!(error.message().contains("it broke") && !error.message().contains("backtrace"), "{error}");

    api.expect("GET", &format!("{API}/hostedzone/Z1")).answer(200, "<html>not what was asked for");
    assert_eq!(provider().check().unwrap_err().kind(), ErrorKind::Unavailable);
}

#[test]
fn credentials_are_required() {
    let _empty = MockApi::new();
    assert_eq!(Route53::from_env().err().map(|error| error.kind()), Some(ErrorKind::Config));
}

#[test]
fn conformance() {
    run_script::<Route53>(include_str!("../conformance.json"));
}
