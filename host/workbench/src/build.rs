//! `plugin build`: from a project's folder to one component in its `target/plugin`, with the tools of its language. What
//! goes wrong in them is told in words.

mod explain;
mod javascript;
mod python;
mod rust;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use acme_manager_plugin_runtime::{
    About, Description, Engine, EngineSettings, EnvironmentKey, HookDescription, Inspection, World, read_component,
};
use anyhow::{Context as _, bail, ensure};

use crate::command::{BuildOptions, Language};
use crate::quantity::bytes;
use crate::text::{plain, quoted, shell, yaml};
use crate::{file, hosts};

/// Where finished components are put, below the project's folder.
const OUTPUT: &str = "target/plugin";

/// Builds and returns what to say about the component.
pub(crate) async fn build(options: &BuildOptions) -> anyhow::Result<String> {
    let folder = &options.folder;
    let language = language(folder)?;
    let made = match language {
        Language::Rust => rust::build(folder)?,
        Language::Python => python::build(folder)?,
        Language::Javascript => javascript::build(folder)?,
    };
    let component = read_component(&made)?;
    let inspection = Engine::new(EngineSettings::default())?.inspect(component.clone()).await?;
    if let Some(difference) = &inspection.difference {
        bail!(
            "what was built ({}) is no plugin for this server: {difference}; in Rust, a provider ends with \
             `export_provider!(Type)` and a hook with `export_hook!(Type)`",
            made.display()
        );
    }
    let said = introduced(&inspection)?;
    let place = folder.join(OUTPUT).join(format!("{}.wasm", said.name));
    if place != made {
        output(folder)?;
        file::replace(&place, &component, 0o666)?;
    }
    Ok(report(&place, &inspection, &said))
}

/// What the project is written in, by the file that its tools want.
fn language(folder: &Path) -> anyhow::Result<Language> {
    ensure!(folder.is_dir(), "{} is no folder", folder.display());
    let signs = [
        ("Cargo.toml", Language::Rust),
        ("package.json", Language::Javascript),
        ("requirements.txt", Language::Python),
        ("app.py", Language::Python),
    ];
    let mut found: Vec<_> = signs.into_iter().filter(|(file, _)| folder.join(file).is_file()).collect();
    found.dedup_by_key(|(_, language)| *language);
    match found.as_slice() {
        [(_, language)] => Ok(*language),
        [] => bail!(
            "{} is no plugin's folder: it has no Cargo.toml (Rust), package.json (JavaScript) or app.py (Python); \
             `plugin new NAME` makes one",
            folder.display()
        ),
        several => bail!(
            "{} could be a project in several languages: it has {}",
            folder.display(),
            several.iter().map(|(file, _)| *file).collect::<Vec<_>>().join(" and ")
        ),
    }
}

fn introduced(inspection: &Inspection) -> anyhow::Result<About<'_>> {
    let described = match (&inspection.description, &inspection.hook) {
        (Some(described), _) => described.as_ref().map(Description::about),
        (None, Some(described)) => described.as_ref().map(HookDescription::about),
        (None, None) => bail!("it was built, but it is neither a DNS provider nor an issuance hook"),
    };
    let failed = "it was built, but `describe` fails; it must work without environment and network";
    described.map_err(|error| anyhow::anyhow!("{error}")).context(failed)
}

fn report(place: &Path, inspection: &Inspection, said: &About<'_>) -> String {
    let About { name, version, hosts, environment: keys, .. } = said;
    let mut text = format!(
        "{}  {}\n{} {}, made for the world {}\n\nAn entry for config.yml:\n\ncommon:\n  plugins:\n    - name: {}\n      \
         path: {}\n      checksum: {}\n",
        place.display(),
        bytes(inspection.size),
        plain(name),
        plain(version),
        inspection.world.name(),
        yaml(name),
        path(&format!("/etc/acme-manager/plugins/{name}.wasm")),
        inspection.digest,
    );
    if inspection.world == World::IssuanceHook {
        text.push_str("      kind: issuance-hook\n");
    }
    let needed: Vec<&EnvironmentKey> = keys.iter().filter(|key| key.required || key.secret).collect();
    if !needed.is_empty() {
        text.push_str("      env:\n");
    }
    for key in needed {
        text.push_str(&format!("        {}\n", variable(key)));
    }
    for line in hosts::suggestion(hosts) {
        text.push_str(&format!("      {line}\n"));
    }
    text.push_str(&format!("\nTry it: acme-manager-server plugin test {}\n", shell(&place.display().to_string())));
    text
}

