//! Samples of a duration, and what the kernel says of a process.

use std::{fs, time::Duration};

use anyhow::Context;
use tokio::time::{Instant, sleep};

/// Measured durations.
pub(crate) struct Samples(Vec<Duration>);

impl Samples {
    pub(crate) fn new(mut durations: Vec<Duration>) -> Self {
        durations.sort_unstable();
        Self(durations)
    }

    /// The duration that `percent` of the samples do not exceed; zero without samples.
    pub(crate) fn percentile(&self, percent: usize) -> Duration {
        let last = self.0.len().saturating_sub(1);
        self.0.get(last * percent / 100).copied().unwrap_or_default()
    }

    pub(crate) fn median(&self) -> Duration {
        self.percentile(50)
    }

    /// Median, extremes and count, for a line of output.
    pub(crate) fn summary(&self) -> String {
        let ms = |percent| self.percentile(percent).as_secs_f64() * 1e3;
        format!("median {:.1} ms ({:.1} to {:.1}, {} runs)", ms(50), ms(0), ms(100), self.0.len())
    }
}

/// Resident memory of a process, in KiB.
#[derive(Clone, Copy)]
pub(crate) struct Resident {
    /// All of it.
    pub(crate) all: i64,
    /// What belongs to it alone and is no file: heap, stacks, relocated data.
    pub(crate) anonymous: i64,
}

impl std::fmt::Display for Resident {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mib = |kib: i64| kib as f64 / 1024.0;
        write!(f, "{:.1} MiB resident, {:.1} MiB of it anonymous", mib(self.all), mib(self.anonymous))
    }
}

/// The memory of an idle process: read until it has not changed for a second.
///
/// # Errors
/// When the process is gone.
pub(crate) async fn settled_memory(process: u32) -> anyhow::Result<Resident> {
    const STILL: Duration = Duration::from_secs(1);
    const PATIENCE: Duration = Duration::from_secs(15);
    let begun = Instant::now();
    let (mut last, mut since) = (memory(process)?, begun);
    while since.elapsed() < STILL && begun.elapsed() < PATIENCE {
        sleep(Duration::from_millis(50)).await;
        let now = memory(process)?;
        if now.all != last.all {
            (last, since) = (now, Instant::now());
        }
    }
    Ok(last)
}

fn memory(process: u32) -> anyhow::Result<Resident> {
    let status = fs::read_to_string(format!("/proc/{process}/status")).context("the process is gone")?;
    let field = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name));
        line.and_then(|line| line.split_whitespace().next()?.parse().ok()).with_context(|| format!("no {name}"))
    };
    Ok(Resident { all: field("VmRSS:")?, anonymous: field("RssAnon:")? })
}
