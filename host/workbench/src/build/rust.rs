//! With cargo. Its messages are read as JSON, so that those of the linker can be told in words.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{bail, ensure};
use serde_json::Value;

use super::{captured, explain};

const TARGET: &str = "wasm32-wasip2";
const NO_RUST: &str = "install Rust from https://rustup.rs";

pub(super) fn build(folder: &Path) -> anyhow::Result<PathBuf> {
    target_is_there(folder)?;
    let mut cargo = Command::new("cargo");
    cargo.args(["build", "--release", "--lib", "--target", TARGET, "--message-format=json"]).current_dir(folder);
    crate::tell(&format!("cargo build --release --target {TARGET}\n"));
    let output = captured(&mut cargo, NO_RUST)?;
    let messages: Vec<Value> = String::from_utf8_lossy(&output.stdout)
        .lines()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok())
        .collect();
    let told = diagnostics(&messages);
    if !output.status.success() {
        // Without messages of the compiler it is cargo itself that could not go on.
        let text = if told.is_empty() { String::from_utf8_lossy(&output.stderr).trim().to_owned() } else { told };
        bail!("{text}\n\ncargo could not build the plugin: see above");
    }
    if !told.is_empty() {
        crate::tell(&format!("{told}\n"));
    }
    component(&messages, folder)
}

fn target_is_there(folder: &Path) -> anyhow::Result<()> {
    let mut rustc = Command::new("rustc");
    rustc.args(["--print", "target-libdir", "--target", TARGET]).current_dir(folder);
    let output = captured(&mut rustc, NO_RUST)?;
    ensure!(output.status.success(), "rustc does not know {TARGET}: it is too old, run `rustup update`");
    let library = PathBuf::from(String::from_utf8_lossy(&output.stdout).trim());
    ensure!(library.is_dir(), "Rust's target {TARGET} is not installed: run `rustup target add {TARGET}`");
    Ok(())
}

/// What the compiler said, the linker's part of it in words.
fn diagnostics(messages: &[Value]) -> String {
    let compiler = messages.iter().filter(|message| message["reason"] == "compiler-message");
    let texts = compiler.map(|message| {
        let message = &message["message"];
        let text = message["message"].as_str().unwrap_or_default();
        match text.starts_with("linking with") {
            true => explain::linker(message["children"].as_array().map(Vec::as_slice).unwrap_or_default()),
            false => message["rendered"].as_str().unwrap_or_default().to_owned(),
        }
    });
    texts.collect::<Vec<_>>().join("\n").trim_end().to_owned()
}

/// The component among the files that cargo made: that of the package in the folder.
fn component(messages: &[Value], folder: &Path) -> anyhow::Result<PathBuf> {
    let manifest = folder.join("Cargo.toml").canonicalize()?;
    let own = messages.iter().filter(|message| {
        message["reason"] == "compiler-artifact"
            && message["manifest_path"].as_str().is_some_and(|path| Path::new(path) == manifest)
    });
    let files = own.flat_map(|message| message["filenames"].as_array().into_iter().flatten());
    let mut wasm = files.filter_map(Value::as_str).filter(|file| file.ends_with(".wasm")).map(PathBuf::from);
    match wasm.next() {
        Some(file) => Ok(file),
        None => bail!(
            "cargo built a library but no component: its Cargo.toml needs\n\n[lib]\ncrate-type = [\"cdylib\", \"rlib\"]"
        ),
    }
}
