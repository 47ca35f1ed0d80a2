//! What the operator decides: `config.yml`, `.env`, the process environment and the command line, parsed once.
//!
//! Everything past this module is typed; nobody below reads a file name, a flag or a variable by itself. All mistakes
//! of a file are reported together, each with path and line, and unknown keys are mistakes. Secrets are
//! [`secrecy::SecretString`] and appear in no message. Called by `main` and by `app`, also when a file changed.
//!
//! Must never: change the process environment, start anything, or import more than parsed words.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use crate::names::IssuerName;

mod artifact;
mod common;
mod dns;
mod endpoint;
mod environment;
mod flags;
mod issuer;
mod plugin;
mod section;
mod storage;
mod text_file;
mod tree;
mod trusted_key;

pub use self::artifact::{Artifact, RegistryUser};
pub use self::common::{ApiKeyHash, Common, RateLimit, Retry};
pub use self::dns::{CaSettings, DnsSettings, Propagation, Resolver};
pub use self::environment::{Environment, EnvironmentError, EnvironmentProblem};
pub use self::flags::{
    CleanupFlags, ClusterFlags, Command, FlagError, Flags, IntervalFlags, KeyPassword, ListenAddress, LogFlags,
    LogFormat, LogLevel, MemberAddress, MemberlistFlags, PluginCommand, RingFlags, SecretKeyFile, ServerFlags,
};
pub use self::issuer::{DefaultChallenge, ExternalAccount, Issuer};
pub use self::plugin::{Checksum, FileContent, Plugin, PluginKind, PluginSource, Role};
pub use self::section::Problem;
pub use self::storage::{Embedded, Storage, Vault};
pub use self::tree::SyntaxError;
pub use self::trusted_key::{Distrust, KeyId, TrustedKey};
pub use crate::durations::RenewalDays;

use self::plugin::{FileFault, fault_of_file};
use self::section::{Notes, Section};
use self::tree::Node;

/// The whole of `config.yml`.
#[derive(Debug, Clone)]
pub struct Config {
    /// What concerns all issuers.
    pub common: Common,
    /// The issuers by the name that requests, paths and metrics use.
    pub issuers: BTreeMap<IssuerName, Issuer>,
    /// Where certificates and tokens are kept.
    pub storage: Storage,
}

/// A config that can be used, and what the operator should know about it.
#[derive(Debug, Clone)]
pub struct Loaded {
    /// The config.
    pub config: Config,
    /// Doubtful settings, in the order of the file; none of them keeps the server from starting.
    pub warnings: Vec<Problem>,
}

/// Why a config cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("cannot read the config file {}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// The reason.
        #[source]
        source: io::Error,
    },
    /// The text is no YAML.
    #[error("the config is not valid YAML: {0}")]
    Syntax(SyntaxError),
    /// Keys or values are wrong.
    #[error("the config has {} mistake{}:{}", .0.len(), if .0.len() == 1 { "" } else { "s" }, listed(.0))]
    Invalid(Vec<Problem>),
    /// One of the two above, in this file.
    #[error("{}: {mistakes}", path.display())]
    InFile {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        mistakes: Box<ConfigError>,
    },
}

/// The longest config file that is read: far above any real one, far below what would hurt.
const LONGEST_FILE: u64 = 4 * 1024 * 1024;

impl Config {
    /// Reads and checks a config file, and looks whether the files it names are there.
    ///
    /// # Errors
    /// When the file cannot be read or holds any mistake; a missing plugin or CA file is only a warning.
    pub fn load(path: &Path) -> Result<Loaded, ConfigError> {
        let read = |source| ConfigError::Read { path: path.to_owned(), source };
        let text = text_file::read(path, LONGEST_FILE).map_err(read)?;
        let in_file = |mistakes| ConfigError::InFile { path: path.to_owned(), mistakes: Box::new(mistakes) };
        let mut loaded = Self::parse(&text).map_err(in_file)?;
        let (mistakes, warnings) = loaded.config.missing_files();
        if !mistakes.is_empty() {
            return Err(in_file(ConfigError::Invalid(mistakes)));
        }
        loaded.warnings.extend(warnings);
        loaded.warnings.extend(loaded.config.obstacles());
        Ok(loaded)
    }

