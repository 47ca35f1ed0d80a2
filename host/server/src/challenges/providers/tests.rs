use super::*;

fn names(names: &[&str]) -> Vec<ProviderName> {
    names.iter().map(|name| name.parse().expect("name")).collect()
}

#[test]
fn a_slip_is_answered_with_the_name_that_was_meant() {
    let available = names(&["cloudflare", "pdns", "route53"]);
    let suggest = |name: &str| nearest(&name.parse().expect("name"), &available).map(String::from);
    assert_eq!(suggest("cloudfare").as_deref(), Some("cloudflare"));
    assert_eq!(suggest("Route53").as_deref(), Some("route53"));
    assert_eq!(suggest("powerdns").as_deref(), None);
}

#[tokio::test]
async fn an_unknown_and_an_unusable_provider_say_what_to_do() {
    let reason = "checksum differs".to_owned();
    let entries = names(&["pdns"]).into_iter().map(|name| (name, ProviderEntry::unusable(reason.clone())));
    let providers = Providers::new(entries.collect());
    let error =
        async |name: &str| providers.require(&name.parse().expect("name")).await.expect_err("refused").to_string();
    assert_eq!(error("pdns").await, "the DNS provider pdns is not usable: checksum differs");
    assert_eq!(error("pdsn").await, "there is no DNS provider pdsn; did you mean pdns?; available: pdns");
    providers.swap(BTreeMap::new());
    assert_eq!(error("pdns").await, "there is no DNS provider pdns; none is configured");
}
