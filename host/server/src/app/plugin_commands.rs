//! `plugin list|inspect|checksum` and those about signatures: what there is to know about components, for operators
//! and authors. The commands for authors alone are those of `acme-manager-workbench`.

use std::path::Path;
use std::sync::Arc;

use acme_manager_api::{PluginCalls, PluginStatus};
use acme_manager_plugin_runtime::{
    CallError, Description, Engine, EngineSettings, EnvironmentKey, HookDescription, Inspection, PluginDigest,
    read_component,
};
use anyhow::Context;
use secrecy::ExposeSecret;

use super::plugin_signatures;
use super::plugins::{self, Loader, Plan};
use crate::certificates::chain;
use crate::config::{Config, Environment, Flags, PluginCommand};

/// A list of plugins is a few kilobytes that the server has at hand.
const ANSWER_TIME: std::time::Duration = std::time::Duration::from_secs(10);

/// Does it and prints the result on standard output.
///
/// # Errors
/// When a file cannot be read or the config is wrong.
pub async fn run(command: PluginCommand, flags: &Flags) -> anyhow::Result<()> {
    match command {
        PluginCommand::List => list(flags).await,
        PluginCommand::ListOf(server) => list_of(&server, flags).await,
        PluginCommand::Inspect(path) => inspect(&path).await,
        PluginCommand::Checksum(path) => {
            println!("{}", PluginDigest::of(&read(&path)?));
            Ok(())
        }
        PluginCommand::Keygen(key) => plugin_signatures::keygen(&key),
        PluginCommand::Sign { file, key } => plugin_signatures::sign(&file, &key),
        PluginCommand::Verify { file, key } => plugin_signatures::verify(&file, &key),
        PluginCommand::Author(command) => acme_manager_workbench::run(*command).await,
    }
}

async fn list(flags: &Flags) -> anyhow::Result<()> {
    let environment = Arc::new(Environment::load(&flags.env_config_path)?);
    let loaded = Config::load(&flags.config_path)?;
    let loader = Loader::new(&loaded.config, flags.allow_unverified_plugins, None)?;
    println!("{:<20} {:<10} {:<64} ORIGIN", "NAME", "VERSION", "SHA-256");
    let mut unusable = 0;
    for (plan, plugin) in plugins::load_all(&loader, Plan::all(&loaded.config, &environment)).await {
        match plugin {
            Ok(loaded) => {
                let version = loaded.version();
                println!("{:<20} {version:<10} {} {}", plan.name.as_str(), loaded.digest(), plan.origin());
            }
            Err(reason) => {
                unusable += 1;
                println!("{:<20} not usable: {reason} ({})", plan.name.as_str(), plan.origin());
            }
        }
    }
    anyhow::ensure!(unusable == 0, "{unusable} of the plugins cannot be used");
    Ok(())
}

/// The variable that holds the key of a running server's API: a command line can be seen by every user of a machine.
const API_KEY: &str = "ACME_MANAGER_API_KEY";

