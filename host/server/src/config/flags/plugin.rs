//! `plugin …`: the commands about plugins and the flags that are theirs alone. Their help is in `usage.rs`.

use std::path::PathBuf;

use super::{FlagError, parse_bool, usage};
use crate::config::section;

/// `plugin …`
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum PluginCommand {
    /// Bundled plugins and those of the config.
    List,
    /// The plugins of a running server and what their calls came to; its base URL.
    ListOf(url::Url),
    /// What a component says about itself.
    Inspect(PathBuf),
    /// The digest for the key `checksum`.
    Checksum(PathBuf),
    /// What plugin authors do.
    Author(Box<acme_manager_workbench::Command>),
    /// A new pair of keys for signatures.
    Keygen(SecretKeyFile),
    /// Makes the signature beside a component.
    Sign {
        /// The component.
        file: PathBuf,
        /// Whose signature it is.
        key: SecretKeyFile,
    },
    /// Checks the signature beside a component.
    Verify {
        /// The component.
        file: PathBuf,
        /// The public key, or the file that holds it.
        key: String,
    },
}

/// A secret key of minisign on disk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SecretKeyFile {
    /// The file.
    pub path: PathBuf,
    /// How it is protected.
    pub password: KeyPassword,
}

/// Where the password of a secret key comes from: never the command line, which others can see.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KeyPassword {
    /// It is asked for at the terminal.
    Terminal,
    /// It is the content of a file.
    File(PathBuf),
    /// The key has none.
    None,
}

/// `-key` and what goes with it
#[derive(Debug, Clone, clap::Args)]
#[command(next_help_heading = "Plugin signatures")]
pub(super) struct SignatureFlags {
    /// Key file; for plugin verify also the public key itself
    #[arg(long, value_name = "string")]
    key: Option<String>,
    /// File with the password of the secret key
    #[arg(long, value_name = "string")]
    password_file: Option<PathBuf>,
    /// The secret key has no password
    #[arg(long, default_value = "false", value_name = "bool", value_parser = parse_bool, action = clap::ArgAction::Set)]
    no_password: bool,
}

/// The command that words are of, when they begin with `plugin`.
pub(super) fn named(words: &[String]) -> Option<&str> {
    match words {
        [plugin, command, ..] if plugin == "plugin" => Some(command),
        _ => None,
    }
}

/// What the words that are no flags ask for; nothing when there are none.
pub(super) fn read(words: &[String], signature: &SignatureFlags) -> Result<Option<PluginCommand>, FlagError> {
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let command = match words.as_slice() {
        [] => return Ok(None),
        ["plugin"] => return Err(no_command(None)),
        ["plugin", command, rest @ ..] => one(command, rest, signature)?,
        [word, ..] => {
            let known = usage::names();
            let nearest = match nearest(word, &[&["plugin"], list(&known).as_slice()].concat()) {
                Some("plugin") => Some("plugin".to_owned()),
                command => command.map(|command| format!("plugin {command}")),
            };
            return Err(FlagError::Unexpected { word: (*word).to_owned(), nearest });
        }
    };
    Ok(Some(command))
}

fn one(command: &str, rest: &[&str], signature: &SignatureFlags) -> Result<PluginCommand, FlagError> {
    Ok(match command {
        "list" => match rest {
            [] => PluginCommand::List,
            [server] => PluginCommand::ListOf(url(server)?),
            [_, surplus, ..] => return Err(FlagError::surplus(surplus)),
        },
        "inspect" => PluginCommand::Inspect(file(rest)?),
        "checksum" => PluginCommand::Checksum(file(rest)?),
        "keygen" => match rest.first() {
            Some(surplus) => return Err(FlagError::surplus(surplus)),
            None => PluginCommand::Keygen(signature.secret_key()?),
        },
        "sign" => PluginCommand::Sign { file: file(rest)?, key: signature.secret_key()? },
        "verify" => PluginCommand::Verify { file: file(rest)?, key: signature.public_key()? },
        unknown => return Err(no_command(Some(unknown))),
    })
}

fn file(rest: &[&str]) -> Result<PathBuf, FlagError> {
    match rest {
        [file] => Ok(PathBuf::from(file)),
        [] => Err(FlagError::Missing { name: "FILE", what: "the component" }),
        [_, surplus, ..] => Err(FlagError::surplus(surplus)),
    }
}

fn url(server: &str) -> Result<url::Url, FlagError> {
    match server.parse::<url::Url>() {
        Ok(url) if matches!(url.scheme(), "http" | "https") => Ok(url),
        _ => Err(FlagError::Unfit {
            expected: "the URL of a server, like https://acme.example.com",
            word: server.to_owned(),
        }),
    }
}

/// That `plugin` is not followed by a command, and which one may have been meant.
pub(super) fn no_command(word: Option<&str>) -> FlagError {
    let known = usage::names();
    let nearest = word.and_then(|word| nearest(word, &list(&known))).map(str::to_owned);
    FlagError::NoCommand { word: word.map(str::to_owned), nearest }
}

/// The word of `known` that `word` most likely was meant to be.
pub(super) fn nearest<'k>(word: &str, known: &[&'k str]) -> Option<&'k str> {
    // In so short words as `new`, `run` and `-key`, two letters the wrong way round leave nothing that is alike.
    let is_slip = |known: &&&str| word.len() > 2 && strsim::osa_distance(word, known) == 1;
    section::nearest(word, known).or_else(|| known.iter().find(is_slip).copied())
}

fn list(known: &[String]) -> Vec<&str> {
    known.iter().map(String::as_str).collect()
}

impl PluginCommand {
    pub(super) fn needs_key(&self) -> bool {
        matches!(self, Self::Keygen(_) | Self::Sign { .. } | Self::Verify { .. })
    }
}

impl SignatureFlags {
    fn secret_key(&self) -> Result<SecretKeyFile, FlagError> {
        let missing = FlagError::Missing { name: "-key", what: "the file of the secret key" };
        let path = self.key.as_ref().ok_or(missing)?;
        // Whoever forgot the name would get a file that no shell can remove by it.
        if path.starts_with('-') || path.is_empty() {
            return Err(FlagError::Unfit {
                expected: "a file's name behind -key, such as ./plugin.key",
                word: path.clone(),
            });
        }
        let password = match (&self.password_file, self.no_password) {
            (None, false) => KeyPassword::Terminal,
            (None, true) => KeyPassword::None,
            (Some(file), false) => KeyPassword::File(file.clone()),
            (Some(_), true) => return Err(FlagError::Conflict("-password-file and -no-password exclude each other")),
        };
        Ok(SecretKeyFile { path: path.into(), password })
    }

    fn public_key(&self) -> Result<String, FlagError> {
        if self.password_file.is_some() || self.no_password {
            return Err(FlagError::Conflict(
                "-password-file and -no-password are for secret keys, and this takes a public key, which has no password",
            ));
        }
        let missing = FlagError::Missing { name: "-key", what: "the public key, or the file that holds it" };
        self.key.clone().ok_or(missing)
    }
}

#[cfg(test)]
mod tests;