    /// Checks the text of a config. Reads no file except those that `file:` references in plugin environments name, and
    /// the components of plugins, to see what they are.
    ///
    /// # Errors
    /// When the text is no YAML or holds any mistake.
    pub fn parse(text: &str) -> Result<Loaded, ConfigError> {
        let root = Node::parse(text).map_err(ConfigError::Syntax)?;
        let notes = Notes::default();
        let section = Section::new("", &root, &notes);
        section.only(ROOT_KEYS, &[]);
        let config = Self {
            common: common::read(&section, &notes),
            issuers: issuer::read_all(&section, &notes),
            storage: storage::read(&section, &notes),
        };
        let (mistakes, warnings) = notes.into_parts();
        if mistakes.is_empty() { Ok(Loaded { config, warnings }) } else { Err(ConfigError::Invalid(mistakes)) }
    }

    /// Mistakes and warnings about files that the config names and that cannot be opened now. What is no file at all is a
    /// mistake where the server reads it at its start: it would wait for a pipe.
    fn missing_files(&self) -> (Vec<Problem>, Vec<Problem>) {
        let mut files: Vec<(String, &Path, bool)> = Vec::new();
        for plugin in &self.common.plugins {
            if let PluginSource::File { path, .. } | PluginSource::Unverified { path } = &plugin.source
                && self.role(plugin).obstacle().is_none()
            {
                files.push((format!("common.plugins ({})", plugin.name), path, false));
            }
        }
        for (name, issuer) in &self.issuers {
            let root = issuer.ca_root_file.as_deref();
            files.extend(root.map(|path| (format!("issuer.{name}.ca_root_file"), path, true)));
        }
        if let Storage::Vault(vault) = &self.storage {
            files.extend(vault.ca_file.as_deref().map(|path| ("storage.vault.ca_file".to_owned(), path, true)));
        }
        let (mut mistakes, mut warnings) = (Vec::new(), Vec::new());
        for (path, file, is_read_at_start) in files {
            let Some((fault, message)) = fault_of_file(file) else { continue };
            let is_mistake = is_read_at_start && fault == FileFault::NoFile;
            let problems = if is_mistake { &mut mistakes } else { &mut warnings };
            problems.push(Problem { path, line: 0, message });
        }
        (mistakes, warnings)
    }

    /// A warning for each plugin that keeps everything from being issued because nobody knows what it is.
    fn obstacles(&self) -> Vec<Problem> {
        let problem = |plugin: &Plugin| {
            let message = self.role(plugin).obstacle()?.to_owned();
            Some(Problem { path: format!("common.plugins ({})", plugin.name), line: 0, message })
        };
        self.common.plugins.iter().filter_map(problem).collect()
    }
}

/// Every key that a config may have, as paths: `common.plugins[].env`, `issuer.*.eab`.
#[must_use]
pub fn known_keys() -> Vec<String> {
    let below = |prefix: &str, keys: &[&str]| keys.iter().map(|key| format!("{prefix}.{key}")).collect::<Vec<_>>();
    [
        below("common", common::KEYS),
        below("common.plugins[]", plugin::KEYS),
        below("issuer.*", issuer::KEYS),
        below("storage", storage::KEYS),
        below("storage.vault", storage::VAULT_KEYS),
        below("storage.embedded", storage::EMBEDDED_KEYS),
    ]
    .concat()
}

const ROOT_KEYS: &[&str] = &["common", "issuer", "storage"];

fn listed(problems: &[Problem]) -> String {
    problems.iter().map(|problem| format!("\n  {problem}")).collect()
}

#[cfg(test)]
mod tests;
