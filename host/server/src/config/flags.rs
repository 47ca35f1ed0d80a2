//! The command line, in Go's spelling: `-flag value`, `-flag=value`, `--flag=value`, booleans without a value.
//!
//! Every flag of the Go server is accepted with the defaults that the administrators' documentation states; where the
//! Go code had another one (heartbeats of 15 s and 30 s), the documented one holds. Flags that tune a transport which
//! this server does not have are parsed, kept and otherwise without effect, so that existing unit files go on working.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use acme_manager_workbench::{Command as Author, Help, Invocation};
use clap::{CommandFactory, FromArgMatches, Parser};

mod arguments;
mod error;
mod help;
mod plugin;
mod ring;
mod usage;
mod values;

pub use self::error::FlagError;
pub use self::plugin::{KeyPassword, PluginCommand, SecretKeyFile};
pub use self::ring::{ClusterFlags, MemberlistFlags, RingFlags};
pub use self::values::{ListenAddress, LogFormat, LogLevel, MemberAddress};

pub(super) use self::values::parse_bool;

use self::arguments::{Arguments, Words};
use self::plugin::SignatureFlags;
use self::values::{parse_interval, parse_seconds};

/// What the command line asks for.
#[derive(Debug, Clone)]
pub enum Command {
    /// Run the server.
    Serve(Box<Flags>),
    /// Check config and environment, say what is wrong and end.
    ConfigCheck(Box<Flags>),
    /// Print the version and end.
    Version,
    /// Print this text and end.
    Help(String),
    /// Work on plugins and end.
    Plugin(PluginCommand, Box<Flags>),
}

/// All flags of the server.
#[derive(Debug, Clone, Parser)]
#[command(name = "acme-manager-server", disable_help_flag = true, disable_version_flag = true)]
#[command(args_override_self = true)]
pub struct Flags {
    /// Log lines.
    #[command(flatten)]
    pub log: LogFlags,
    /// The listener for clients.
    #[command(flatten)]
    pub server: ServerFlags,
    /// Config file path
    #[arg(long, default_value = "config.yml", value_name = "string", help_heading = "Configuration")]
    pub config_path: PathBuf,
    /// Environment file path; the file may be missing
    #[arg(long, default_value = ".env", value_name = "string", help_heading = "Configuration")]
    pub env_config_path: PathBuf,
    /// Load plugins that have no checksum
    #[arg(long, default_value = "false", value_name = "bool", value_parser = parse_bool, action = clap::ArgAction::Set, help_heading = "Configuration")]
    pub allow_unverified_plugins: bool,
    /// Check config and environment files and exit
    #[arg(long, default_value = "false", value_name = "bool", value_parser = parse_bool, action = clap::ArgAction::Set, help_heading = "Configuration")]
    config_check: bool,
    /// The same, and warnings are a failure too
    #[arg(long, default_value = "false", value_name = "bool", value_parser = parse_bool, action = clap::ArgAction::Set, help_heading = "Configuration")]
    pub config_check_strict: bool,
    /// Print the version and exit
    #[arg(long, default_value = "false", value_name = "bool", value_parser = parse_bool, action = clap::ArgAction::Set, help_heading = "Configuration")]
    version: bool,
    /// Keys of plugin signatures.
    #[command(flatten)]
    signature: SignatureFlags,
    /// How often workers look.
    #[command(flatten)]
    pub check: IntervalFlags,
    /// Membership.
    #[command(flatten)]
    pub ring: RingFlags,
    /// Formation and trust of the cluster.
    #[command(flatten)]
    pub cluster: ClusterFlags,
    /// Removal of what is no longer used.
    #[command(flatten)]
    pub cleanup: CleanupFlags,
    /// Gossip transport.
    #[command(flatten)]
    pub memberlist: MemberlistFlags,
    #[arg(skip)]
    given: BTreeSet<String>,
}

/// `-log.*`
#[derive(Debug, Clone, clap::Args)]
#[command(next_help_heading = "Logging")]
pub struct LogFlags {
    /// Log level: debug, info, warn, error
    #[arg(id = "log.level", long = "log.level", default_value = "info", value_name = "string")]
    pub level: LogLevel,
    /// Log format: logfmt, json
    #[arg(id = "log.format", long = "log.format", default_value = "logfmt", value_name = "string")]
    pub format: LogFormat,
}

/// `-server.*`
#[derive(Debug, Clone, clap::Args)]
#[command(next_help_heading = "Server")]
pub struct ServerFlags {
    /// Listen address; without a host, all interfaces
    #[arg(long = "server.listen-address", default_value = ":8989", value_name = "string")]
    pub listen_address: ListenAddress,
    /// TLS certificate file
    #[arg(long = "server.tls-cert-file", value_name = "string")]
    pub tls_cert_file: Option<PathBuf>,
    /// TLS key file
    #[arg(long = "server.tls-key-file", value_name = "string")]
    pub tls_key_file: Option<PathBuf>,
    /// Client CA certificate
    #[arg(long = "server.tls-client-ca-file", value_name = "string")]
    pub tls_client_ca_file: Option<PathBuf>,
    /// Read timeout in seconds
    #[arg(long = "server.http-read-timeout", default_value = "300", value_name = "int", value_parser = parse_seconds)]
    pub http_read_timeout: Duration,
    /// Header read timeout in seconds
    #[arg(long = "server.http-read-header-timeout", default_value = "10", value_name = "int", value_parser = parse_seconds)]
    pub http_read_header_timeout: Duration,
}

