//! `cargo xtask test`: everything a change has to pass, from a fresh clone, in one command.

use std::{
    env,
    io::{BufRead, BufReader},
    process::{Command, Stdio},
};

use anyhow::{Context, bail};

use crate::{
    run::{cargo, checked, find, workspace_root},
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
    checked(cargo().args(["build", "--workspace", "--all-features", "--bins", "--tests"]))?;
    let everything = arguments.test_arguments.is_empty();
    if find("cargo-nextest").is_none() {
        let mut command = cargo();
        command.args(["test", "--workspace", "--all-features", "--no-fail-fast"]).args(&arguments.test_arguments);
        return counted(&mut command);
    }
    // Doctests come first so that the last lines are the summary of the whole run.
    if everything {
        checked(cargo().args(["test", "--workspace", "--all-features", "--doc", "--quiet"]))?;
    }
    checked(
        cargo()
            .args(["nextest", "run", "--workspace", "--all-features", "--no-fail-fast"])
            .args(&arguments.test_arguments),
    )
}

/// Runs `cargo test` and sums up its results, of which it prints one for each binary.
fn counted(command: &mut Command) -> anyhow::Result<()> {
    let mut child =
        command.current_dir(workspace_root()).stdout(Stdio::piped()).spawn().context("cannot start cargo")?;
    let output = child.stdout.take().context("cargo has no output")?;
    let (mut passed, mut failed) = (0, 0);
    for line in BufReader::new(output).lines() {
        let line = line?;
        println!("{line}");
        if let Some(result) = line.strip_prefix("test result: ") {
            passed += number_before(result, "passed");
            failed += number_before(result, "failed");
        }
    }
    let status = child.wait()?;
    println!("\n{passed} passed, {failed} failed");
    if !status.success() {
        bail!("`cargo test` failed: {status}");
    }
    Ok(())
}

/// The number in front of `word`, as in `ok. 3 passed; 0 failed; …`.
fn number_before(result: &str, word: &str) -> usize {
    let words: Vec<&str> = result.split([' ', ';']).collect();
    let pair = words.windows(2).find(|pair| pair[1] == word);
    pair.and_then(|pair| pair[0].parse().ok()).unwrap_or(0)
}

/// Runs `cargo xtask plugins` in a process of its own: it replaces environment and toolchain for its builds.
pub(crate) fn plugins() -> anyhow::Result<()> {
    let myself = env::current_exe().context("cannot find this program's own file")?;
    checked(Command::new(myself).arg("plugins"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_are_read() {
        let result = "FAILED. 12 passed; 3 failed; 0 ignored; 0 measured; 0 filtered out; finished in 1.00s";
        assert_eq!((number_before(result, "passed"), number_before(result, "failed")), (12, 3));
        assert_eq!(number_before("something else", "passed"), 0);
    }
}
