//! `cargo xtask bench`: the bench of the plugin runtime and the measurements of the built server beside lego.

use crate::{
    run::{cargo, checked},
    setup::{self, Tool},
};

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// What of the server to measure: start, issuance, requests, growth; everything if none is given
    what: Vec<String>,
}

/// Installs what the benches start, builds the server as it is released, and measures.
///
/// # Errors
/// When a program cannot be installed, or a bench cannot be built or fails.
pub(crate) fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let tools: Vec<Tool> = Tool::FOR_TESTS.iter().copied().chain([Tool::Lego]).collect();
    setup::setup(&tools)?;
    if arguments.what.is_empty() {
        checked(cargo().args(["bench", "-p", "acme-manager-plugin-runtime"]))?;
    }
    checked(cargo().args(["build", "--release", "-p", "acme-manager-server"]))?;
    // What measures from outside need not be optimised itself.
    checked(cargo().args(["run", "-p", "acme-manager-benches", "--"]).args(&arguments.what))
}
