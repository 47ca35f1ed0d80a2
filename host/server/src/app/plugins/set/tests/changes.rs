//! What becomes of plugins whose files or settings change.

use std::time::Duration;

use super::*;

/// A set, what it serves, and the folder that it lives in.
struct Stage {
    data: tempfile::TempDir,
    metrics: Metrics,
    set: PluginSet,
    providers: Providers,
    hooks: Hooks,
}

fn name(name: &str) -> ProviderName {
    name.parse().expect("a name")
}

fn digest(component: &str) -> String {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/plugins/test").join(component);
    hex::encode(Sha256::digest(std::fs::read(file).expect("run `cargo xtask plugins`")))
}

impl Stage {
    async fn new(plugins: &[String]) -> Self {
        let data = tempfile::tempdir().expect("a folder");
        Self::place(data.path(), "hook.wasm", "hook.wasm");
        Self::place(data.path(), "provider.wasm", "misbehaving.wasm");
        Self::on(data, plugins).await
    }

    async fn on(data: tempfile::TempDir, plugins: &[String]) -> Self {
        let metrics = Metrics::new();
        let (config, environment) = read(data.path(), plugins);
        let mut set = PluginSet::new(Loader::new(&config, false, Some(&metrics)).expect("a loader"));
        let tracker = TaskTracker::new();
        let (providers, hooks) = set.start(&config, &environment, &tracker);
        tracker.close();
        tracker.wait().await;
        Self { data, metrics, set, providers, hooks }
    }

    fn place(folder: &Path, to: &str, component: &str) {
        let from = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/plugins/test").join(component);
        std::fs::copy(from, folder.join(to)).expect("run `cargo xtask plugins`");
    }

    fn change(&mut self, plugins: &[String]) -> Changes {
        let (config, environment) = read(self.data.path(), plugins);
        self.set.change(&config, &environment, &self.providers, &self.hooks)
    }

    async fn settle(&mut self) -> Option<Settled> {
        self.set.settle(&self.providers, &self.hooks).await
    }

    /// Why the first hook cannot be asked.
    async fn hook(&self) -> Result<(), String> {
        let hooks = self.hooks.list();
        let (_, hook) = hooks.first().ok_or_else(|| "there is none".to_owned())?;
        hook.get().await.map(drop)
    }
}

/// An entry for a file of the folder.
fn entry(name: &str, file: &str, checksum: &str, more: &str) -> String {
    format!("    - {{ name: {name}, path: '@/{file}', checksum: '{checksum}'{more} }}\n")
}

fn read(data: &Path, plugins: &[String]) -> (Config, Arc<Environment>) {
    let file = data.join("config.yml");
    let text = format!("common:\n  plugins:\n{}storage:\n  embedded:\n    path: @/store\n", plugins.concat());
    std::fs::write(&file, text.replace('@', &data.display().to_string())).expect("the folder takes files");
    let loaded = Config::load(&file).expect("a good config");
    (loaded.config, Arc::new(Environment::parse("", []).expect("nothing is valid")))
}

#[tokio::test]
async fn a_policy_whose_file_is_missing_is_not_passed_over() {
    let good = [entry("policy", "hook.wasm", &digest("hook.wasm"), ", env: { BEHAVIOUR: allow }")];
    let data = tempfile::tempdir().expect("a folder");
    let mut stage = Stage::on(data, &good).await;
    let reason = stage.hook().await.expect_err("its file is missing");
    assert!(reason.contains("nobody knows whether it is a policy"), "{reason}");
    // Put right: it is asked. Gone again, or another file: the one that is loaded goes on.
    Stage::place(stage.data.path(), "hook.wasm", "hook.wasm");
    assert!(stage.change(&good).replaced.contains(&name("policy")));
    assert_eq!(stage.hook().await, Ok(()));
    Stage::place(stage.data.path(), "hook.wasm", "misbehaving.wasm");
    assert_eq!(stage.change(&good), Changes::default());
    std::fs::remove_file(stage.data.path().join("hook.wasm")).expect("it is there");
    assert_eq!(stage.change(&good), Changes::default());
    assert_eq!(stage.hook().await, Ok(()));
    // Other settings for a file that is gone: the same.
    let other = [entry("policy", "hook.wasm", &digest("hook.wasm"), ", env: { BEHAVIOUR: refuse }")];
    stage.change(&other);
    assert_eq!(stage.settle().await, Some(Settled::Refused(name("policy"))));
    assert_eq!(stage.hook().await, Ok(()));
    let told = stage.metrics.plugins().news().of("policy").refused_update.expect("a reason");
    assert!(told.contains("there is no file") && !told.contains("nothing is issued"), "{told}");
}

#[tokio::test]
async fn a_provider_makes_way_for_a_policy_even_for_one_that_is_broken() {
    let provider = [entry("one", "provider.wasm", &digest("misbehaving.wasm"), "")];
    for (checksum, kind) in [("0".repeat(64), ", kind: issuance-hook"), (digest("hook.wasm"), ", kind: dns-provider")] {
        let mut stage = Stage::new(&provider).await;
        assert!(stage.providers.list().contains_key(&name("one")));
        stage.change(&[entry("one", "hook.wasm", &checksum, kind)]);
        assert!(stage.hook().await.is_err(), "{kind}: it cannot be asked, and that is known");
        assert!(!stage.providers.list().contains_key(&name("one")));
    }
    // An update whose file is still to come is one of a provider.
    let mut stage = Stage::new(&provider).await;
    stage.change(&[entry("one", "coming.wasm", &"0".repeat(64), "")]);
    assert_eq!(stage.settle().await, Some(Settled::Refused(name("one"))));
    assert!(stage.providers.list()[&name("one")].get().await.is_ok());
    assert!(stage.hooks.list().is_empty());
}