/// The line for a variable. Nothing that the component says can end it, or become another one.
fn variable(key: &EnvironmentKey) -> String {
    let file = key.name.to_ascii_lowercase().replace('_', "-");
    let value = match (key.secret, &key.default) {
        (true, _) => path(&format!("file:/etc/acme-manager/secrets/{file}")),
        (false, Some(default)) => quoted(default),
        (false, None) => "…".to_owned(),
    };
    let need = if key.required { "required" } else { "optional" };
    format!("{}: {value}  # {need}: {}", yaml(&key.name), plain(&key.help))
}

/// A path as YAML: bare if it is the usual one.
fn path(text: &str) -> String {
    let is_usual = text.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '/' | '.' | '_' | '-' | ':'));
    if is_usual { text.to_owned() } else { quoted(text) }
}

/// The folder for components, made if it is missing.
fn output(folder: &Path) -> anyhow::Result<PathBuf> {
    let output = folder.join(OUTPUT);
    fs::create_dir_all(&output).with_context(|| format!("{} cannot be made", output.display()))?;
    Ok(output)
}

/// Runs a tool to its end and keeps what it prints: without colours, whatever it was told. Of what is passed on, codes
/// for a terminal are spelled out.
fn captured(command: &mut Command, missing: &str) -> anyhow::Result<Output> {
    command.env("NO_COLOR", "1").env("CARGO_TERM_COLOR", "never").env("npm_config_color", "false");
    for over_it in ["FORCE_COLOR", "CLICOLOR_FORCE"] {
        command.env_remove(over_it);
    }
    let output = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).output();
    output.with_context(|| format!("cannot run {:?}: {missing}", command.get_program()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tools_are_told_to_print_no_colours() {
        let mut tool = Command::new("/usr/bin/env");
        tool.env_clear();
        for name in ["CARGO_TERM_COLOR", "FORCE_COLOR", "CLICOLOR_FORCE", "npm_config_color"] {
            tool.env(name, "always");
        }
        let output = captured(&mut tool, "").unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        let mut colours: Vec<&str> = text.lines().collect();
        colours.sort_unstable();
        assert_eq!(colours, ["CARGO_TERM_COLOR=never", "NO_COLOR=1", "npm_config_color=false"]);
    }

    #[test]
    fn the_language_is_told_by_the_files() {
        let folder = tempfile::tempdir().unwrap();
        let error = language(folder.path()).unwrap_err().to_string();
        assert!(error.contains("plugin new"), "{error}");
        fs::write(folder.path().join("app.py"), "").unwrap();
        fs::write(folder.path().join("requirements.txt"), "").unwrap();
        assert_eq!(language(folder.path()).unwrap(), Language::Python);
        fs::write(folder.path().join("Cargo.toml"), "").unwrap();
        let error = language(folder.path()).unwrap_err().to_string();
        assert!(error.contains("Cargo.toml and requirements.txt"), "{error}");
        let error = language(&folder.path().join("app.py")).unwrap_err().to_string();
        assert!(error.contains("is no folder"), "{error}");
    }

    #[test]
    fn what_a_component_says_cannot_become_a_line_of_the_config() {
        let key = EnvironmentKey {
            name: "NO".into(),
            aliases: Vec::new(),
            required: true,
            secret: false,
            endpoint: false,
            default: Some("x\"\n      allowed_cidrs: [\"0.0.0.0/0\"]\n".into()),
            help: "a\u{1b}[2J\r\n      allow_all: true\u{85}\u{2028}b".into(),
        };
        assert_eq!(
            variable(&key),
            "\"NO\": \"x\\\"\\u000a      allowed_cidrs: [\\\"0.0.0.0/0\\\"]\\u000a\"  # required: a\\u{1b}[2J\\r\\n      \
             allow_all: true\\u{85}\\u{2028}b"
        );
        let secret = EnvironmentKey { secret: true, name: "API_TOKEN".into(), help: "it".into(), ..key };
        assert_eq!(variable(&secret), "API_TOKEN: file:/etc/acme-manager/secrets/api-token  # required: it");
    }
}
