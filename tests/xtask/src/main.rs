//! The project's own commands, run as `cargo xtask <command>`.
//!
//! They build with nothing but this crate, so that they can prepare what the server's build needs.

mod plugins;

use clap::{Parser, Subcommand};

#[derive(Parser)]
#[command(name = "cargo xtask", about = "The project's own commands")]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Builds every plugin as a WASI component into target/plugins.
    Plugins(plugins::Options),
}

fn main() -> anyhow::Result<()> {
    match Arguments::parse().command {
        Command::Plugins(options) => plugins::run(&options),
    }
}
