//! How long one call of a plugin takes from nothing: a fresh instance, one function, the end. Beside it, what starting
//! a process for the same purpose would cost. Run with `cargo bench -p acme-manager-plugin-runtime`.

use std::{
    path::Path,
    process::Command,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use acme_manager_plugin_runtime::{CallReport, Engine, EngineSettings, Origin, PluginDigest, PluginSettings};

const CALLS: usize = 3000;
const PROCESSES: usize = 200;

fn main() {
    let plugins = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/plugins");
    let path = std::env::args_os()
        .skip(1)
        .find(|argument| argument.to_string_lossy().ends_with(".wasm"))
        .map_or_else(|| plugins.join("test/misbehaving.wasm"), Into::into);
    let bytes = std::fs::read(&path).unwrap_or_else(|e| panic!("{}: {e}; run `cargo xtask plugins`", path.display()));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let engine = Engine::new(EngineSettings::default()).expect("an engine");
        let checksum = PluginDigest::of(&bytes);
        let started = Instant::now();
        let mut settings = PluginSettings::new("bench", Origin::File { path: path.clone(), checksum });
        let cost = Arc::new(Mutex::new((0, 0)));
        let seen = cost.clone();
        settings.observer = Some(Arc::new(move |report: &CallReport| {
            *seen.lock().expect("no panic in here") = (report.fuel, report.peak_memory_bytes);
        }));
        let plugin = engine.load(settings).await.expect("the plugin loads");
        println!("load: {:?} for {} bytes, pooled: {}", started.elapsed(), bytes.len(), engine.is_pooled());
        let mut times = Vec::with_capacity(CALLS);
        for _ in 0..CALLS {
            let started = Instant::now();
            plugin.describe().await.expect("a description");
            times.push(started.elapsed());
        }
        print("instantiate and describe", times);
        let (fuel, memory) = *cost.lock().expect("no panic in here");
        println!("one call: fuel {fuel}, memory {} KiB", memory >> 10);
    });
    let spawn = || {
        let started = Instant::now();
        Command::new("/bin/true").output().expect("/bin/true runs");
        started.elapsed()
    };
    print("spawn /bin/true", (0..PROCESSES).map(|_| spawn()).collect());
}

fn print(what: &str, mut times: Vec<Duration>) {
    times.sort_unstable();
    let at = |share: usize| times[(times.len() - 1) * share / 100];
    println!("{what}: median {:?}, 90 % {:?}, 99 % {:?}, least {:?}", at(50), at(90), at(99), at(0));
}
