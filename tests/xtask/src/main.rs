//! The project's own commands, run as `cargo xtask <command>`.

mod bench;
mod demo;
mod run;
mod setup;
mod test;

use clap::{Parser, Subcommand};

#[derive(Parser)]
#[command(bin_name = "cargo xtask", about = "The project's own commands")]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Install the programs that tests and benches start: CAs, DNS servers, OpenBao, moto
    Setup(setup::Arguments),
    /// Set up, build the plugins, run every test of the workspace
    Test(test::Arguments),
    /// Run the benches
    Bench(bench::Arguments),
    /// Start a CA, a DNS server and the server, and issue a certificate
    Demo(demo::Arguments),
}

fn main() -> anyhow::Result<()> {
    match Arguments::parse().command {
        Command::Setup(arguments) => setup::run(&arguments),
        Command::Test(arguments) => test::run(&arguments),
        Command::Bench(arguments) => bench::run(&arguments),
        Command::Demo(arguments) => demo::run(&arguments),
    }
}
