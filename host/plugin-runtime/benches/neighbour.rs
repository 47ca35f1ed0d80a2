//! What a good plugin's calls cost while another plugin misbehaves all the time, beside what they cost alone. Run with
//! `cargo bench -p acme-manager-plugin-runtime --bench neighbour`; fails when a neighbour costs more than a fifth.
//!
//! A guest that computes gives way at every tick of the epoch clock (10 ms), so it costs the others no more than the
//! processor that it keeps busy: with one bad neighbour and a processor left, next to nothing. Alone and beside are
//! measured in turns, so that what else the machine does meets both.
//!
//! On two processors, without optimisation: 56 to 84 µs alone, ratios from 0.99 to 1.01 beside each of the sixteen
//! neighbours.

use std::{
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use acme_manager_plugin_runtime::{Engine, EngineSettings, Origin, Plugin, PluginDigest, PluginSettings, TxtRecord};
use tokio::{runtime::Runtime, sync::oneshot, task::JoinSet};

const ROUNDS: usize = 11;
/// Long enough for several ticks of the clock.
const CALLS: usize = 600;
/// The good plugin's median beside a bad one, in parts of its median alone.
const ALLOWED: f64 = 1.2;

/// What the neighbour's `present` does, in `tests/plugins/misbehaving`.
const NEIGHBOURS: &[&str] = &[
    "loop",
    "host-loop",
    "log-loop",
    "poll-loop",
    "ready-loop",
    "sleep 60000",
    "alloc",
    "handles 100000",
    "recurse",
    "panic",
    "trap",
    "exit 1",
    "huge 6000000",
    "huge-log 6000000",
    "random 100000000",
    "log-flood 2000",
];

fn main() {
    // Two threads: one for each of the two, as on the smallest machine with more than one processor.
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("a runtime");
    let component = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/plugins/test/misbehaving.wasm");
    assert!(component.exists(), "{} is missing: run `cargo xtask plugins`", component.display());
    let engine = Engine::new(EngineSettings::default()).expect("an engine");
    let good = runtime.block_on(load(&engine, "good", component.clone()));
    let mut slow = Vec::new();
    println!("{:<20} {:>10} {:>10} {:>8} {:>10}", "neighbour", "alone", "beside it", "ratio", "its calls");
    for behaviour in NEIGHBOURS {
        let bad = runtime.block_on(load(&engine, "bad", component.clone()));
        let ended = Arc::new(AtomicUsize::new(0));
        let (mut alone, mut beside, mut ratios) = (Vec::new(), Vec::new(), Vec::new());
        for _ in 0..ROUNDS {
            alone.push(median(measure(&runtime, &good)));
            let mut neighbour = JoinSet::new();
            let (bad, counter, (started, running)) = (bad.clone(), ended.clone(), oneshot::channel());
            neighbour.spawn_on(
                async move {
                    let _ = started.send(());
                    loop {
                        counter.fetch_add(1, Ordering::Relaxed);
                        let _ = bad.present(&record(behaviour)).await;
                    }
                },
                runtime.handle(),
            );
            runtime.block_on(running).expect("it runs");
            beside.push(median(measure(&runtime, &good)));
            runtime.block_on(neighbour.shutdown());
            // Processors change their speed from one second to the next, so each pair is compared by itself.
            ratios.push(beside[beside.len() - 1].div_duration_f64(alone[alone.len() - 1]));
        }
        ratios.sort_unstable_by(f64::total_cmp);
        let (alone, beside, ratio) = (median(alone), median(beside), ratios[ROUNDS / 2]);
        println!("{behaviour:<20} {alone:>10.1?} {beside:>10.1?} {ratio:>8.2} {:>10}", ended.load(Ordering::Relaxed));
        if ratio > ALLOWED {
            slow.push(*behaviour);
        }
    }
    assert!(slow.is_empty(), "more than a fifth slower beside: {}", slow.join(", "));
}

async fn load(engine: &Engine, name: &str, path: PathBuf) -> Plugin {
    let checksum = PluginDigest::of(&std::fs::read(&path).expect("a readable component"));
    let mut settings = PluginSettings::new(name, Origin::File { path, checksum });
    settings.limits.breakages = 0;
    settings.limits.memory_bytes = 16 << 20;
    engine.load(settings).await.expect("it loads")
}

fn record(value: &str) -> TxtRecord {
    TxtRecord { zone: "example.com".into(), name: "_acme-challenge.example.com".into(), value: value.into(), ttl: 60 }
}

/// The good plugin's calls run on a worker like the neighbour's.
fn measure(runtime: &Runtime, good: &Plugin) -> Vec<Duration> {
    let mut calls = JoinSet::new();
    let good = good.clone();
    calls.spawn_on(
        async move {
            let mut times = Vec::with_capacity(CALLS);
            for _ in 0..CALLS {
                let started = Instant::now();
                good.present(&record("ok")).await.expect("a handle");
                times.push(started.elapsed());
            }
            times
        },
        runtime.handle(),
    );
    runtime.block_on(calls.join_next()).expect("a task").expect("no panic")
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort_unstable();
    times[times.len() / 2]
}
