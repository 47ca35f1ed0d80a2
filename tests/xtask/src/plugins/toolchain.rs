//! Finds a compiler for `wasm32-wasip2`, or makes one: rustup's target, else Debian's compiler with its sources.

mod debian;

use std::ffi::OsString;
use std::fmt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use clap::ValueEnum;

use super::Workspace;
use debian::Debian;

/// The target of all components.
pub(crate) const TARGET: &str = "wasm32-wasip2";

/// How long `rustup target add` may take: a download of 20 MB, or a server that never answers.
const RUSTUP_TIMEOUT: Duration = Duration::from_secs(60);

/// The user's wish.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Choice {
    /// rustup's target, and Debian's compiler where that cannot be had.
    Auto,
    /// rustup's target only.
    Rustup,
    /// Debian's compiler only.
    Debian,
}

/// A compiler that can build components.
pub(crate) enum Toolchain {
    /// The cargo that runs this program, with rustup's standard library for the target.
    Rustup,
    /// Debian's compiler, which builds the standard library from its sources.
    Debian(Debian),
}

impl Toolchain {
    /// Looks for a compiler, and installs what is missing.
    pub(crate) fn find(choice: Choice, workspace: &Workspace) -> anyhow::Result<Self> {
        if choice != Choice::Debian {
            match rustup_target() {
                Ok(()) => return Ok(Self::Rustup),
                Err(error) if choice == Choice::Rustup => return Err(error),
                Err(error) => eprintln!("{error:#}; falling back to Debian's compiler"),
            }
        }
        Debian::prepare(workspace).map(Self::Debian).context(
            "no compiler for wasm32-wasip2: run `rustup target add wasm32-wasip2`, or use a Debian machine whose \
             package sources have rustc-web and rust-web-src",
        )
    }

    /// Cargo, told which compiler to use.
    pub(crate) fn cargo(&self) -> Command {
        match self {
            Self::Rustup => Command::new(own_cargo()),
            Self::Debian(debian) => debian.cargo(),
        }
    }

    /// What `cargo build` needs beyond the target.
    pub(crate) fn build_arguments(&self) -> &'static [&'static str] {
        match self {
            Self::Rustup => &[],
            Self::Debian(_) => &["-Zbuild-std=std,panic_abort"],
        }
    }

    /// What the compiler needs beyond the target.
    pub(crate) fn rust_flags(&self) -> anyhow::Result<Vec<String>> {
        match self {
            Self::Rustup => Ok(Vec::new()),
            Self::Debian(debian) => debian.rust_flags(),
        }
    }
}

impl fmt::Display for Toolchain {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Rustup => "rustup's wasm32-wasip2",
            Self::Debian(_) => "Debian's rustc-web",
        })
    }
}

/// The cargo that runs this program.
fn own_cargo() -> OsString {
    std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into())
}

fn rustup_target() -> anyhow::Result<()> {
    let library = PathBuf::from(printed(Command::new("rustc").args(["--print", "sysroot"]))?).join("lib/rustlib");
    if library.join(TARGET).join("lib").is_dir() {
        return Ok(());
    }
    let mut add = Command::new("rustup");
    add.args(["target", "add", TARGET]).stdin(Stdio::null());
    finish_within(&mut add, RUSTUP_TIMEOUT).context("cannot add rustup's target wasm32-wasip2")
}

/// Runs a command to its end, or ends it.
fn finish_within(command: &mut Command, limit: Duration) -> anyhow::Result<()> {
    let mut child = command.spawn().with_context(|| format!("cannot run {:?}", command.get_program()))?;
    let deadline = Instant::now() + limit;
    loop {
        if let Some(status) = child.try_wait()? {
            return if status.success() { Ok(()) } else { bail!("{command:?} ended with {status}") };
        }
        if Instant::now() > deadline {
            child.kill()?;
            child.wait()?;
            bail!("{command:?} did not finish within {} seconds", limit.as_secs());
        }
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// What a command prints, without the line's end.
fn printed(command: &mut Command) -> anyhow::Result<String> {
    let output = command.output().with_context(|| format!("cannot run {:?}", command.get_program()))?;
    if !output.status.success() {
        bail!("{command:?} ended with {}: {}", output.status, String::from_utf8_lossy(&output.stderr).trim());
    }
    let text = String::from_utf8(output.stdout).with_context(|| format!("{command:?} printed broken UTF-8"))?;
    Ok(text.trim().to_owned())
}

/// The highest-numbered file `prefix<number>` in a folder.
fn newest_numbered(folder: &Path, prefix: &str) -> Option<PathBuf> {
    let entries = std::fs::read_dir(folder).ok()?;
    let numbered = entries.filter_map(|entry| {
        let path = entry.ok()?.path();
        let number: u32 = path.file_name()?.to_str()?.strip_prefix(prefix)?.parse().ok()?;
        Some((number, path))
    });
    numbered.max().map(|(_, path)| path)
}
