//! The variables that a component gets: those that it describes, as far as a file, this process or the command line has
//! them.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use acme_manager_plugin_runtime::EnvironmentKey;
use anyhow::{Context as _, bail, ensure};

use crate::command::{Assignment, RunOptions, Variable, names};
use crate::text::plain;
use crate::{dotenv, file};

/// What makes a folder that of a plugin project.
const SIGN_OF_A_PROJECT: &str = "conformance.json";
/// Read without being named in a plugin project. Elsewhere it is likely to be the server's own, of which a component
/// would get whatever it names.
const DEFAULT_FILE: &str = ".env";

/// Gathers them. `folder` is the current one.
pub(super) fn of(
    options: &RunOptions,
    keys: &[EnvironmentKey],
    folder: &Path,
) -> anyhow::Result<BTreeMap<String, String>> {
    let file = options.env_file.clone().or_else(|| own(folder));
    let found = file.as_deref().map(variables).transpose()?.unwrap_or_default();
    let mut environment = BTreeMap::new();
    for key in keys {
        let names = std::iter::once(&key.name).chain(&key.aliases);
        if let Some(value) = names.filter_map(|name| found.get(name)).find(|value| !value.is_empty()) {
            environment.insert(key.name.clone(), value.clone());
        }
    }
    for variable in &options.environment {
        let (key, value) = chosen(variable, keys, file.as_deref())?;
        environment.insert(key.name.clone(), value);
    }
    if let Some((name, _)) = environment.iter().find(|(_, value)| value.starts_with("file:/")) {
        bail!(
            "{name} names a file, as only config.yml can: write the value itself, or `{name}=\"$(cat FILE)\"` before the \
               command and `--env {name}` behind it"
        );
    }
    complete(&environment, keys, folder, file.as_deref())?;
    Ok(environment)
}

/// The file of the project in `folder`, if it is one and has one.
fn own(folder: &Path) -> Option<PathBuf> {
    let file = folder.join(DEFAULT_FILE);
    (folder.join(SIGN_OF_A_PROJECT).is_file() && file.exists()).then_some(file)
}

/// A variable of the command line, with its value.
fn chosen<'a>(
    variable: &Variable,
    keys: &'a [EnvironmentKey],
    file: Option<&Path>,
) -> anyhow::Result<(&'a EnvironmentKey, String)> {
    let (name, value) = match variable {
        Variable::Given(Assignment { name, value }) => (name, value.clone()),
        Variable::Inherited(name) => {
            let value = std::env::var_os(name).with_context(|| format!("this process has no variable {name}"))?;
            let value = value.into_string();
            (name, value.map_err(|_| anyhow::anyhow!("the variable {name} of this process is no UTF-8"))?)
        }
    };
    let key = keys.iter().find(|key| key.name == *name || key.aliases.contains(name));
    let key = key.with_context(|| format!("the component does not read {name}; it reads {}", names(keys)))?;
    ensure!(
        !(key.secret && matches!(variable, Variable::Given(_))),
        "{name} is a secret, and every user of this machine can see a command line: put it into {}, or export it and \
         write `--env {name}`",
        file.map_or_else(|| "a file for --env-file".to_owned(), |file| file.display().to_string())
    );
    Ok((key, value))
}

/// A call without what the component cannot do without says less than this does.
fn complete(
    environment: &BTreeMap<String, String>,
    keys: &[EnvironmentKey],
    folder: &Path,
    file: Option<&Path>,
) -> anyhow::Result<()> {
    let is_missing = |key: &&EnvironmentKey| {
        key.required && key.default.is_none() && environment.get(&key.name).is_none_or(String::is_empty)
    };
    let missing: Vec<&EnvironmentKey> = keys.iter().filter(is_missing).collect();
    let Some(first) = missing.first() else { return Ok(()) };
    let named: Vec<String> = missing.iter().map(|key| format!("{} ({})", key.name, plain(&key.help))).collect();
    let place = folder.join(DEFAULT_FILE);
    let unread = match file {
        Some(file) => format!("; {} has none of that name", file.display()),
        None if place.exists() => format!(
            "; {} is not read by itself, because this is no plugin project: there is no {SIGN_OF_A_PROJECT} beside it",
            place.display()
        ),
        None => String::new(),
    };
    bail!(
        "the component cannot do without {}: name a file with --env-file FILE, or hand over a variable of this process \
         with --env {}{unread}",
        named.join(", "),
        first.name
    )
}

/// The variables of a file; of several with one name, the last counts.
fn variables(file: &Path) -> anyhow::Result<BTreeMap<String, String>> {
    let text = file::read(file)?;
    let assignments = dotenv::read(&text).map_err(|error| anyhow::anyhow!("{}: {error}", file.display()))?;
    for one in assignments.iter().filter(|one| one.has_gap) {
        crate::tell(&format!("warning: {}: line {}: {}: {}\n", file.display(), one.line, one.name, dotenv::GAP));
    }
    Ok(assignments.into_iter().map(|one| (one.name, one.value)).collect())
}

#[cfg(test)]
mod tests;
