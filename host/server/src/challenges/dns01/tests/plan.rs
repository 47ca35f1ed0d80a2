//! Finding the place: aliases and zones.

use std::sync::Arc;

use hickory_resolver::proto::op::ResponseCode;

use super::super::super::ChallengeError;
use super::nameserver::{Fault, NameServer, Zones};
use super::*;

/// Plans `name` against these zones and returns (fqdn, zone).
async fn plan(zones: &Arc<Zones>, server: &NameServer, name: &str) -> Result<(String, String), ChallengeError> {
    let fake = Fake::publishing(zones);
    let solver = solver(&[server.address], Propagation::Authoritative { also_recursive: false }, &fake);
    let placement = solver.plan(&provider(), &domain(name), VALUE).await?;
    assert_eq!((placement.value.as_str(), placement.ttl, placement.handle), (VALUE, 60, None));
    Ok((placement.fqdn, placement.zone))
}

fn place(fqdn: &str, zone: &str) -> (String, String) {
    (fqdn.to_owned(), zone.to_owned())
}

#[tokio::test]
async fn a_name_that_does_not_exist_yet_belongs_to_the_zone_around_it() {
    let (zones, server) = example().await;
    let expected = place("_acme-challenge.www.example.com", "example.com");
    assert_eq!(plan(&zones, &server, "www.example.com").await.expect("planned"), expected);
    let expected = place("_acme-challenge.example.com", "example.com");
    assert_eq!(plan(&zones, &server, "*.Example.COM").await.expect("planned"), expected);
    zones.txt("_acme-challenge.example.com", &["other"]);
    assert_eq!(plan(&zones, &server, "example.com").await.expect("planned"), expected);
}

#[tokio::test]
async fn a_delegated_zone_is_found_below_its_parent_with_or_without_soa_in_negative_answers() {
    let (zones, server) = example().await;
    zones.zone("dev.example.com");
    let expected = place("_acme-challenge.a.b.dev.example.com", "dev.example.com");
    assert_eq!(plan(&zones, &server, "a.b.dev.example.com").await.expect("planned"), expected);
    zones.terse();
    assert_eq!(plan(&zones, &server, "a.b.dev.example.com").await.expect("planned"), expected);
    zones.zone("_acme-challenge.example.com");
    let expected = place("_acme-challenge.example.com", "_acme-challenge.example.com");
    assert_eq!(plan(&zones, &server, "example.com").await.expect("planned"), expected);
}

#[tokio::test]
async fn aliases_are_followed_into_the_zone_of_their_target() {
    let (zones, server) = example().await;
    zones.zone("net").zone("acme.net").cname("_acme-challenge.example.com", "One.Example.com");
    zones.cname("one.example.com", "two.acme.net").cname("two.acme.net", "x-1_y.acme.net");
    let expected = place("x-1_y.acme.net", "acme.net");
    assert_eq!(plan(&zones, &server, "example.com").await.expect("planned"), expected);
}

#[tokio::test]
async fn aliases_can_be_left_alone() {
    let (zones, server) = example().await;
    zones.zone("acme.net").cname("_acme-challenge.example.com", "trap.acme.net");
    let settings = Dns01Settings { resolvers: vec![server.address], follow_cname: false, ..Dns01Settings::default() };
    let solver = Solver::new(settings, providers(&Fake::publishing(&zones)));
    let placement = solver.plan(&provider(), &domain("example.com"), VALUE).await.expect("planned");
    assert_eq!((placement.fqdn, placement.zone), place("_acme-challenge.example.com", "example.com"));
}

#[tokio::test]
async fn an_alias_at_the_apex_does_not_hide_the_zone() {
    let (zones, server) = example().await;
    zones.terse().zone("acme.net").cname("example.com", "www.acme.net");
    let expected = place("_acme-challenge.example.com", "example.com");
    assert_eq!(plan(&zones, &server, "example.com").await.expect("planned"), expected);
}

#[tokio::test]
async fn loops_long_chains_and_odd_targets_are_refused() {
    let (zones, server) = example().await;
    zones.cname("_acme-challenge.loop.example.com", "b.example.com");
    zones.cname("b.example.com", "c.example.com").cname("c.example.com", "B.example.com");
    zones.cname("_acme-challenge.self.example.com", "_acme-challenge.self.example.com");
    zones.odd_cname("_acme-challenge.odd.example.com", b"a/../b", "example.com");
    zones.cname("_acme-challenge.long.example.com", "l0.example.com");
    for link in 0..20 {
        zones.cname(&format!("l{link}.example.com"), &format!("l{}.example.com", link + 1));
    }
    let error = plan(&zones, &server, "loop.example.com").await.expect_err("a loop");
    assert_eq!(error.to_string(), "the CNAME records of _acme-challenge.loop.example.com form a loop at B.example.com");
    assert!(!error.retryable());
    let error = plan(&zones, &server, "self.example.com").await.expect_err("a loop");
    assert!(matches!(error, ChallengeError::AliasLoop { .. }), "{error}");
    let error = plan(&zones, &server, "long.example.com").await.expect_err("too long");
    assert!(matches!(error, ChallengeError::AliasChainTooLong { limit: 8, .. }), "{error}");
    let error = plan(&zones, &server, "odd.example.com").await.expect_err("no host name");
    assert!(matches!(error, ChallengeError::AliasTarget { .. }), "{error}");
}