/// Asks a running server, which also knows what its plugins' calls came to.
async fn list_of(server: &url::Url, flags: &Flags) -> anyhow::Result<()> {
    let environment = Environment::load(&flags.env_config_path)?;
    let key = environment.get(API_KEY).with_context(|| {
        format!("set {API_KEY} to the key whose hash is `common.api_key_hash` on the server {server}")
    })?;
    let url = server.join("/api/v1/plugins")?;
    let client = reqwest::Client::builder().timeout(ANSWER_TIME).build()?;
    let answer = client
        .get(url.clone())
        .header("x-api-key", key.expose_secret())
        .send()
        .await
        .context("the server cannot be asked")?;
    let status = answer.status();
    if status == reqwest::StatusCode::UNAUTHORIZED {
        anyhow::bail!("{url} does not accept the key in {API_KEY}");
    }
    anyhow::ensure!(status.is_success(), "{url} answered {status}: is this an acme-manager of this version?");
    let plugins: Vec<PluginStatus> = answer.json().await.context("the answer is not a list of plugins")?;
    println!(
        "{:<16} {:<10} {:<8} {:>8} {:>8} {:>9} {:<64} ORIGIN",
        "NAME", "STATE", "VERSION", "CALLS", "ERRORS", "MEAN", "SHA-256"
    );
    for plugin in plugins {
        let sum = |of: fn(&PluginCalls) -> u64| plugin.operations.values().map(of).sum::<u64>();
        let calls = sum(|calls| calls.calls);
        let errors = sum(|calls| calls.errors.values().sum());
        let seconds: f64 = plugin.operations.values().map(|calls| calls.seconds).sum();
        #[expect(clippy::cast_precision_loss, reason = "for people")]
        let mean = if calls == 0 { "-".to_owned() } else { format!("{:.1} ms", seconds * 1000.0 / calls as f64) };
        let state = format!("{:?}", plugin.state).to_lowercase();
        let PluginStatus { name, version, digest, origin, .. } = &plugin;
        println!("{name:<16} {state:<10} {version:<8} {calls:>8} {errors:>8} {mean:>9} {digest:<64} {origin}");
        if !plugin.reason.is_empty() {
            println!("{:<16} {}", "", plugin.reason);
        }
        for (operation, calls) in &plugin.operations {
            for (class, count) in &calls.errors {
                println!("{:<16} {operation}: {count} × {class}", "");
            }
        }
    }
    Ok(())
}

async fn inspect(path: &Path) -> anyhow::Result<()> {
    let engine = Engine::new(EngineSettings::default())?;
    let Inspection { digest, size, imports, exports, world, difference, description, hook, notes, .. } =
        engine.inspect(read(path)?).await.map_err(|e| anyhow::anyhow!("{}: {}", path.display(), chain(&e)))?;
    println!("file:     {}", path.display());
    println!("size:     {size} bytes");
    println!("checksum: {digest}");
    for import in imports {
        println!("import:   {import}");
    }
    for export in exports {
        println!("export:   {export}");
    }
    for note in notes {
        println!("note:     {note}");
    }
    if let Some(difference) = difference {
        println!("world:    does not fit: {difference}");
        anyhow::bail!("{} is not a plugin for this server", path.display());
    }
    println!("kind:     {world}");
    let fails = |error: CallError| anyhow::anyhow!("describe fails: {}", chain(&error));
    if let Some(described) = hook {
        let HookDescription { name, version, homepage, environment, hosts } = described.map_err(fails)?;
        print_about(&format!("{name} {version}"), &homepage, &hosts);
        print_keys(&environment);
    }
    if let Some(described) = description {
        describe(&described.map_err(fails)?);
    }
    Ok(())
}

fn describe(description: &Description) {
    let Description { name, version, homepage, hosts, .. } = description;
    print_about(&format!("{name} {version}"), homepage, hosts);
    println!("ttl:      {} s", description.default_ttl);
    let (longest, every) = (description.propagation_timeout.as_secs(), description.propagation_interval.as_secs());
    println!("visible:  within {longest} s, looked at every {every} s");
    print_keys(&description.environment);
}

fn print_about(name: &str, homepage: &str, hosts: &[String]) {
    println!("name:     {name}");
    println!("homepage: {homepage}");
    println!("hosts:    {}", hosts.join(", "));
}

fn print_keys(keys: &[EnvironmentKey]) {
    for key in keys {
        let marks: Vec<&str> = [("required", key.required), ("secret", key.secret), ("endpoint", key.endpoint)]
            .into_iter()
            .filter_map(|(mark, set)| set.then_some(mark))
            .collect();
        let names = std::iter::once(key.name.as_str()).chain(key.aliases.iter().map(String::as_str));
        println!("key:      {} [{}] {}", names.collect::<Vec<_>>().join(" | "), marks.join(", "), key.help);
    }
}

fn read(path: &Path) -> anyhow::Result<Vec<u8>> {
    read_component(path).map_err(|e| anyhow::anyhow!(chain(&e)))
}
