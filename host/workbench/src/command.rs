//! The command line of `acme-manager-server plugin <command>`, for the commands that are this crate's.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use clap::error::ErrorKind;
use clap::{CommandFactory as _, Parser};

/// A command and what it needs.
#[derive(Debug, Clone, PartialEq, Eq, Parser)]
#[command(name = "acme-manager-server plugin", disable_version_flag = true, disable_help_subcommand = true)]
#[non_exhaustive]
pub enum Command {
    /// Run a component under the real host against a scripted API
    Test(TestOptions),
}

/// `plugin test`
#[derive(Debug, Clone, PartialEq, Eq, clap::Args)]
pub struct TestOptions {
    /// The component
    pub file: PathBuf,
    /// The conversations with the vendor's API
    #[arg(long, default_value = "conformance.json", value_name = "FILE")]
    pub script: PathBuf,
    /// A variable of the environment, over what the script says; may be repeated
    #[arg(long = "env", value_name = "NAME=VALUE")]
    pub environment: Vec<Assignment>,
    /// A host that the component may talk to beside those that it describes; may be repeated
    #[arg(long = "allow-host", value_name = "HOST")]
    pub allowed_hosts: Vec<String>,
}

/// `NAME=VALUE`. The value may be a secret and is not shown.
#[derive(Clone, PartialEq, Eq)]
pub struct Assignment {
    /// The variable.
    pub name: String,
    /// Its value.
    pub value: String,
}

/// What the words of a command line come to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Invocation {
    /// Something to do.
    Run(Command),
    /// Something to print.
    Help(Help),
}

/// The text of `--help`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Help(pub String);

/// Why a command line cannot be followed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UsageError(String);

impl Command {
    /// Whether the word after `plugin` is a command of this crate.
    #[must_use]
    pub fn is_known(word: &str) -> bool {
        Self::command().get_subcommands().any(|command| command.get_name() == word)
    }

    /// The names of all commands with a line on each.
    #[must_use]
    pub fn summary() -> Vec<(String, String)> {
        let command = Self::command();
        let line = |one: &clap::Command| (one.get_name().to_owned(), one.get_about().unwrap_or_default().to_string());
        command.get_subcommands().map(line).collect()
    }

    /// Reads the words after `plugin`.
    ///
    /// # Errors
    /// When a word is unknown or missing, or a value is wrong.
    pub fn read(words: &[String]) -> Result<Invocation, UsageError> {
        let words = std::iter::once("acme-manager-server plugin").chain(words.iter().map(String::as_str));
        match Self::try_parse_from(words) {
            Ok(command) => Ok(Invocation::Run(command)),
            Err(error) if error.kind() == ErrorKind::DisplayHelp => Ok(Invocation::Help(Help(error.to_string()))),
            Err(error) => {
                let text = error.to_string();
                Err(UsageError(text.trim_start_matches("error: ").trim_end().to_owned()))
            }
        }
    }
}

impl FromStr for Assignment {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        // What is wrong with it is said without the text: half of it may be a secret.
        let (name, value) = text.split_once('=').ok_or("write NAME=VALUE")?;
        if name.is_empty() || !name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_') {
            return Err("the name before `=` consists of letters, digits and `_`".to_owned());
        }
        Ok(Self { name: name.to_owned(), value: value.to_owned() })
    }
}

impl fmt::Debug for Assignment {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Assignment").field("name", &self.name).finish_non_exhaustive()
    }
}

impl fmt::Display for UsageError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl std::error::Error for UsageError {}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(line: &str) -> Result<Invocation, UsageError> {
        Command::read(&line.split_whitespace().map(str::to_owned).collect::<Vec<_>>())
    }

    #[test]
    fn reads_a_test() {
        let Ok(Invocation::Run(Command::Test(options))) = read("test a.wasm --env TOKEN=a=b --env X=") else {
            panic!("it is a test")
        };
        assert_eq!((options.file, options.script), ("a.wasm".into(), "conformance.json".into()));
        assert_eq!(options.environment[0], Assignment { name: "TOKEN".into(), value: "a=b".into() });
        assert!(!format!("{:?}", options.environment).contains("a=b"));
    }

    #[test]
    fn explains_mistakes() {
        for (line, expected) in [
            ("test", "<FILE>"),
            ("test a.wasm --scirpt b", "--script"),
            ("test a.wasm --env X", "write NAME=VALUE"),
            ("tset a.wasm", "test"),
        ] {
            let message = read(line).expect_err(line).to_string();
            assert!(message.contains(expected), "{line}: {message}");
        }
        assert!(matches!(read("test --help"), Ok(Invocation::Help(_))));
        assert!(Command::is_known("test") && !Command::is_known("list"));
    }
}
