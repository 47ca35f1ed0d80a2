//! Debian's compiler for its web browsers, with the standard library built from the packaged sources.
//!
//! Package and version numbers move with Debian's updates, so everything numbered is looked up.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, bail, ensure};

use super::{Workspace, newest_numbered, own_cargo, printed};

const RUSTC: &str = "/usr/bin/rustc";
const CARGO: &str = "/usr/bin/cargo";
/// The folder of the package wasi-libc.
const WASI_LIBC: &str = "/usr/lib/wasm32-wasi";
const PACKAGES: [&str; 4] = ["rustc-web", "cargo-web", "rust-web-src", "wasi-libc"];

/// A prepared compiler.
pub(crate) struct Debian {
    /// Where the standard library's sources are.
    sources: PathBuf,
    /// The folder that has `wasm-component-ld` and the names under which it looks for the linker.
    programs: PathBuf,
    /// An object with the thread functions that Debian's wasi-libc lacks.
    thread_stubs: PathBuf,
}

impl Debian {
    /// Installs the packages and programs that are missing.
    pub(crate) fn prepare(workspace: &Workspace) -> anyhow::Result<Self> {
        install_packages()?;
        let sysroot = PathBuf::from(printed(Command::new(RUSTC).args(["--print", "sysroot"]))?);
        let sources = sysroot.join("lib/rustlib/src/rust");
        ensure!(
            sources.join("library/std/Cargo.toml").is_file(),
            "{} has no standard library: reinstall rust-web-src in the version of rustc-web",
            sources.display()
        );
        let programs = workspace.tools().join("bin");
        fs::create_dir_all(&programs).with_context(|| format!("cannot create {}", programs.display()))?;
        let linker = newest_numbered(Path::new("/usr/bin"), "wasm-ld-").context("no /usr/bin/wasm-ld-*")?;
        for name in ["wasm-ld", "rust-lld"] {
            link(&linker, &programs.join(name))?;
        }
        if !programs.join("wasm-component-ld").is_file() {
            install_component_linker(&workspace.tools())?;
        }
        let thread_stubs = workspace.tools().join("wasi-thread-stubs.o");
        fs::write(&thread_stubs, THREAD_STUBS).with_context(|| format!("cannot write {}", thread_stubs.display()))?;
        Ok(Self { sources, programs, thread_stubs })
    }

    /// Debian's cargo with Debian's compiler.
    pub(crate) fn cargo(&self) -> Command {
        let mut search = self.programs.clone().into_os_string();
        search.push(":");
        search.push(std::env::var_os("PATH").unwrap_or_else(|| OsString::from("/usr/bin:/bin")));
        let mut command = Command::new(CARGO);
        // Building the standard library is a nightly feature of cargo.
        command.env("RUSTC", RUSTC).env("RUSTC_BOOTSTRAP", "1").env("PATH", search);
        command
    }

    /// Links against Debian's wasi-libc and hides where the standard library's sources are.
    pub(crate) fn rust_flags(&self) -> anyhow::Result<Vec<String>> {
        let resolved =
            fs::canonicalize(&self.sources).with_context(|| format!("cannot resolve {}", self.sources.display()))?;
        Ok(vec![
            format!("-L{WASI_LIBC}"),
            "-Clink-self-contained=no".to_owned(),
            format!("-Clink-arg={}", self.thread_stubs.display()),
            format!("--remap-path-prefix={}=/rust", self.sources.display()),
            format!("--remap-path-prefix={}=/rust", resolved.display()),
        ])
    }
}

fn install_packages() -> anyhow::Result<()> {
    let mut missing: Vec<String> = PACKAGES.iter().filter(|name| !installed(name)).map(ToString::to_string).collect();
    if newest_numbered(Path::new("/usr/bin"), "wasm-ld-").is_none() {
        missing.push(newest_linker_package()?);
    }
    if missing.is_empty() {
        return Ok(());
    }
    let apt = |arguments: &[&str]| -> anyhow::Result<()> {
        let mut command = Command::new("apt-get");
        command.args(arguments).env("DEBIAN_FRONTEND", "noninteractive");
        let status = command.status().context("cannot run apt-get")?;
        ensure!(status.success(), "{command:?} ended with {status}; run it as root to see why");
        Ok(())
    };
    apt(&["update", "--quiet"])?;
    let mut arguments = vec!["install", "--yes", "--quiet", "--no-install-recommends"];
    arguments.extend(missing.iter().map(String::as_str));
    apt(&arguments)
}

fn installed(package: &str) -> bool {
    let mut query = Command::new("dpkg-query");
    printed(query.args(["--show", "--showformat", "${db:Status-Status}", package])).is_ok_and(|s| s == "installed")
}

fn newest_linker_package() -> anyhow::Result<String> {
    let names = printed(Command::new("apt-cache").args(["pkgnames", "lld-"]))?;
    let numbers = names.lines().filter_map(|name| name.strip_prefix("lld-")?.parse::<u32>().ok());
    let newest = numbers.max().context("apt knows no package lld-<number>: run `apt-get update`")?;
    Ok(format!("lld-{newest}"))
}

fn install_component_linker(root: &Path) -> anyhow::Result<()> {
    let mut command = Command::new(own_cargo());
    command.args(["install", "--quiet", "--locked", "wasm-component-ld", "--root"]).arg(root);
    let status = command.status().context("cannot run cargo")?;
    if !status.success() {
        bail!("{command:?} ended with {status}: see cargo's output above");
    }
    Ok(())
}

fn link(program: &Path, name: &Path) -> anyhow::Result<()> {
    if fs::read_link(name).is_ok_and(|present| present == program) {
        return Ok(());
    }
    if name.symlink_metadata().is_ok() {
        fs::remove_file(name).with_context(|| format!("cannot replace {}", name.display()))?;
    }
    std::os::unix::fs::symlink(program, name).with_context(|| format!("cannot link {}", name.display()))
}

/// A WebAssembly object that defines `pthread_detach` and `pthread_join`, each returning ENOTSUP (58 in WASI). The
/// standard library names them although nothing can start a thread. The sections, one a line: types, functions, code,
/// and the linker's symbol table with two weak functions.
const THREAD_STUBS: &[u8] = b"\0asm\x01\0\0\0\
    \x01\x0c\x02\x60\x01\x7f\x01\x7f\x60\x02\x7f\x7f\x01\x7f\
    \x03\x03\x02\x00\x01\
    \x0a\x0b\x02\x04\x00\x41\x3a\x0b\x04\x00\x41\x3a\x0b\
    \x00\x2e\x07linking\x02\x08\x23\x02\
    \x00\x01\x00\x0epthread_detach\
    \x00\x01\x01\x0cpthread_join";
