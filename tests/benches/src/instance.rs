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

use acme_manager_harness::ports;
use anyhow::{Context, bail};
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
    child: Child,
}

impl Folder {
    /// A new folder: an issuer that is never asked, the embedded store, the bundled plugins, and `plugins` beside them.
    ///
    /// # Errors
    /// When it cannot be written.
    pub(crate) fn new(binary: &Path, plugins: &str) -> anyhow::Result<Self> {
        let directory = tempfile::tempdir()?;
        let path = directory.path().display();
        let hash = hex::encode(Sha256::digest(API_KEY));
        let config = format!(
            "common:\n  api_key_hash: \"{hash}\"\n{plugins}issuer:\n  bench:\n    ca_dir_url: https://127.0.0.1:1/dir\n    \
             dns_challenge: pdns\nstorage:\n  embedded:\n    path: {path}/acme-manager.redb\n"
        );
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
        let mut running = Running { address, start: Duration::ZERO, child };
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
    let ask = || -> std::io::Result<bool> {
        let mut stream = TcpStream::connect(address)?;
        stream.set_read_timeout(Some(Duration::from_secs(5)))?;
        stream.write_all(b"GET /ready HTTP/1.1\r\nHost: bench\r\nConnection: close\r\n\r\n")?;
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer)?;
        Ok(answer.starts_with(b"HTTP/1.1 200"))
    };
    ask().unwrap_or(false)
}
