//! From Go's flag syntax to the one spelling that the parser below knows: `--flag=value`.

use std::collections::BTreeSet;
use std::ffi::OsString;

use clap::Command;

use super::{FlagError, plugin, usage};
use crate::config::section;

/// A command line, taken apart.
pub(super) enum Arguments {
    Help {
        /// Whether the gossip transport's flags are shown too.
        all: bool,
    },
    /// The help of a command about plugins, or of all of them.
    PluginHelp(Option<String>),
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
        match read.fill(definition, args) {
            Ok(None) => Ok(Self::Words(read)),
            Ok(Some(help)) => Ok(help),
            Err(error) => Err(error.of(plugin::named(&read.words))),
        }
    }
}

impl Words {
    /// Takes all `args`, or those before one that asks for help.
    fn fill(
        &mut self,
        definition: &Command,
        mut args: impl Iterator<Item = OsString>,
    ) -> Result<Option<Arguments>, FlagError> {
        while let Some(arg) = args.next() {
            let arg = text(arg)?;
            if arg == "--" {
                for word in args {
                    self.words.push(text(word)?);
                }
                break;
            }
            let Some(flag) = arg.strip_prefix("--").or_else(|| arg.strip_prefix('-')).filter(|flag| !flag.is_empty())
            else {
                if self.words == ["plugin"] && acme_manager_workbench::Command::is_known(&arg) {
                    self.author = Some(std::iter::once(Ok(arg)).chain(args.map(text)).collect::<Result<_, _>>()?);
                    break;
                }
                if self.words == ["plugin"] && arg == "help" {
                    return self.help(args.next());
                }
                // Before what follows is taken for flags of the server.
                if self.words == ["plugin"] && !usage::is_known(&arg) {
                    return Err(plugin::no_command(Some(&arg)));
                }
                self.words.push(arg);
                continue;
            };
            let (name, value) =
                flag.split_once('=').map_or((flag, None), |(name, value)| (name, Some(value.to_owned())));
            match name {
                "help-all" => return Ok(Some(Arguments::Help { all: true })),
                "h" | "help" if self.words.first().is_some_and(|word| word == "plugin") => {
                    let named = plugin::named(&self.words).map(OsString::from);
                    return self.help(named.or_else(|| args.next()));
                }
                "h" | "help" => return Ok(Some(Arguments::Help { all: false })),
                _ => {}
            }
            let kind = kind(definition, name).ok_or_else(|| unknown(definition, name, plugin::named(&self.words)))?;
            let value = match (value, kind.as_str()) {
                (Some(value), _) => value,
                (None, "bool") => "true".to_owned(),
                (None, _) => text(args.next().ok_or_else(|| FlagError::MissingValue { flag: name.to_owned() })?)?,
            };
            self.names.insert(name.to_owned());
            // An empty string is every string flag's default.
            if !(value.is_empty() && kind == "string") {
                self.flags.push(format!("--{name}={value}"));
            }
        }
        Ok(None)
    }
}

impl Words {
    /// The help of a plugin command, or of all if no such one was named.
    fn help(&mut self, command: Option<OsString>) -> Result<Option<Arguments>, FlagError> {
        let command = command.map(text).transpose()?;
        match command {
            Some(command) if acme_manager_workbench::Command::is_known(&command) => {
                self.author = Some(vec![command, "--help".to_owned()]);
                Ok(None)
            }
            Some(command) if !usage::is_known(&command) => Err(plugin::no_command(Some(&command))),
            command => Ok(Some(Arguments::PluginHelp(command))),
        }
    }
}

fn text(word: OsString) -> Result<String, FlagError> {
    word.into_string().map_err(|word| FlagError::surplus(&word.to_string_lossy()))
}

/// `string`, `int`, `duration` or `bool`.
fn kind(definition: &Command, name: &str) -> Option<String> {
    let flag = definition.get_arguments().find(|flag| flag.get_long() == Some(name))?;
    Some(flag.get_value_names()?.first()?.to_string())
}

/// A flag that does not exist, with one that does: rather one of the command's own.
fn unknown(definition: &Command, name: &str, command: Option<&str>) -> FlagError {
    let own = command.map(usage::flags).unwrap_or_default();
    let own: Vec<&str> = own.iter().map(String::as_str).collect();
    let all: Vec<&str> = definition.get_arguments().filter_map(clap::Arg::get_long).collect();
    let nearest = plugin::nearest(name, &own).or_else(|| section::nearest(name, &all)).map(ToOwned::to_owned);
    FlagError::Unknown { flag: name.chars().take(100).collect(), nearest }
}
