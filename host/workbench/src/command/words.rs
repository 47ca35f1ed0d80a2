//! From the words of a command line to commands, and from mistakes in them to sentences.

use std::fmt;
use std::str::FromStr;

use clap::error::ErrorKind;
use clap::{CommandFactory as _, Parser as _};

use super::{Assignment, Command, Help, Invocation, UsageError, Variable};

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
        let words = std::iter::once("acme-manager-server plugin".to_owned()).chain(two_dashes(words));
        match Self::try_parse_from(words) {
            Ok(command) => Ok(Invocation::Run(Box::new(command))),
            Err(error) if error.kind() == ErrorKind::DisplayHelp => Ok(Invocation::Help(Help(error.to_string()))),
            Err(error) => {
                let text = error.to_string();
                Err(UsageError(text.trim_start_matches("error: ").trim_end().to_owned()))
            }
        }
    }
}

/// The words with `--` where the server's own flags have `-` before a name: nobody remembers which has which.
fn two_dashes(words: &[String]) -> Vec<String> {
    let command = Command::command();
    let command = words.first().and_then(|word| command.find_subcommand(word));
    let flags: Vec<&str> =
        command.into_iter().flat_map(clap::Command::get_arguments).filter_map(clap::Arg::get_long).collect();
    let is_flag = |name: &str| name == "help" || flags.contains(&name.split('=').next().unwrap_or_default());
    let mut out: Vec<String> = Vec::with_capacity(words.len());
    let (mut is_value, mut is_over) = (false, false);
    for word in words {
        let name = word.strip_prefix("--").or_else(|| word.strip_prefix('-')).filter(|name| is_flag(name));
        // Behind `--` nothing is a flag, and behind a flag stands its value, whatever it looks like.
        let name = name.filter(|_| !is_value && !is_over);
        is_over |= word == "--" && !is_value;
        is_value = name.is_some_and(|name| name != "help" && !name.contains('='));
        out.push(name.map_or_else(|| word.clone(), |name| format!("--{name}")));
    }
    out
}

impl FromStr for Assignment {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        // What is wrong with it is said without the text: half of it may be a secret.
        let (name, value) = text.split_once('=').ok_or("write NAME=VALUE")?;
        if !is_name(name) {
            return Err("the name before `=` consists of letters, digits and `_`".to_owned());
        }
        Ok(Self { name: name.to_owned(), value: value.to_owned() })
    }
}

impl FromStr for Variable {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.contains('=') {
            true => text.parse().map(Self::Given),
            false if is_name(text) => Ok(Self::Inherited(text.to_owned())),
            false => Err("a name consists of letters, digits and `_`".to_owned()),
        }
    }
}

pub(super) fn cidr(text: &str) -> Result<ipnet::IpNet, &'static str> {
    text.parse().map_err(|_| "write a network with its length, 10.0.0.0/8 or fd00::/8, of at most /32 and /128")
}

fn is_name(text: &str) -> bool {
    !text.is_empty() && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
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
        let Ok(Invocation::Run(command)) = read("test a.wasm --env TOKEN=a=b --env X=") else { panic!("it is one") };
        let Command::Test(options) = *command else { panic!("it is a test") };
        assert_eq!((options.file, options.script), ("a.wasm".into(), "conformance.json".into()));
        assert_eq!(options.environment[0], Assignment { name: "TOKEN".into(), value: "a=b".into() });
        assert!(!format!("{:?}", options.environment).contains("a=b"));
    }

    #[test]
    fn one_dash_is_as_good_as_two() {
        let run = |line: &str| {
            let Ok(Invocation::Run(command)) = read(line) else { panic!("{line}") };
            let Command::Run(options) = *command else { panic!("{line}") };
            options
        };
        let options = run("run a.wasm cleanup -name=a -value -x --ttl 7 -handle -y");
        assert_eq!((options.name.as_deref(), options.value.as_deref(), options.ttl), (Some("a"), Some("-x"), 7));
        assert_eq!(options.handle.as_deref(), Some("-y"));
        // What stands behind a flag is its value.
        for value in ["-handle", "--handle", "-help"] {
            assert_eq!(run(&format!("run a.wasm cleanup --value {value} -name a")).value.as_deref(), Some(value));
        }
    }

    #[test]
    fn every_command_has_an_example_and_says_how_it_ends() {
        for (name, _) in Command::summary() {
            let Ok(Invocation::Help(Help(text))) = read(&format!("{name} --help")) else { panic!("{name} has help") };
            let example = format!("\n  acme-manager-server plugin {name}");
            assert!(text.contains(&example) && text.contains("\n  0  "), "{text}");
        }
    }

    #[test]
    fn explains_mistakes() {
        for (line, expected) in [
            ("test", "<FILE>"),
            ("test a.wasm --scirpt b", "--script"),
            ("test a.wasm --env X", "write NAME=VALUE"),
            ("tset a.wasm", "test"),
            ("new", "<NAME>"),
            ("new a --lang go", "python"),
            ("run a.wasm", "<CALL>"),
            ("run a.wasm delete", "cleanup"),
            ("run a.wasm check --env A-B", "letters, digits"),
            ("run a.wasm check --allow-cidr x", "--allow-cidr"),
            ("replay a.wasm", "<RECORDING>"),
            ("bench a.wasm --calls 1", "10..=1000000"),
            ("bench a.wasm -calls 1", "10..=1000000"),
            ("bench a.wasm --calls -1", "'-1'"),
            ("run a.wasm check --ttl -1", "'-1'"),
            ("run a.wasm check --allow-cidr 1.2.3.4/99", "of at most /32"),
        ] {
            let message = read(line).expect_err(line).to_string();
            assert!(message.contains(expected), "{line}: {message}");
        }
        for help in ["test --help", "test -help", "test -h", "--help"] {
            assert!(matches!(read(help), Ok(Invocation::Help(_))), "{help}");
        }
        assert!(Command::is_known("test") && !Command::is_known("list"));
    }
}
