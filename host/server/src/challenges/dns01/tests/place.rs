//! Creating and removing values: retries, turns, what is left behind. No DNS is asked.

use acme_manager_plugin_runtime::{CallError, ErrorKind};
use tokio::time::Instant;

use super::super::super::ChallengeError;
use super::super::persistence::{ATTEMPTS, BUDGET};
use super::fake::refused;
use super::*;

const FQDN: &str = "_acme-challenge.example.com";

fn offline(fake: &Arc<Fake>) -> Solver {
    solver(&[], Propagation::None, fake)
}

#[tokio::test(start_paused = true)]
async fn apex_and_wildcard_keep_both_values_until_each_is_removed() {
    let fake = Arc::new(Fake::default());
    let solver = offline(&fake);
    let mut placements: Vec<_> = (0..8).map(|n| placement(FQDN, &format!("v{n}"))).collect();
    let turns = futures::future::join_all(placements.iter_mut().map(|p| solver.place(p))).await;
    assert!(turns.into_iter().all(|turn| turn.expect("placed").is_none()));
    let mut values = fake.values(FQDN);
    values.sort();
    assert_eq!(values, ["v0", "v1", "v2", "v3", "v4", "v5", "v6", "v7"]);
    assert_eq!(placements[3].handle.as_deref(), Some("handle-v3"));
    let removals = placements[..7].iter().map(|placement| solver.remove(placement, None));
    for removal in futures::future::join_all(removals).await {
        removal.expect("removed");
    }
    assert_eq!(fake.values(FQDN), ["v7"]);
}

#[tokio::test(start_paused = true)]
async fn a_provider_with_one_value_per_name_serves_one_order_after_the_other() {
    let fake = Arc::new(Fake { multiple_values: false, ..Fake::default() });
    let solver = offline(&fake);
    let order = |value: &'static str| {
        let (solver, fake) = (&solver, &fake);
        async move {
            let mut placement = placement(FQDN, value);
            let turn = solver.place(&mut placement).await.expect("placed");
            assert!(turn.is_some());
            tokio::time::sleep(Duration::from_secs(30)).await;
            assert_eq!(fake.values(FQDN), [value]);
            solver.remove(&placement, turn).await.expect("removed");
        }
    };
    let elsewhere = async {
        let mut placement = placement("_acme-challenge.example.org", "c");
        let started = Instant::now();
        let turn = solver.place(&mut placement).await.expect("placed");
        assert!(started.elapsed() < Duration::from_secs(1), "another name is free");
        drop(turn);
    };
    tokio::join!(order("a"), order("b"), elsewhere);
    assert_eq!(fake.values(FQDN), [""; 0]);
}

#[tokio::test]
async fn rounds_never_hold_two_values_at_a_name_that_takes_one() {
    let placements = || vec![placement("b", "1"), placement("a", "2"), placement("b", "3")];
    let values = |rounds: Vec<Vec<Placement>>| -> Vec<Vec<String>> {
        rounds.into_iter().map(|round| round.into_iter().map(|placement| placement.value).collect()).collect()
    };
    let single = Arc::new(Fake { multiple_values: false, ..Fake::default() });
    assert_eq!(values(offline(&single).rounds(placements()).await.expect("known")), [vec!["2", "1"], vec!["3"]]);
    let many = Arc::new(Fake::default());
    assert_eq!(values(offline(&many).rounds(placements()).await.expect("known")), [vec!["2", "1", "3"]]);
}

#[tokio::test(start_paused = true)]
async fn retryable_failures_are_retried_as_the_vendor_asks() {
    let fake = Arc::new(Fake { delay: Duration::ZERO, ..Fake::default() });
    fake.fail([
        refused(ErrorKind::RateLimited, Some(Duration::from_secs(40))),
        refused(ErrorKind::Conflict, None),
        refused(ErrorKind::Unavailable, Some(Duration::from_secs(1))),
    ]);
    offline(&fake).place(&mut placement(FQDN, "v")).await.expect("placed");
    let calls = fake.calls();
    let pauses: Vec<u64> = calls.windows(2).map(|pair| (pair[1].1 - pair[0].1).as_secs()).collect();
    assert_eq!(pauses, [40, 2, 4]);
}

#[tokio::test(start_paused = true)]
async fn retries_end_after_the_last_attempt_the_budget_or_a_final_no() {
    let fake = Arc::new(Fake { delay: Duration::ZERO, ..Fake::default() });
    let solver = offline(&fake);
    let calls = |since: usize| fake.calls().len() - since;

    fake.fail((0..ATTEMPTS).map(|_| refused(ErrorKind::Unavailable, None)));
    let error = solver.place(&mut placement(FQDN, "v")).await.expect_err("down");
    assert_eq!(calls(0), usize::try_from(ATTEMPTS).expect("small"));
    assert!(error.retryable());

    let before = fake.calls().len();
    let wait = BUDGET + Duration::from_secs(1);
    fake.fail([refused(ErrorKind::RateLimited, Some(wait))]);
    let error = solver.place(&mut placement(FQDN, "v")).await.expect_err("later");
    assert_eq!((calls(before), error.retry_after(), error.retryable()), (1, Some(wait), true));

    for kind in [ErrorKind::Config, ErrorKind::Unauthorized, ErrorKind::ZoneNotFound, ErrorKind::Rejected] {
        let before = fake.calls().len();
        fake.fail([refused(kind, Some(Duration::from_secs(1)))]);
        let error = solver.place(&mut placement(FQDN, "v")).await.expect_err("no");
        assert_eq!((calls(before), error.retryable()), (1, false));
        let expected = "the DNS provider fake refused to create the TXT record _acme-challenge.example.com: \
                        the vendor said no";
        assert_eq!(error.to_string(), expected);
    }
}

