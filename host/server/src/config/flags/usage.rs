//! The text of `plugin -help` and of the help of each command that is the server's own, in the style of those of plugin
//! authors.
//!
//! What is written here is only shown: the flags themselves are among those of the server and may stand anywhere.

use clap::{Arg, ArgAction, Command};

/// What the third code means everywhere.
const WRONG_LINE: &str = "the command line is wrong";

/// The help of one command, or the list of all.
pub(super) fn render(command: Option<&str>) -> String {
    let mut definition = definition();
    definition.build();
    let shown = command.and_then(|name| definition.find_subcommand_mut(name).map(|found| found.render_help()));
    shown.unwrap_or_else(|| definition.render_help()).to_string().trim_end().to_owned()
}

/// Whether the word after `plugin` is one of these commands.
pub(super) fn is_known(word: &str) -> bool {
    own().iter().any(|command| command.get_name() == word)
}

/// All commands, those of plugin authors too.
pub(super) fn names() -> Vec<String> {
    definition().get_subcommands().map(|command| command.get_name().to_owned()).collect()
}

/// The flags of a command, without dashes.
pub(super) fn flags(command: &str) -> Vec<String> {
    let found = own().into_iter().find(|one| one.get_name() == command);
    found.iter().flat_map(Command::get_arguments).filter_map(Arg::get_long).map(str::to_owned).collect()
}

fn definition() -> Command {
    let authors = acme_manager_workbench::Command::summary();
    Command::new("acme-manager-server plugin")
        .about("Commands about plugins, for operators and authors")
        .disable_help_subcommand(true)
        .subcommand_required(true)
        .subcommands(own())
        .subcommands(authors.into_iter().map(|(name, help)| Command::new(name).about(help)))
        .after_help("`acme-manager-server plugin COMMAND --help` tells more about one.")
}

fn own() -> [Command; 6] {
    [list(), inspect(), checksum(), keygen(), sign(), verify()]
}

fn list() -> Command {
    command("list", "Load the bundled plugins and those of the config, or ask a running server for its own")
        .arg(word("URL", "A running server to ask; the variable ACME_MANAGER_API_KEY holds the key of its API"))
        .arg(flag("config-path", "FILE", "The server's config").default_value("config.yml"))
        .arg(flag("env-config-path", "FILE", "The server's environment; the file may be missing").default_value(".env"))
        .arg(switch("allow-unverified-plugins", "Load plugins that have no checksum"))
        .after_help(notes(
            &["list --config-path /etc/acme-manager/config.yml", "list https://acme.example.com"],
            "all plugins can be used, or the server answered",
            "one of them cannot be used, the config is wrong, or the server did not answer",
        ))
}

fn inspect() -> Command {
    command("inspect", "Show what a component is, imports and asks for, without trusting it")
        .arg(word("FILE", "The component").required(true))
        .after_help(notes(
            &["inspect my-dns.wasm"],
            "it is a plugin that this server can use",
            "it is not, or the file cannot be read",
        ))
}

fn checksum() -> Command {
    command("checksum", "Print the digest of a component, for the key `checksum` in the config")
        .arg(word("FILE", "The component").required(true))
        .after_help(notes(&["checksum my-dns.wasm"], "the digest is printed", "the file cannot be read"))
}

fn keygen() -> Command {
    command("keygen", "Make a pair of keys for signatures of plugins, as minisign does")
        .arg(key("The file to make for the secret key; the public key goes beside it, with .pub behind the name"))
        .arg(password("A file whose first line protects the key; without it, a password is asked for at the terminal"))
        .arg(switch("no-password", "Make a key that no password protects"))
        .after_help(notes(
            &["keygen --key plugins.key"],
            "both files are written",
            "they are not, or one of them is there already",
        ))
}

fn sign() -> Command {
    command("sign", "Write the signature of a component beside it, with .minisig behind the name")
        .arg(word("FILE", "The component").required(true))
        .arg(key("The file with the secret key, made by `plugin keygen` or by minisign"))
        .arg(password("A file whose first line is the key's password; without it, it is asked for at the terminal"))
        .arg(switch("no-password", "Never ask: the key has no password (minisign -G -W)"))
        .after_help(notes(
            &[
                "sign my-dns.wasm --key plugins.key",
                "sign my-dns.wasm --key plugins.key --password-file /run/secrets/plugins",
            ],
            "the signature is written, and fits",
            "it is not: a file cannot be read, or the key cannot be used",
        ))
}

fn verify() -> Command {
    command("verify", "Check the signature that lies beside a component")
        .arg(word("FILE", "The component; its signature has the same name with .minisig behind it").required(true))
        .arg(
            flag("key", "KEY", "The public key, 56 characters that begin with RW, or the file that holds it")
                .required(true),
        )
        .after_help(notes(
            &["verify my-dns.wasm --key plugins.key.pub"],
            "this key signed this component",
            "it did not, there is no signature, or a file cannot be read",
        ))
}

fn command(name: &'static str, about: &'static str) -> Command {
    Command::new(name).about(about)
}

fn word(name: &'static str, help: &'static str) -> Arg {
    Arg::new(name).value_name(name).help(help)
}

fn flag(name: &'static str, value: &'static str, help: &'static str) -> Arg {
    Arg::new(name).long(name).value_name(value).help(help)
}

fn switch(name: &'static str, help: &'static str) -> Arg {
    Arg::new(name).long(name).help(help).action(ArgAction::SetTrue)
}

fn key(help: &'static str) -> Arg {
    flag("key", "FILE", help).required(true)
}

fn password(help: &'static str) -> Arg {
    flag("password-file", "FILE", help)
}

fn notes(examples: &[&str], good: &str, bad: &str) -> String {
    let examples: String = examples.iter().map(|line| format!("  acme-manager-server plugin {line}\n")).collect();
    format!("Example:\n{examples}\nExit code:\n  0  {good}\n  1  {bad}\n  2  {WRONG_LINE}")
}
