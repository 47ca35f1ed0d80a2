//! What every store does. Each check works below a prefix of its own, so they can share a store.

use std::collections::BTreeSet;
use std::sync::Arc;

use acme_manager_server::storage::{Expect, Store, StoreError, Version};
use futures::future::join_all;
use serde_json::{Value, json};

use crate::{path, secret};

/// Enough to make a race likely.
const WRITERS: usize = 32;

pub(crate) async fn all(store: Arc<dyn Store>) {
    let store = &*store;
    store.ping().await.unwrap();
    reads_what_was_written(store).await;
    compares_versions(store).await;
    one_writer_wins_each_version(store).await;
    one_creator_wins(store).await;
    deletes(store).await;
    a_delete_beats_a_writer_that_read_before(store).await;
    destroys(store).await;
    lists_what_is_below(store).await;
    takes_odd_paths(store).await;
    takes_any_value(store).await;
    different_paths_do_not_disturb_each_other(store).await;
    store.ping().await.unwrap();
}

pub(crate) fn is_conflict<T>(result: Result<T, StoreError>) -> bool {
    matches!(result, Err(StoreError::Conflict { .. }))
}

async fn reads_what_was_written(store: &dyn Store) {
    let path = path("read/a/b");
    assert_eq!(store.read(&path).await.unwrap(), None);
    let first = store.write(&path, &secret("one"), Expect::Absent).await.unwrap();
    assert_eq!(first, Version(1));
    let found = store.read(&path).await.unwrap().unwrap();
    assert_eq!((&found.secret, found.version), (&secret("one"), first));
    let second = store.write(&path, &secret("two"), Expect::Version(first)).await.unwrap();
    assert_eq!(second, Version(2));
    let found = store.read(&path).await.unwrap().unwrap();
    assert_eq!((&found.secret, found.version), (&secret("two"), second));
    assert_eq!(store.read(&crate::path("read/a")).await.unwrap(), None, "a folder is no secret");
}

async fn compares_versions(store: &dyn Store) {
    let path = path("cas/a");
    assert!(is_conflict(store.write(&path, &secret("x"), Expect::Version(Version(1))).await));
    assert!(is_conflict(store.write(&path, &secret("x"), Expect::Version(Version(0))).await));
    let first = store.write(&path, &secret("one"), Expect::Absent).await.unwrap();
    for wrong in [Expect::Absent, Expect::Version(Version(0)), Expect::Version(Version(2))] {
        assert!(is_conflict(store.write(&path, &secret("x"), wrong).await), "{wrong:?}");
    }
    let second = store.write(&path, &secret("two"), Expect::Version(first)).await.unwrap();
    assert!(is_conflict(store.write(&path, &secret("x"), Expect::Version(first)).await));
    assert_eq!(store.read(&path).await.unwrap().unwrap().version, second);
}

async fn one_writer_wins_each_version(store: &dyn Store) {
    let path = path("race/write");
    let mut version = store.write(&path, &secret("start"), Expect::Absent).await.unwrap();
    for _ in 0..3 {
        let texts: Vec<String> = (0..WRITERS).map(|writer| format!("writer {writer}")).collect();
        let secrets: Vec<_> = texts.iter().map(|text| secret(text.as_str())).collect();
        let results = join_all(secrets.iter().map(|secret| store.write(&path, secret, Expect::Version(version)))).await;
        let winners: Vec<usize> = (0..WRITERS).filter(|&writer| results[writer].is_ok()).collect();
        assert_eq!(winners.len(), 1, "{results:?}");
        assert_eq!(
            results.iter().filter(|result| matches!(result, Err(StoreError::Conflict { .. }))).count(),
            WRITERS - 1
        );
        let found = store.read(&path).await.unwrap().unwrap();
        assert_eq!(found.secret, secrets[winners[0]]);
        assert_eq!(found.version, Version(version.0 + 1));
        version = found.version;
    }
}

async fn one_creator_wins(store: &dyn Store) {
    let path = path("race/create");
    let secrets: Vec<_> = (0..WRITERS).map(secret).collect();
    let results = join_all(secrets.iter().map(|secret| store.write(&path, secret, Expect::Absent))).await;
    assert_eq!(results.iter().filter(|result| result.is_ok()).count(), 1, "{results:?}");
    let deletes = join_all((0..8).map(|_| store.delete(&path, Version(1)))).await;
    assert!(deletes.iter().any(Result::is_ok), "{deletes:?}");
    assert!(deletes.into_iter().all(|delete| delete.is_ok() || is_conflict(delete)));
    assert_eq!(store.read(&path).await.unwrap(), None);
}

