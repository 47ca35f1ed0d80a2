//! Puts the SDKs, the contract and the templates of new projects into the crate, so that `plugin new` works on a machine
//! that has nothing but the server.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::{env, fs};

/// What tools leave behind in the folders of the SDKs.
const LEFT_BEHIND: [&str; 6] = ["target", "node_modules", "__pycache__", ".venv", "package-lock.json", "Cargo.lock"];

fn main() {
    let root = Path::new(&env::var_os("CARGO_MANIFEST_DIR").expect("cargo sets it")).join("../..");
    let root = root.canonicalize().expect("the workspace is two folders up");
    let mut code = String::new();
    let sets = [
        ("RUST_TEMPLATE", "sdk/rust/template", &[""][..]),
        ("RUST_HOOK_TEMPLATE", "sdk/rust/hook-template", &[""]),
        ("RUST_SDK", "", &["sdk/rust/Cargo.toml", "sdk/rust/README.md", "sdk/rust/src", "sdk/script"]),
        ("PYTHON_TEMPLATE", "sdk/python/template", &[""]),
        ("PYTHON_SDK", "sdk/python", &["acme_manager_plugin"]),
        ("SCRIPT_FORMAT", "sdk/script", &["README.md"]),
        ("JAVASCRIPT_TEMPLATE", "sdk/javascript/template", &[""]),
        ("JAVASCRIPT_SDK", "sdk/javascript", &["acme-manager-plugin"]),
        ("CONTRACT", "", &["wit"]),
        ("LOCK", "", &["Cargo.lock"]),
    ];
    for (name, base, parts) in sets {
        let base = root.join(base);
        let mut files = Vec::new();
        for part in parts {
            let path = base.join(part);
            println!("cargo::rerun-if-changed={}", path.display());
            walk(&path, &mut files);
        }
        files.sort();
        assert!(!files.is_empty(), "{} holds nothing", base.display());
        writeln!(code, "pub(super) const {name}: &[File] = &[").expect("texts take text");
        for file in files {
            let inside = file.strip_prefix(&base).expect("it was found there").to_str().expect("names are UTF-8");
            let file = file.to_str().expect("paths are UTF-8");
            writeln!(code, "    File {{ path: {inside:?}, bytes: include_bytes!({file:?}) }},")
                .expect("texts take text");
        }
        code.push_str("];\n");
    }
    let manifest = fs::read_to_string(root.join("Cargo.toml")).expect("the workspace has a manifest");
    println!("cargo::rerun-if-changed={}", root.join("Cargo.toml").display());
    let dependencies = ["sdk/rust", "sdk/script"].map(|crate_| {
        fs::read_to_string(root.join(crate_).join("Cargo.toml")).expect("the SDK's crates have manifests")
    });
    let text = sdk_manifest(&manifest, &dependencies.concat());
    let file = format!("File {{ path: \"Cargo.toml\", bytes: {text:?}.as_bytes() }}");
    writeln!(code, "pub(super) const SDK_MANIFEST: &[File] = &[{file}];").expect("texts take text");
    let out = PathBuf::from(env::var_os("OUT_DIR").expect("cargo sets it")).join("files.rs");
    fs::write(out, code).expect("cargo's folder takes files");
}

fn walk(path: &Path, files: &mut Vec<PathBuf>) {
    if !path.is_dir() {
        files.push(path.to_owned());
        return;
    }
    for entry in fs::read_dir(path).expect("the folder can be read") {
        let entry = entry.expect("the folder can be read").path();
        let name = entry.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        if !LEFT_BEHIND.contains(&name) {
            walk(&entry, files);
        }
    }
}

/// The workspace's manifest, cut down to what the SDK's crates inherit of it.
fn sdk_manifest(manifest: &str, inheritors: &str) -> String {
    let mut text = String::from("# Made by `acme-manager-server plugin new`.\n");
    let mut section = "";
    for line in manifest.lines() {
        if line.starts_with('[') {
            section = line;
        }
        let inherited = || {
            let name = line.split([' ', '=']).next().unwrap_or_default();
            let local = matches!(name, "acme-manager-plugin" | "acme-manager-plugin-script");
            let used =
                [".workspace", " = { workspace"].iter().any(|mark| inheritors.contains(&format!("\n{name}{mark}")));
            local || used
        };
        match section {
            "[workspace.package]" | "[workspace.lints.rust]" | "[workspace.lints.clippy]" => {}
            "[workspace.dependencies]" if line == section || line.is_empty() || inherited() => {}
            _ => continue,
        }
        text.push_str(line);
        text.push('\n');
        if line == section && section == "[workspace.package]" {
            // Before any table of the workspace.
            text = text.replacen(
                "[workspace.package]\n",
                "[workspace]\nresolver = \"2\"\nmembers = [\"sdk/rust\", \"sdk/script\"]\n\n[workspace.package]\n",
                1,
            );
        }
    }
    text
}
