//! Nothing is left behind: slots, instances, descriptors, memory.

use std::time::{Duration, Instant};

use acme_manager_plugin_runtime::{Plugin, Usage};
use futures::future::join_all;

use crate::{
    ALONE, Servers, fault, load,
    rows::{self, Row},
    support::{ENGINE, present, settings},
};

/// Calls of one row at the same time, so that waiting rows do not wait one after the other.
const SIDE_BY_SIDE: usize = 8;
/// What the process may have grown by between the warm-up and the end, in one row and in all. At five hundred calls this
/// shows a leak of 16 KiB a call in one row, or of some 200 bytes a call in every row; smaller ones stay unseen.
const GROWTH_BYTES: u64 = 8 << 20;

#[derive(Debug, PartialEq, Eq)]
struct Held {
    usage: Usage,
    descriptors: usize,
}

fn held() -> Held {
    let descriptors = std::fs::read_dir("/proc/self/fd").expect("Linux").count();
    Held { usage: ENGINE.usage(), descriptors }
}

fn resident_bytes() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").expect("Linux");
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("a line");
    line.trim().trim_end_matches(" kB").parse::<u64>().expect("a number") << 10
}

/// Waits until connections that were given up are closed, and their tasks with them.
async fn settled(expected: &Held) -> Held {
    let until = Instant::now() + Duration::from_secs(5);
    loop {
        let now = held();
        if now == *expected || Instant::now() > until {
            return now;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

async fn repeat(row: &Row, plugin: Option<&Plugin>, servers: &Servers, times: usize) {
    let value = row.value(servers.dns);
    for _ in 0..times / SIDE_BY_SIDE {
        let calls = (0..SIDE_BY_SIDE).map(|_| async {
            match plugin {
                Some(plugin) => present(plugin, &value).await,
                // It does not get as far as being a plugin.
                None => crate::end(row, servers).await,
            }
        });
        for ended in join_all(calls).await {
            let fault = fault(row, &ended);
            assert!(fault.is_none(), "{fault:?}");
        }
    }
}

/// Calls every row so often to warm up and so often again; then everything is as it was in between.
async fn leaves_nothing(warm_up: usize, times: usize) {
    let _alone = ALONE.lock().await;
    // As long as it lives, its component is not compiled again.
    let _kept = ENGINE.load(settings()).await.expect("it loads");
    let before = held();
    let servers = Servers::start().await;
    let started = Instant::now();
    let mut rows = Vec::new();
    for row in rows::all() {
        let plugin = load(&row, &servers).await.ok();
        repeat(&row, plugin.as_ref(), &servers, warm_up).await;
        rows.push((row, plugin));
    }
    let warm = resident_bytes();
    for (row, plugin) in &rows {
        let (resident, begun) = (resident_bytes(), Instant::now());
        repeat(row, plugin.as_ref(), &servers, times).await;
        let grown = resident_bytes().saturating_sub(resident);
        println!("{}: {:?}, {} KiB", row.name, begun.elapsed(), grown >> 10);
        assert!(grown < GROWTH_BYTES, "{} grew the process by {grown} bytes", row.name);
    }
    let grown = resident_bytes().saturating_sub(warm);
    println!(
        "{} rows, {times} times each: {:?}, {} KiB more than warm {} KiB",
        rows.len(),
        started.elapsed(),
        grown >> 10,
        warm >> 10
    );
    assert!(grown < GROWTH_BYTES, "the process grew by {grown} bytes");
    // Idle connections are the plugins' own; what never answers keeps its end of the others.
    drop(rows);
    drop(servers);
    assert_eq!(settled(&before).await, before);
}

#[tokio::test]
async fn nothing_is_left_behind() {
    leaves_nothing(8, 24).await;
}

/// `cargo xtask zoo` runs it.
#[tokio::test]
#[ignore = "minutes without optimisation"]
async fn nothing_is_left_behind_by_a_thousand_of_each() {
    // What the allocator keeps for itself grows to its size in the first half; a leak goes on in the second.
    leaves_nothing(504, 504).await;
}