/// `-check-*-interval`
#[derive(Debug, Clone, clap::Args)]
#[command(next_help_heading = "Check intervals")]
pub struct IntervalFlags {
    /// Certificate renewal check
    #[arg(long = "check-renewal-interval", default_value = "30m", value_name = "duration", value_parser = parse_interval)]
    pub renewal_interval: Duration,
    /// Config file check
    #[arg(long = "check-config-interval", default_value = "30s", value_name = "duration", value_parser = parse_interval)]
    pub config_interval: Duration,
    /// Token expiration check
    #[arg(long = "check-token-interval", default_value = "1m", value_name = "duration", value_parser = parse_interval)]
    pub token_interval: Duration,
    /// Issuer health check
    #[arg(long = "check-issuer-interval", default_value = "10m", value_name = "duration", value_parser = parse_interval)]
    pub issuer_interval: Duration,
}

/// `-cleanup` and `-cleanup.*`
#[derive(Debug, Clone, clap::Args)]
#[command(next_help_heading = "Cleanup")]
pub struct CleanupFlags {
    /// Enable cleanup
    #[arg(long = "cleanup", default_value = "false", value_name = "bool", value_parser = parse_bool, action = clap::ArgAction::Set)]
    pub enabled: bool,
    /// Cleanup scan interval
    #[arg(id = "cleanup.interval", long = "cleanup.interval", default_value = "1h", value_name = "duration", value_parser = parse_interval)]
    pub interval: Duration,
    /// Days before expiry to cleanup
    #[arg(long = "cleanup.cert-expire-days", default_value = "10", value_name = "int", value_parser = clap::value_parser!(u32).range(0..=3650))]
    pub cert_expire_days: u32,
    /// Revoke last version on cleanup
    #[arg(long = "cleanup.cert-revoke-last-version", default_value = "false", value_name = "bool", value_parser = parse_bool, action = clap::ArgAction::Set)]
    pub cert_revoke_last_version: bool,
}

impl Flags {
    /// Reads a command line; the first word is the program's name.
    ///
    /// # Errors
    /// When a word is unknown or a value is wrong; the text names the flag.
    pub fn parse_from<I, T>(args: I) -> Result<Command, FlagError>
    where
        I: IntoIterator<Item = T>,
        T: Into<OsString>,
    {
        let definition = Self::command();
        let arguments = match Arguments::read(&definition, args.into_iter().skip(1).map(Into::into))? {
            Arguments::Help { all } => return Ok(Command::Help(help::render(&definition, all))),
            Arguments::PluginHelp(command) => return Ok(Command::Help(usage::render(command.as_deref()))),
            Arguments::Words(words) => words,
        };
        let command = plugin::named(&arguments.words).map(str::to_owned);
        Self::understood(definition, arguments).map_err(|error| error.of(command.as_deref()))
    }

    fn understood(definition: clap::Command, arguments: Words) -> Result<Command, FlagError> {
        let matches = definition.try_get_matches_from(&arguments.flags);
        let matches = matches.map_err(|error| values::explain(&error))?;
        let mut flags = Self::from_arg_matches(&matches).map_err(|error| values::explain(&error))?;
        flags.given = arguments.names;
        flags.check()?;
        let flags = Box::new(flags);
        if flags.version {
            return Ok(Command::Version);
        }
        if let Some(words) = arguments.author {
            let command = words.first().cloned().unwrap_or_default();
            return match Author::read(&words).map_err(|error| FlagError::Author { command, error })? {
                Invocation::Help(Help(text)) => Ok(Command::Help(text)),
                Invocation::Run(command) => Ok(Command::Plugin(PluginCommand::Author(command), flags)),
            };
        }
        let command = plugin::read(&arguments.words, &flags.signature)?;
        let needs_key = command.as_ref().is_some_and(PluginCommand::needs_key);
        if !needs_key && ["key", "password-file", "no-password"].iter().any(|flag| flags.is_given(flag)) {
            return Err(FlagError::Conflict(
                "-key, -password-file and -no-password belong to `plugin keygen`, `plugin sign` and `plugin verify`",
            ));
        }
        match command {
            Some(command) => Ok(Command::Plugin(command, flags)),
            None if flags.config_check || flags.config_check_strict => Ok(Command::ConfigCheck(flags)),
            None => Ok(Command::Serve(flags)),
        }
    }

    /// Whether a flag (without dashes) stood on the command line.
    #[must_use]
    pub fn is_given(&self, flag: &str) -> bool {
        self.given.contains(flag)
    }

    /// The flags that stood on the command line, sorted, without dashes.
    pub fn given(&self) -> impl Iterator<Item = &str> {
        self.given.iter().map(String::as_str)
    }

    fn check(&self) -> Result<(), FlagError> {
        let server = &self.server;
        if server.tls_cert_file.is_some() != server.tls_key_file.is_some() {
            return Err(FlagError::Conflict("-server.tls-cert-file and -server.tls-key-file need each other"));
        }
        if server.tls_client_ca_file.is_some() && server.tls_cert_file.is_none() {
            return Err(FlagError::Conflict("-server.tls-client-ca-file needs -server.tls-cert-file"));
        }
        if self.ring.heartbeat_timeout <= self.ring.heartbeat_period {
            return Err(FlagError::Conflict("-ring.heartbeat-timeout must be longer than -ring.heartbeat-period"));
        }
        Ok(())
    }
}

impl Default for Flags {
    fn default() -> Self {
        Self::try_parse_from(["acme-manager-server"]).expect("the defaults are well-formed")
    }
}

#[cfg(test)]
mod tests;
