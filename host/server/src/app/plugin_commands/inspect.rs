//! `plugin inspect`: what a file is, before anybody trusts it with anything. Every text of a component is that of a
//! stranger.

use std::fmt::Write as _;
use std::path::Path;

use acme_manager_plugin_runtime::{
    CallError, Description, Engine, EngineSettings, EnvironmentKey, HookDescription, Inspection,
};
use acme_manager_workbench::hosts;
use acme_manager_workbench::quantity::bytes;
use acme_manager_workbench::table::Table;
use acme_manager_workbench::text::plain;

use super::read;
use crate::certificates::chain;

/// What stands behind an import.
const BEHIND: [(&str, &str); 4] = [
    ("wasi:http/outgoing-handler", "granted by `allowed_hosts`"),
    ("acme-manager:dns/exchange", "granted by `allowed_dns_servers`"),
    ("wasi:filesystem/", "never granted: nothing is behind it"),
    ("wasi:sockets/", "never granted: nothing is behind it"),
];

/// What was found.
pub(super) struct Found {
    pub(super) text: String,
    /// Whether a server could use it.
    pub(super) verdict: anyhow::Result<()>,
}

/// Looks into a file. An error means that it is no component at all.
pub(super) async fn inspect(path: &Path) -> anyhow::Result<Found> {
    let engine = Engine::new(EngineSettings::default())?;
    let inspection =
        engine.inspect(read(path)?).await.map_err(|e| anyhow::anyhow!("{}: {}", path.display(), chain(&e)))?;
    let mut text = String::new();
    let verdict = told(&mut text, path, &inspection)?.map_err(anyhow::Error::msg);
    Ok(Found { text, verdict })
}

fn told(out: &mut String, path: &Path, found: &Inspection) -> Result<Result<(), String>, std::fmt::Error> {
    writeln!(out, "file:     {}", path.display())?;
    writeln!(out, "size:     {} bytes ({})", found.size, bytes(found.size))?;
    writeln!(out, "checksum: {}", found.digest)?;
    for producer in &found.producers {
        let made = format!("{} {} {}", producer.role, producer.name, producer.version);
        writeln!(out, "producer: {}", plain(made.trim_end()))?;
    }
    for import in &found.imports {
        let behind = BEHIND.iter().find(|(prefix, _)| import.starts_with(prefix));
        let behind = behind.map(|(_, behind)| format!("  ({behind})")).unwrap_or_default();
        writeln!(out, "import:   {}{behind}", plain(import))?;
    }
    for export in &found.exports {
        writeln!(out, "export:   {}", plain(export))?;
    }
    for note in &found.notes {
        writeln!(out, "note:     {note}")?;
    }
    if let Some(difference) = &found.difference {
        writeln!(out, "world:    does not fit {}: {}", found.world.name(), plain(difference))?;
        return Ok(Err(format!("{} is not a plugin for this server", path.display())));
    }
    writeln!(out, "world:    {}", found.world.name())?;
    writeln!(out, "kind:     {}", found.world)?;
    let fails = |error: &CallError| Ok(Err(format!("describe fails: {}", chain(error))));
    match (&found.hook, &found.description) {
        (Some(Err(error)), _) | (_, Some(Err(error))) => return fails(error),
        (Some(Ok(HookDescription { name, version, homepage, environment, hosts })), _) => {
            about(out, [name, version, homepage])?;
            wishes(out, environment, hosts, &found.imports)?;
        }
        (None, Some(Ok(described))) => provider(out, described, &found.imports)?,
        (None, None) => {}
    }
    Ok(Ok(()))
}

fn provider(out: &mut String, described: &Description, imports: &[String]) -> std::fmt::Result {
    let Description { name, version, homepage, environment, hosts, .. } = described;
    about(out, [name, version, homepage])?;
    writeln!(out, "ttl:      {} s", described.default_ttl)?;
    let (longest, every) = (described.propagation_timeout.as_secs(), described.propagation_interval.as_secs());
    writeln!(out, "visible:  within {longest} s, looked at every {every} s")?;
    let values = if described.multiple_values { "several" } else { "one" };
    writeln!(out, "values:   {values} at a name")?;
    wishes(out, environment, hosts, imports)
}

fn about(out: &mut String, [name, version, homepage]: [&str; 3]) -> std::fmt::Result {
    writeln!(out, "name:     {} {}", plain(name), plain(version))?;
    writeln!(out, "homepage: {}", plain(homepage))
}

/// What it wants to be given.
fn wishes(out: &mut String, keys: &[EnvironmentKey], hosts: &[String], imports: &[String]) -> std::fmt::Result {
    writeln!(out, "hosts:    {}", if hosts.is_empty() { "none".to_owned() } else { plain(&hosts.join(", ")) })?;
    if !keys.is_empty() {
        writeln!(out, "\nIt reads these variables:\n")?;
        for line in variables(keys).to_string().lines() {
            writeln!(out, "  {line}")?;
        }
    }
    let mut lines = hosts::suggestion(hosts);
    if imports.iter().any(|import| import.starts_with("acme-manager:dns/exchange")) {
        lines
            .push("# allowed_dns_servers: [\"…\"] for name servers, unless an endpoint variable names them".to_owned());
    }
    if !lines.is_empty() {
        writeln!(out, "\nFor its entry in `common.plugins`, if you grant what it asks for:\n")?;
        for line in lines {
            writeln!(out, "  {line}")?;
        }
    }
    Ok(())
}

fn variables(keys: &[EnvironmentKey]) -> Table<5> {
    let mut table = Table::new(["VARIABLE", "MARKS", "DEFAULT", "ALSO CALLED", "HELP"], 5);
    for key in keys {
        let marks: Vec<&str> = [("required", key.required), ("secret", key.secret), ("endpoint", key.endpoint)]
            .into_iter()
            .filter_map(|(mark, set)| set.then_some(mark))
            .collect();
        let or_none = |text: String| if text.is_empty() { "-".to_owned() } else { plain(&text) };
        table.add([
            plain(&key.name),
            or_none(marks.join(", ")),
            or_none(key.default.clone().unwrap_or_default()),
            or_none(key.aliases.join(", ")),
            plain(&key.help),
        ]);
    }
    table
}

#[cfg(test)]
mod tests;
