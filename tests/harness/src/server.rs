//! The server under test, as the binary that users run.

mod api;

use std::{
    collections::BTreeMap,
    env, fs,
    net::{Ipv4Addr, SocketAddr},
    path::{Path, PathBuf},
    process::ExitStatus,
    time::Duration,
};

use anyhow::{Context, bail, ensure};
use sha2::{Digest, Sha256};
use tempfile::TempDir;

pub use self::api::Api;
use crate::{
    http, ports,
    process::{self, Process, START_DEADLINE, with_fresh_ports},
    programs,
};

/// Longer than the server gives itself to finish work before it ends.
const STOP_DEADLINE: Duration = Duration::from_secs(60);

/// How the server is started.
#[derive(Clone, Debug)]
pub struct ServerOptions {
    /// The config file. `@DIR@` stands for the server's own empty folder, `@API_KEY_HASH@` for the digest of
    /// [`ServerOptions::api_key`].
    pub config_yaml: String,
    /// What the `.env` file holds; `@DIR@` as above.
    pub env: BTreeMap<String, String>,
    /// Environment of the process itself, which otherwise has `PATH` alone; `@DIR@` as above.
    pub process_env: BTreeMap<String, String>,
    /// Further flags, for instance `-check-renewal-interval=1s`; `@DIR@` as above.
    pub flags: Vec<String>,
    /// The API key that [`Api`] manages tokens with.
    pub api_key: String,
    /// The program; by default the one that cargo built beside this test.
    pub binary: Option<PathBuf>,
}

impl ServerOptions {
    /// A server with this config file and nothing else.
    pub fn new(config_yaml: impl Into<String>) -> Self {
        Self {
            config_yaml: config_yaml.into(),
            env: BTreeMap::new(),
            process_env: BTreeMap::new(),
            flags: Vec::new(),
            api_key: "the tests' API key".to_owned(),
            binary: None,
        }
    }

    /// With `name=value` in the `.env` file.
    #[must_use]
    pub fn env(mut self, name: &str, value: impl Into<String>) -> Self {
        self.env.insert(name.to_owned(), value.into());
        self
    }

    /// With one more flag.
    #[must_use]
    pub fn flag(mut self, flag: impl Into<String>) -> Self {
        self.flags.push(flag.into());
        self
    }
}

/// A running server.
#[derive(Debug)]
pub struct Server {
    /// Base URL, without a slash at the end.
    pub url: String,
    /// The process; its log grows over restarts.
    pub process: Process,
    options: ServerOptions,
    listen: SocketAddr,
    directory: TempDir,
}

impl Server {
    /// Starts it and waits until it answers `/health`.
    ///
    /// # Errors
    /// When it does not come up; with the end of its log.
    pub async fn start(options: ServerOptions) -> anyhow::Result<Self> {
        let start = || async {
            let directory = tempfile::tempdir()?;
            let listen = SocketAddr::from((Ipv4Addr::LOCALHOST, ports::free_tcp()?));
            let process = launch(&options, directory.path(), listen).await?;
            let url = format!("http://{listen}");
            Ok(Self { url, process, options: options.clone(), listen, directory })
        };
        with_fresh_ports(start).await
    }

    /// The server's own folder: `config.yml`, `.env` and whatever the config puts there.
    pub fn directory(&self) -> &Path {
        self.directory.path()
    }

    /// Waits until `/ready` answers 200.
    ///
    /// # Errors
    /// When it does not within a minute; with its last answer.
    pub async fn wait_ready(&mut self) -> anyhow::Result<()> {
        let url = format!("{}/ready", self.url);
        let probe = || async {
            let response = http::client().get(&url).send().await?;
            ensure!(response.status() == 200, "/ready: {}: {}", response.status(), response.text().await?);
            Ok(())
        };
        self.process.until_ready(START_DEADLINE, probe).await
    }

    /// A client of its REST API.
    pub fn api(&self) -> Api {
        Api::new(&self.url, &self.options.api_key)
    }

