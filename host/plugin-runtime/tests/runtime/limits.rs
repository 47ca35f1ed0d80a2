//! Every limit ends the call that breaks it, says so, and leaves calls beside it alone.

use std::time::{Duration, Instant};

use acme_manager_plugin_runtime::{
    CallError, Engine, EngineSettings, ErrorKind, Function, Outcome, Plugin, Suspension,
};

use crate::support::{Reports, beside_good_calls, plugin, present, record, settings};

#[tokio::test]
async fn the_functions_of_the_contract_work() {
    let plugin = plugin(|_| {}).await;
    assert_eq!(plugin.describe().await.expect("a description").name, "misbehaving");
    plugin.check().await.expect("a complete environment");
    assert_eq!(present(&plugin, "ok").await.expect("a handle"), "_acme-challenge.example.com in example.com");
    plugin.cleanup(&record("ok"), "").await.expect("cleaned");
    assert!(plugin.ready(&record("ok"), "live").await.expect("an answer"));
    assert!(!plugin.ready(&record("ok"), "pending").await.expect("an answer"));
    let error = plugin.cleanup(&record("ok"), "missing").await.expect_err("a refusal");
    assert_eq!(error.to_string(), "plugin `bad`: no such zone (zone-not-found)");
    assert!(error.is_refusal() && !error.retryable());
}

#[tokio::test]
async fn a_refusal_carries_its_kind_and_a_bounded_delay() {
    let plugin = plugin(|_| {}).await;
    let error = present(&plugin, "refuse").await.expect_err("a refusal");
    assert!(
        matches!(&error, CallError::Refused { kind: ErrorKind::RateLimited, message, .. } if message == "slow down")
    );
    assert_eq!(error.retry_after(), Some(Duration::from_secs(3600)));
    assert!(error.retryable());
}

#[tokio::test]
async fn an_endless_loop_runs_out_of_fuel() {
    let reports = Reports::default();
    let plugin = plugin(|settings| {
        settings.limits.fuel = 200_000_000;
        reports.observe(settings);
    })
    .await;
    let error = beside_good_calls(&plugin, "loop").await.expect_err("no fuel left");
    assert!(matches!(error, CallError::OutOfFuel { limit: 200_000_000, .. }), "{error}");
    assert!(error.to_string().contains("`common.plugins[].fuel`") && !error.retryable());
    let _ = present(&plugin, "loop").await;
    let report = reports.last();
    assert_eq!((report.outcome, report.function), (Outcome::Limit, Function::Present));
    assert!(report.fuel >= 200_000_000, "{report:?}");
}

#[tokio::test]
async fn an_endless_loop_with_fuel_enough_is_stopped_in_time() {
    let plugin = plugin(|settings| {
        settings.limits.fuel = u64::MAX;
        settings.limits.timeout = Duration::from_millis(300);
    })
    .await;
    let started = Instant::now();
    let error = beside_good_calls(&plugin, "loop").await.expect_err("no time left");
    assert!(
        matches!(error, CallError::Timeout { .. })
            && error.to_string().contains("0.3 s; raise `common.plugins[].timeout`"),
        "{error}"
    );
    assert!(started.elapsed() < Duration::from_secs(2), "{:?}", started.elapsed());
}

#[tokio::test]
async fn a_guest_that_waits_is_stopped_in_time() {
    let plugin = plugin(|settings| settings.limits.timeout = Duration::from_millis(200)).await;
    let error = beside_good_calls(&plugin, "sleep 60000").await.expect_err("no time left");
    assert!(matches!(error, CallError::Timeout { .. }) && error.retryable(), "{error}");
    assert_eq!(present(&plugin, "sleep 5").await.expect("enough time"), "rested");
    let left: u64 = present(&plugin, "remaining").await.expect("a number").parse().expect("a number");
    assert!((1..=200).contains(&left), "{left}");
}

#[tokio::test]
async fn memory_is_limited_and_reported() {
    let reports = Reports::default();
    let plugin = plugin(|settings| {
        settings.limits.memory_bytes = 16 << 20;
        reports.observe(settings);
    })
    .await;
    let error = beside_good_calls(&plugin, "alloc").await.expect_err("no memory left");
    assert_eq!(
        error.to_string(),
        "plugin `bad` wanted more than its 16 MiB of memory; raise `common.plugins[].memory_mb`"
    );
    let _ = present(&plugin, "alloc").await;
    let peak = reports.last().peak_memory_bytes;
    assert!((12 << 20..=16 << 20).contains(&peak), "{peak}");
}

