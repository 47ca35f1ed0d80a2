//! The project's own commands, run as `cargo xtask <command>`.
//!
//! They build with nothing but this crate, so that they can prepare what the server's build needs.

mod bench;
mod demo;
mod fuzz;
mod plugins;
mod run;
mod setup;
mod test;
mod zoo;

use clap::{Parser, Subcommand};

#[derive(Parser)]
#[command(name = "cargo xtask", about = "The project's own commands")]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Installs the programs that tests and benches start: CAs, DNS servers, OpenBao, moto.
    Setup(setup::Arguments),
    /// Builds every plugin as a WASI component into target/plugins.
    Plugins(plugins::Options),
    /// Sets up, builds the plugins, runs every test of the workspace.
    Test(test::Arguments),
    /// Runs the benches.
    Bench(bench::Arguments),
    /// Feeds what is read from strangers with made-up inputs.
    Fuzz(fuzz::Arguments),
    /// Runs every misbehaviour of a plugin a thousand times and looks for what is left behind.
    Zoo,
    /// Starts a CA, a DNS server and the server, and issues a certificate.
    Demo(demo::Arguments),
}

fn main() -> anyhow::Result<()> {
    match Arguments::parse().command {
        Command::Setup(arguments) => setup::run(&arguments),
        Command::Plugins(options) => plugins::run(&options),
        Command::Test(arguments) => test::run(&arguments),
        Command::Bench(arguments) => bench::run(&arguments),
        Command::Fuzz(arguments) => fuzz::run(&arguments),
        Command::Zoo => zoo::run(),
        Command::Demo(arguments) => demo::run(&arguments),
    }
}
