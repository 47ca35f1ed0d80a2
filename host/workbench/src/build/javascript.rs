//! With the project's own script `build`, which runs jco.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::SystemTime;

use anyhow::{Context as _, bail, ensure};

use serde_json::Value;

use super::{captured, explain, output};
use crate::file;

const MISSING: &str = "install Node.js, which brings npm";

pub(super) fn build(folder: &Path) -> anyhow::Result<PathBuf> {
    ensure!(
        folder.join("node_modules").is_dir(),
        "the tools are not installed: run `npm install` in {}",
        folder.display()
    );
    has_script(folder)?;
    let output = output(folder)?;
    let before = newest(&output)?;
    let mut command = Command::new("npm");
    command.args(["run", "--silent", "build"]).current_dir(folder);
    crate::tell("npm run build\n");
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

/// npm says nothing where there is no such script.
fn has_script(folder: &Path) -> anyhow::Result<()> {
    let manifest = folder.join("package.json");
    let text = file::read(&manifest)?;
    let package: Value = serde_json::from_str(&text).with_context(|| format!("{} is no JSON", manifest.display()))?;
    ensure!(
        package["scripts"]["build"].is_string(),
        "{} has no script `build`: `\"scripts\": {{ \"build\": \"node acme-manager-plugin/build.js app.js target/plugin/NAME.wasm\" }}`",
        manifest.display()
    );
    Ok(())
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
