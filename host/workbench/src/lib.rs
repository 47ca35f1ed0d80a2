//! The plugin author's workbench: `acme-manager-server plugin test` and its siblings.
//!
//! Everything here runs components under the real host (`acme-manager-plugin-runtime`), with the grants and limits that
//! a server would give them. Results are texts for people; a mistake comes with what to do about it.

mod command;
mod component;
mod conformance;
mod mock;
mod quantity;
mod table;

use std::io::Write as _;

pub use command::{Assignment, Command, Help, Invocation, TestOptions, UsageError};
pub use conformance::{Row, Verdict};

/// Does what a command line asked for and prints the result on standard output.
///
/// # Errors
/// When it cannot be done, or when what was tried does not work; the text says what to do.
pub async fn run(command: Command) -> anyhow::Result<()> {
    match command {
        Command::Test(options) => {
            let verdict = conformance::test(&options).await?;
            print(&verdict.to_string())?;
            let failed = verdict.failed();
            anyhow::ensure!(failed == 0, "{failed} of {} scenarios failed", verdict.rows.len());
            Ok(())
        }
    }
}

/// Runs a component against a script, as `plugin test` does.
///
/// # Errors
/// When the component or the script cannot be used at all.
pub async fn test(options: &TestOptions) -> anyhow::Result<Verdict> {
    conformance::test(options).await
}

/// A reader that goes away, as `head` does, is no mistake.
fn print(text: &str) -> anyhow::Result<()> {
    match std::io::stdout().lock().write_all(text.as_bytes()) {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => Err(error.into()),
        _ => Ok(()),
    }
}
