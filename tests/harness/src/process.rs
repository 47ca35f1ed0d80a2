//! Child processes that never outlive the test: ended on drop, and by the kernel when the test process is killed.

use std::{
    fs::File,
    future::Future,
    io,
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    sync::{OnceLock, mpsc},
    thread,
    time::Duration,
};

use anyhow::{Context, anyhow, bail};
use tokio::time::{Instant, sleep};

use crate::programs;

/// Debug builds of everything on two busy cores are slow to start; a server that is ready is noticed at once.
pub const START_DEADLINE: Duration = Duration::from_secs(60);

const POLL_INTERVAL: Duration = Duration::from_millis(20);
const SHOWN_LOG_LINES: usize = 60;

/// A running child process, its output in a log file.
#[derive(Debug)]
pub struct Process {
    name: String,
    child: Child,
    log: PathBuf,
}

impl Process {
    /// Starts `command` (made by [`command`]) with standard output and error appended to the file `log`.
    ///
    /// # Errors
    /// When the program cannot be started.
    pub fn spawn(name: &str, mut command: Command, log: &Path) -> anyhow::Result<Self> {
        let open = || File::options().create(true).append(true).open(log);
        let output = open().and_then(|output| Ok((output.try_clone()?, output)));
        let (output, errors) = output.with_context(|| format!("cannot write {}", log.display()))?;
        command.stdin(Stdio::null()).stdout(output).stderr(errors);
        let child = spawn_from_lasting_thread(command).with_context(|| format!("cannot start {name}"))?;
        Ok(Self { name: name.to_owned(), child, log: log.to_path_buf() })
    }

    /// Polls `probe` until it returns a value.
    ///
    /// # Errors
    /// When the process ends or the deadline passes before; with the end of the log. A port that was taken is
    /// reported so that [`with_fresh_ports`] starts again.
    pub async fn until_ready<T, F>(&mut self, deadline: Duration, mut probe: impl FnMut() -> F) -> anyhow::Result<T>
    where
        F: Future<Output = anyhow::Result<T>>,
    {
        let end = Instant::now() + deadline;
        loop {
            let answer = probe().await;
            // A server that took the port first may have answered in the place of a child that is gone.
            if let Some(status) = self.child.try_wait()? {
                let text = format!("{} ended while starting: {status}\n{}", self.name, self.log_end());
                let taken = self.log().to_lowercase();
                let taken = taken.contains("address already in use") || taken.contains("address in use");
                return Err(if taken { anyhow!(PortTaken).context(text) } else { anyhow!(text) });
            }
            match answer {
                Ok(value) => return Ok(value),
                Err(error) if Instant::now() >= end => {
                    bail!("{} is not ready after {deadline:?}: {error:#}\n{}", self.name, self.log_end())
                }
                Err(_) => sleep(POLL_INTERVAL).await,
            }
        }
    }

    /// The process id.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Everything the process has printed.
    pub fn log(&self) -> String {
        std::fs::read(&self.log).map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).unwrap_or_default()
    }

    /// Whether it still runs.
    pub fn is_running(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }

    /// Sends a signal by its name, for instance `TERM`, `STOP` or `HUP`.
    ///
    /// # Errors
    /// When the process is gone.
    pub fn signal(&mut self, signal: &str) -> anyhow::Result<()> {
        if !self.is_running() {
            bail!("{} does not run any more\n{}", self.name, self.log_end());
        }
        let id = self.id().to_string();
        // The shell's own `kill`: a minimal system has no other.
        let status = Command::new("sh").args(["-c", r#"kill -s "$0" "$1""#, signal, &id]).status()?;
        if status.success() { Ok(()) } else { bail!("cannot send {signal} to {}", self.name) }
    }

    /// Ends the process at once, without a chance to clean up.
    ///
    /// # Errors
    /// When the kernel refuses.
    pub fn kill(&mut self) -> io::Result<()> {
        self.child.kill()?;
        self.child.wait().map(drop)
    }

    /// Waits for the process to end by itself.
    ///
    /// # Errors
    /// When it still runs after `deadline`.
    pub async fn wait(&mut self, deadline: Duration) -> anyhow::Result<ExitStatus> {
        let end = Instant::now() + deadline;
        loop {
            if let Some(status) = self.child.try_wait()? {
                return Ok(status);
            }
            if Instant::now() >= end {
                bail!("{} still runs after {deadline:?}\n{}", self.name, self.log_end());
            }
            sleep(POLL_INTERVAL).await;
        }
    }

    fn log_end(&self) -> String {
        let log = self.log();
        let lines: Vec<&str> = log.lines().collect();
        let shown = &lines[lines.len().saturating_sub(SHOWN_LOG_LINES)..];
        format!("--- log of {} ---\n{}\n---", self.name, shown.join("\n"))
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.kill();
        if thread::panicking() {
            eprintln!("{}", self.log_end());
        }
    }
}

/// A command for `program` that the kernel kills together with this process.
///
/// Without `setpriv` (util-linux), as on macOS, only [`Process`]'s drop ends it.
pub fn command(program: &Path) -> Command {
    match programs::optional("setpriv") {
        Some(setpriv) => {
            let mut command = Command::new(setpriv);
            command.args(["--pdeathsig", "KILL", "--"]).arg(program);
            command
        }
        None => Command::new(program),
    }
}

/// Calls `start` again, a few times, while it fails because a port was taken in the meantime.
///
/// # Errors
/// The last failure.
pub async fn with_fresh_ports<T, F>(mut start: impl FnMut() -> F) -> anyhow::Result<T>
where
    F: Future<Output = anyhow::Result<T>>,
{
    const TRIES: usize = 5;
    let mut tries = 1;
    loop {
        match start().await {
            Err(error) if tries < TRIES && error.downcast_ref::<PortTaken>().is_some() => tries += 1,
            result => return result,
        }
    }
}

/// Another process took the port between its choice and its use.
#[derive(Debug)]
struct PortTaken;

impl std::fmt::Display for PortTaken {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("the port was taken by another process")
    }
}

impl std::error::Error for PortTaken {}

/// The kernel's death signal is tied to the *thread* that started the child (prctl(2), `PR_SET_PDEATHSIG`), and a
/// runtime's threads come and go: one thread that lasts as long as the process starts all children.
fn spawn_from_lasting_thread(command: Command) -> io::Result<Child> {
    type Order = (Command, mpsc::Sender<io::Result<Child>>);
    static SPAWNER: OnceLock<mpsc::Sender<Order>> = OnceLock::new();
    let spawner = SPAWNER.get_or_init(|| {
        let (orders, queue) = mpsc::channel::<Order>();
        thread::spawn(move || {
            for (mut command, answer) in queue {
                let _ = answer.send(command.spawn());
            }
        });
        orders
    });
    let (answer, result) = mpsc::channel();
    let gone = || io::Error::other("the thread that starts processes is gone");
    spawner.send((command, answer)).map_err(|_| gone())?;
    result.recv().map_err(|_| gone())?
}

#[cfg(test)]
mod tests;
