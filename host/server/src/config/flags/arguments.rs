//! From Go's flag syntax to the one spelling that the parser below knows: `--flag=value`.

use std::collections::BTreeSet;
use std::ffi::OsString;

use clap::Command;

use super::FlagError;
use crate::config::section::nearest;

/// A command line, taken apart.
pub(super) enum Arguments {
    Help {
        /// Whether the gossip transport's flags are shown too.
        all: bool,
    },
    Words(Words),
}

pub(super) struct Words {
    /// The program's name and `--flag=value` for each flag.
    pub(super) flags: Vec<String>,
    /// The names of those flags.
    pub(super) names: BTreeSet<String>,
    /// Everything else.
    pub(super) words: Vec<String>,
    /// What follows `plugin` where a command of plugin authors does: it has flags of its own.
    pub(super) author: Option<Vec<String>>,
}

impl Arguments {
    /// `args` without the program's name.
    pub(super) fn read(definition: &Command, args: impl Iterator<Item = OsString>) -> Result<Self, FlagError> {
        let flags = vec!["acme-manager-server".to_owned()];
        let mut read = Words { flags, names: BTreeSet::new(), words: Vec::new(), author: None };
        let mut args = args;
        while let Some(arg) = args.next() {
            let arg = text(arg)?;
            if arg == "--" {
                for word in args {
                    read.words.push(text(word)?);
                }
                break;
            }
            let Some(flag) = arg.strip_prefix("--").or_else(|| arg.strip_prefix('-')).filter(|flag| !flag.is_empty())
            else {
                if read.words == ["plugin"] && acme_manager_workbench::Command::is_known(&arg) {
                    read.author = Some(std::iter::once(Ok(arg)).chain(args.map(text)).collect::<Result<_, _>>()?);
                    break;
                }
                read.words.push(arg);
                continue;
            };
            let (name, value) =
                flag.split_once('=').map_or((flag, None), |(name, value)| (name, Some(value.to_owned())));
            if matches!(name, "h" | "help" | "help-all") {
                return Ok(Self::Help { all: name == "help-all" });
            }
            let kind = kind(definition, name).ok_or_else(|| unknown(definition, name))?;
            let value = match (value, kind.as_str()) {
                (Some(value), _) => value,
                (None, "bool") => "true".to_owned(),
                (None, _) => text(args.next().ok_or_else(|| FlagError::MissingValue { flag: name.to_owned() })?)?,
            };
            read.names.insert(name.to_owned());
            // An empty string is every string flag's default.
            if !(value.is_empty() && kind == "string") {
                read.flags.push(format!("--{name}={value}"));
            }
        }
        Ok(Self::Words(read))
    }
}

fn text(word: OsString) -> Result<String, FlagError> {
    word.into_string().map_err(|word| FlagError::Unexpected(word.to_string_lossy().into_owned()))
}

/// `string`, `int`, `duration` or `bool`.
fn kind(definition: &Command, name: &str) -> Option<String> {
    let flag = definition.get_arguments().find(|flag| flag.get_long() == Some(name))?;
    Some(flag.get_value_names()?.first()?.to_string())
}

fn unknown(definition: &Command, name: &str) -> FlagError {
    let names: Vec<&str> = definition.get_arguments().filter_map(clap::Arg::get_long).collect();
    let nearest = nearest(name, &names).map(ToOwned::to_owned);
    FlagError::Unknown { flag: name.chars().take(100).collect(), nearest }
}