#[tokio::test]
async fn too_little_memory_to_start_is_said_at_load() {
    let mut settings = crate::support::settings();
    settings.limits.memory_bytes = 64 << 10;
    let error = crate::support::ENGINE.load(settings).await.expect_err("no memory");
    let source = std::error::Error::source(&error).expect("a source").to_string();
    assert!(source.contains("`common.plugins[].memory_mb`"), "{source}");
}

#[tokio::test]
async fn guests_that_break_are_told_apart() {
    let plugin = plugin(|settings| settings.limits.breakages = 0).await;
    for (value, expected) in [
        ("panic", "crashed: the token is [redacted] (wasm trap: wasm `unreachable` instruction executed)"),
        ("recurse", "crashed: "),
        ("exit 0", "called exit(0) instead of returning"),
        ("exit 1", "called exit(1) instead of returning"),
        ("random 1000000", "exceeded a bound that no setting changes: "),
        ("handles 100000", "exceeded a bound that no setting changes: "),
        ("huge 5000", "returned something unusable: a handle of 5000 bytes, 4096 are allowed"),
        ("huge 6000000", "exceeded a bound that no setting changes: too much data is being copied"),
        ("secrets-in-handle", "returned something unusable: the handle contains the value of a secret"),
    ] {
        let error = beside_good_calls(&plugin, value).await.expect_err(value).to_string();
        assert!(error.contains(expected), "{value}: {error}");
        assert!(error.starts_with("plugin `bad` "), "{error}");
    }
    let error = present(&plugin, "huge-error 9000").await.expect_err("an error");
    assert!(matches!(error, CallError::Refused { message, .. } if message.len() <= 4096 && message.starts_with("éé")));
}

/// What `cargo xtask plugins` gives components at their start.
#[tokio::test]
async fn a_usual_call_asks_for_no_memory() {
    let reports = Reports::default();
    let plugin = plugin(|settings| reports.observe(settings)).await;
    present(&plugin, "ok").await.expect("a handle");
    assert_eq!(reports.last().peak_memory_bytes, 24 << 16);
}

/// Growing memory and taking it away again stops all processors for a moment, so nobody may call what breaks without pause.
#[tokio::test]
async fn what_breaks_rests_before_it_is_called_again() {
    let plugin = plugin(|settings| {
        settings.limits.breakages = 0;
        settings.limits.max_concurrency = 1;
        settings.limits.memory_bytes = 16 << 20;
    })
    .await;
    // From here on time passes only where somebody waits for it.
    tokio::time::pause();
    for value in ["trap", "exit 1", "handles 100000", "alloc"] {
        let begun = tokio::time::Instant::now();
        let (broken, next) = tokio::join!(present(&plugin, value), present(&plugin, "ok"));
        broken.expect_err(value);
        next.expect("a handle");
        assert!(begun.elapsed() >= Duration::from_millis(2), "{value}");
    }
    let begun = tokio::time::Instant::now();
    present(&plugin, "ok").await.expect("a handle");
    present(&plugin, "refuse").await.expect_err("a refusal");
    assert_eq!(begun.elapsed(), Duration::ZERO);
}

#[tokio::test]
async fn the_environment_is_exactly_what_was_given_and_nothing_else_is_there() {
    let plugin = plugin(|_| {}).await;
    assert_eq!(present(&plugin, "env").await.expect("the environment"), "REGION=12;TOKEN=18;");
    let files = present(&plugin, "files").await.expect("an answer");
    assert!(files.starts_with("no files"), "{files}");
    let socket = present(&plugin, "socket").await.expect("an answer");
    assert!(socket.contains("access-denied"), "{socket}");
}

