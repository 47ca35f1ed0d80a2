//! `cargo xtask test`: everything a change has to pass, from a fresh clone, in one command.

use std::{env, process::Command};

use anyhow::Context;

use crate::{
    run::{cargo, checked, find},
    setup::{self, Tool},
};

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Do not install programs, and do not rebuild the plugins
    #[arg(long)]
    only: bool,
    /// Passed to `cargo nextest run` (or to `cargo test` where nextest is not installed), for instance `-p xtask`
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    test_arguments: Vec<String>,
}

/// Sets up, builds the plugins and the binaries, and runs the tests; doctests too, when no test was singled out.
///
/// # Errors
/// When a step fails; the message names its command line.
pub(crate) fn run(arguments: &Arguments) -> anyhow::Result<()> {
    if !arguments.only {
        setup::setup(&Tool::FOR_TESTS)?;
        plugins()?;
    }
    // System tests start the server from the target folder; `--tests` keeps the feature set, and so the artefacts, of
    // the test build that follows.
    checked(cargo().args(["build", "--workspace", "--bins", "--tests"]))?;
    let everything = arguments.test_arguments.is_empty();
    if find("cargo-nextest").is_none() {
        return checked(cargo().args(["test", "--workspace", "--no-fail-fast"]).args(&arguments.test_arguments));
    }
    // Doctests come first so that the last lines are the summary of the whole run.
    if everything {
        checked(cargo().args(["test", "--workspace", "--doc", "--quiet"]))?;
    }
    checked(cargo().args(["nextest", "run", "--workspace", "--no-fail-fast"]).args(&arguments.test_arguments))
}

/// Runs `cargo xtask plugins` in a process of its own: it replaces environment and toolchain for its builds.
pub(crate) fn plugins() -> anyhow::Result<()> {
    let myself = env::current_exe().context("cannot find this program's own file")?;
    checked(Command::new(myself).arg("plugins"))
}