    /// Ends it at once, as a power cut would.
    ///
    /// # Errors
    /// When the kernel refuses.
    pub fn kill9(&mut self) -> anyhow::Result<()> {
        Ok(self.process.kill()?)
    }

    /// Asks it to end and waits until it has.
    ///
    /// # Errors
    /// When it is gone already or does not end.
    pub async fn stop(&mut self) -> anyhow::Result<ExitStatus> {
        self.process.signal("TERM")?;
        self.process.wait(STOP_DEADLINE).await
    }

    /// Starts it again on the same folder and address; one that still runs is stopped first.
    ///
    /// # Errors
    /// When it does not come up.
    pub async fn restart(&mut self) -> anyhow::Result<()> {
        if self.process.is_running() {
            self.stop().await?;
        }
        self.process = launch(&self.options, self.directory.path(), self.listen).await?;
        Ok(())
    }

    /// Replaces the config file, for the running server to notice or for the next [`Server::restart`].
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn set_config(&mut self, config_yaml: impl Into<String>) -> anyhow::Result<()> {
        self.options.config_yaml = config_yaml.into();
        write_files(&self.options, self.directory.path())
    }
}

async fn launch(options: &ServerOptions, directory: &Path, listen: SocketAddr) -> anyhow::Result<Process> {
    write_files(options, directory)?;
    let mut command = process::command(&binary(options)?);
    command.current_dir(directory).env_clear();
    for name in ["PATH", "TMPDIR"] {
        if let Some(value) = env::var_os(name) {
            command.env(name, value);
        }
    }
    command.env("RUST_BACKTRACE", "1");
    command.envs(options.process_env.iter().map(|(name, value)| (name, filled(value, options, directory))));
    command.arg(format!("-server.listen-address={listen}"));
    command.arg(format!("-config-path={}", directory.join("config.yml").display()));
    command.arg(format!("-env-config-path={}", directory.join(".env").display()));
    command.args(options.flags.iter().map(|flag| filled(flag, options, directory)));
    let mut process = Process::spawn("acme-manager-server", command, &directory.join("log"))?;
    let health = format!("http://{listen}/health");
    let ready = || async { Ok(http::client().get(&health).send().await?.error_for_status().map(drop)?) };
    process.until_ready(START_DEADLINE, ready).await?;
    Ok(process)
}

fn write_files(options: &ServerOptions, directory: &Path) -> anyhow::Result<()> {
    let lines = options.env.iter().map(|(name, value)| format!("{name}='{}'\n", filled(value, options, directory)));
    let files = [("config.yml", filled(&options.config_yaml, options, directory)), (".env", lines.collect())];
    for (name, text) in files {
        // Renamed into place: a server that looks just now sees one or the other, never half a file.
        let (draft, file) = (directory.join(format!("{name}.new")), directory.join(name));
        fs::write(&draft, text)
            .and_then(|()| fs::rename(&draft, &file))
            .with_context(|| format!("cannot write {name}"))?;
    }
    Ok(())
}

fn filled(text: &str, options: &ServerOptions, directory: &Path) -> String {
    let hash = hex::encode(Sha256::digest(&options.api_key));
    text.replace("@DIR@", &directory.display().to_string()).replace("@API_KEY_HASH@", &hash)
}

/// The program that cargo built with this test: said by cargo, or found where test programs lie.
fn binary(options: &ServerOptions) -> anyhow::Result<PathBuf> {
    const NAME: &str = "acme-manager-server";
    if let Some(binary) = &options.binary {
        return Ok(binary.clone());
    }
    if let Some(binary) = env::var_os(format!("CARGO_BIN_EXE_{NAME}")) {
        return Ok(binary.into());
    }
    let test = env::current_exe()?;
    let beside = test.ancestors().skip(1).take(2).map(|folder| folder.join(NAME));
    let debug = programs::target_directory().join("debug").join(NAME);
    match beside.chain([debug]).find(|file| file.is_file()) {
        Some(file) => Ok(file),
        None => bail!("{NAME} is not built: run `cargo build -p {NAME}`"),
    }
}

#[cfg(test)]
mod tests;
