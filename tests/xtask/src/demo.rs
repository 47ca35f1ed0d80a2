//! `cargo xtask demo`: a CA, a DNS server and acme-manager on this machine, and one certificate issued before your eyes.

use anyhow::bail;

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Issue one certificate, show it and end, instead of serving until Ctrl-C
    #[arg(long)]
    once: bool,
}

/// Runs the demonstration.
///
/// # Errors
/// Always: the demonstration is not part of this version.
pub(crate) fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let form = if arguments.once { "demo --once" } else { "demo" };
    bail!("`cargo xtask {form}` is not written yet; `cargo xtask test` runs the same servers")
}
