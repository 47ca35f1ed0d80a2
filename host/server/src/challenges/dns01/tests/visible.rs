//! Waiting until values are visible.

use std::sync::Arc;

use acme_manager_plugin_runtime::ErrorKind;
use hickory_resolver::proto::rr::RecordType;
use tokio::time::Instant;

use super::super::super::{ChallengeError, Invisible};
use super::fake::refused;
use super::nameserver::{Fault, NameServer, Zones};
use super::*;

const FQDN: &str = "_acme-challenge.example.com";
const AUTHORITATIVE: Propagation = Propagation::Authoritative { also_recursive: false };

/// `example.com` with two name servers at 127.0.0.1 and 127.0.0.2 that do not share their records; the first is
/// the resolver too.
async fn two_servers() -> (Arc<Zones>, Arc<Zones>, [NameServer; 2]) {
    let (first, second) = (Arc::new(Zones::default()), Arc::new(Zones::default()));
    for zones in [&first, &second] {
        zones.zone("example.com").ns("example.com", "ns1.example.com").ns("example.com", "ns2.example.com");
        zones.a("ns1.example.com", [127, 0, 0, 1]).a("ns2.example.com", [127, 0, 0, 2]);
    }
    let one = NameServer::start([127, 0, 0, 1], 0, Arc::clone(&first)).await;
    let two = NameServer::start([127, 0, 0, 2], one.address.port(), Arc::clone(&second)).await;
    (first, second, [one, two])
}

fn missing(error: ChallengeError) -> Vec<Invisible> {
    match error {
        ChallengeError::NotVisible { missing, .. } => missing,
        other => panic!("{other}"),
    }
}

#[tokio::test]
async fn a_value_is_visible_once_all_servers_of_its_zone_show_it() {
    let (first, second, servers) = two_servers().await;
    let solver = solver(&[servers[0].address], AUTHORITATIVE, &Fake::publishing(&first));
    first.txt(FQDN, &["other"]).txt(FQDN, &[&VALUE[..20], &VALUE[20..]]);
    second.txt(FQDN, &[VALUE]).hide(FQDN, 3);
    let started = Instant::now();
    solver.wait_visible(&[placement(FQDN, VALUE)]).await.expect("visible");
    assert!(started.elapsed() >= Duration::from_millis(300), "three looks at the lagging server found nothing");
    let mut direct = first.questions();
    direct.extend(second.questions());
    direct.retain(|question| question.record_type == RecordType::TXT);
    assert!(direct.iter().all(|question| !question.recursion_desired && question.name == FQDN));
    assert_eq!(direct.len(), 8);
}

#[tokio::test]
async fn a_lagging_server_is_named_with_what_it_shows() {
    let (first, second, servers) = two_servers().await;
    let solver = solver(&[servers[0].address], AUTHORITATIVE, &Fake::publishing(&first));
    first.txt(FQDN, &[VALUE]);
    second.txt(FQDN, &["stale"]).txt(FQDN, &[&VALUE.to_ascii_lowercase()]).txt(FQDN, &[&format!("\"{VALUE}\"")]);
    let error = solver.wait_visible(&[placement(FQDN, VALUE)]).await.expect_err("not everywhere");
    assert!(error.retryable());
    let missing = missing(error);
    assert_eq!(missing.len(), 1);
    assert_eq!(missing[0].server, format!("ns2.example.com ({})", servers[1].address));
    assert!(missing[0].shown.starts_with("other values only (3 in all): \"stale\", \"n2gj4"), "{}", missing[0].shown);
}

#[tokio::test]
async fn silent_and_missing_answers_read_differently() {
    let (first, second, servers) = two_servers().await;
    let solver = solver(&[servers[0].address], AUTHORITATIVE, &Fake::publishing(&first));
    second.fault(FQDN, Fault::Silent);
    let error = solver.wait_visible(&[placement(FQDN, VALUE)]).await.expect_err("nowhere");
    let shown: Vec<String> = missing(error).into_iter().map(|missing| missing.shown).collect();
    assert_eq!(shown, ["no such name", "no answer within 0.7 s"]);
}

#[tokio::test]
async fn addresses_that_cannot_be_reached_over_ipv6_do_not_count() {
    let (first, _, servers) = two_servers().await;
    // Nobody listens at the first address; the second is reserved for documentation.
    first.aaaa("ns1.example.com", "::1").zone("six.example").ns("six.example", "ns6.six.example");
    first.aaaa("ns6.six.example", "2001:db8::1").ns("six.example", "ns1.example.com");
    first.txt("_acme-challenge.six.example", &[VALUE]);
    let fake = Fake::publishing(&first);
    let solver = solver(&[servers[0].address], AUTHORITATIVE, &fake);
    let reachable = Placement { zone: "six.example".to_owned(), ..placement("_acme-challenge.six.example", VALUE) };
    solver.wait_visible(&[reachable]).await.expect("one of two servers is enough when the other is IPv6 only");

    first.zone("only6.example").ns("only6.example", "ns6.six.example").txt("only6.example", &[VALUE]);
    let unreachable = Placement { zone: "only6.example".to_owned(), ..placement("only6.example", VALUE) };
    let missing = missing(solver.wait_visible(&[unreachable]).await.expect_err("nobody showed it"));
    assert!(missing[0].server.starts_with("ns6.six.example"), "{missing:?}");
}

