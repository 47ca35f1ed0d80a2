//! `cargo xtask plugins`: the crates under `plugins/` and `tests/plugins/` become WASI components.
//!
//! Results are `target/plugins/<folder>.wasm`, `target/plugins/test/<folder>.wasm` and a `SHA256SUMS` beside each.
//! Files whose bytes did not change are left alone, so that whoever includes them is not built again.

mod toolchain;

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::{fs, io};

use anyhow::{Context as _, bail, ensure};
use clap::Args;
use sha2::{Digest as _, Sha256};

use toolchain::{Choice, TARGET, Toolchain};

/// The cargo profile for components; see the root manifest.
const PROFILE: &str = "component";
/// What a component has without asking. Whatever it asks for later is mapped for each call and taken away after it, and all
/// processors hear of both: calls that run at the same time cost each other half of their time again. Untouched, it costs
/// nothing. The projects of authors have it from `sdk/rust/template/.cargo/config.toml`.
const INITIAL_MEMORY_BYTES: u32 = 24 * 65_536;

/// The crate that every plugin is built on; `--verify` builds it afresh together with them.
const SDK: &str = "acme-manager-plugin";

/// What `cargo xtask plugins` accepts.
#[derive(Args)]
pub(crate) struct Options {
    /// Builds the plugins twice and fails unless both builds give the same bytes.
    #[arg(long)]
    verify: bool,
    /// Which compiler to use: the first that works, rustup's, or Debian's.
    #[arg(long, value_enum, default_value = "auto")]
    toolchain: Choice,
}

/// Builds all plugins.
pub(crate) fn run(options: &Options) -> anyhow::Result<()> {
    let workspace = Workspace::locate()?;
    let toolchain = Toolchain::find(options.toolchain, &workspace)?;
    let plugins = workspace.plugins()?;
    let flags = rust_flags(&workspace, &toolchain)?;

    for plugin in &plugins {
        build(&workspace, &toolchain, &flags, plugin)?;
    }
    if options.verify {
        verify(&workspace, &toolchain, &flags, &plugins)?;
    }
    for set in [Set::Bundled, Set::Fixture] {
        collect(&workspace, set, plugins.iter().filter(|plugin| plugin.set == set))?;
    }
    Ok(())
}

/// The folders that all steps share.
pub(crate) struct Workspace {
    /// The folder with the root manifest.
    root: PathBuf,
    /// `target`, with links resolved: compilers write the resolved path into what they build.
    target: PathBuf,
}

/// One crate to build.
struct Plugin {
    /// The folder's name, which is the plugin's.
    name: String,
    /// The crate's name.
    package: String,
    set: Set,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Set {
    /// Shipped with the server, or shown as an example.
    Bundled,
    /// Misbehaves on purpose; for tests of the host.
    Fixture,
}

impl Set {
    fn sources(self) -> &'static str {
        match self {
            Self::Bundled => "plugins",
            Self::Fixture => "tests/plugins",
        }
    }

    fn output(self) -> &'static str {
        match self {
            Self::Bundled => "plugins",
            Self::Fixture => "plugins/test",
        }
    }
}

impl Workspace {
    fn locate() -> anyhow::Result<Self> {
        let manifest = Path::new(env!("CARGO_MANIFEST_DIR"));
        let root = manifest.ancestors().nth(2).context("tests/xtask lies two folders below the workspace")?;
        let target = root.join("target");
        fs::create_dir_all(&target).with_context(|| format!("cannot create {}", target.display()))?;
        let target = target.canonicalize().with_context(|| format!("cannot resolve {}", target.display()))?;
        Ok(Self { root: root.to_owned(), target })
    }

    /// Where programs go that the build needs and the machine lacks.
    pub(crate) fn tools(&self) -> PathBuf {
        self.target.join("tools")
    }

    fn plugins(&self) -> anyhow::Result<Vec<Plugin>> {
        let mut plugins = Vec::new();
        for set in [Set::Bundled, Set::Fixture] {
            for folder in subfolders(&self.root.join(set.sources()))? {
                let manifest = folder.join("Cargo.toml");
                if manifest.is_file() {
                    let name = folder.file_name().unwrap_or_default().to_string_lossy().into_owned();
                    plugins.push(Plugin { name, package: package_name(&manifest)?, set });
                }
            }
        }
        ensure!(!plugins.is_empty(), "no crate below {}/plugins", self.root.display());
        Ok(plugins)
    }

    /// A cargo command that builds components and nothing else.
    fn cargo(&self, toolchain: &Toolchain, flags: &str) -> Command {
        let mut command = toolchain.cargo();
        command.current_dir(&self.root);
        command.env("CARGO_TARGET_DIR", self.target.join("components"));
        command.env("CARGO_ENCODED_RUSTFLAGS", flags).env_remove("RUSTFLAGS");
        command
    }
}

impl Plugin {
    fn built(&self, workspace: &Workspace) -> PathBuf {
        let file = format!("{}.wasm", self.package.replace('-', "_"));
        workspace.target.join("components").join(TARGET).join(PROFILE).join(file)
    }
}

/// One cargo call for each plugin: a common call would unite the features of their dependencies, and a plugin's
/// bytes would depend on which others are there.
fn build(workspace: &Workspace, toolchain: &Toolchain, flags: &str, plugin: &Plugin) -> anyhow::Result<()> {
    let mut command = workspace.cargo(toolchain, flags);
    command.args(["build", "--quiet", "--lib", "--profile", PROFILE, "--target", TARGET]);
    command.args(["--package", &plugin.package]).args(toolchain.build_arguments());
    let status = command.status().with_context(|| format!("cannot run {:?}", command.get_program()))?;
    ensure!(status.success(), "plugin {} does not build with {toolchain}: see cargo's output above", plugin.name);
    Ok(())
}

