//! What can be said of the plugins in a config before any of them is loaded.

use acme_manager_plugin_runtime::Origin;

use super::{BUNDLED, FORMER_NAMES, foreign, load};
use crate::challenges::providers::nearest;
use crate::config::{self, Config, DefaultChallenge, FileContent, PluginKind, PluginSource};
use crate::names::ProviderName;

/// Names in the config that lead to no plugin, or to one of another kind. The server runs all the same: only requests that
/// need them fail, and all of them where a policy cannot be asked.
#[must_use]
pub fn doubts(config: &Config) -> Vec<String> {
    let mut doubts = Vec::new();
    for entry in config.common.plugins.iter().filter(|entry| entry.source == PluginSource::Bundled) {
        let name = entry.name.as_str();
        let bundled = kind_of_bundled(name);
        match (bundled, entry.kind) {
            (None, _) => {
                let role = config.role_of_nothing(entry);
                let doubt = role.obstacle().map_or_else(load::no_such_bundled_plugin, str::to_owned);
                doubts.push(format!("common.plugins ({name}): {doubt}"));
            }
            (Some(PluginKind::IssuanceHook), Some(PluginKind::DnsProvider)) => {
                doubts.push(format!("common.plugins ({name}): {}", is_a_hook(name)));
            }
            (Some(PluginKind::DnsProvider), Some(PluginKind::IssuanceHook)) => doubts.push(format!(
                "common.plugins ({name}): the entry says `kind: issuance-hook`, but the bundled plugin {name} is a DNS \
                 provider; nothing is issued until `kind` is removed"
            )),
            _ => {}
        }
    }
    for (issuer, settings) in &config.issuers {
        if let Some(DefaultChallenge::Dns(name)) = &settings.challenge {
            doubts
                .extend(doubt_of_default(config, name).map(|doubt| format!("issuer.{issuer}.dns_challenge: {doubt}")));
        }
    }
    doubts
}

/// Why an entry for a bundled hook that calls it a provider keeps everything from being issued.
pub(super) fn is_a_hook(name: &str) -> String {
    format!(
        "the entry says `kind: dns-provider`, but the bundled plugin {name} is an issuance hook; nothing is issued until \
         `kind` or the entry is removed"
    )
}

fn kind_of_bundled(name: &str) -> Option<PluginKind> {
    let name = FORMER_NAMES.iter().find(|(old, _)| *old == name).map_or(name, |(_, name)| name);
    let found = BUNDLED.iter().find(|plugin| plugin.name == name)?;
    Some(if found.is_hook { PluginKind::IssuanceHook } else { PluginKind::DnsProvider })
}

/// What is wrong with the name of an issuer's DNS provider.
fn doubt_of_default(config: &Config, name: &ProviderName) -> Option<String> {
    let of_entry = |entry: &config::Plugin| match (&entry.source, kind_of_bundled(entry.name.as_str())) {
        (PluginSource::Bundled, Some(kind)) => kind,
        _ => config.role(entry).kind(),
    };
    let entry = config.common.plugins.iter().find(|entry| entry.name == *name);
    let kind = entry.map(of_entry).or_else(|| kind_of_bundled(name.as_str()));
    match kind {
        Some(PluginKind::DnsProvider) => None,
        Some(PluginKind::IssuanceHook) => Some(format!("{name} is an issuance hook, no DNS provider")),
        None => {
            let bundled = BUNDLED.iter().filter(|plugin| !plugin.is_hook).map(|plugin| plugin.name);
            let bundled: Vec<&str> = bundled.chain(FORMER_NAMES.iter().map(|(old, _)| *old)).collect();
            let entries = &config.common.plugins;
            let entries = entries.iter().filter(|entry| of_entry(entry) == PluginKind::DnsProvider);
            let known =
                bundled.iter().filter_map(|name| name.parse().ok()).chain(entries.map(|entry| entry.name.clone()));
            let known: Vec<ProviderName> = known.collect();
            let near = nearest(name, &known).map(|near| format!("did you mean {near}? ")).unwrap_or_default();
            let bundled = bundled.join(", ");
            Some(format!(
                "there is no DNS provider {name}; {near}Bundled are {bundled}, others stand in common.plugins"
            ))
        }
    }
}

/// Files of plugins that are not what the config says. Reads all of them.
#[must_use]
pub fn wrong_files(config: &Config) -> Vec<String> {
    let wrong = |entry: &config::Plugin| {
        let PluginSource::File { path, .. } = &entry.source else { return None };
        // Nothing more can be said of a file that keeps everything from being issued.
        if config.role(entry).obstacle().is_some() {
            return None;
        }
        let about = |what: String| Some(format!("common.plugins ({}): {what}", entry.name));
        match foreign::read(entry, false) {
            Ok(Origin::Bytes { bytes, .. }) => match (entry.kind, FileContent::of(&bytes)) {
                (Some(PluginKind::IssuanceHook), FileContent::Component(PluginKind::DnsProvider)) => about(format!(
                    "the entry says `kind: issuance-hook`, but its file {} is a DNS provider; nothing is issued until \
                     the entry says `kind: dns-provider` or names another file",
                    path.display()
                )),
                (_, FileContent::Unknown(reason)) => about(format!("{} is no plugin: {reason}", path.display())),
                _ => None,
            },
            Ok(_) => None,
            // A missing file is among the config's own warnings.
            Err(foreign::Refusal::Missing(_)) => None,
            Err(problem) => about(problem.to_string()),
        }
    };
    config.common.plugins.iter().filter_map(wrong).collect()
}

#[cfg(test)]
mod tests;
