//! CAs that break at every step, side by side.

use std::time::Duration;

use acme_manager_api::CertificateParams;
use acme_manager_system_tests::site::{Site, SiteOptions, ZONE, params};

use crate::authority::Authority;

/// A flaw of [`Authority`], and what is said of it.
struct Case(&'static str, u16, &'static str, &'static [&'static str]);

const CASES: &[Case] = &[
    Case("down", 500, "issuer_unusable", &["500", "/down/dir"]),
    Case("torn", 500, "issuer_unusable", &["JSON"]),
    Case("page", 500, "issuer_unusable", &["JSON"]),
    Case("moved", 500, "issuer_unusable", &["redirects to https://elsewhere.test/dir", "ca_dir_url"]),
    Case("endless", 500, "issuer_unusable", &["more than", "bytes"]),
    Case("orderless", 500, "issuer_unusable", &["newOrder"]),
    Case("silent", 504, "still_running", &["20 s", "the order goes on"]),
    Case("unwelcome", 500, "issuer_unusable", &["you are not on the list", "unauthorized"]),
    Case("forgetful", 500, "issuer_unusable", &["badNonce"]),
    Case("busy", 500, "ca_rate_limited", &["placing the order", "too many orders of late"]),
    Case("failing", 500, "ca_unreachable", &["placing the order", "500"]),
    Case("pedantic", 400, "ca_malformed", &["placing the order", "what a strange order"]),
    Case("choosy", 500, "ca_refused", &["not this name", "rejectedIdentifier"]),
    Case("unlocated", 500, "ca_bad_answer", &["placing the order"]),
    Case("web-only", 500, "ca_offers_no_challenge", &["dns-01", "http-01"]),
    Case("doubtful", 500, "ca_validation_failed", &["doubtful.site.test", "that is no proof"]),
    Case("picky", 500, "ca_refused", &["finalising the order", "not such a key", "badCSR"]),
    Case("fickle", 500, "ca_refused", &["changed our mind"]),
    Case("slow", 500, "ca_timeout", &["fetching the certificate", "2 s"]),
    Case("swapped", 500, "ca_wrong_certificate", &["key"]),
    Case("misnamed", 500, "ca_wrong_certificate", &["misnamed.site.test"]),
    Case("headless", 500, "ca_wrong_certificate", &[]),
    Case("nonsense", 500, "ca_wrong_certificate", &[]),
    Case("endless-chain", 500, "ca_bad_answer", &["more than", "bytes"]),
];

#[tokio::test]
async fn each_flaw_of_a_ca_is_named_and_leaves_nothing() {
    let authority = Authority::start();
    let roots = authority.ca_root_file.display();
    let issuer = |name: &str| {
        let url = format!("{}/{name}/dir", authority.url);
        format!(
            "  {name}:\n    ca_dir_url: {url}\n    ca_root_file: {roots}\n    dns_challenge: pdns\n    certificate_timeout: 2\n"
        )
    };
    let mut issuers: String = CASES.iter().map(|case| issuer(case.0)).collect();
    issuers.push_str(&issuer("honest"));
    let site = Site::start(SiteOptions { issuers, cert_timeout: 20, ..SiteOptions::default() }).await.unwrap();
    let order = |flaw: &str| {
        let order = CertificateParams { issuer: flaw.to_owned(), ..params(&format!("{flaw}.{ZONE}")) };
        let site = &site;
        async move { site.order(&order).await.unwrap() }
    };
    // Without a flaw the imitation is good enough: it is the flaw that the others fail on.
    assert_eq!(order("honest").await.status, 201);

    let mut failed = Vec::new();
    let beside = params(&site.name());
    let (answers, good) = tokio::join!(
        futures::future::join_all(CASES.iter().map(|case| order(case.0))),
        // CAs that hang do not hold up others.
        site.order(&beside),
    );
    let good = good.unwrap();
    assert_eq!(good.status, 201, "{}", good.body);
    assert!(good.took < Duration::from_secs(15), "a good order beside took {:?}", good.took);
    for (Case(flaw, status, code, words), answer) in CASES.iter().zip(&answers) {
        eprintln!("{flaw}: {} {}", answer.status, answer.error);
        failed.extend(answer.differs(*status, code, words).map(|difference| format!("{flaw}: {difference}")));
    }
    assert!(failed.is_empty(), "{}", failed.join("\n"));
    assert_eq!(site.known_domains().await.unwrap().len(), 2);
    // An intent that was left would refuse the same order with 429.
    for Case(flaw, status, code, words) in CASES.iter().filter(|case| case.0 != "silent") {
        failed
            .extend(order(flaw).await.differs(*status, code, words).map(|difference| format!("{flaw}: {difference}")));
    }
    assert!(failed.is_empty(), "the second time: {}", failed.join("\n"));
    site.assert_sound(&site.name()).await.unwrap();
    site.assert_discreet(&[]).unwrap();
}
