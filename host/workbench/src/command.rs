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
    /// Write a new plugin project
    New(NewOptions),
    /// Build a project into a component
    Build(BuildOptions),
    /// Run a component under the real host against a scripted API
    Test(TestOptions),
    /// Call a component by hand, against the real API
    Run(Box<RunOptions>),
    /// Play a recorded call back to a component
    Replay(ReplayOptions),
    /// Measure what a component's calls cost
    Bench(BenchOptions),
}

/// `plugin new`
#[derive(Debug, Clone, PartialEq, Eq, clap::Args)]
pub struct NewOptions {
    /// The plugin's name, as issuers will write it
    pub name: String,
    /// The language
    #[arg(long = "lang", value_enum, default_value = "rust")]
    pub language: Language,
    /// What it is for: a policy that is asked before orders is written in Rust
    #[arg(long, value_enum, default_value = "dns-provider")]
    pub kind: Kind,
    /// The folder to make, instead of one with the plugin's name
    #[arg(long, value_name = "FOLDER")]
    pub folder: Option<PathBuf>,
}

/// What plugins can be written in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
#[expect(missing_docs, reason = "they are well known")]
pub enum Language {
    Rust,
    Python,
    Javascript,
}

/// What plugins are for, in the words of the configuration.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Kind {
    /// Places TXT records at a vendor of DNS
    DnsProvider,
    /// Decides whether a certificate may be ordered
    IssuanceHook,
}

/// `plugin build`
#[derive(Debug, Clone, PartialEq, Eq, clap::Args)]
pub struct BuildOptions {
    /// The project's folder
    #[arg(default_value = ".")]
    pub folder: PathBuf,
}

/// `plugin test`
#[derive(Debug, Clone, PartialEq, Eq, clap::Args)]
pub struct TestOptions {
    /// The component
    pub file: PathBuf,
    /// The conversations with the API that it uses
    #[arg(long, default_value = "conformance.json", value_name = "FILE")]
    pub script: PathBuf,
    /// A variable of the environment, over what the script says; may be repeated
    #[arg(long = "env", value_name = "NAME=VALUE")]
    pub environment: Vec<Assignment>,
    /// A host that the component may talk to beside those that it describes; may be repeated
    #[arg(long = "allow-host", value_name = "HOST")]
    pub allowed_hosts: Vec<String>,
}

/// `plugin run`
#[derive(Debug, Clone, PartialEq, Eq, clap::Args)]
pub struct RunOptions {
    /// The component
    pub file: PathBuf,
    /// The function to call
    pub call: CallName,
    /// The full name of the TXT record, `_acme-challenge.example.com`
    #[arg(long)]
    pub name: Option<String>,
    /// The zone that holds it; without one the plugin looks for it
    #[arg(long)]
    pub zone: Option<String>,
    /// The value; for `present`, an invented one if there is none
    #[arg(long)]
    pub value: Option<String>,
    /// Seconds to live; 0 for the plugin's default
    #[arg(long, default_value_t = 0)]
    pub ttl: u32,
    /// What `present` returned
    #[arg(long)]
    pub handle: Option<String>,
    /// For `review`: a name of the certificate; may be repeated
    #[arg(long = "domain", value_name = "NAME")]
    pub domains: Vec<String>,
    /// For `review`: the issuer's name in the configuration
    #[arg(long, default_value = "letsencrypt")]
    pub issuer: String,
    /// For `review`: how control of the names will be proved
    #[arg(long, value_enum, default_value = "dns")]
    pub challenge: Challenge,
    /// A file with the environment, of which the component gets the variables that it describes; .env in the folder of
    /// a plugin project
    #[arg(long, value_name = "FILE")]
    pub env_file: Option<PathBuf>,
    /// A variable: NAME takes it from this process, NAME=VALUE is for what is no secret; may be repeated
    #[arg(long = "env", value_name = "NAME[=VALUE]")]
    pub environment: Vec<Variable>,
    /// What it may reach.
    #[command(flatten)]
    pub reach: Reach,
    /// Seconds that the call may take
    #[arg(long, default_value_t = 30, value_parser = clap::value_parser!(u64).range(1..=3600))]
    pub timeout: u64,
    /// Write what went over HTTP into a file, without secrets
    #[arg(long, value_name = "FILE")]
    pub record: Option<PathBuf>,
}

/// How control of names is proved.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Challenge {
    /// DNS-01
    Dns,
    /// HTTP-01
    Http,
}

/// A function of the contracts: `review` is one of hooks, the others are of providers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
#[expect(missing_docs, reason = "the contract documents them")]
pub enum CallName {
    Describe,
    Check,
    Present,
    Cleanup,
    Ready,
    Review,
}

/// Where requests may go, beside the hosts that the component describes.
#[derive(Debug, Clone, Default, PartialEq, Eq, clap::Args)]
pub struct Reach {
    /// A host that the component may talk to beside the names that it describes: those over plain http (http://HOST) and
    /// addresses are granted in this way only; may be repeated
    #[arg(long = "allow-host", value_name = "HOST")]
    pub hosts: Vec<String>,
    /// A network that is not public and may be reached all the same; may be repeated
    #[arg(long = "allow-cidr", value_name = "CIDR")]
    pub cidrs: Vec<ipnet::IpNet>,
    /// A name server that it may exchange messages with; may be repeated
    #[arg(long = "allow-dns-server", value_name = "HOST[:PORT]")]
    pub dns_servers: Vec<String>,
}

/// `plugin replay`
#[derive(Debug, Clone, PartialEq, Eq, clap::Args)]
pub struct ReplayOptions {
    /// The component
    pub file: PathBuf,
    /// What `plugin run --record` wrote
    pub recording: PathBuf,
    /// A variable of the environment, over what the recording says; may be repeated
    #[arg(long = "env", value_name = "NAME=VALUE")]
    pub environment: Vec<Assignment>,
}

/// `plugin bench`
#[derive(Debug, Clone, PartialEq, Eq, clap::Args)]
pub struct BenchOptions {
    /// The component
    pub file: PathBuf,
    /// How often it is called
    #[arg(long, default_value_t = 1000, value_parser = clap::value_parser!(u32).range(10..=1_000_000))]
    pub calls: u32,
}

/// `NAME`, or `NAME=VALUE`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Variable {
    /// Taken from this process.
    Inherited(String),
    /// Given on the command line.
    Given(Assignment),
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
    Run(Box<Command>),
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
            Ok(command) => Ok(Invocation::Run(Box::new(command))),
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
        ] {
            let message = read(line).expect_err(line).to_string();
            assert!(message.contains(expected), "{line}: {message}");
        }
        assert!(matches!(read("test --help"), Ok(Invocation::Help(_))));
        assert!(Command::is_known("test") && !Command::is_known("list"));
    }
}
