//! DNS providers that refuse, fail, or do not answer.

use std::time::Duration;

use acme_manager_api::CertificateParams;
use acme_manager_harness::{CloudflareMock, Fault};
use acme_manager_system_tests::site::{Site, SiteOptions, ZONE, params};
use tokio::time::{Instant, sleep};

const TOKEN: &str = "cf-t0ken-5ecret";

/// How often a change is tried that may succeed later.
const ATTEMPTS: usize = 5;

async fn cloudflare(mock: &CloudflareMock) -> Site {
    let env = [("CF_DNS_API_TOKEN", TOKEN), ("CLOUDFLARE_BASE_URL", &mock.base_url)];
    let site = Site::start(SiteOptions {
        common: "  plugins:\n    - name: cloudflare\n      timeout: 2\n".to_owned(),
        env: env.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect(),
        ..SiteOptions::default()
    })
    .await
    .unwrap();
    // The plugin's own check, once it is loaded, must not meet the fault that is meant for the order.
    let (end, mut seen) = (Instant::now() + Duration::from_secs(30), 0);
    while seen == 0 || mock.requests().len() != seen {
        assert!(Instant::now() < end, "the plugin is not checked");
        seen = mock.requests().len();
        sleep(Duration::from_millis(300)).await;
    }
    site
}

/// Orders over Cloudflare with `fault` in the way of every try; says what a refusal must hold.
async fn fails(fault: Fault, times: usize, code: &str, words: &[&str]) {
    let mock = CloudflareMock::start(ZONE, TOKEN).await.unwrap();
    let site = cloudflare(&mock).await;
    for _ in 0..times {
        mock.fail_next(fault);
    }
    let name = site.name();
    let order = CertificateParams { dns_challenge: "cloudflare".to_owned(), ..params(&name) };
    let (answer, beside) = tokio::join!(site.order(&order), site.assert_sound("beside.site.test"));
    let answer = answer.unwrap();
    beside.unwrap();
    answer.assert_refusal(500, code, words);
    assert!(answer.error.contains("cloudflare") && answer.error.contains(&name), "{}", answer.error);
    assert!(mock.records().is_empty(), "{:?}", mock.records());
    mock.assert_clean();
    site.assert_sound(&name).await.unwrap();
    site.assert_discreet(&[TOKEN]).unwrap();
}

#[tokio::test]
async fn a_withdrawn_token_is_named() {
    fails(Fault::Unauthorized, 1, "plugin_refused", &[]).await;
}

#[tokio::test]
async fn a_vendor_that_asks_for_patience_gets_it_for_a_while() {
    fails(Fault::RateLimited { retry_after_seconds: 1 }, ATTEMPTS, "plugin_refused", &["429"]).await;
}

#[tokio::test]
async fn a_vendor_that_fails_is_tried_again_for_a_while() {
    fails(Fault::ServerError, ATTEMPTS, "plugin_refused", &["500"]).await;
}

#[tokio::test]
async fn a_vendor_that_never_answers_is_given_up() {
    fails(Fault::Silence, ATTEMPTS, "plugin_refused", &["/client/v4/zones"]).await;
}

#[tokio::test]
async fn one_failure_is_got_over() {
    let mock = CloudflareMock::start(ZONE, TOKEN).await.unwrap();
    let site = cloudflare(&mock).await;
    mock.fail_next(Fault::ServerError);
    let order = CertificateParams { dns_challenge: "cloudflare".to_owned(), ..params(&site.name()) };
    // Nobody publishes the records, so it is the CA that says no.
    let answer = site.order(&order).await.unwrap();
    answer.assert_refusal(500, "ca_validation_failed", &[]);
    assert!(mock.records().is_empty(), "{:?}", mock.records());
}

/// Without CNAME records the provider is asked even when no resolver answers.
fn slow() -> SiteOptions {
    SiteOptions {
        common: "  plugins:\n    - name: pdns\n      timeout: 2\n".to_owned(),
        env: [("ACME_MANAGER_DNS_TIMEOUT", "1"), ("LEGO_DISABLE_CNAME_SUPPORT", "true")]
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .to_vec(),
        ..SiteOptions::default()
    }
}

#[tokio::test]
async fn a_name_server_that_stops_is_waited_for() {
    let mut site = Site::start(SiteOptions { cert_timeout: 5, ..slow() }).await.unwrap();
    let name = site.name();
    site.assert_sound(&name).await.unwrap();
    site.dns.process.signal("STOP").unwrap();
    let name = site.name();
    let answer = site.order(&params(&name)).await.unwrap();
    answer.assert_refusal(504, "still_running", &["5 s", "the order goes on"]);
    site.order(&params(&name)).await.unwrap().assert_refusal(429, "certificate_busy", &[&name]);
    site.dns.process.signal("CONT").unwrap();
    let end = Instant::now() + Duration::from_secs(60);
    while !site.known_domains().await.unwrap().contains(&name) {
        assert!(Instant::now() < end, "the order did not go on");
        sleep(Duration::from_millis(100)).await;
    }
    site.assert_sound(&site.name()).await.unwrap();
    site.assert_discreet(&[]).unwrap();
}

#[tokio::test]
async fn a_name_server_that_is_gone_is_named() {
    let mut site = Site::start(slow()).await.unwrap();
    let name = site.name();
    site.dns.process.kill().unwrap();
    let answer = site.order(&params(&name)).await.unwrap();
    answer.assert_refusal(500, "plugin_refused", &["pdns", &name]);
    // Nobody can say whether the value is there: its removal is tried again later, and holds nobody up.
    let again = site.order(&params(&name)).await.unwrap();
    again.assert_refusal(500, "plugin_refused", &["pdns", &name]);
    assert_eq!(site.known_domains().await.unwrap(), Vec::<String>::new());
    site.assert_discreet(&[]).unwrap();
}

#[tokio::test]
async fn resolvers_that_do_not_answer_are_named() {
    let mut site = Site::start(SiteOptions {
        env: vec![("ACME_MANAGER_DNS_TIMEOUT".to_owned(), "1".to_owned())],
        ..SiteOptions::default()
    })
    .await
    .unwrap();
    let name = site.name();
    site.dns.process.signal("STOP").unwrap();
    let resolver = site.dns.dns.to_string();
    for _ in 0..2 {
        let answer = site.order(&params(&name)).await.unwrap();
        answer.assert_refusal(500, "dns_lookup_failed", &[&name, &resolver, "no answer within 1 s"]);
    }
    site.dns.process.signal("CONT").unwrap();
    site.assert_sound(&name).await.unwrap();
}
