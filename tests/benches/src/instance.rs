//! A server of its own folder, started again and again, with a clock that is finer than the tests need.

use std::{
    fs::{self, File},
    io::{Read, Write},
    net::{Ipv4Addr, SocketAddr, TcpStream},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use acme_manager_api::{PluginKind, PluginState, PluginStatus};
use acme_manager_harness::ports;
use anyhow::{Context, bail, ensure};
use sha2::{Digest, Sha256};
use tempfile::TempDir;

/// The key that tokens are made with.
pub(crate) const API_KEY: &str = "the benches' API key";
const START_DEADLINE: Duration = Duration::from_secs(120);
const POLL_INTERVAL: Duration = Duration::from_micros(500);

/// Config and data of a server that may run or not.
pub(crate) struct Folder {
    binary: PathBuf,
    directory: TempDir,
}

/// A server that has said it is ready; ended on drop.
pub(crate) struct Running {
    pub(crate) address: SocketAddr,
    pub(crate) start: Duration,
    begun: Instant,
    child: Child,
}

impl Folder {
    /// A new folder: an issuer that is never asked, the embedded store, the bundled plugins, and `plugins` beside them.
    ///
    /// # Errors
    /// When it cannot be written.
    pub(crate) fn new(binary: &Path, plugins: &str) -> anyhow::Result<Self> {
        Self::with_challenges(binary, plugins, &["pdns"])
    }

    /// As [`Folder::new`], with an issuer for each of these DNS providers; the first is called `bench`.
    ///
    /// # Errors
    /// When it cannot be written.
    pub(crate) fn with_challenges(binary: &Path, plugins: &str, providers: &[&str]) -> anyhow::Result<Self> {
        let directory = tempfile::tempdir()?;
        let path = directory.path().display();
        let hash = hex::encode(Sha256::digest(API_KEY));
        let mut config = format!("common:\n  api_key_hash: \"{hash}\"\n{plugins}issuer:\n");
        for (number, provider) in providers.iter().enumerate() {
            let name = if number == 0 { "bench".to_owned() } else { format!("bench-{provider}") };
            config += &format!("  {name}:\n    ca_dir_url: https://127.0.0.1:1/dir\n    dns_challenge: {provider}\n");
        }
        config += &format!("storage:\n  embedded:\n    path: {path}/acme-manager.redb\n");
        fs::write(directory.path().join("config.yml"), config)?;
        fs::write(directory.path().join(".env"), "")?;
        Ok(Self { binary: binary.to_path_buf(), directory })
    }

    pub(crate) fn store(&self) -> PathBuf {
        self.directory.path().join("acme-manager.redb")
    }

    /// Forgets the compiled plugins.
    ///
    /// # Errors
    /// When they cannot be removed.
    pub(crate) fn clear_cache(&self) -> anyhow::Result<()> {
        let cache = self.directory.path().join("plugin-cache");
        if cache.exists() {
            fs::remove_dir_all(cache)?;
        }
        Ok(())
    }

    /// Starts the server, on the processors `processors` if any are given, and waits until `/ready` answers 200.
    ///
    /// # Errors
    /// When it ends or is not ready in time; with its log.
    pub(crate) fn start(&self, processors: Option<&str>) -> anyhow::Result<Running> {
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, ports::free_tcp()?));
        let log = self.directory.path().join("log");
        let mut command = match processors {
            Some(processors) => {
                let mut taskset = Command::new("taskset");
                taskset.args(["-c", processors]).arg(&self.binary);
                taskset
            }
            None => Command::new(&self.binary),
        };
        command.current_dir(self.directory.path()).args(["-config-path=config.yml", "-env-config-path=.env"]);
        command.arg(format!("-server.listen-address={address}")).stdin(Stdio::null());
        command.stdout(File::create(&log)?).stderr(File::options().append(true).open(&log)?);
        let begun = Instant::now();
        let child = command.spawn().with_context(|| format!("cannot start {}", self.binary.display()))?;
        let mut running = Running { address, start: Duration::ZERO, begun, child };
        while !is_ready(address) {
            let log = || fs::read_to_string(&log).unwrap_or_default();
            if let Some(status) = running.child.try_wait()? {
                bail!("the server ended: {status}\n{}", log());
            }
            if begun.elapsed() > START_DEADLINE {
                bail!("the server is not ready after {START_DEADLINE:?}\n{}", log());
            }
            thread::sleep(POLL_INTERVAL);
        }
        running.start = begun.elapsed();
        Ok(running)
    }
}

impl Running {
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// The bundled DNS providers, and which of them are not loaded yet.
    ///
    /// # Errors
    /// When the server does not say.
    pub(crate) fn providers(&self) -> anyhow::Result<(Vec<String>, usize)> {
        let answer = get(self.address, "/api/v1/plugins")?;
        let body = answer.split_once("\r\n\r\n").context("no body")?.1;
        let plugins: Vec<PluginStatus> = serde_json::from_str(body).with_context(|| answer.clone())?;
        let providers = plugins.iter().filter(|plugin| plugin.kind == PluginKind::default());
        let unloaded = providers.clone().filter(|plugin| plugin.state == PluginState::Unloaded).count();
        Ok((providers.map(|plugin| plugin.name.clone()).collect(), unloaded))
    }

    /// From the start of the process until every DNS provider is loaded.
    ///
    /// # Errors
    /// When that does not come to pass in time.
    pub(crate) fn all_loaded(&self) -> anyhow::Result<Duration> {
        while self.providers()?.1 > 0 {
            ensure!(self.begun.elapsed() < START_DEADLINE, "not all plugins were loaded in {START_DEADLINE:?}");
            thread::sleep(POLL_INTERVAL);
        }
        Ok(self.begun.elapsed())
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // Asked first, so that the store is closed as in daily life and the next start finds no repair to make.
        let _ = Command::new("sh").args(["-c", r#"kill -s TERM "$0""#, &self.child.id().to_string()]).status();
        let end = Instant::now() + Duration::from_secs(10);
        while Instant::now() < end && matches!(self.child.try_wait(), Ok(None)) {
            thread::sleep(Duration::from_millis(5));
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn is_ready(address: SocketAddr) -> bool {
    get(address, "/ready").is_ok_and(|answer| answer.starts_with("HTTP/1.1 200"))
}

fn get(address: SocketAddr, path: &str) -> anyhow::Result<String> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(Duration::from_secs(5)))?;
    write!(stream, "GET {path} HTTP/1.1\r\nHost: bench\r\nX-API-Key: {API_KEY}\r\nConnection: close\r\n\r\n")?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    Ok(answer)
}
