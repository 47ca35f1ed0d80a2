//! What a call of a plugin costs, with every bundled component loaded and all protections on: a fresh instance, one
//! function, the end. Beside it what starting a process for the same purpose costs, and what memory plugins and calls
//! hold. Run with `cargo bench -p acme-manager-plugin-runtime --bench call`, after `cargo xtask plugins`.
//!
//! The components are compiled by a process of its own first: what is measured is a server that starts again.

use std::{
    path::{Path, PathBuf},
    process::Command,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use acme_manager_plugin_runtime::{Engine, EngineSettings, Origin, Plugin, PluginDigest, PluginSettings, TxtRecord};
use tokio::task::JoinSet;

/// The bundled plugin whose calls are measured by themselves.
const BUNDLED: &str = "pdns";
/// Not a DNS provider.
const HOOK: &str = "caa.wasm";
const LEAST_LOADED: usize = 32;
const CALLS: usize = 10_000;
const PROCESSES: usize = 500;
/// Calls that run at the same time where their memory is measured: as many as one plugin can have.
const RUNNING: usize = 32;
const SETTLE: Duration = Duration::from_millis(500);

fn main() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let mut arguments = std::env::args_os().skip(1);
    if arguments.next().is_some_and(|argument| argument == "--compile") {
        let cache = arguments.next().expect("a folder").into();
        runtime.block_on(async { drop(load_all(&engine(cache)).await) });
        return;
    }
    let cache = tempfile::tempdir().expect("a folder");
    let myself = std::env::current_exe().expect("this program");
    let compiled = Command::new(myself).arg("--compile").arg(cache.path()).status().expect("it starts");
    assert!(compiled.success(), "the components do not compile");
    runtime.block_on(measure(cache.path().to_owned()));
}

async fn measure(cache: PathBuf) {
    let engine = engine(cache);
    let (before, started) = (resident_kib(), Instant::now());
    let plugins = load_all(&engine).await;
    let (count, took) = (plugins.len(), started.elapsed());
    assert!(count >= LEAST_LOADED, "{count} components: run `cargo xtask plugins`");
    println!("{count} plugins loaded in {took:?}, compiled before; pooled: {}", engine.is_pooled());
    println!("memory of a loaded plugin: {} KiB resident", (resident_kib() - before) / count as u64);

    let one = plugins.iter().find(|plugin| plugin.name() == BUNDLED).expect("it is among them");
    for _ in 0..CALLS / 10 {
        one.describe().await.expect("a description");
    }
    let mut times = Vec::with_capacity(CALLS);
    for _ in 0..CALLS {
        let started = Instant::now();
        one.describe().await.expect("a description");
        times.push(started.elapsed());
    }
    let call = print(&format!("instantiate and describe, {BUNDLED}"), times);
    let mut times = Vec::with_capacity(CALLS);
    for plugin in plugins.iter().cycle().take(CALLS) {
        let started = Instant::now();
        plugin.describe().await.expect("a description");
        times.push(started.elapsed());
    }
    print("instantiate and describe, each in turn", times);

    let spawn = || {
        let started = Instant::now();
        Command::new("/bin/true").output().expect("/bin/true runs");
        started.elapsed()
    };
    let process = print("start /bin/true and read what it says", (0..PROCESSES).map(|_| spawn()).collect());
    println!("a process takes {:.0} times as long as a call", process.div_duration_f64(call));

    running(&engine).await;
}

/// What calls hold while they run.
async fn running(engine: &Engine) {
    let most = Arc::new(AtomicUsize::new(0));
    let seen = most.clone();
    let mut settings = settings(&folder().join("test/misbehaving.wasm"));
    settings.limits.max_concurrency = RUNNING;
    settings.observer = Some(Arc::new(move |report| {
        seen.fetch_max(report.peak_memory_bytes, Ordering::Relaxed);
    }));
    let plugin = engine.load(settings).await.expect("the plugin loads");
    let record = |value: &str| TxtRecord {
        zone: "example.com".into(),
        name: "_acme-challenge.example.com".into(),
        value: value.into(),
        ttl: 60,
    };
    let (before, free) = (resident_kib(), engine.usage().free_slots);
    let mut calls = JoinSet::new();
    for _ in 0..RUNNING {
        let (plugin, record) = (plugin.clone(), record("sleep 3000"));
        calls.spawn(async move { plugin.present(&record).await.map(drop) });
    }
    tokio::time::sleep(SETTLE).await;
    assert_eq!(engine.usage().free_slots, free - RUNNING, "all calls run");
    let during = resident_kib();
    while let Some(call) = calls.join_next().await {
        call.expect("no panic").expect("it slept");
    }
    println!(
        "memory of a running call: {} KiB resident, of the guest's {} KiB; {} KiB are kept for the next",
        (during - before) / RUNNING as u64,
        most.load(Ordering::Relaxed) >> 10,
        resident_kib().saturating_sub(before) / RUNNING as u64,
    );
}

fn engine(cache: PathBuf) -> Engine {
    Engine::new(EngineSettings { compile_cache: Some(cache), ..EngineSettings::default() }).expect("an engine")
}

async fn load_all(engine: &Engine) -> Vec<Plugin> {
    let entries = std::fs::read_dir(folder()).expect("built components: run `cargo xtask plugins`");
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.expect("an entry").path()).collect();
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "wasm") && !path.ends_with(HOOK));
    paths.sort_unstable();
    let mut plugins = Vec::with_capacity(paths.len());
    for path in paths {
        plugins.push(engine.load(settings(&path)).await.expect("the plugin loads"));
    }
    plugins
}

fn settings(path: &Path) -> PluginSettings {
    let checksum = PluginDigest::of(&std::fs::read(path).expect("a component: run `cargo xtask plugins`"));
    let name = path.file_stem().expect("a name").to_string_lossy();
    PluginSettings::new(name, Origin::File { path: path.to_owned(), checksum })
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/plugins")
}

fn resident_kib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").expect("Linux");
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("a figure");
    line.split_whitespace().next().expect("a number").parse().expect("a number")
}

/// Prints and returns the median.
fn print(what: &str, mut times: Vec<Duration>) -> Duration {
    times.sort_unstable();
    let at = |share: usize| times[(times.len() - 1) * share / 100];
    println!("{what}: median {:?}, 90 % {:?}, 99 % {:?}, least {:?}", at(50), at(90), at(99), at(0));
    at(50)
}
