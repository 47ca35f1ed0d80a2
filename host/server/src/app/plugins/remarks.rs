//! Variables that do not reach a plugin, or that it waits for in vain. None of this keeps it from being loaded. Names
//! alone are shown.

use std::collections::BTreeSet;

use acme_manager_plugin_runtime::EnvironmentKey;

use crate::config::{self, Environment};

/// The server's own variables.
const OWN_PREFIX: &str = "ACME_MANAGER_";

/// What the operator should know of the environment of one plugin.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Remarks {
    /// Names in the entry that the plugin does not describe.
    pub(super) unknown: Vec<String>,
    /// Names that it describes as required and that are not set.
    pub(super) missing: Vec<String>,
    /// Variables of the server that look as if they were meant for it, and that it does not read.
    pub(super) unread: Vec<String>,
}

impl Remarks {
    /// `environment` is that of the server, for a plugin that takes variables from there.
    pub(super) fn new(
        described: &[EnvironmentKey],
        entry: Option<&config::Plugin>,
        environment: Option<&Environment>,
    ) -> Self {
        let names =
            |key: &EnvironmentKey| -> Vec<String> { std::iter::once(&key.name).chain(&key.aliases).cloned().collect() };
        let known: BTreeSet<String> = described.iter().flat_map(names).collect();
        let given = |name: &String| entry.is_some_and(|entry| entry.env.contains_key(name));
        let taken = |name: &String| environment.is_some_and(|environment| environment.get(name).is_some());
        let is_missing = |key: &&EnvironmentKey| {
            key.required && key.default.is_none() && !names(key).iter().any(|name| given(name) || taken(name))
        };
        let of_entry = entry.iter().flat_map(|entry| entry.env.keys());
        Self {
            unknown: of_entry.filter(|name| !known.contains(*name)).cloned().collect(),
            missing: described.iter().filter(is_missing).map(|key| key.name.clone()).collect(),
            unread: environment.map(|environment| unread(&known, environment)).unwrap_or_default(),
        }
    }

    /// For people, a line each; what is merely not read is not among them.
    pub(super) fn warnings(&self) -> Vec<String> {
        let line = |names: &[String], what: &str| (!names.is_empty()).then(|| format!("{what}: {}", names.join(", ")));
        let unknown = line(&self.unknown, "`env` sets what this plugin does not read");
        let missing = line(&self.missing, "this plugin needs variables that are not set");
        unknown.into_iter().chain(missing).collect()
    }

    /// Says all of it in the log.
    pub(super) fn log(&self, plugin: &str) {
        for warning in self.warnings() {
            tracing::warn!(plugin, "{warning}");
        }
        if !self.unread.is_empty() {
            tracing::info!(plugin, variables = self.unread.join(", "), "set, but not read by this plugin");
        }
    }
}

/// Variables with the prefix of a known one (`CF_`) that are not known themselves.
fn unread(known: &BTreeSet<String>, environment: &Environment) -> Vec<String> {
    let prefixes = known.iter().filter_map(|name| name.find('_').map(|end| &name[..=end]));
    let prefixes: BTreeSet<&str> = prefixes.collect();
    let is_read =
        |name: &str| known.contains(name) || name.strip_suffix("_FILE").is_some_and(|name| known.contains(name));
    let looks_like =
        |name: &str| !name.starts_with(OWN_PREFIX) && prefixes.iter().any(|prefix| name.starts_with(prefix));
    environment.names().filter(|name| looks_like(name) && !is_read(name)).map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;

    fn key(name: &str, aliases: &[&str], required: bool) -> EnvironmentKey {
        EnvironmentKey {
            name: name.to_owned(),
            aliases: aliases.iter().map(|alias| (*alias).to_owned()).collect(),
            required,
            secret: true,
            endpoint: false,
            default: None,
            help: String::new(),
        }
    }

    fn remarks(env: &str, variables: &str) -> Remarks {
        let text = format!("common: {{plugins: [{{name: cloudflare, env: {{{env}}}}}]}}");
        let entry = Config::parse(&text).expect("valid").config.common.plugins.remove(0);
        let environment = Environment::parse(variables, []).expect("valid");
        let described = [key("CF_TOKEN", &["CLOUDFLARE_TOKEN"], true), key("CF_URL", &[], false)];
        Remarks::new(&described, Some(&entry), Some(&environment))
    }

    #[test]
    fn what_does_not_fit_the_description_is_named() {
        let wrong = remarks("CF_TOKN: hunter2", "CF_TTL=1\nCLOUDFLARE_EMAIL=x\nCF_URL=x\nAWS_REGION=x\nPATH=x\n");
        assert_eq!(wrong.unknown, ["CF_TOKN"]);
        assert_eq!(wrong.missing, ["CF_TOKEN"]);
        assert_eq!(wrong.unread, ["CF_TTL", "CLOUDFLARE_EMAIL"]);
        let said = wrong.warnings().join("\n");
        assert!(said.contains("CF_TOKN") && said.contains("CF_TOKEN") && !said.contains("hunter2"), "{said}");
        for (env, variables) in [("CF_TOKEN: x", ""), ("CLOUDFLARE_TOKEN: x", ""), ("", "CLOUDFLARE_TOKEN=x\n")] {
            assert_eq!(remarks(env, variables), Remarks::default(), "{env} {variables}");
        }
    }
}
