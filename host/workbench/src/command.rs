//! The command line of `acme-manager-server plugin <command>`, for the commands that are this crate's.

mod words;

use std::path::PathBuf;

use acme_manager_plugin_runtime::EnvironmentKey;
use anyhow::bail;
use clap::{Parser, ValueEnum as _};

use words::cidr;

/// A command and what it needs.
#[derive(Debug, Clone, PartialEq, Eq, Parser)]
#[command(name = "acme-manager-server plugin", disable_version_flag = true, disable_help_subcommand = true)]
#[non_exhaustive]
pub enum Command {
    /// Write a new plugin project
    #[command(after_help = "\
Examples:
  acme-manager-server plugin new example-dns
  acme-manager-server plugin new my-policy --kind issuance-hook
  acme-manager-server plugin new example-dns --lang python --folder work/example

Exit code:
  0  the project is written
  1  otherwise
  2  the command line is wrong")]
    New(NewOptions),
    /// Build a project into a component
    #[command(after_help = "\
Examples:
  acme-manager-server plugin build
  acme-manager-server plugin build work/example

Exit code:
  0  there is a component that fits its world
  1  otherwise
  2  the command line is wrong")]
    Build(BuildOptions),
    /// Run a component under the real host against a scripted API
    #[command(after_help = "\
Examples:
  acme-manager-server plugin test target/plugin/example-dns.wasm
  acme-manager-server plugin test example.wasm --script other.json --env EXAMPLE_URL=https://api.example.com

Exit code:
  0  every scenario passed
  1  otherwise
  2  the command line is wrong")]
    Test(TestOptions),
    /// Call a component by hand, against the real API
    #[command(after_help = "\
Examples:
  acme-manager-server plugin run example.wasm check --env EXAMPLE_API_TOKEN
  acme-manager-server plugin run example.wasm present --name _acme-challenge.example.com --record call.json
  acme-manager-server plugin run policy.wasm review --domain www.example.com

Exit code:
  0  the call succeeded
  1  otherwise
  2  the command line is wrong")]
    Run(Box<RunOptions>),
    /// Play a recorded call back to a component
    #[command(after_help = "\
Examples:
  acme-manager-server plugin replay example.wasm call.json
  acme-manager-server plugin replay example.wasm call.json --env EXAMPLE_API_TOKEN=an-invented-one

Exit code:
  0  the call ended as it did when it was recorded
  1  otherwise
  2  the command line is wrong")]
    Replay(ReplayOptions),
    /// Measure what a component's calls cost
    #[command(after_help = "\
Examples:
  acme-manager-server plugin bench example.wasm
  acme-manager-server plugin bench example.wasm --calls 10000

Exit code:
  0  it was measured
  1  otherwise
  2  the command line is wrong")]
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
    #[arg(long, allow_hyphen_values = true)]
    pub value: Option<String>,
    /// Seconds to live; 0 for the plugin's default
    #[arg(long, default_value_t = 0, allow_hyphen_values = true)]
    pub ttl: u32,
    /// What `present` returned
    #[arg(long, allow_hyphen_values = true)]
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
    #[arg(long, default_value_t = 30, allow_hyphen_values = true, value_parser = clap::value_parser!(u64).range(1..=3600))]
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
    #[arg(long = "allow-cidr", value_name = "CIDR", value_parser = cidr)]
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
    #[arg(long, default_value_t = 1000, allow_hyphen_values = true, value_parser = clap::value_parser!(u32).range(10..=1_000_000))]
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

/// Refuses variables that a component does not read: a slip of the finger would change nothing.
pub(crate) fn known(keys: &[EnvironmentKey], environment: &[Assignment]) -> anyhow::Result<()> {
    let is_read = |name: &String| keys.iter().any(|key| key.name == *name || key.aliases.contains(name));
    match environment.iter().find(|one| !is_read(&one.name)) {
        None => Ok(()),
        Some(Assignment { name, .. }) => bail!("the component does not read {name}; it reads {}", names(keys)),
    }
}

/// The names of variables, for people.
pub(crate) fn names(keys: &[EnvironmentKey]) -> String {
    keys.iter().map(|key| key.name.as_str()).collect::<Vec<_>>().join(", ")
}

impl CallName {
    /// The word of the command line, which is that of the contract.
    pub(crate) fn word(self) -> String {
        self.to_possible_value().map(|value| value.get_name().to_owned()).unwrap_or_default()
    }
}
