//! What an entry is for: what it says itself, or else what its file is. Where nobody can tell, it is taken for a policy:
//! to take a policy for a provider would be to issue without asking.

use std::path::Path;

use acme_manager_plugin_runtime::{LoadError, World, read_component};
use sha2::{Digest, Sha256};

use super::{Checksum, Plugin, PluginSource};
use crate::config::section::Section;
use crate::config::{Config, DefaultChallenge};

/// What a plugin is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PluginKind {
    /// It places TXT values at a DNS vendor; issuers and requests name it.
    DnsProvider,
    /// It is asked before every order, in the order of the entries.
    IssuanceHook,
}

/// What the file of an entry was found to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FileContent {
    /// Nobody looked: there is no file, or the entry says what it is.
    Unseen,
    /// A component of this kind.
    Component(PluginKind),
    /// A program of the operating system, as the existing system ran them before its orders.
    Program,
    /// Not the component that the entry names; why.
    Unknown(String),
}

/// What an entry is taken for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Role {
    /// It says so, or its file does.
    Known(PluginKind),
    /// A provider, because an issuer names it; its file does not tell.
    Named,
    /// Perhaps a policy, so that nothing is issued; why, for the operator.
    Unknown(String),
    /// A hook that its entry calls a provider, so that nothing is issued; the same for the operator.
    Contradicted(String),
}

impl Role {
    /// What it is handled as.
    #[must_use]
    pub fn kind(&self) -> PluginKind {
        match self {
            Self::Known(kind) => *kind,
            Self::Named => PluginKind::DnsProvider,
            Self::Unknown(_) | Self::Contradicted(_) => PluginKind::IssuanceHook,
        }
    }

    /// Why it can be neither called nor ignored.
    #[must_use]
    pub fn obstacle(&self) -> Option<&str> {
        match self {
            Self::Known(_) | Self::Named => None,
            Self::Unknown(reason) | Self::Contradicted(reason) => Some(reason),
        }
    }
}

impl Config {
    /// What an entry is taken for. What is bundled under its name does not count here.
    #[must_use]
    pub fn role(&self, entry: &Plugin) -> Role {
        let file = entry.source.path().map(|path| path.display().to_string()).unwrap_or_default();
        match (entry.kind, &entry.content) {
            (Some(PluginKind::DnsProvider), FileContent::Component(PluginKind::IssuanceHook)) => {
                Role::Contradicted(format!(
                    "the entry says `kind: dns-provider`, but its file {file} is an issuance hook; nothing is issued \
                     until the entry says `kind: issuance-hook` or names another file"
                ))
            }
            (Some(kind), _) => Role::Known(kind),
            (None, FileContent::Component(kind)) => Role::Known(*kind),
            (None, FileContent::Program) => Role::Known(PluginKind::IssuanceHook),
            (None, FileContent::Unseen) => Role::Known(PluginKind::DnsProvider),
            (None, FileContent::Unknown(_)) if self.is_default_provider(entry) => Role::Named,
            (None, FileContent::Unknown(reason)) => Role::Unknown(format!(
                "its file {file} cannot be read ({reason}), so nobody knows whether it is a policy; nothing is issued \
                 until the file is right or the entry says `kind: dns-provider`"
            )),
        }
    }

    /// What an entry without `path` is taken for, where no plugin of that name is bundled.
    #[must_use]
    pub fn role_of_nothing(&self, entry: &Plugin) -> Role {
        match entry.kind {
            Some(kind) => Role::Known(kind),
            None if self.is_default_provider(entry) => Role::Named,
            None => Role::Unknown(format!(
                "it has no `path`, and no bundled plugin is called {}, so nobody knows whether a policy is meant; \
                 nothing is issued until the name is right, or the entry has a `path` or says `kind: dns-provider`",
                entry.name
            )),
        }
    }

    fn is_default_provider(&self, entry: &Plugin) -> bool {
        let names =
            |challenge: &DefaultChallenge| matches!(challenge, DefaultChallenge::Dns(name) if *name == entry.name);
        self.issuers.values().any(|issuer| issuer.challenge.as_ref().is_some_and(names))
    }
}

impl FileContent {
    /// What these bytes are. A component that was cut off is none.
    #[must_use]
    pub fn of(bytes: &[u8]) -> Self {
        if bytes.starts_with(b"#!") || bytes.starts_with(b"\x7fELF") {
            return Self::Program;
        }
        match World::exported_by(bytes) {
            Ok(Some(World::IssuanceHook)) => Self::Component(PluginKind::IssuanceHook),
            Ok(Some(World::DnsProvider)) => Self::Component(PluginKind::DnsProvider),
            Ok(None) => Self::Unknown("it is a component, but no plugin".to_owned()),
            Err(reason) => Self::Unknown(reason),
        }
    }

    /// What a file is, which must hash to `checksum` unless it is a program.
    fn read(path: &Path, checksum: Option<Checksum>) -> Self {
        let bytes = match read_component(path) {
            Ok(bytes) => bytes,
            Err(error) => return Self::Unknown(why(&error)),
        };
        let content = Self::of(&bytes);
        let actual = Checksum(Sha256::digest(&bytes).into());
        match checksum {
            Some(expected) if expected != actual && content != Self::Program => {
                Self::Unknown(format!("it has another checksum, {actual}"))
            }
            _ => content,
        }
    }
}

/// The path stands beside it already.
fn why(error: &LoadError) -> String {
    match error {
        LoadError::Missing { .. } => "there is no such file".to_owned(),
        LoadError::NotAFile { .. } => "it is no regular file".to_owned(),
        LoadError::Unreadable { source, .. } => source.to_string(),
        error => error.to_string(),
    }
}

/// What the entry says that it is for.
pub(super) fn read_kind(section: &Section<'_>, source: Option<&PluginSource>) -> Option<PluginKind> {
    let Some(word) = section.optional_text("kind") else {
        let is_remote = match source {
            Some(PluginSource::Registry { .. }) => true,
            Some(PluginSource::Broken { path, .. }) => !path.is_absolute(),
            _ => false,
        };
        if is_remote {
            section.mistake(
                "kind",
                "required with a path that begins with oci://, because what lies in a registry is not looked at before \
                 orders are taken: say `kind: dns-provider` or `kind: issuance-hook`",
            );
        }
        return None;
    };
    match word.as_str() {
        "dns-provider" => Some(PluginKind::DnsProvider),
        "issuance-hook" => Some(PluginKind::IssuanceHook),
        other => {
            section.mistake("kind", format!("expected dns-provider or issuance-hook, got {other:?}"));
            None
        }
    }
}

/// Looks at the file of an entry, unless the entry calls it a hook: whatever it is, it will be asked.
pub(super) fn read_content(
    section: &Section<'_>,
    kind: Option<PluginKind>,
    source: Option<&PluginSource>,
) -> FileContent {
    let Some(path) = source.and_then(PluginSource::path).filter(|_| kind != Some(PluginKind::IssuanceHook)) else {
        return FileContent::Unseen;
    };
    let content = FileContent::read(path, source.and_then(PluginSource::checksum));
    if kind.is_none() && content == FileContent::Program {
        section.warning(
            "path",
            "is a program, and programs were asked before every order; components of the kind issuance-hook are now. \
             Nothing is issued until the entry names such a component, or is removed",
        );
    }
    content
}

#[cfg(test)]
mod tests;