#[tokio::test]
async fn a_top_level_zone_is_one_and_the_root_is_not() {
    let zones = Arc::new(Zones::default());
    zones.zone("").zone("corp");
    let server = NameServer::start([127, 0, 0, 1], 0, Arc::clone(&zones)).await;
    let expected = place("_acme-challenge.host.corp", "corp");
    assert_eq!(plan(&zones, &server, "host.corp").await.expect("planned"), expected);
    let error = plan(&zones, &server, "host.nowhere").await.expect_err("no zone");
    assert!(matches!(error, ChallengeError::ZoneNotFound { .. }), "{error}");
    zones.terse();
    let error = plan(&zones, &server, "host.nowhere").await.expect_err("no zone");
    assert!(matches!(error, ChallengeError::ZoneNotFound { .. }), "{error}");
}

#[tokio::test]
async fn a_failing_resolver_is_passed_over_and_all_failing_are_named() {
    let (zones, good) = example().await;
    let broken = Arc::new(Zones::default());
    broken.fault("_acme-challenge.example.com", Fault::Code(ResponseCode::ServFail));
    let broken_server = NameServer::start([127, 0, 0, 1], 0, Arc::clone(&broken)).await;
    let fake = Fake::publishing(&zones);
    let both = solver(&[broken_server.address, good.address], Propagation::Recursive, &fake);
    let placement = both.plan(&provider(), &domain("example.com"), VALUE).await.expect("planned");
    assert_eq!(placement.zone, "example.com");

    broken.fault("_acme-challenge.www.example.com", Fault::Silent);
    let alone = solver(&[broken_server.address], Propagation::Recursive, &fake);
    let error = alone.plan(&provider(), &domain("example.com"), VALUE).await.expect_err("failed");
    assert!(error.retryable());
    let address = broken_server.address;
    let expected =
        format!("DNS lookup of CNAME _acme-challenge.example.com failed: {address}: answered Server Failure");
    assert_eq!(error.to_string(), expected);
    let error = alone.plan(&provider(), &domain("www.example.com"), VALUE).await.expect_err("silence");
    assert!(error.to_string().ends_with("no answer within 0.7 s"), "{error}");
}

#[tokio::test]
async fn resolvers_that_will_be_asked_for_the_value_are_not_asked_for_its_name_before() {
    let (zones, server) = example().await;
    zones.zone("acme.net").ns("acme.net", "ns1.example.com").cname("_acme-challenge.example.com", "x.acme.net");
    let resolver = Arc::new(Zones::default());
    for zone in ["example.com", "acme.net"] {
        resolver.zone(zone).ns(zone, "ns1.example.com");
    }
    resolver.a("ns1.example.com", [127, 0, 0, 1]).a("www.example.com", [192, 0, 2, 1]);
    let resolver_server = NameServer::start([127, 0, 0, 1], 0, Arc::clone(&resolver)).await;
    let settings = Dns01Settings {
        resolvers: vec![resolver_server.address],
        query_timeout: Duration::from_millis(700),
        propagation: Propagation::Authoritative { also_recursive: true },
        authoritative_port: server.address.port(),
        ..Dns01Settings::default()
    };
    let solver = Solver::new(settings, providers(&Fake::publishing(&zones)));
    let plan = async |name: &str| {
        let placement = solver.plan(&provider(), &domain(name), VALUE).await.expect("planned");
        (placement.fqdn, placement.zone)
    };
    assert_eq!(plan("www.example.com").await, place("_acme-challenge.www.example.com", "example.com"));
    assert_eq!(plan("example.com").await, place("x.acme.net", "acme.net"));
    let asked: Vec<String> = resolver.questions().into_iter().map(|question| question.name).collect();
    assert!(!asked.iter().any(|name| name.starts_with("_acme-challenge") || name == "x.acme.net"), "{asked:?}");

    drop(server);
    assert_eq!(plan("www.example.com").await, place("_acme-challenge.www.example.com", "example.com"));
}

#[tokio::test]
async fn without_a_dns_check_the_provider_may_know_the_zone_itself() {
    let zones = Arc::new(Zones::default());
    zones.terse();
    let server = NameServer::start([127, 0, 0, 1], 0, Arc::clone(&zones)).await;
    let fake = Fake::publishing(&zones);
    let solver = solver(&[server.address], Propagation::None, &fake);
    let placement = solver.plan(&provider(), &domain("host.internal"), VALUE).await.expect("planned");
    assert_eq!((placement.fqdn, placement.zone), place("_acme-challenge.host.internal", ""));
}

#[tokio::test]
async fn a_truncated_answer_is_asked_for_again_over_tcp() {
    let (zones, server) = example().await;
    zones.fault("_acme-challenge.example.com", Fault::Truncated);
    let expected = place("_acme-challenge.example.com", "example.com");
    assert_eq!(plan(&zones, &server, "example.com").await.expect("planned"), expected);
    assert!(zones.questions().iter().any(|question| question.over_tcp));
}

#[tokio::test]
async fn what_cannot_be_proven_is_refused_before_any_question() {
    let (zones, server) = example().await;
    for address in ["192.0.2.1", "127.0.0.1"] {
        let error = plan(&zones, &server, address).await.expect_err("an address");
        assert!(error.to_string().contains("cannot prove control over the IP address"), "{error}");
    }
    let long = format!("{}example.com", "a2345678.".repeat(26));
    let error = plan(&zones, &server, &long).await.expect_err("too long");
    assert!(matches!(error, ChallengeError::NameTooLong { .. }), "{error}");
    let solver = solver(&[server.address], Propagation::None, &Fake::publishing(&zones));
    let unknown = "fakee".parse().expect("name");
    let error = solver.plan(&unknown, &domain("example.com"), VALUE).await.expect_err("unknown");
    assert!(error.to_string().contains("did you mean fake?"), "{error}");
    assert_eq!(zones.questions(), []);
}
