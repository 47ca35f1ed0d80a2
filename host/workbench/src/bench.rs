//! `plugin bench`: what a component costs before it does anything: to compile, to load from the cache, to call.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use acme_manager_plugin_runtime::{
    CallReport, Engine, EngineSettings, Origin, PluginDigest, PluginSettings, read_component,
};
use anyhow::Context as _;

use crate::command::BenchOptions;
use crate::component::Reports;
use crate::quantity::{bytes, count, time};
use crate::subject::Subject;

/// Starting a process takes long enough that a few show it.
const PROCESSES: u32 = 100;
const PROGRAM: &str = "/bin/true";

/// Measures and returns the figures.
pub(crate) async fn bench(options: &BenchOptions) -> anyhow::Result<String> {
    let file = options.file.clone();
    let component = tokio::task::spawn_blocking(move || read_component(&file)).await??;
    let checksum = PluginDigest::of(&component);
    let cache = Cache::new()?;
    let settings = |reports: &Reports| {
        let origin = Origin::File { path: options.file.clone(), checksum };
        let mut settings = PluginSettings::new("bench", origin);
        settings.observer = Some(reports.observer());
        settings
    };
    let reports = Reports::default();
    let engine = |cache: &Path| {
        Engine::new(EngineSettings { compile_cache: Some(cache.to_owned()), ..EngineSettings::default() })
    };
    let started = Instant::now();
    drop(Subject::load(&engine(&cache.0)?, &component, settings(&reports)).await?);
    let compiled = started.elapsed();
    let engine = engine(&cache.0)?;
    let started = Instant::now();
    let subject = Subject::load(&engine, &component, settings(&reports)).await?;
    let cached = started.elapsed();
    reports.take();
    let mut times = Vec::new();
    for _ in 0..options.calls {
        let started = Instant::now();
        subject.describe().await?;
        times.push(started.elapsed());
    }
    let report = reports.take().pop().context("no call was reported")?;
    let times = Times::of(times);
    let processes = Times::of((0..PROCESSES).filter_map(|_| spawn()).collect());
    Ok(told(&engine, component.len() as u64, [compiled, cached], &times, &report, &processes))
}

fn told(
    engine: &Engine,
    size: u64,
    [compiled, cached]: [Duration; 2],
    times: &Times,
    report: &CallReport,
    processes: &Times,
) -> String {
    let build = if cfg!(debug_assertions) { "this is a debug build of the server: releases are faster\n" } else { "" };
    let mut text = format!(
        "{build}{}, compiled in {}, loaded from the cache in {}\none call of `describe` in a fresh instance{}: {times}\n  fuel {}, memory \
         {}\n",
        bytes(size),
        time(compiled),
        time(cached),
        if engine.is_pooled() { " of the pool" } else { "" },
        count(report.fuel),
        bytes(report.peak_memory_bytes as u64),
    );
    if processes.count > 0 && times.median > Duration::ZERO {
        let ratio = processes.median.as_secs_f64() / times.median.as_secs_f64();
        text += &format!("starting {PROGRAM} in the same run: {processes}\n  {ratio:.1} times as long as a call\n");
    }
    text
}

fn spawn() -> Option<Duration> {
    let started = Instant::now();
    Command::new(PROGRAM).output().ok()?;
    Some(started.elapsed())
}

/// What a number of runs took.
struct Times {
    median: Duration,
    nine_of_ten: Duration,
    highest_of_hundred: Duration,
    count: usize,
}

impl Times {
    fn of(mut times: Vec<Duration>) -> Self {
        times.sort_unstable();
        let at = |percent: usize| times.get(times.len().saturating_sub(1) * percent / 100).copied().unwrap_or_default();
        Self { median: at(50), nine_of_ten: at(90), highest_of_hundred: at(99), count: times.len() }
    }
}

impl std::fmt::Display for Times {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { median, nine_of_ten, highest_of_hundred, count } = self;
        let [median, nine_of_ten, highest] = [median, nine_of_ten, highest_of_hundred].map(|one| time(*one));
        write!(formatter, "median {median}, 90 % {nine_of_ten}, 99 % {highest} ({count} times)")
    }
}

/// A folder for compiled code that goes away with this.
struct Cache(std::path::PathBuf);

impl Cache {
    fn new() -> anyhow::Result<Self> {
        let folder = std::env::temp_dir().join(format!("acme-manager-bench-{}", std::process::id()));
        fs::create_dir(&folder).with_context(|| format!("{} cannot be made", folder.display()))?;
        Ok(Self(folder))
    }
}

impl Drop for Cache {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}
