//! `plugin list|inspect|checksum` and those about signatures: what there is to know about components, for operators
//! and authors. The commands for authors alone are those of `acme-manager-workbench`.

mod inspect;
mod remote;

use std::path::Path;
use std::sync::Arc;

use acme_manager_plugin_runtime::{PluginDigest, read_component};
use acme_manager_workbench::print;
use acme_manager_workbench::text::{block, plain};

use super::plugin_signatures;
use super::plugins::{self, Loader, Plan};
use crate::certificates::chain;
use crate::config::{Config, Environment, Flags, PluginCommand};

/// Does it and prints the result on standard output.
///
/// # Errors
/// When a file cannot be read or the config is wrong.
pub async fn run(command: PluginCommand, flags: &Flags) -> anyhow::Result<()> {
    // Errors quote components and servers.
    act(command, flags).await.map_err(|error| anyhow::anyhow!(block(&format!("{error:#}"))))
}

async fn act(command: PluginCommand, flags: &Flags) -> anyhow::Result<()> {
    match command {
        PluginCommand::List => list(flags).await,
        PluginCommand::ListOf(server) => {
            print(&remote::list(&server, &Environment::load(&flags.env_config_path)?).await?)
        }
        PluginCommand::Inspect(path) => {
            let found = inspect::inspect(&path).await?;
            print(&found.text)?;
            found.verdict
        }
        PluginCommand::Checksum(path) => print(&format!("{}\n", PluginDigest::of(&read(&path)?))),
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
    let mut text = format!("{:<20} {:<10} {:<64} ORIGIN\n", "NAME", "VERSION", "SHA-256");
    let mut unusable = 0;
    for (plan, plugin) in plugins::load_all(&loader, Plan::all(&loaded.config, &environment)).await {
        match plugin {
            Ok(loaded) => {
                let version = plain(loaded.version());
                let (name, digest, origin) = (plan.name.as_str(), loaded.digest(), plan.origin());
                text += &format!("{name:<20} {version:<10} {digest} {origin}\n");
            }
            Err(reason) => {
                unusable += 1;
                let reason = plain(&reason.to_string());
                text += &format!("{:<20} not usable: {reason} ({})\n", plan.name.as_str(), plan.origin());
            }
        }
    }
    print(&text)?;
    anyhow::ensure!(unusable == 0, "{unusable} of the plugins cannot be used");
    Ok(())
}

fn read(path: &Path) -> anyhow::Result<Vec<u8>> {
    read_component(path).map_err(|e| anyhow::anyhow!(chain(&e)))
}
