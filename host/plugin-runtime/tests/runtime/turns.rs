//! What calls must not do at the same time, they do one after the other.

use std::time::{Duration, Instant};

use acme_manager_plugin_runtime::{CallError, Plugin};
use tokio::task::JoinSet;

use crate::support::{plugin, present};

const REST: Duration = Duration::from_millis(200);

/// How long these calls take that begin together; all succeed.
async fn together(calls: &[(&Plugin, &str)]) -> Duration {
    let started = Instant::now();
    let mut running = JoinSet::new();
    for (plugin, behaviour) in calls {
        let (plugin, behaviour) = ((*plugin).clone(), (*behaviour).to_owned());
        running.spawn(async move { present(&plugin, &behaviour).await });
    }
    while let Some(ended) = running.join_next().await {
        assert_eq!(ended.expect("no panic").expect("an answer"), "had its turn");
    }
    started.elapsed()
}

#[tokio::test]
async fn calls_of_one_plugin_at_one_name_wait_for_each_other() {
    // The second is what takes the place of the first when the config is read again.
    let (one, successor) = (plugin(|_| {}).await, plugin(|_| {}).await);
    let behaviour = "turns zone 200";
    let took = together(&[(&one, behaviour), (&one, behaviour), (&successor, behaviour)]).await;
    assert!(took >= 3 * REST, "{took:?}");
}

#[tokio::test]
async fn other_names_and_other_plugins_are_not_waited_for() {
    let (one, other) = (plugin(|_| {}).await, plugin(|settings| settings.name = "another".into()).await);
    let (_, first) = tokio::join!(present(&one, "turns zone 3000"), async {
        tokio::time::sleep(REST).await;
        together(&[(&one, "turns elsewhere 1"), (&other, "turns zone 1"), (&other, "turns zone zone 1")]).await
    });
    assert!(first < Duration::from_secs(2), "{first:?}");
}

#[tokio::test]
async fn a_turn_ends_with_its_call_however_that_ends() {
    let plugin = plugin(|settings| settings.limits.timeout = Duration::from_millis(500)).await;
    let panicked = present(&plugin, "turns zone panic").await.expect_err("a panic");
    assert!(matches!(panicked, CallError::Panicked { .. }), "{panicked}");
    let slow = present(&plugin, "turns zone 60000").await.expect_err("too slow");
    assert!(matches!(slow, CallError::Timeout { .. }), "{slow}");
    let given_up = tokio::time::timeout(Duration::from_millis(100), present(&plugin, "turns zone 60000")).await;
    given_up.expect_err("the caller did not wait");
    present(&plugin, "turns zone 1").await.expect("the turn is free");
}

#[tokio::test]
async fn waiting_for_a_turn_counts_as_time() {
    let patient = plugin(|_| {}).await;
    let hasty = plugin(|settings| settings.limits.timeout = Duration::from_millis(200)).await;
    let (held, waited) = tokio::join!(present(&patient, "turns zone 1500"), async {
        tokio::time::sleep(REST).await;
        present(&hasty, "turns zone 1").await
    });
    held.expect("it had its turn");
    let waited = waited.expect_err("it did not wait so long");
    assert!(matches!(waited, CallError::Timeout { .. }), "{waited}");
}

#[tokio::test]
async fn a_call_has_one_turn() {
    let plugin = plugin(|_| {}).await;
    let second = present(&plugin, "turns zone other 1").await.expect_err("a second turn");
    assert!(second.to_string().contains("this call has the turn at `zone` and cannot have a second one"), "{second}");
    let long = present(&plugin, &format!("turns {} 1", "x".repeat(256))).await.expect_err("too long");
    assert!(long.to_string().contains("a text of 256 bytes; 255 are allowed"), "{long}");
    present(&plugin, &format!("turns {} 1", "x".repeat(255))).await.expect("just short enough");
}