#[tokio::test]
async fn a_full_queue_refuses_and_a_slow_one_gives_up() {
    let reports = Reports::default();
    let plugin = plugin(|settings| {
        settings.limits.max_concurrency = 1;
        settings.limits.max_waiting = 1;
        settings.limits.timeout = Duration::from_millis(400);
        reports.observe(settings);
    })
    .await;
    let sleeper = |ms: u32| {
        let plugin: Plugin = plugin.clone();
        async move { present(&plugin, &format!("sleep {ms}")).await }
    };
    let (first, second, third) = tokio::join!(sleeper(150), sleeper(1), sleeper(1));
    first.expect("a slot");
    second.expect("a place in the queue");
    let error = third.expect_err("no place");
    assert!(
        error.to_string().contains("1 calls wait already; raise `common.plugins[].max_concurrency`")
            && error.retryable(),
        "{error}"
    );
    let (first, second) = tokio::join!(sleeper(60_000), sleeper(1));
    assert!(matches!(first, Err(CallError::Timeout { .. })));
    // Both deadlines are the same moment: the freed slot may still be won.
    assert!(matches!(second, Err(CallError::Overloaded { .. } | CallError::Timeout { .. }) | Ok(_)));
    present(&plugin, "ok").await.expect("everything was given back");
    assert_eq!(reports.last().outcome, Outcome::Ok);
}

#[tokio::test]
async fn a_plugin_that_hangs_leaves_half_of_the_slots_to_others() {
    let engine = Engine::new(EngineSettings { max_instances: 4, ..EngineSettings::default() }).expect("an engine");
    let load = |name: &str, timeout: u64| {
        let mut settings = settings();
        name.clone_into(&mut settings.name);
        settings.limits.timeout = Duration::from_millis(timeout);
        engine.load(settings)
    };
    let (one, two) = (load("one", 5000).await.expect("it loads"), load("two", 5000).await.expect("it loads"));
    let three = load("three", 300).await.expect("it loads");
    let hang = |plugin: &Plugin, calls: usize| {
        let mut running = tokio::task::JoinSet::new();
        for _ in 0..calls {
            let plugin = plugin.clone();
            running.spawn(async move { present(&plugin, "sleep 60000").await });
        }
        running
    };
    let _first = hang(&one, 8);
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert_eq!((engine.share(), engine.usage().free_slots), (2, 2));
    present(&three, "ok").await.expect("a slot is free");

    // Two that hang take all of them: who comes then is told which key helps.
    let _second = hang(&two, 2);
    tokio::time::sleep(Duration::from_millis(300)).await;
    let error = present(&three, "ok").await.expect_err("no slot").to_string();
    assert!(error.contains("none of those of all plugins became free within 0.3 s"), "{error}");
    assert!(error.contains("raise `common.plugin_max_concurrency`"), "{error}");
}

#[tokio::test]
async fn a_call_that_nobody_awaits_any_more_gives_everything_back() {
    let plugin = plugin(|settings| settings.limits.max_concurrency = 1).await;
    for _ in 0..3 {
        let call = present(&plugin, "sleep 60000");
        assert!(tokio::time::timeout(Duration::from_millis(30), call).await.is_err());
    }
    present(&plugin, "ok").await.expect("the slot is free");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn more_calls_than_instances_all_get_their_turn() {
    let plugin = plugin(|settings| settings.limits.max_concurrency = 100).await;
    let calls = (0..200).map(|_| {
        let plugin = plugin.clone();
        async move { present(&plugin, "sleep 3").await }
    });
    for result in futures::future::join_all(calls).await {
        assert_eq!(result.expect("a turn"), "rested");
    }
}

#[tokio::test]
async fn a_plugin_that_breaks_again_and_again_is_suspended_until_it_answers() {
    let reports = Reports::default();
    let plugin = plugin(|settings| {
        settings.limits.breakages = 3;
        settings.limits.suspension = Duration::from_millis(500);
        reports.observe(settings);
    })
    .await;
    for _ in 0..3 {
        assert!(matches!(present(&plugin, "panic").await, Err(CallError::Panicked { .. })));
    }
    let error = present(&plugin, "ok").await.expect_err("suspended");
    assert!(matches!(&error, CallError::Suspended { breakages: 3, .. }) && error.retryable(), "{error}");
    assert!(error.retry_after().is_some_and(|pause| pause <= Duration::from_millis(500)), "{error}");
    let text = error.to_string();
    assert!(text.contains("broke 3 times in a row") && text.contains("crashed: the token is [redacted]"), "{text}");
    let report = reports.last();
    assert_eq!((report.outcome, report.error, report.fuel), (Outcome::Suspended, Some("suspended"), 0));
    assert_eq!(plugin.suspension().breakages, 3);
    tokio::time::sleep(Duration::from_millis(550)).await;
    present(&plugin, "ok").await.expect("the pause is over");
    assert_eq!(plugin.suspension(), Suspension::default());
}
