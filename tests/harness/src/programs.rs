//! Where the programs are that `cargo xtask setup` installs.

use std::{
    env,
    path::{Path, PathBuf},
};

use anyhow::anyhow;

/// The full path of a program of the system.
///
/// # Errors
/// When it is not installed; the text says how to change that.
pub(crate) fn system(program: &str) -> anyhow::Result<PathBuf> {
    optional(program).ok_or_else(|| missing(program))
}

/// The full path of a program of the system, if it is installed.
pub(crate) fn optional(program: &str) -> Option<PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    // An ordinary user's PATH leaves out the folders where Debian keeps name servers.
    let system = ["/usr/local/sbin", "/usr/sbin", "/sbin"].map(PathBuf::from);
    env::split_paths(&path).chain(system).map(|folder| folder.join(program)).find(|file| file.is_file())
}

/// The full path of a program in the workspace's Python environment.
///
/// # Errors
/// When it is not installed; the text says how to change that.
pub(crate) fn python(program: &str) -> anyhow::Result<PathBuf> {
    let file = target_directory().join("tools/venv/bin").join(program);
    if file.is_file() { Ok(file) } else { Err(missing(program)) }
}

/// The workspace's `target` folder.
pub(crate) fn target_directory() -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2);
    root.expect("this crate lies two folders below the root").join("target")
}

pub(crate) fn missing(program: &str) -> anyhow::Error {
    anyhow!("`{program}` is not installed: run `cargo xtask setup`")
}
