//! Measures the built server from outside: its start, its memory, its answers, and whole issuances beside lego's.
//! Run by `cargo xtask bench`; what the figures mean is in the README beside this crate.

mod growth;
mod instance;
mod issuance;
mod measure;
mod requests;
mod seed;
mod start;

use std::path::PathBuf;

use anyhow::{Context, ensure};
use clap::{Parser, ValueEnum};

#[derive(Parser)]
#[command(about = "Measures the built server")]
struct Arguments {
    /// What to measure; everything if none is given
    what: Vec<What>,
    /// The server
    #[arg(long, default_value = concat!(env!("CARGO_MANIFEST_DIR"), "/../../target/release/acme-manager-server"))]
    server: PathBuf,
}

#[derive(Clone, Copy, ValueEnum)]
enum What {
    /// Start to ready, idle memory
    Start,
    /// One certificate and fifty at once, beside lego
    Issuance,
    /// Metadata requests a second
    Requests,
    /// Memory and start time by plugins and certificates
    Growth,
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    let server = arguments.server.canonicalize();
    let server = server.with_context(|| format!("{}: build it with --release", arguments.server.display()))?;
    ensure!(server.is_file(), "{} is no program", server.display());
    // Requests come last: that bench keeps this process to one processor.
    let everything = vec![What::Start, What::Issuance, What::Growth, What::Requests];
    for what in if arguments.what.is_empty() { everything } else { arguments.what } {
        match what {
            What::Start => start::run(&server).await?,
            What::Issuance => issuance::run(&server).await?,
            What::Growth => growth::run(&server).await?,
            What::Requests => requests::run(&server).await?,
        }
    }
    Ok(())
}