fn verify(workspace: &Workspace, toolchain: &Toolchain, flags: &str, plugins: &[Plugin]) -> anyhow::Result<()> {
    let first = digests(workspace, plugins)?;
    let mut clean = workspace.cargo(toolchain, flags);
    clean.args(["clean", "--quiet", "--profile", PROFILE, "--target", TARGET, "--package", SDK]);
    for plugin in plugins {
        clean.args(["--package", &plugin.package]);
    }
    ensure!(clean.status().context("cannot run cargo clean")?.success(), "cargo clean failed: see its output above");
    for plugin in plugins {
        ensure!(!plugin.built(workspace).exists(), "cargo clean left {} behind", plugin.built(workspace).display());
        build(workspace, toolchain, flags, plugin)?;
    }
    for ((plugin, before), after) in plugins.iter().zip(first).zip(digests(workspace, plugins)?) {
        if before != after {
            bail!("plugin {}: two builds differ, {before} and {after}; look for paths or dates in it", plugin.name);
        }
    }
    println!("{} plugins: the second build gave the same bytes", plugins.len());
    Ok(())
}

fn digests(workspace: &Workspace, plugins: &[Plugin]) -> anyhow::Result<Vec<String>> {
    plugins.iter().map(|plugin| Ok(hex::encode(Sha256::digest(read(&plugin.built(workspace))?)))).collect()
}

fn collect<'a>(workspace: &Workspace, set: Set, plugins: impl Iterator<Item = &'a Plugin>) -> anyhow::Result<()> {
    let folder = workspace.target.join(set.output());
    let mut sums = String::new();
    for plugin in plugins {
        let bytes = read(&plugin.built(workspace))?;
        let digest = hex::encode(Sha256::digest(&bytes));
        let file = format!("{}.wasm", plugin.name);
        replace(&folder, &file, &bytes)?;
        println!("{digest}  {}/{file}  {} KiB", set.output(), bytes.len().div_ceil(1024));
        writeln!(sums, "{digest}  {file}")?;
    }
    if !sums.is_empty() {
        replace(&folder, "SHA256SUMS", sums.as_bytes())?;
    }
    Ok(())
}

/// Puts `bytes` at `folder/file` in one step, unless they are there already.
fn replace(folder: &Path, file: &str, bytes: &[u8]) -> anyhow::Result<()> {
    let path = folder.join(file);
    if fs::read(&path).is_ok_and(|present| present == bytes) {
        return Ok(());
    }
    let partial = folder.join(format!(".{file}.{}", std::process::id()));
    fs::create_dir_all(folder)
        .and_then(|()| fs::write(&partial, bytes))
        .and_then(|()| fs::rename(&partial, &path))
        .with_context(|| format!("cannot write {}", path.display()))
}

/// Flags that keep this machine's paths out of the components, and what the toolchain asks for; joined the way
/// cargo wants it, which allows blanks in paths.
fn rust_flags(workspace: &Workspace, toolchain: &Toolchain) -> anyhow::Result<String> {
    let mut flags = toolchain.rust_flags()?;
    flags.push(format!("-Clink-arg=--initial-memory={INITIAL_MEMORY_BYTES}"));
    // The last prefix that matches wins, so the narrower ones come last.
    flags.push(format!("--remap-path-prefix={}=/acme-manager", workspace.root.display()));
    flags.push(format!("--remap-path-prefix={}=/acme-manager/target", workspace.target.display()));
    for folder in crate_sources(workspace, toolchain)? {
        flags.push(format!("--remap-path-prefix={}=/crates", folder.display()));
    }
    Ok(flags.join("\u{1f}"))
}

/// The folders into which cargo unpacks registries; asking for them also makes cargo fetch what is missing.
fn crate_sources(workspace: &Workspace, toolchain: &Toolchain) -> anyhow::Result<Vec<PathBuf>> {
    let mut command = workspace.cargo(toolchain, "");
    command.args(["metadata", "--format-version", "1", "--filter-platform", TARGET]);
    let output = command.output().with_context(|| format!("cannot run {:?}", command.get_program()))?;
    if !output.status.success() {
        bail!("cargo metadata failed: {}", String::from_utf8_lossy(&output.stderr).trim());
    }
    let metadata: serde_json::Value =
        serde_json::from_slice(&output.stdout).context("cargo metadata printed broken JSON")?;
    let packages = metadata["packages"].as_array().map(Vec::as_slice).unwrap_or_default();
    let mut folders: Vec<PathBuf> = packages
        .iter()
        .filter(|package| package["source"].as_str().is_some_and(|source| source.starts_with("registry+")))
        .filter_map(|package| Path::new(package["manifest_path"].as_str()?).ancestors().nth(2).map(Path::to_owned))
        .collect();
    folders.sort();
    folders.dedup();
    Ok(folders)
}

fn package_name(manifest: &Path) -> anyhow::Result<String> {
    let text = String::from_utf8(read(manifest)?).with_context(|| format!("{} is not UTF-8", manifest.display()))?;
    let name = text.lines().find_map(|line| line.strip_prefix("name = \"")?.strip_suffix('"'));
    Ok(name.with_context(|| format!("{} has no line `name = \"…\"`", manifest.display()))?.to_owned())
}

fn subfolders(folder: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let entries = match fs::read_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries.with_context(|| format!("cannot read {}", folder.display()))?,
    };
    let mut folders = Vec::new();
    for entry in entries {
        let path = entry.with_context(|| format!("cannot read {}", folder.display()))?.path();
        if path.is_dir() {
            folders.push(path);
        }
    }
    folders.sort();
    Ok(folders)
}

fn read(path: &Path) -> anyhow::Result<Vec<u8>> {
    fs::read(path).with_context(|| format!("cannot read {}", path.display()))
}
