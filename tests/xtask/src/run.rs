//! Starting other programs: where they are, and what to say when they fail.

use std::{
    env,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use anyhow::{Context, bail};

/// The workspace root, known from where this crate lies in it.
pub(crate) fn workspace_root() -> PathBuf {
    let crate_directory = Path::new(env!("CARGO_MANIFEST_DIR"));
    crate_directory.ancestors().nth(2).expect("this crate lies two folders below the root").to_path_buf()
}

/// Where `setup` puts what the system's package manager does not offer.
///
/// Links are resolved: Python writes this path into the programs that it installs, and a link may go away.
pub(crate) fn tools_directory() -> PathBuf {
    let target = workspace_root().join("target");
    target.canonicalize().unwrap_or(target).join("tools")
}

/// The full path of `program`, or `None` when it is not installed.
///
/// The `sbin` folders count even where an ordinary user's `PATH` leaves them out: Debian keeps name servers there.
pub(crate) fn find(program: &str) -> Option<PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    let system = ["/usr/local/sbin", "/usr/sbin", "/sbin"].map(PathBuf::from);
    env::split_paths(&path).chain(system).map(|folder| folder.join(program)).find(|file| file.is_file())
}

/// Runs `command` with its output shown, from the workspace root unless it says otherwise.
///
/// # Errors
/// When the program cannot be started or ends with another status than 0; both name the command line.
pub(crate) fn checked(command: &mut Command) -> anyhow::Result<()> {
    if command.get_current_dir().is_none() {
        command.current_dir(workspace_root());
    }
    let line = command_line(command);
    let status = command.status().with_context(|| format!("cannot start `{line}`"))?;
    if !status.success() {
        bail!("`{line}` failed: {status}");
    }
    Ok(())
}

/// Whether `command` runs and succeeds; its output is thrown away.
pub(crate) fn succeeds(command: &mut Command) -> bool {
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}

/// A cargo of the toolchain that built this program, free of the variables that `cargo run` set for it.
pub(crate) fn cargo() -> Command {
    let mut command = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    for (name, _) in env::vars_os() {
        if name.to_string_lossy().starts_with("CARGO_PKG_") || name == "CARGO_MANIFEST_DIR" {
            command.env_remove(name);
        }
    }
    command
}

fn command_line(command: &Command) -> String {
    let arguments = command.get_args().map(|argument| argument.to_string_lossy().into_owned());
    let program = command.get_program().to_string_lossy().into_owned();
    std::iter::once(program).chain(arguments).collect::<Vec<_>>().join(" ")
}