#[tokio::test(start_paused = true)]
async fn a_broken_plugin_is_not_a_refusal() {
    let fake = Arc::new(Fake { delay: Duration::ZERO, ..Fake::default() });
    fake.fail((0..ATTEMPTS).map(|_| CallError::Timeout {
        plugin: "fake".into(),
        limit: Duration::from_secs(30),
        denied: None,
    }));
    let error = offline(&fake).place(&mut placement(FQDN, "v")).await.expect_err("broken");
    assert!(matches!(error, ChallengeError::Broken { action: "create", .. }), "{error}");
}

#[tokio::test(start_paused = true)]
async fn removal_goes_by_value_with_and_without_a_handle_and_is_retried() {
    let fake = Arc::new(Fake { delay: Duration::ZERO, ..Fake::default() });
    let solver = offline(&fake);
    let (mut kept, mut gone) = (placement(FQDN, "kept"), placement(FQDN, "gone"));
    solver.place(&mut kept).await.expect("placed");
    solver.place(&mut gone).await.expect("placed");

    let stored = serde_json::to_string(&gone).expect("serialisable");
    let restored: Placement = serde_json::from_str(&stored).expect("the same type");
    assert_eq!(restored, gone);
    let restarted = offline(&fake);
    fake.fail([refused(ErrorKind::Conflict, None)]);
    restarted.remove(&restored, None).await.expect("removed");
    assert_eq!(fake.values(FQDN), ["kept"]);

    restarted.remove(&Placement { handle: None, ..restored }, None).await.expect("nothing left to remove");
    assert_eq!(fake.values(FQDN), ["kept"]);
    let cleanups: Vec<String> = fake.calls()[2..].iter().map(|(call, _)| call.clone()).collect();
    assert_eq!(cleanups, ["cleanup gone handle-gone", "cleanup gone handle-gone", "cleanup gone "]);
}

/// The provider, with so many calls a second.
fn limited(fake: &Arc<Fake>, rate: u32) -> BTreeMap<ProviderName, Arc<ProviderEntry>> {
    let limited = UsableProvider {
        plugin: None,
        provider: Arc::<Fake>::clone(fake),
        description: Arc::new(fake.description()),
        calls_per_second: std::num::NonZeroU32::new(rate),
        account: None,
    };
    BTreeMap::from([(provider(), ProviderEntry::usable(limited))])
}

#[tokio::test(start_paused = true)]
async fn the_rate_of_the_account_is_kept_also_across_a_reload() {
    let fake = Arc::new(Fake { delay: Duration::ZERO, ..Fake::default() });
    let solver = offline(&fake);
    solver.providers().swap(limited(&fake, 2));
    for value in ["1", "2", "3"] {
        solver.place(&mut placement(FQDN, value)).await.expect("placed");
        solver.providers().swap(limited(&fake, 2));
    }
    let calls = fake.calls();
    let pauses: Vec<u128> = calls.windows(2).map(|pair| (pair[1].1 - pair[0].1).as_millis()).collect();
    assert_eq!(pauses, [500, 500]);
}

#[tokio::test(start_paused = true)]
async fn who_would_wait_too_long_for_the_rate_is_told_at_once() {
    let fake = Arc::new(Fake { delay: Duration::ZERO, ..Fake::default() });
    let solver = offline(&fake);
    solver.providers().swap(limited(&fake, 1));
    let started = Instant::now();
    let place = |number: u64| {
        let solver = &solver;
        async move {
            let name = format!("_acme-challenge.n{number}.example.com");
            (solver.place(&mut placement(&name, "v")).await.map(drop), started.elapsed())
        }
    };
    let ended = futures::future::join_all((0..BUDGET.as_secs() + 11).map(place)).await;
    let (placed, refused): (Vec<_>, Vec<_>) = ended.into_iter().partition(|(result, _)| result.is_ok());
    assert_eq!((placed.len() as u64, refused.len()), (BUDGET.as_secs() + 1, 10));
    for (error, after) in refused {
        let error = error.expect_err("refused");
        let error = std::error::Error::source(&error).expect("a reason").to_string();
        assert!(error.contains("301 s at the rate") && error.contains("`common.plugins[].dns_rate_limit`"), "{error}");
        assert_eq!(after, Duration::ZERO);
    }
}
