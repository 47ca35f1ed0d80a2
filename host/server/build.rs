//! Puts the bundled plugins into the server: `$OUT_DIR/bundled.rs` lists their names, packed bytes and SHA-256 digests.
//!
//! The components come from `cargo xtask plugins`. Building them here would need a second cargo and a second
//! target inside this build.

use std::fmt::Write as _;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::{env, fs, io};

use flate2::Compression;
use flate2::write::ZlibEncoder;

use sha2::{Digest as _, Sha256};
use wasmparser::Payload;

/// The worked example of a plugin that is not part of the server.
const NOT_BUNDLED: &str = "challtestsrv";

fn main() -> io::Result<()> {
    let manifest = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").expect("cargo sets it for build scripts"));
    let output = PathBuf::from(env::var_os("OUT_DIR").expect("cargo sets it for build scripts"));
    let sources = manifest.join("../../plugins");
    let plugins = manifest.join("../../target/plugins");
    println!("cargo::rerun-if-changed={}", sources.display());

    let mut entries = String::new();
    for name in &names(&sources)? {
        let path = plugins.join(name).with_extension("wasm");
        println!("cargo::rerun-if-changed={}", path.display());
        let Ok(bytes) = fs::read(&path) else {
            println!("cargo::error=run `cargo xtask plugins` first");
            return Ok(());
        };
        let packed = output.join(name).with_extension("wasm.zz");
        fs::write(&packed, pack(&bytes)?)?;
        entries.push_str(&entry(name, &packed, &bytes));
    }
    let code = format!(
        "/// The plugins inside this program.\n\
         pub static BUNDLED: &[super::Bundled] = &[\n{entries}];\n"
    );
    fs::write(output.join("bundled.rs"), code)
}

/// The folders with a crate, in alphabetical order.
fn names(sources: &Path) -> io::Result<Vec<String>> {
    let mut names = Vec::new();
    for folder in fs::read_dir(sources)? {
        let folder = folder?;
        let name = folder.file_name().to_string_lossy().into_owned();
        if folder.path().join("Cargo.toml").is_file() && name != NOT_BUNDLED {
            names.push(name);
        }
    }
    names.sort();
    Ok(names)
}

/// Less than half the size.
fn pack(bytes: &[u8]) -> io::Result<Vec<u8>> {
    let mut packer = ZlibEncoder::new(Vec::new(), Compression::best());
    packer.write_all(bytes)?;
    packer.finish()
}

fn entry(name: &str, packed: &Path, bytes: &[u8]) -> String {
    let is_hook = exports_hook(bytes);
    let mut line = format!(
        "    super::Bundled {{ name: {name:?}, is_hook: {is_hook}, packed: include_bytes!({packed:?}), digest: ["
    );
    for byte in Sha256::digest(bytes) {
        write!(line, "0x{byte:02x}, ").expect("writing to a string does not fail");
    }
    line.push_str("] },\n");
    line
}

/// Whether the component is made for the world of issuance hooks.
fn exports_hook(bytes: &[u8]) -> bool {
    let mut depth = 0;
    for payload in wasmparser::Parser::new(0).parse_all(bytes) {
        match payload.expect("a built plugin is a component") {
            Payload::ModuleSection { .. } | Payload::ComponentSection { .. } => depth += 1,
            Payload::End(_) if depth > 0 => depth -= 1,
            Payload::ComponentExportSection(exports) if depth == 0 => {
                let hook = |name: &str| name.starts_with("acme-manager:issuance/hook@");
                if exports.into_iter().flatten().any(|export| hook(export.name.name)) {
                    return true;
                }
            }
            _ => {}
        }
    }
    false
}
