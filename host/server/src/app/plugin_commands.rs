//! `plugin list|inspect|checksum`: what there is to know about components, for operators and authors. The commands
//! for authors alone are those of `acme-manager-workbench`.

use std::path::Path;
use std::sync::Arc;

use acme_manager_plugin_runtime::{Description, Engine, EngineSettings, Inspection, PluginDigest, read_component};

use super::plugins::{self, Loader, Plan};
use crate::certificates::chain;
use crate::config::{Config, Environment, Flags, PluginCommand};

/// Does it and prints the result on standard output.
///
/// # Errors
/// When a file cannot be read or the config is wrong.
pub async fn run(command: PluginCommand, flags: &Flags) -> anyhow::Result<()> {
    match command {
        PluginCommand::List => list(flags).await,
        PluginCommand::Inspect(path) => inspect(&path).await,
        PluginCommand::Checksum(path) => {
            println!("{}", PluginDigest::of(&read(&path)?));
            Ok(())
        }
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
                let version = &loaded.description().version;
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

async fn inspect(path: &Path) -> anyhow::Result<()> {
    let engine = Engine::new(EngineSettings::default())?;
    let Inspection { digest, size, imports, exports, difference, description, notes, .. } =
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
        anyhow::bail!("{} is not a DNS provider for this server", path.display());
    }
    match description {
        Some(Ok(description)) => describe(&description),
        Some(Err(error)) => anyhow::bail!("describe fails: {}", chain(&error)),
        None => {}
    }
    Ok(())
}

fn describe(description: &Description) {
    println!("name:     {} {}", description.name, description.version);
    println!("homepage: {}", description.homepage);
    println!("hosts:    {}", description.hosts.join(", "));
    println!("ttl:      {} s", description.default_ttl);
    let (longest, every) = (description.propagation_timeout.as_secs(), description.propagation_interval.as_secs());
    println!("visible:  within {longest} s, looked at every {every} s");
    for key in &description.environment {
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