#[tokio::test]
async fn many_placements_are_watched_at_once() {
    let (zones, server) = example().await;
    let fake = Fake::publishing(&zones);
    let solver = solver(&[server.address], AUTHORITATIVE, &fake);
    let mut placements: Vec<_> = (0..40).map(|n| placement(&format!("{FQDN}{n}"), VALUE)).collect();
    for placement in &mut placements {
        zones.hide(&placement.fqdn, 2);
        solver.place(placement).await.expect("placed");
    }
    let started = Instant::now();
    solver.wait_visible(&placements).await.expect("visible");
    assert!(started.elapsed() < Duration::from_secs(2), "{:?}", started.elapsed());
    let servers = zones.questions().iter().filter(|question| question.record_type == RecordType::NS).count();
    assert_eq!(servers, 1, "the servers of a zone are looked up once for all its names");
}

#[tokio::test]
async fn resolvers_are_asked_after_the_authoritative_servers() {
    let (first, second, servers) = two_servers().await;
    let resolver = Arc::new(Zones::default());
    resolver.zone("example.com");
    let resolver_server = NameServer::start([127, 0, 0, 1], 0, Arc::clone(&resolver)).await;
    let fake = Fake::publishing(&first);
    let settings = Dns01Settings {
        resolvers: vec![servers[0].address, resolver_server.address],
        propagation: Propagation::Authoritative { also_recursive: true },
        authoritative_port: servers[0].address.port(),
        ..Dns01Settings::default()
    };
    let solver = Solver::new(settings, providers(&fake));
    let error = solver.wait_visible(&[placement(FQDN, VALUE)]).await.expect_err("nowhere");
    assert_eq!(missing(error).len(), 2);
    assert_eq!(resolver.questions(), [], "a resolver would remember that there is nothing");

    first.txt(FQDN, &[VALUE]);
    second.txt(FQDN, &[VALUE]);
    let lagging = missing(solver.wait_visible(&[placement(FQDN, VALUE)]).await.expect_err("resolver lags"));
    assert_eq!(lagging.len(), 1);
    assert_eq!(lagging[0].server, resolver_server.address.to_string());
    assert_eq!(lagging[0].shown, "no such name, remembered for 60 s");
    resolver.txt(FQDN, &[VALUE]);
    solver.wait_visible(&[placement(FQDN, VALUE)]).await.expect("visible");
}

#[tokio::test]
async fn resolvers_alone_suffice_when_told_so() {
    let (zones, server) = example().await;
    let fake = Fake::publishing(&zones);
    let solver = solver(&[server.address], Propagation::Recursive, &fake);
    zones.txt(FQDN, &[VALUE]).hide(FQDN, 1);
    solver.wait_visible(&[placement(FQDN, VALUE)]).await.expect("visible");
    let questions = zones.questions();
    assert!(questions.iter().all(|q| q.record_type == RecordType::TXT && q.recursion_desired), "{questions:?}");
}

#[tokio::test]
async fn a_zone_without_name_servers_is_an_error_of_its_own() {
    let (zones, server) = example().await;
    zones.zone("bare.example").txt(FQDN, &[VALUE]);
    let fake = Fake::publishing(&zones);
    let solver = solver(&[server.address], AUTHORITATIVE, &fake);
    let bare = Placement { zone: "bare.example".to_owned(), ..placement("bare.example", VALUE) };
    let error = solver.wait_visible(&[bare]).await.expect_err("no servers");
    assert_eq!(error.to_string(), "DNS lookup of NS bare.example failed: the zone has no NS record");
    let unknown = Placement { zone: String::new(), ..placement(FQDN, VALUE) };
    solver.wait_visible(&[unknown]).await.expect("the zone is looked up when the placement lacks it");
}

#[tokio::test(start_paused = true)]
async fn a_fixed_wait_asks_nobody() {
    let fake = Arc::new(Fake { reports_ready: true, ..Fake::default() });
    let solver = solver(&[], Propagation::FixedWait(Duration::from_secs(120)), &fake);
    let started = Instant::now();
    solver.wait_visible(&[placement(FQDN, VALUE), placement("b", VALUE)]).await.expect("waited");
    assert_eq!((started.elapsed().as_secs(), fake.calls().len()), (120, 0));
}

#[tokio::test(start_paused = true)]
async fn without_a_dns_check_the_provider_is_asked_if_it_knows() {
    let silent = Arc::new(Fake::default());
    solver(&[], Propagation::None, &silent).wait_visible(&[placement(FQDN, VALUE)]).await.expect("at once");
    assert_eq!(silent.calls().len(), 0);

    let fake = Arc::new(Fake { reports_ready: true, ..Fake::default() });
    let solver = solver(&[], Propagation::None, &fake);
    fake.ready_in(3);
    fake.fail([refused(ErrorKind::Unavailable, None)]);
    solver.wait_visible(&[placement(FQDN, VALUE)]).await.expect("live");
    assert_eq!(fake.calls().len(), 4);

    fake.ready_in(usize::MAX);
    let never = missing(solver.wait_visible(&[placement(FQDN, VALUE)]).await.expect_err("never live"));
    assert_eq!(never[0].shown, "the change is not live yet");
    fake.fail([refused(ErrorKind::Unauthorized, None)]);
    let error = solver.wait_visible(&[placement(FQDN, VALUE)]).await.expect_err("refused");
    assert!(matches!(error, ChallengeError::Refused { kind: ErrorKind::Unauthorized, .. }), "{error}");
}

#[tokio::test]
async fn a_provider_that_cannot_tell_leaves_it_to_the_dns() {
    let (zones, server) = example().await;
    let fake = Arc::new(Fake { reports_ready: true, published: vec![Arc::clone(&zones)], ..Fake::default() });
    let solver = solver(&[server.address], AUTHORITATIVE, &fake);
    let mut placement = placement(FQDN, VALUE);
    solver.place(&mut placement).await.expect("placed");
    fake.fail([refused(ErrorKind::Other, None)]);
    solver.wait_visible(&[placement]).await.expect("visible");
    assert_eq!(zones.txt_values(FQDN), [VALUE]);
}
