use acme_manager_plugin::testing::MockApi;

use super::*;

const SECRET: &str = "c2VjcmV0LW9mLXRoZS1rZXk=";

fn record(zone: &str) -> TxtRecord {
    TxtRecord { zone: zone.into(), name: "_acme-challenge.www.example.com".into(), value: "v".repeat(43), ttl: 0 }
}

/// A server that answers every request with this code, signs as `secret` says, and notes what it was asked.
fn server(
    code: ResponseCode,
    secret: Option<&'static str>,
) -> (MockApi, std::rc::Rc<std::cell::RefCell<Vec<Message>>>) {
    let mut api = MockApi::new().env("DNSUPDATE_NAMESERVER", "ns.example.com");
    if secret.is_some() {
        api = api.env("DNSUPDATE_TSIG_KEY", "Acme-Key").env("DNSUPDATE_TSIG_SECRET", SECRET);
        api = api.env("DNSUPDATE_TSIG_ALGORITHM", "hmac-sha256.");
    }
    let asked = std::rc::Rc::<std::cell::RefCell<Vec<Message>>>::default();
    let notes = asked.clone();
    api.name_server(move |bytes| {
        let request = Message::from_vec(bytes).expect("a message");
        let mut reply = Message::response(request.metadata.id, request.metadata.op_code);
        reply.metadata.response_code = code;
        reply.add_queries(request.queries.clone());
        notes.borrow_mut().push(request);
        Some(reply.to_vec().expect("a message"))
    });
    (api, asked)
}

#[test]
fn one_record_is_added_and_the_same_one_removed() {
    let (_api, asked) = server(ResponseCode::NoError, None);
    let provider = DnsUpdate::from_env().expect("complete");
    assert_eq!(provider.present(&record("example.com")).expect("added"), "example.com");
    provider.cleanup(&record("example.com"), "example.com").expect("removed");
    let asked = asked.borrow();
    let updates: Vec<_> = asked.iter().map(|message| (&message.queries[0], &message.authorities[0])).collect();
    for (zone, update) in &updates {
        assert_eq!((zone.name().to_string(), zone.query_type()), ("example.com.".into(), RecordType::SOA));
        assert_eq!(update.name.to_string(), "_acme-challenge.www.example.com.");
        assert!(matches!(&update.data, RData::TXT(text) if text.to_string() == "v".repeat(43)));
    }
    assert_eq!((updates[0].1.dns_class, updates[0].1.ttl), (DNSClass::IN, 120));
    assert_eq!((updates[1].1.dns_class, updates[1].1.ttl), (DNSClass::NONE, 0));
}

#[test]
fn codes_of_the_server_have_their_kinds() {
    for (code, kind) in [
        (ResponseCode::Refused, ErrorKind::Unauthorized),
        (ResponseCode::NotZone, ErrorKind::ZoneNotFound),
        (ResponseCode::NotAuth, ErrorKind::ZoneNotFound),
        (ResponseCode::ServFail, ErrorKind::Unavailable),
        (ResponseCode::FormErr, ErrorKind::Rejected),
    ] {
        let (_api, _) = server(code, None);
        let provider = DnsUpdate::from_env().expect("complete");
        let error = provider.present(&record("example.com")).expect_err("refused");
        assert_eq!(error.kind(), kind, "{error}");
        let removed = provider.cleanup(&record("example.com"), "");
        assert_eq!(removed.is_ok(), kind == ErrorKind::ZoneNotFound, "{removed:?}");
    }
}

#[test]
fn an_answer_without_the_signature_is_none() {
    let (_api, _) = server(ResponseCode::NoError, Some(SECRET));
    let error = DnsUpdate::from_env().expect("complete").present(&record("example.com")).expect_err("unsigned");
    assert!(error.to_string().contains("without a signature"), "{error}");
}

#[test]
fn zones_of_the_environment_are_not_asked_for() {
    let (api, asked) = server(ResponseCode::NoError, None);
    let _api = api.env("DNSUPDATE_ZONES", "com, www.example.com. ,example.com");
    let provider = DnsUpdate::from_env().expect("complete");
    assert_eq!(provider.present(&record("")).expect("added"), "www.example.com");
    assert_eq!(asked.borrow().len(), 1);
    let elsewhere = TxtRecord { name: "_acme-challenge.example.org".into(), ..record("") };
    assert_eq!(provider.present(&elsewhere).map_err(|error| error.kind()), Err(ErrorKind::ZoneNotFound));
}

#[test]
fn mistakes_in_the_environment_are_named() {
    let table: [(&[(&str, &str)], &str); 5] = [
        (&[], "DNSUPDATE_NAMESERVER is not set"),
        (&[("DNSUPDATE_NAMESERVER", "ns"), ("DNSUPDATE_TSIG_KEY", "k")], "DNSUPDATE_TSIG_SECRET is not set"),
        (&[("DNSUPDATE_NAMESERVER", "ns"), ("DNSUPDATE_TSIG_SECRET", "aa==")], "DNSUPDATE_TSIG_KEY is not set"),
        (
            &[("DNSUPDATE_NAMESERVER", "ns"), ("DNSUPDATE_TSIG_KEY", "k"), ("DNSUPDATE_TSIG_SECRET", "not base64!")],
            "not written in base64",
        ),
        (
            &[
                ("DNSUPDATE_NAMESERVER", "ns"),
                ("DNSUPDATE_TSIG_KEY", "k"),
                ("DNSUPDATE_TSIG_SECRET", SECRET),
                ("DNSUPDATE_TSIG_ALGORITHM", "hmac-md5"),
            ],
            "must be hmac-sha1, hmac-sha224",
        ),
    ];
    for (environment, words) in table {
        let mut api = MockApi::new();
        for (name, value) in environment {
            api = api.env(name, value);
        }
        let error = DnsUpdate::from_env().map(drop).expect_err("a mistake");
        assert!(error.to_string().contains(words) && !error.to_string().contains("not base64!"), "{error}");
        drop(api);
    }
}

#[test]
fn conformance() {
    acme_manager_plugin::testing::run_script::<DnsUpdate>(include_str!("../conformance.json"));
}
