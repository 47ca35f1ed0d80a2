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
mod help;
mod ring;
mod values;

pub use self::ring::{ClusterFlags, MemberlistFlags, RingFlags};
pub use self::values::{ListenAddress, LogFormat, LogLevel, MemberAddress};

pub(super) use self::values::parse_bool;

use self::arguments::Arguments;
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

/// Why a command line cannot be followed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FlagError {
    /// There is no such flag.
    #[error("unknown flag -{flag}{}", .nearest.as_ref().map_or_else(|| "; see -help".to_owned(), |near| format!("; did you mean -{near}?")))]
    Unknown {
        /// As given, without dashes.
        flag: String,
        /// The most similar flag.
        nearest: Option<String>,
    },
    /// The flag needs a value and is the last word.
    #[error("flag -{flag} needs a value")]
    MissingValue {
        /// Its name.
        flag: String,
    },
    /// The value is of the wrong kind.
    #[error("flag -{flag}: {reason}")]
    Invalid {
        /// Its name.
        flag: String,
        /// What was expected and found.
        reason: String,
    },
    /// Flags do not fit together.
    #[error("{0}")]
    Conflict(&'static str),
    /// A word that is neither a flag nor a command.
    #[error(
        "unexpected argument {0:?}; commands are `plugin list [URL OF A SERVER]`, `plugin inspect|checksum|sign|verify FILE`, `plugin keygen` and those of plugin authors; see -help"
    )]
    Unexpected(String),
    /// A command of plugin authors is used wrongly.
    #[error("plugin {0}")]
    Author(acme_manager_workbench::UsageError),
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

/// `-key` and what goes with it
#[derive(Debug, Clone, clap::Args)]
#[command(next_help_heading = "Plugin signatures")]
struct SignatureFlags {
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
            Arguments::Words(words) => words,
        };
        let matches = definition.clone().try_get_matches_from(&arguments.flags);
        let matches = matches.map_err(|error| values::explain(&error))?;
        let mut flags = Self::from_arg_matches(&matches).map_err(|error| values::explain(&error))?;
        flags.given = arguments.names;
        flags.check()?;
        let flags = Box::new(flags);
        if flags.version {
            return Ok(Command::Version);
        }
        if let Some(words) = arguments.author {
            return match Author::read(&words).map_err(FlagError::Author)? {
                Invocation::Help(Help(text)) => Ok(Command::Help(text)),
                Invocation::Run(command) => Ok(Command::Plugin(PluginCommand::Author(command), flags)),
            };
        }
        let command = plugin_command(&arguments.words, &flags.signature)?;
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

impl PluginCommand {
    fn needs_key(&self) -> bool {
        matches!(self, Self::Keygen(_) | Self::Sign { .. } | Self::Verify { .. })
    }
}

impl SignatureFlags {
    fn secret_key(&self) -> Result<SecretKeyFile, FlagError> {
        let path = self.key.as_ref().ok_or(FlagError::Conflict("-key is missing: the file of the secret key"))?;
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
            return Err(FlagError::Conflict("`plugin verify` takes a public key, which has no password"));
        }
        self.key.clone().ok_or(FlagError::Conflict("-key is missing: the public key, or the file that holds it"))
    }
}

fn plugin_command(words: &[String], signature: &SignatureFlags) -> Result<Option<PluginCommand>, FlagError> {
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    Ok(Some(match words.as_slice() {
        [] => return Ok(None),
        ["plugin", "list"] => PluginCommand::List,
        ["plugin", "list", server] => match server.parse::<url::Url>() {
            Ok(url) if matches!(url.scheme(), "http" | "https") => PluginCommand::ListOf(url),
            _ => return Err(FlagError::Unexpected((*server).to_owned())),
        },
        ["plugin", "inspect", file] => PluginCommand::Inspect(PathBuf::from(file)),
        ["plugin", "checksum", file] => PluginCommand::Checksum(PathBuf::from(file)),
        ["plugin", "keygen"] => PluginCommand::Keygen(signature.secret_key()?),
        ["plugin", "sign", file] => PluginCommand::Sign { file: PathBuf::from(file), key: signature.secret_key()? },
        ["plugin", "verify", file] => PluginCommand::Verify { file: PathBuf::from(file), key: signature.public_key()? },
        ["plugin"] => return Err(FlagError::Unexpected("plugin".to_owned())),
        ["plugin", "keygen", extra, ..]
        | ["plugin", "list" | "inspect" | "checksum" | "sign" | "verify", _, extra, ..] => {
            return Err(FlagError::Unexpected((*extra).to_owned()));
        }
        ["plugin", word, ..] | [word, ..] => return Err(FlagError::Unexpected((*word).to_owned())),
    }))
}

#[cfg(test)]
mod tests;
