//! Reloads by the thousand, on the components of `cargo xtask plugins`.

use std::path::Path;

use acme_manager_plugin_runtime::TxtRecord;
use sha2::{Digest, Sha256};

use super::*;
use crate::telemetry::Metrics;

mod changes;

/// Two entries that change with `round`: one changes its environment, the other comes and goes. A hook stays.
fn config(data: &Path, round: usize) -> (Config, Arc<Environment>) {
    let components = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/plugins/test");
    let entry = |name: &str, file: &str, kind: &str, env: String| {
        let path = components.join(file);
        let digest = hex::encode(Sha256::digest(std::fs::read(&path).expect("run `cargo xtask plugins`")));
        let path = path.display();
        format!("    - {{ name: {name}, kind: {kind}, path: {path}, checksum: '{digest}', env: {{ {env} }} }}\n")
    };
    let mut plugins = entry("changing", "misbehaving.wasm", "dns-provider", format!("REGION: r{round}"));
    if round.is_multiple_of(2) {
        plugins += &entry("passing", "misbehaving.wasm", "dns-provider", format!("REGION: p{round}"));
    }
    plugins += &entry("policy", "hook.wasm", "issuance-hook", "BEHAVIOUR: allow".to_owned());
    let file = data.join("config.yml");
    let text = format!("common:\n  plugins:\n{plugins}storage:\n  embedded:\n    path: {}/store\n", data.display());
    std::fs::write(&file, text).expect("the folder takes files");
    let loaded = Config::load(&file).expect("a good config");
    (loaded.config, Arc::new(Environment::load(&data.join(".env")).expect("no file is no variable")))
}

/// Resident memory in KiB, and open files.
fn footprint() -> (u64, usize) {
    let status = std::fs::read_to_string("/proc/self/status").expect("a status");
    let line = status.lines().find(|line| line.starts_with("VmRSS")).expect("a line");
    let kib = line.split_whitespace().nth(1).and_then(|word| word.parse().ok()).expect("a number");
    (kib, std::fs::read_dir("/proc/self/fd").expect("a folder").count())
}

#[tokio::test]
async fn a_thousand_reloads_leave_nothing_behind() {
    let data = tempfile::tempdir().expect("a folder");
    let (first, environment) = config(data.path(), 0);
    let metrics = Metrics::new();
    let mut set = PluginSet::new(Loader::new(&first, false, Some(&metrics)).expect("a loader"));
    let tracker = TaskTracker::new();
    let (providers, hooks) = set.start(&first, &environment, &tracker);
    tracker.close();
    tracker.wait().await;
    let record =
        TxtRecord { zone: "a.test".into(), name: "_acme-challenge.a.test".into(), value: "ok".into(), ttl: 60 };
    let name = |name: &str| -> ProviderName { name.parse().expect("a name") };
    let mut after_warm_up = (0, 0);
    for round in 1..=1_000 {
        let old = providers.list()[&name("changing")].get().await.expect("it is loaded");
        let (next, environment) = config(data.path(), round);
        let changes = set.change(&next, &environment, &providers, &hooks);
        assert!(!set.is_in_force(), "{round}: the new version is still to be loaded");
        let settled = set.settle(&providers, &hooks).await;
        assert_eq!(settled, Some(Settled::Replaced(name("changing"))), "{round}");
        assert!(set.is_in_force());
        assert_eq!(changes.removed.contains(&name("passing")), !round.is_multiple_of(2), "{round}: {changes:?}");
        assert_eq!(providers.list().contains_key(&name("passing")), round.is_multiple_of(2));
        assert_eq!(hooks.list().len(), 1, "the hook did not change and stays");
        // Whoever began with the old one goes on with it.
        let old = old.plugin.expect("a component");
        old.present(&record).await.expect("the old one works");
        if round == 200 {
            after_warm_up = footprint();
        }
    }
    let ((warm_kib, warm_files), (kib, files)) = (after_warm_up, footprint());
    eprintln!("after 200 reloads {warm_kib} KiB and {warm_files} files, after 1,000 {kib} KiB and {files} files");
    assert!(files <= warm_files + 2, "{warm_files} files became {files}");
    // A plugin that stayed would cost some 100 KiB with its environment, its network and its description: 80 MiB.
    assert!(kib <= warm_kib + 16 * 1024, "{warm_kib} KiB became {kib}");
    assert_eq!(set.current.len(), providers.list().len() + hooks.list().len());
}