async fn deletes(store: &dyn Store) {
    let path = path("delete/a");
    store.delete(&path, Version(1)).await.unwrap();
    let first = store.write(&path, &secret("one"), Expect::Absent).await.unwrap();
    let second = store.write(&path, &secret("two"), Expect::Version(first)).await.unwrap();
    assert!(is_conflict(store.delete(&path, first).await));
    assert_eq!(store.read(&path).await.unwrap().unwrap().version, second);
    store.delete(&path, second).await.unwrap();
    assert_eq!(store.read(&path).await.unwrap(), None);
    store.delete(&path, second).await.unwrap();
    for expect in [first, second, Version(3)] {
        assert!(is_conflict(store.write(&path, &secret("x"), Expect::Version(expect)).await), "{expect:?}");
    }
    let again = store.write(&path, &secret("three"), Expect::Absent).await.unwrap();
    assert_eq!(again, Version(4), "the delete took number 3");
    let found = store.read(&path).await.unwrap().unwrap();
    assert_eq!((&found.secret, found.version), (&secret("three"), again));
    assert!(is_conflict(store.write(&path, &secret("x"), Expect::Absent).await));
    assert!(is_conflict(store.delete(&path, second).await));
}

/// Vault's own soft delete would let this write through.
async fn a_delete_beats_a_writer_that_read_before(store: &dyn Store) {
    let path = path("delete/race");
    let version = store.write(&path, &secret("one"), Expect::Absent).await.unwrap();
    let (new, late) = (secret("late"), Expect::Version(version));
    let (deleted, written) = tokio::join!(store.delete(&path, version), store.write(&path, &new, late));
    assert_eq!(deleted.is_ok(), written.is_err(), "exactly one of {deleted:?} and {written:?}");
    let found = store.read(&path).await.unwrap();
    assert_eq!(found.is_some(), written.is_ok());
    if deleted.is_ok() {
        assert!(is_conflict(store.write(&path, &new, late).await));
        assert_eq!(store.read(&path).await.unwrap(), None);
    }
}

async fn destroys(store: &dyn Store) {
    let path = path("destroy/a");
    store.destroy(&path).await.unwrap();
    let first = store.write(&path, &secret("one"), Expect::Absent).await.unwrap();
    store.write(&path, &secret("two"), Expect::Version(first)).await.unwrap();
    store.destroy(&path).await.unwrap();
    assert_eq!(store.read(&path).await.unwrap(), None);
    assert!(store.list("destroy").await.unwrap().is_empty());
    assert_eq!(store.write(&path, &secret("new"), Expect::Absent).await.unwrap(), Version(1));
    let version = Version(1);
    store.delete(&path, version).await.unwrap();
    store.destroy(&path).await.unwrap();
    assert_eq!(store.write(&path, &secret("new"), Expect::Absent).await.unwrap(), Version(1));
}

async fn names(store: &dyn Store, prefix: &str) -> BTreeSet<String> {
    let listed = store.list(prefix).await.unwrap();
    let names: BTreeSet<String> = listed.iter().map(ToString::to_string).collect();
    assert_eq!(names.len(), listed.len(), "listed twice: {listed:?}");
    names
}

async fn lists_what_is_below(store: &dyn Store) {
    assert!(names(store, "list/none").await.is_empty());
    let all =
        ["list/a/b", "list/a/b/c", "list/a/b/c/d/e/f", "list/a/bc", "list/a/b0", "list/a/b.d", "list/ab", "list/a"];
    for text in all {
        store.write(&path(text), &secret("x"), Expect::Absent).await.unwrap();
    }
    let set = |texts: &[&str]| texts.iter().map(|&text| text.to_owned()).collect::<BTreeSet<String>>();
    assert_eq!(names(store, "list").await, set(&all));
    assert_eq!(names(store, "/list/").await, set(&all));
    assert_eq!(names(store, "list/a/b").await, set(&["list/a/b/c", "list/a/b/c/d/e/f"]));
    assert_eq!(names(store, "list/a/b/c/d").await, set(&["list/a/b/c/d/e/f"]));
    assert!(names(store, "list/a/bc").await.is_empty());
    assert!(names(store, "lis").await.is_empty());
    store.delete(&path("list/a/b/c"), Version(1)).await.unwrap();
    store.destroy(&path("list/a/b/c/d/e/f")).await.unwrap();
    let mut live = Vec::new();
    for found in store.list("list/a/b").await.unwrap() {
        if store.read(&found).await.unwrap().is_some() {
            live.push(found);
        }
    }
    assert!(live.is_empty(), "{live:?}");
    let many: Vec<_> = (0..60).map(|n| path(&format!("many/{}/{n}", n % 7))).collect();
    let value = secret("x");
    for result in join_all(many.iter().map(|path| store.write(path, &value, Expect::Absent))).await {
        result.unwrap();
    }
    assert_eq!(names(store, "many").await, many.iter().map(ToString::to_string).collect());
    assert!(names(store, "").await.is_superset(&set(&["list/a", "list/ab", "many/3/3"])));
}

