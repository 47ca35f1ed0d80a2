//! What the documentation says of the bundled plugins is what they say of themselves.

use std::fmt::Write as _;
use std::path::Path;

use acme_manager_plugin_runtime::EnvironmentKey;

use super::*;

const HEAD: &str = "\
# Bundled plugins

Made from what the plugins say of themselves. **Needed** keys have no default; where one of several sets of keys is
enough, none is marked, and the page of the plugin says which. Names in parentheses mean the same.

lego's `*_HTTP_TIMEOUT` are not read: the entry's `timeout` takes their place.

";

/// All bundled plugins, loaded from a config that speaks of the hooks among them.
async fn all() -> Vec<(Plan, LoadedPlugin)> {
    let folder = tempfile::tempdir().expect("a folder");
    let hooks = BUNDLED.iter().filter(|plugin| plugin.is_hook).map(|plugin| plugin.name).collect::<Vec<_>>();
    let entries: String = hooks.iter().map(|name| format!("    - {{ name: {name} }}\n")).collect();
    let (file, data) = (folder.path().join("config.yml"), folder.path().display());
    let text = format!("common:\n  plugins:\n{entries}storage:\n  embedded:\n    path: {data}/store\n");
    std::fs::write(&file, text).expect("the folder takes files");
    let config = Config::load(&file).expect("a good config").config;
    let environment = Arc::new(Environment::load(&folder.path().join(".env")).expect("no file is no variable"));
    let loader = Loader::new(&config, false, None).expect("a loader");
    let loaded = load_all(&loader, Plan::all(&config, &environment)).await;
    loaded.into_iter().map(|(plan, plugin)| (plan, plugin.expect("a bundled plugin loads"))).collect()
}

#[tokio::test]
async fn what_comes_from_a_file_is_hidden_whatever_the_plugin_says() {
    let folder = tempfile::tempdir().expect("a folder");
    let component = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/plugins/test/misbehaving.wasm");
    let checksum = PluginDigest::of(&std::fs::read(&component).expect("run `cargo xtask plugins`"));
    let place = folder.path().display();
    std::fs::write(folder.path().join("region"), "eu-central-1\n").expect("the folder takes files");
    for (region, is_hidden) in [("eu-central-1".to_owned(), false), (format!("file:{place}/region"), true)] {
        let text = format!(
            "common:\n  plugins:\n    - {{name: a, path: {}, checksum: {checksum}, env: {{TOKEN: s3cr3tt0kenvalue, REGION: \
             '{region}'}}}}\nstorage:\n  embedded:\n    path: {place}/store\n",
            component.display()
        );
        let config = Config::parse(&text).expect("a good config").config;
        let environment = Arc::new(Environment::load(&folder.path().join(".env")).expect("no file is no variable"));
        let loader = Loader::new(&config, false, None).expect("a loader");
        let plans = Plan::all(&config, &environment);
        let plan = plans.iter().find(|plan| plan.name.as_str() == "a").expect("it is in the config");
        let LoadedPlugin::Provider(plugin) = plan.load(&loader).await.expect("it loads") else { panic!("a provider") };
        let said = format!("{:?}", plugin.description());
        assert_eq!(!said.contains("eu-central-1"), is_hidden, "{said}");
    }
}

fn keys(keys: &[EnvironmentKey], wanted: impl Fn(&EnvironmentKey) -> bool) -> String {
    let shown = keys.iter().filter(|key| wanted(key)).map(|key| {
        let names: Vec<String> = key.aliases.iter().map(|name| format!("`{name}`")).collect();
        let also = if names.is_empty() { String::new() } else { format!(" ({})", names.join(", ")) };
        let secret = if key.secret { " 🔒" } else { "" };
        format!("`{}`{also}{secret}", key.name)
    });
    shown.collect::<Vec<_>>().join(", ")
}

fn row(name: &str, page: bool, environment: &[EnvironmentKey], hosts: &[String]) -> String {
    let name = if page { format!("[`{name}`]({name}.md)") } else { format!("`{name}`") };
    let (needed, others) = (keys(environment, |key| key.required), keys(environment, |key| !key.required));
    let hosts: Vec<String> = hosts.iter().map(|host| format!("`{host}`")).collect();
    format!("| {name} | {needed} | {others} | {} |\n", hosts.join(", "))
}

#[tokio::test]
async fn the_table_of_the_documentation_is_that_of_the_plugins() {
    let docs = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/providers");
    let (mut providers, mut hooks) = (String::new(), String::new());
    for (plan, plugin) in all().await {
        let name = plan.name.as_str();
        let page = docs.join(format!("{name}.md")).is_file();
        match &plugin {
            // It is shown under the name that it has now.
            LoadedPlugin::Provider(plugin) if plugin.description().name != name => {}
            LoadedPlugin::Provider(plugin) => {
                let description = plugin.description();
                providers += &row(name, page, &description.environment, &description.hosts);
            }
            LoadedPlugin::Hook(hook) => {
                let description = hook.description();
                hooks += &row(name, page, &description.environment, &description.hosts);
            }
        }
    }
    let head = "| name | needed keys | other keys | hosts |\n|---|---|---|---|\n";
    let mut table = HEAD.to_owned();
    write!(table, "## DNS providers\n\n{head}{providers}\n## Issuance hooks\n\n{head}{hooks}").expect("it grows");
    table.push_str("\n🔒 secret: the value is replaced wherever it would be read.\n");
    let file = docs.join("README.md");
    if std::fs::read_to_string(&file).unwrap_or_default() != table {
        let made = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/providers.md");
        std::fs::write(&made, table).expect("the folder is there");
        panic!("{} is not what the plugins say: cp {} {}", file.display(), made.display(), file.display());
    }
}

#[tokio::test]
async fn every_bundled_plugin_has_its_own_name_a_page_with_its_keys_and_a_script() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let docs = root.join("host/docs/providers");
    let mut faults = Vec::new();
    for (plan, plugin) in all().await {
        let LoadedPlugin::Provider(plugin) = plugin else { continue };
        let own = &plugin.description().name;
        let former = FORMER_NAMES.iter().any(|(old, name)| plan.name.as_str() == *old && own == name);
        if !former && own != plan.name.as_str() {
            faults.push(format!("{} calls itself {own}", plan.name));
        }
        let page = std::fs::read_to_string(docs.join(format!("{own}.md"))).unwrap_or_default();
        let keys = &plugin.description().environment;
        for name in keys.iter().flat_map(|key| std::iter::once(&key.name).chain(&key.aliases)) {
            if !page.contains(&format!("`{name}`")) {
                faults.push(format!("host/docs/providers/{own}.md does not speak of `{name}`"));
            }
        }
        if !root.join(format!("plugins/{own}/conformance.json")).is_file() {
            faults.push(format!("there is no plugins/{own}/conformance.json"));
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}