#[tokio::test]
async fn a_bundled_hook_stays_one_whatever_its_entry_says() {
    let stage = Stage::new(&["    - { name: caa, kind: dns-provider }\n".to_owned()]).await;
    let reason = stage.hook().await.expect_err("a contradiction");
    assert!(reason.contains("the bundled plugin caa is an issuance hook"), "{reason}");
}

#[tokio::test]
async fn a_refused_update_is_told_until_it_is_put_right() {
    let with = |checksum: &str, region: &str| {
        [entry("one", "provider.wasm", checksum, &format!(", env: {{ REGION: {region} }}"))]
    };
    let sum = digest("misbehaving.wasm");
    let mut stage = Stage::new(&with(&sum, "a")).await;
    assert!(stage.set.is_in_force());
    let told = |stage: &Stage| stage.metrics.plugins().news().of("one").refused_update;
    for _ in 0..2 {
        stage.change(&with(&"0".repeat(64), "a"));
        assert_eq!(stage.settle().await, Some(Settled::Refused(name("one"))));
        assert!(!stage.set.is_in_force());
        assert!(told(&stage).is_some_and(|reason| reason.contains("has another checksum")), "{:?}", told(&stage));
    }
    // What was there before is put back.
    assert_eq!(stage.change(&with(&sum, "a")), Changes::default());
    assert!(stage.set.is_in_force() && told(&stage).is_none());
    stage.change(&with(&"0".repeat(64), "a"));
    assert_eq!(stage.settle().await, Some(Settled::Refused(name("one"))));
    // A new version is good.
    stage.change(&with(&sum, "b"));
    assert_eq!(stage.settle().await, Some(Settled::Replaced(name("one"))));
    assert!(stage.set.is_in_force() && told(&stage).is_none());
    // A removed plugin has no news.
    stage.change(&with(&"0".repeat(64), "a"));
    assert_eq!(stage.settle().await, Some(Settled::Refused(name("one"))));
    assert!(stage.change(&[]).removed.contains(&name("one")));
    assert!(stage.set.is_in_force() && told(&stage).is_none());
}

#[tokio::test]
async fn one_slow_load_holds_up_nothing_else() {
    let sum = digest("misbehaving.wasm");
    let plugin = |name: &str, more: &str| entry(name, "provider.wasm", &sum, more);
    let mut stage = Stage::new(&[plugin("slow", ""), plugin("gone", ""), plugin("quick", "")]).await;
    // `describe` computes until its fuel is used up: so much of it takes seconds.
    let slow = plugin("slow", ", env: { DESCRIBE: loop }, fuel: 18446744073709551615, timeout: 5");
    let changes = stage.change(&[slow.clone(), plugin("quick", ", env: { REGION: b }"), plugin("new", "")]);
    assert!(changes.removed.contains(&name("gone")) && changes.replaced.contains(&name("new")), "{changes:?}");
    let listed = stage.providers.list();
    assert!(!listed.contains_key(&name("gone")) && listed.contains_key(&name("new")), "at once");
    let began = std::time::Instant::now();
    assert_eq!(stage.settle().await, Some(Settled::Replaced(name("quick"))));
    assert!(began.elapsed() < Duration::from_secs(4), "the quick one waited {:?}", began.elapsed());
    // The same config again goes on with the load that is under way.
    stage.change(&[slow, plugin("quick", ", env: { REGION: b }"), plugin("new", "")]);
    assert_eq!(stage.settle().await, Some(Settled::Refused(name("slow"))));
    assert!(began.elapsed() < Duration::from_secs(8), "it was loaded twice: {:?}", began.elapsed());
    assert!(stage.providers.list()[&name("slow")].get().await.is_ok(), "the old one stays");
}

#[tokio::test]
async fn a_provider_is_asked_once_whether_it_can_work() {
    let sum = digest("misbehaving.wasm");
    let plugin = |name: &str, env: &str| entry(name, "provider.wasm", &sum, &format!(", env: {{ {env} }}"));
    let stage = Stage::new(&[plugin("good", "TOKEN: 0123456789"), plugin("bad", "REGION: a")]).await;
    let said = |name: &'static str| stage.metrics.plugins().news().of(name).check;
    let until = std::time::Instant::now() + Duration::from_secs(30);
    while said("good").is_none() || said("bad").is_none() {
        assert!(std::time::Instant::now() < until, "no check");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert_eq!(said("good").as_deref(), Some("ok"));
    assert!(said("bad").is_some_and(|error| error.contains("TOKEN is missing")), "{:?}", said("bad"));
    assert_eq!(stage.metrics.plugins().totals()["good"]["check"].calls, 1);
}

#[tokio::test]
async fn without_a_folder_for_compiled_plugins_they_are_compiled() {
    let data = tempfile::tempdir().expect("a folder");
    Stage::place(data.path(), "provider.wasm", "misbehaving.wasm");
    std::fs::write(data.path().join("plugin-cache"), "a file in its place").expect("the folder takes files");
    let stage = Stage::on(data, &[entry("one", "provider.wasm", &digest("misbehaving.wasm"), "")]).await;
    assert!(stage.providers.list()[&name("one")].get().await.is_ok());
}
