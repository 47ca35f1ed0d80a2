//! What a good plugin's calls cost while another plugin misbehaves all the time, beside what they cost alone. Run with
//! `cargo bench -p acme-manager-plugin-runtime --bench neighbour`; fails when a neighbour costs more than a fifth.
//!
//! A guest that computes gives way at every tick of the epoch clock (10 ms), so it costs the others no more than the
//! processor that it keeps busy: with one bad neighbour and a processor left, next to nothing. One that breaks is called
//! again at once; what then bounds it is the rest of 2 ms after a call that broke, because its memory, as it comes and
//! goes, stops both processors. All is measured in turns, so that what else the machine does meets all. Two processors can
//! be two threads of one core: then whatever computes slows down the other, and that a thread does which has nothing to do
//! with plugins is measured too (*busy*). The ratio is to the slower of both.
//!
//! The second table, in which both plugins are one component, is for information: its calls share their places in the
//! pool, and one that wrote more than is kept there leaves a place that takes longer to clear, for good and for bad
//! calls, until another component gets it. What that costs shows in the calls alone, which come after.

use std::{
    hint,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use acme_manager_plugin_runtime::{Engine, EngineSettings, Origin, Plugin, PluginDigest, PluginSettings, TxtRecord};
use tokio::{runtime::Runtime, sync::oneshot, task::JoinSet};

/// Many short ones: a virtual machine can be half as fast for milliseconds or minutes, and a pair that lies within one such
/// time is not moved by it.
const ROUNDS: usize = 41;
const CALLS: usize = 250;
/// The good plugin's median beside a bad one, in parts of its median alone.
const ALLOWED: f64 = 1.2;

/// What the neighbour is to the good plugin; this counts.
const STRANGER: &str = "another component";

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
    let mut bytes = std::fs::read(&component)
        .unwrap_or_else(|error| panic!("{}: {error}: run `cargo xtask plugins`", component.display()));
    // A custom section: id 0, its size, the length of its name, its name.
    bytes.extend([0, 3, 2, b'm', b'e']);
    let folder = tempfile::tempdir().expect("a folder");
    let of_its_own = folder.path().join("good.wasm");
    std::fs::write(&of_its_own, bytes).expect("a component");
    let engine = Engine::new(EngineSettings::default()).expect("an engine");
    let mut slow = Vec::new();
    for (title, path) in [(STRANGER, of_its_own), ("the same component", component.clone())] {
        let good = runtime.block_on(load(&engine, "good", path));
        println!("{title:<20} {:>10} {:>10} {:>10} {:>8} {:>10}", "alone", "busy", "beside it", "ratio", "its calls");
        for behaviour in NEIGHBOURS {
            let bad = runtime.block_on(load(&engine, "bad", component.clone()));
            let ratio = compare(&runtime, &good, &bad, behaviour);
            if title == STRANGER && ratio > ALLOWED {
                slow.push(*behaviour);
            }
        }
    }
    assert!(slow.is_empty(), "more than a fifth slower beside: {}", slow.join(", "));
}

/// How much longer the good plugin's calls take beside the bad one's than beside whatever keeps a processor busy.
fn compare(runtime: &Runtime, good: &Plugin, bad: &Plugin, behaviour: &'static str) -> f64 {
    let ended = Arc::new(AtomicUsize::new(0));
    let (mut alone, mut busy, mut beside, mut ratios) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        alone.push(median(measure(runtime, good)));
        busy.push(median(beside_a_thread(runtime, good)));
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
        beside.push(median(measure(runtime, good)));
        runtime.block_on(neighbour.shutdown());
        // Processors change their speed from one second to the next, so each round is compared by itself.
        let last = beside.len() - 1;
        ratios.push(beside[last].div_duration_f64(alone[last].max(busy[last])));
    }
    ratios.sort_unstable_by(f64::total_cmp);
    let (alone, busy, beside, ratio) = (median(alone), median(busy), median(beside), ratios[ROUNDS / 2]);
    let calls = ended.load(Ordering::Relaxed);
    println!("{behaviour:<20} {alone:>10.1?} {busy:>10.1?} {beside:>10.1?} {ratio:>8.2} {calls:>10}");
    ratio
}

/// The good plugin's calls while a thread that has nothing to do with plugins computes.
fn beside_a_thread(runtime: &Runtime, good: &Plugin) -> Vec<Duration> {
    let is_over = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            while !is_over.load(Ordering::Relaxed) {
                hint::black_box((0..1000_u64).fold(1, |sum, number| hint::black_box(sum ^ number)));
            }
        });
        let times = measure(runtime, good);
        is_over.store(true, Ordering::Relaxed);
        times
    })
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
