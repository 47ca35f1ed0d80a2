//! `cargo xtask bench`: every bench of the workspace, with the programs that some of them compare against.

use crate::{
    run::{cargo, checked},
    setup::{self, Tool},
};

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Passed to `cargo bench`, for instance `-p acme-manager-plugin-runtime`
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    cargo_arguments: Vec<String>,
}

/// Installs what the benches start and runs them.
///
/// # Errors
/// When a program cannot be installed or a bench fails.
pub(crate) fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let tools: Vec<Tool> = Tool::FOR_TESTS.iter().copied().chain([Tool::Lego]).collect();
    setup::setup(&tools)?;
    checked(cargo().args(["bench", "--workspace"]).args(&arguments.cargo_arguments))
}
