use acme_manager_plugin::hook::Challenge;
use acme_manager_plugin::testing::MockApi;
use hickory_proto::rr::Record;

use super::*;

/// Records as `owner tag value`.
type Zone = &'static [(&'static str, &'static str, &'static str)];

const ZONE: Zone = &[
    ("example.com", "issue", "letsencrypt.org; accounturi=https://x/1"),
    ("example.com", "issue", "pki.goog"),
    ("wild.example.com", "issue", "letsencrypt.org"),
    ("wild.example.com", "issuewild", ";"),
    ("report.example.com", "iodef", "mailto:a@example.com"),
];

fn name_server(api: &MockApi, zone: Zone, code: ResponseCode) {
    api.name_server(move |bytes| {
        let question = Message::from_vec(bytes).expect("a message");
        let owner = question.queries[0].name().clone();
        let mut reply = Message::response(question.metadata.id, OpCode::Query);
        reply.metadata.response_code = code;
        for (_, tag, value) in zone.iter().filter(|(own, ..)| owner.to_string() == format!("{own}.")) {
            let mut caa = CAA::new_issue(false, None, Vec::new());
            (*tag).clone_into(&mut caa.tag);
            caa.value = value.as_bytes().to_vec();
            reply.add_answer(Record::from_rdata(owner.clone(), 60, RData::CAA(caa)));
        }
        Some(reply.to_vec().expect("a message"))
    });
}

fn review(identities: &str, code: ResponseCode, domains: &[&str]) -> Result<(), Objection> {
    let api = MockApi::new().env("CAA_RESOLVER", "127.0.0.1").env("CAA_IDENTITIES", identities);
    name_server(&api, ZONE, code);
    let domains = domains.iter().map(|&name| name.to_owned()).collect();
    DemandCaa::from_env().expect("complete").review(&Order { domains, issuer: "le".into(), challenge: Challenge::Dns })
}

#[test]
fn a_record_of_the_name_or_above_it_is_demanded() {
    let table: [(&str, &[&str], Option<&str>); 9] = [
        ("", &["example.com", "www.example.com", "*.example.com"], None),
        ("letsencrypt.org", &["a.b.example.com"], None),
        ("zerossl.com, PKI.goog", &["example.com"], None),
        ("zerossl.com", &["www.example.com"], Some("of example.com allow letsencrypt.org, pki.goog to issue for www")),
        ("", &["wild.example.com"], None),
        ("", &["*.wild.example.com"], Some("allow no CA to issue for *.wild.example.com")),
        ("", &["report.example.com"], Some("the CAA records of report.example.com allow no CA")),
        ("", &["example.com", "www.example.org"], Some("there is no CAA record for www.example.org or a domain above")),
        ("", &["badexample.com"], Some("there is no CAA record for badexample.com")),
    ];
    for (identities, domains, objection) in table {
        match (review(identities, ResponseCode::NoError, domains), objection) {
            (Ok(()), None) => {}
            (Err(Objection::Refused(text)), Some(words)) => assert!(text.contains(words), "{text}"),
            (other, _) => panic!("{identities} {domains:?}: {other:?}"),
        }
    }
}

#[test]
fn no_answer_is_no_record_and_no_consent() {
    let told = review("", ResponseCode::ServFail, &["example.com"]);
    assert!(matches!(&told, Err(Objection::Failed(text)) if text.contains("cannot be looked up")), "{told:?}");
    let _api = MockApi::new().env("CAA_RESOLVER", "127.0.0.1");
    let order = Order { domains: vec!["example.com".into()], issuer: "le".into(), challenge: Challenge::Dns };
    let told = DemandCaa::from_env().expect("complete").review(&order);
    assert!(matches!(&told, Err(Objection::Failed(text)) if text.contains("not granted")), "{told:?}");
}

#[test]
fn conformance() {
    acme_manager_plugin::testing::run_hook_script::<DemandCaa>(include_str!("../conformance.json"));
}
