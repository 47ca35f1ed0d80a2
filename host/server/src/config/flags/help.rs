//! The text of `-help`: one line per flag, in Go's spelling.

use clap::{Arg, Command};

use super::ring::TRANSPORT_HEADING;

const INTRODUCTION: &str = "\
acme-manager-server obtains, stores, renews, revokes and hands out TLS certificates from any ACME CA.

Usage:
  acme-manager-server [flags]
  acme-manager-server [flags] plugin list [URL]
  acme-manager-server plugin inspect FILE
  acme-manager-server plugin checksum FILE
  acme-manager-server plugin keygen -key SECRET_KEY_FILE
  acme-manager-server plugin sign FILE -key SECRET_KEY_FILE
  acme-manager-server plugin verify FILE -key PUBLIC_KEY
  acme-manager-server plugin COMMAND -help

Flags are written -flag value, -flag=value or --flag=value.
";

/// The help; `all` shows the flags of the gossip transport as well.
pub(super) fn render(definition: &Command, all: bool) -> String {
    let mut text = INTRODUCTION.to_owned();
    let mut headings: Vec<&str> = Vec::new();
    for flag in definition.get_arguments() {
        let heading = flag.get_help_heading().unwrap_or_default();
        if !headings.contains(&heading) && (all || heading != TRANSPORT_HEADING) {
            headings.push(heading);
        }
    }
    for heading in headings {
        text.push_str(&format!("\n{heading}\n"));
        let flags = definition.get_arguments().filter(|flag| flag.get_help_heading().unwrap_or_default() == heading);
        for flag in flags {
            text.push_str(&line(flag));
        }
    }
    text.push_str("\nCommands of plugin authors\n");
    for (name, help) in acme_manager_workbench::Command::summary() {
        text.push_str(&format!("  {:<52} {help}\n", format!("plugin {name}")));
    }
    text.push_str("\nHelp\n");
    text.push_str(&format!("  {:<52} {}\n", "-h, -help", "Print this text and exit"));
    text.push_str(&format!(
        "  {:<52} {}\n",
        "-help-all", "Print all flags, those of the gossip transport too, and exit"
    ));
    text
}

fn line(flag: &Arg) -> String {
    let name = flag.get_long().unwrap_or_default();
    let kind = flag.get_value_names().and_then(<[_]>::first).map_or("", |kind| kind.as_str());
    let usage = if kind == "bool" { format!("-{name}") } else { format!("-{name} {kind}") };
    let help = flag.get_help().map(ToString::to_string).unwrap_or_default();
    let default = flag.get_default_values().first().map(|value| value.to_string_lossy());
    let default = match default {
        None => String::new(),
        Some(value) if value == "false" || value.is_empty() => String::new(),
        Some(value) if kind == "string" => format!(" (default {value:?})"),
        Some(value) => format!(" (default {value})"),
    };
    format!("  {usage:<52} {help}{default}\n")
}