async fn takes_odd_paths(store: &dyn Store) {
    let odd = [
        "odd/ops/le/*.example.com",
        "odd/ops/le/_example.com",
        "odd/a b/c d",
        "odd/user@example.com/x",
        "odd/a+b",
        "odd/ü/日本語",
        "odd/100%",
        "odd/50%25",
        "odd/%2e%2e/x",
        "odd/what?x=1",
        "odd/h#x",
        "odd/a:b",
        "odd/a;b",
        "odd/a&b=c,d",
        "odd/'quoted\"",
        "odd/~tilde",
        "odd/[1]{2}|3^4`5",
        "odd/$1!(2)",
        "odd/.acme-manager/fence",
        "odd/...",
        "odd/end.",
        "odd/UPPER",
        "odd/upper",
        "odd/<b>",
        "odd/data/metadata",
    ];
    for text in odd {
        let version = store.write(&path(text), &secret(text), Expect::Absent).await;
        assert_eq!(version.unwrap_or_else(|error| panic!("{text}: {error}")), Version(1), "{text}");
    }
    for text in odd {
        assert_eq!(store.read(&path(text)).await.unwrap().unwrap().secret, secret(text), "{text}");
    }
    assert_eq!(names(store, "odd").await, odd.iter().map(|&text| text.to_owned()).collect());
    assert_eq!(names(store, "odd/ops/le").await.len(), 2);
    assert_eq!(names(store, "odd/a b").await.len(), 1);
    for text in odd {
        store.delete(&path(text), Version(1)).await.unwrap();
        assert_eq!(store.read(&path(text)).await.unwrap(), None, "{text}");
        store.destroy(&path(text)).await.unwrap();
    }
    assert!(names(store, "odd").await.is_empty());
    let long = path(&format!("odd/{}", ["x".repeat(100).as_str(); 10].join("/")));
    store.write(&long, &secret("long"), Expect::Absent).await.unwrap();
    assert_eq!(names(store, "odd").await, BTreeSet::from([long.to_string()]));
}

async fn takes_any_value(store: &dyn Store) {
    let large = "0123456789abcdef".repeat(64 << 10);
    let values = [
        json!(large),
        json!(""),
        json!("ünïcode 日本語 🦀 \u{0} \u{7f} \\ \" \n"),
        json!(9_007_199_254_740_991_u64),
        json!(-1),
        json!(true),
        Value::Null,
        json!([1, [2, {}]]),
        json!({ "a": { "b": null } }),
    ];
    for (index, value) in values.into_iter().enumerate() {
        let path = path(&format!("value/{index}"));
        let secret = secret(value);
        store.write(&path, &secret, Expect::Absent).await.unwrap();
        assert!(store.read(&path).await.unwrap().unwrap().secret == secret, "value {index}");
    }
    let empty = acme_manager_server::storage::Secret::default();
    store.write(&path("value/empty"), &empty, Expect::Absent).await.unwrap();
    assert_eq!(store.read(&path("value/empty")).await.unwrap().unwrap().secret, empty);
}

async fn different_paths_do_not_disturb_each_other(store: &dyn Store) {
    let tasks = (0..WRITERS).map(|task| async move {
        let path = path(&format!("parallel/{task}"));
        let mut version = store.write(&path, &secret(task), Expect::Absent).await.unwrap();
        for round in 1..=3 {
            version = store.write(&path, &secret(task * 100 + round), Expect::Version(version)).await.unwrap();
        }
        assert_eq!(version, Version(4));
        assert_eq!(store.read(&path).await.unwrap().unwrap().secret, secret(task * 100 + 3));
    });
    join_all(tasks).await;
}
