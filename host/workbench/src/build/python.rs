//! With componentize-py, from the project's virtual environment or the search path.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::bail;

use super::{captured, explain, output};

const MISSING: &str = "it is no program; make the virtual environment with \
                       `python3 -m venv .venv && .venv/bin/pip install -r requirements.txt`";

pub(super) fn build(folder: &Path) -> anyhow::Result<PathBuf> {
    let made = output(folder)?.canonicalize()?.join("component.wasm");
    let environment = folder.canonicalize()?.join(".venv");
    let own = environment.join("bin/componentize-py");
    let mut command = if own.exists() {
        let mut own = Command::new(own);
        // Otherwise the packages of whichever Python is first on the search path would go into the component.
        own.env("VIRTUAL_ENV", environment);
        own
    } else {
        Command::new("componentize-py")
    };
    command.args(["-d", "wit", "-w", "dns-provider", "componentize", "app", "-o"]).arg(&made).current_dir(folder);
    // Its errors end with a trace of itself otherwise, not of the plugin.
    command.env("RUST_BACKTRACE", "0");
    crate::tell("componentize-py -d wit -w dns-provider componentize app\n");
    let done = captured(&mut command, MISSING)?;
    if !done.status.success() {
        let said = [done.stdout, done.stderr].concat();
        bail!("componentize-py could not build the plugin:\n{}", explain::tail(&String::from_utf8_lossy(&said)));
    }
    Ok(made)
}
