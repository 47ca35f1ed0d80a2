//! With the project's own script `build`, which runs jco.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::SystemTime;

use anyhow::{Context as _, bail, ensure};

use super::{captured, explain, output};

const MISSING: &str = "install Node.js, which brings npm";

pub(super) fn build(folder: &Path) -> anyhow::Result<PathBuf> {
    ensure!(
        folder.join("node_modules").is_dir(),
        "the tools are not installed: run `npm install` in {}",
        folder.display()
    );
    let output = output(folder)?;
    let before = newest(&output)?;
    let mut command = Command::new("npm");
    command.args(["run", "--silent", "build"]).current_dir(folder);
    eprintln!("npm run build");
    let done = captured(&mut command, MISSING)?;
    if !done.status.success() {
        let said = [done.stdout, done.stderr].concat();
        bail!("`npm run build` failed:\n{}", explain::tail(&String::from_utf8_lossy(&said)));
    }
    match newest(&output)? {
        Some((written, made)) if before.is_none_or(|(before, _)| written > before) => Ok(made),
        _ => bail!("`npm run build` succeeded, but put no new component into {}", output.display()),
    }
}

fn newest(folder: &Path) -> anyhow::Result<Option<(SystemTime, PathBuf)>> {
    let entries = fs::read_dir(folder).with_context(|| format!("{} cannot be read", folder.display()))?;
    let components = entries.filter_map(|entry| {
        let path = entry.ok()?.path();
        let written = path.metadata().and_then(|metadata| metadata.modified()).ok()?;
        path.extension().is_some_and(|extension| extension == "wasm").then_some((written, path))
    });
    Ok(components.max())
}
