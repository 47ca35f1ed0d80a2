//! The plugin author's workbench: `acme-manager-server plugin test` and its siblings.
//!
//! Everything here runs components under the real host (`acme-manager-plugin-runtime`), with the grants and limits that
//! a server would give them. Results are texts for people; a mistake comes with what to do about it.

mod bench;
mod build;
mod command;
mod component;
mod conformance;
pub mod dotenv;
pub mod file;
pub mod hosts;
mod mock;
mod new;
pub mod quantity;
mod replay;
mod run;
mod subject;
pub mod table;
pub mod text;

use std::io::{IsTerminal as _, Write as _};

pub use command::{
    Assignment, BenchOptions, BuildOptions, CallName, Challenge, Command, Help, Invocation, Kind, Language, NewOptions,
    Reach, ReplayOptions, RunOptions, TestOptions, UsageError, Variable,
};
pub use conformance::{Row, Verdict};
pub use replay::Replayed;

/// Does what a command line asked for and prints the result on standard output.
///
/// # Errors
/// When it cannot be done, or when what was tried does not work; the text says what to do.
pub async fn run(command: Command) -> anyhow::Result<()> {
    // Errors quote components, recordings and tools.
    act(command).await.map_err(|error| anyhow::anyhow!(text::block(&format!("{error:#}"))))
}

async fn act(command: Command) -> anyhow::Result<()> {
    match command {
        Command::New(options) => print(&new::new(&options)?),
        Command::Build(options) => print(&build::build(&options).await?),
        Command::Test(options) => {
            let verdict = conformance::test(&options).await?;
            print(&verdict.to_string())?;
            let failed = verdict.failed();
            anyhow::ensure!(failed == 0, "{failed} of {} scenarios failed", verdict.rows.len());
            Ok(())
        }
        Command::Run(options) => {
            show_log();
            print(&call(&options).await?)
        }
        Command::Replay(options) => {
            show_log();
            let replayed = replay::replay(&options).await?;
            print(&replayed.text)?;
            anyhow::ensure!(replayed.is_same, "it ended otherwise than when it was recorded");
            Ok(())
        }
        Command::Bench(options) => print(&bench::bench(&options).await?),
    }
}

/// Lets the component's log be seen, and what the host says about its requests.
fn show_log() {
    // Colours are for people, who may not want them either: https://no-color.org
    let wants_colours = std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
    let lines = tracing_subscriber::fmt()
        .with_writer(std::io::stderr)
        .with_ansi(wants_colours && std::io::stderr().is_terminal())
        .with_target(false)
        .log_internal_errors(false)
        .without_time();
    // A program that embeds this may have one.
    let _ = lines.try_init();
}

/// Runs a component against a script, as `plugin test` does.
///
/// # Errors
/// When the component or the script cannot be used at all.
pub async fn test(options: &TestOptions) -> anyhow::Result<Verdict> {
    conformance::test(options).await
}

/// Writes a new project, as `plugin new` does; returns what to say about it.
///
/// # Errors
/// When the name is no good, or the folder cannot be made.
pub fn new_project(options: &NewOptions) -> anyhow::Result<String> {
    new::new(options)
}

/// Builds a project, as `plugin build` does; returns what to say about the component.
///
/// # Errors
/// When the tools are missing or fail, in words.
pub async fn build_project(options: &BuildOptions) -> anyhow::Result<String> {
    build::build(options).await
}

/// Makes one call by hand, as `plugin run` does.
///
/// # Errors
/// When the call cannot be made or fails.
pub async fn call(options: &RunOptions) -> anyhow::Result<String> {
    run::run(options, tell).await
}

/// Plays a recording, as `plugin replay` does.
///
/// # Errors
/// When the component or the recording cannot be used.
pub async fn replay(options: &ReplayOptions) -> anyhow::Result<Replayed> {
    replay::replay(options).await
}

/// Measures a component, as `plugin bench` does.
///
/// # Errors
/// When it cannot be loaded.
pub async fn measure(options: &BenchOptions) -> anyhow::Result<String> {
    bench::bench(options).await
}

/// Prints on standard error, without what would steer a terminal. Where nobody can be told, nobody is: what the caller
/// returns counts.
pub fn tell(text: &str) {
    let _ = std::io::stderr().lock().write_all(text::block(text).as_bytes());
}

/// Prints on standard output, without what would steer a terminal. A reader that goes away, as `head` does, is no mistake.
///
/// # Errors
/// When it cannot be written.
pub fn print(text: &str) -> anyhow::Result<()> {
    match std::io::stdout().lock().write_all(text::block(text).as_bytes()) {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => {
            Err(anyhow::Error::new(error).context("standard output cannot be written"))
        }
        _ => Ok(()),
    }
}
