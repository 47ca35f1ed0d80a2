//! Compiling in a process of its own: both sides of it.

use std::{
    ffi::OsStr,
    io::{self, Read, Write},
    os::unix::process::ExitStatusExt,
    process::{Child, Command, ExitCode, ExitStatus, Stdio},
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::{Duration, Instant},
};

use rustix::process::{Resource, Rlimit, Signal, nice, set_parent_process_death_signal, setrlimit};

use super::precompile;
use crate::{engine, guest_log::escape, load::MAX_COMPONENT_BYTES};

/// What the program is called with to compile its standard input. Nobody types it.
const ARGUMENT: &str = "compile-component";
/// A component in Python, 18 MB, takes some ten seconds of two processors without optimisation, and a quarter of this
/// memory.
const PATIENCE: Duration = Duration::from_secs(120);
const PROCESSOR_SECONDS: u64 = 240;
const MEMORY_BYTES: u64 = 2 << 30;
/// CPython with its libraries becomes 40 MB.
const MAX_ARTIFACT_BYTES: u64 = 192 << 20;
const MAX_TOLD_BYTES: u64 = 16 << 10;
/// Each thread has a heap of its own.
const MAX_THREADS: usize = 4;
/// Below the server that waits for it.
const NICENESS: i32 = 10;

static ALLOWED: AtomicBool = AtomicBool::new(false);

/// For the first line of a `main`: from then on this program compiles components in processes of its own, which are
/// this very program. In such a process it does the work and returns how that ended; the caller then ends.
pub fn enter() -> Option<ExitCode> {
    let mut arguments = std::env::args_os().skip(1);
    if arguments.next().as_deref() != Some(OsStr::new(ARGUMENT)) {
        ALLOWED.store(true, Ordering::Relaxed);
        return None;
    }
    Some(match work() {
        Ok(()) => ExitCode::SUCCESS,
        Err(reason) => {
            let _ = writeln!(io::stderr(), "{reason}");
            ExitCode::FAILURE
        }
    })
}

pub(super) fn is_allowed() -> bool {
    ALLOWED.load(Ordering::Relaxed)
}

/// The child: reads a component, writes machine code.
fn work() -> Result<(), String> {
    confine().map_err(|error| format!("the compiler cannot be confined: {error}"))?;
    let said = |error: io::Error| error.to_string();
    let mut bytes = Vec::new();
    io::stdin().lock().take(MAX_COMPONENT_BYTES + 1).read_to_end(&mut bytes).map_err(said)?;
    let engine = engine::for_compiling().map_err(|error| format!("{error:#}"))?;
    let artifact = precompile(&engine, &bytes)?;
    let mut out = io::stdout().lock();
    out.write_all(&artifact).and_then(|()| out.flush()).map_err(said)
}

fn confine() -> io::Result<()> {
    let limit = |resource, most| setrlimit(resource, Rlimit { current: Some(most), maximum: Some(most) });
    set_parent_process_death_signal(Some(Signal::KILL))?;
    // Memory that can be written to, as opposed to address space that is reserved.
    limit(Resource::Data, MEMORY_BYTES)?;
    limit(Resource::Cpu, PROCESSOR_SECONDS)?;
    limit(Resource::Core, 0)?;
    limit(Resource::Fsize, 0)?;
    nice(NICENESS)?;
    Ok(())
}

/// The parent: has a child compile `bytes`.
pub(super) fn compile(bytes: &[u8]) -> Result<Vec<u8>, String> {
    let threads = thread::available_parallelism().map_or(1, |count| count.get().min(MAX_THREADS));
    // The running file itself, also when an upgrade has put another in its place.
    let mut command = Command::new("/proc/self/exe");
    command.arg(ARGUMENT).env_clear().env("RAYON_NUM_THREADS", threads.to_string());
    run(command, bytes, PATIENCE)
}

/// What the program makes of `bytes`.
fn run(mut command: Command, bytes: &[u8], patience: Duration) -> Result<Vec<u8>, String> {
    let started = command.current_dir("/").stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
    let mut child = started.map_err(|error| format!("the compiler does not start: {error}"))?;
    let (input, output, errors) = (child.stdin.take(), child.stdout.take(), child.stderr.take());
    thread::scope(|scope| {
        scope.spawn(move || {
            // A child that ended early says why by itself.
            let _ = input.map(|mut input| input.write_all(bytes));
        });
        let artifact = scope.spawn(move || read(output, MAX_ARTIFACT_BYTES));
        let told = scope.spawn(move || read(errors, MAX_TOLD_BYTES));
        let status = wait(&mut child, patience);
        let artifact = artifact.join().unwrap_or_default();
        let told = told.join().unwrap_or_default();
        match status.map_err(|error| format!("the compiler cannot be waited for: {error}"))? {
            Some(status) if status.success() && artifact.len() as u64 > MAX_ARTIFACT_BYTES => {
                Err(format!("it becomes more than {} MiB of machine code", MAX_ARTIFACT_BYTES >> 20))
            }
            Some(status) if status.success() => Ok(artifact),
            Some(status) => Err(complaint(status, &String::from_utf8_lossy(&told))),
            None => Err(too_slow()),
        }
    })
}

/// Reads one byte more than `limit` at the most, and throws away what follows so that the other side can end.
fn read(source: Option<impl Read>, limit: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    if let Some(mut source) = source {
        let _ = source.by_ref().take(limit + 1).read_to_end(&mut bytes);
        let _ = io::copy(&mut source, &mut io::sink());
    }
    bytes
}

/// Nothing when it took too long and was ended.
fn wait(child: &mut Child, patience: Duration) -> io::Result<Option<ExitStatus>> {
    let (end, mut pause) = (Instant::now() + patience, Duration::from_millis(1));
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(Some(status));
        }
        if Instant::now() >= end {
            child.kill()?;
            child.wait()?;
            return Ok(None);
        }
        thread::sleep(pause);
        pause = (pause * 2).min(Duration::from_millis(20));
    }
}

fn complaint(status: ExitStatus, told: &str) -> String {
    const SIGXCPU: i32 = Signal::XCPU.as_raw();
    let last = told.lines().map(str::trim).rfind(|line| !line.is_empty()).unwrap_or_default();
    match status.signal() {
        None => escape(last),
        Some(SIGXCPU) => too_slow(),
        Some(signal) if last.is_empty() => format!("the compiler died of signal {signal}"),
        Some(_) => {
            // A stack that overflowed is told in two lines, the second of which says less.
            let first = told.lines().map(str::trim).find(|line| !line.is_empty()).unwrap_or(last);
            format!(
                "the compiler gave up: {}; it gets {} MiB of memory, and no component nests so deeply by accident",
                escape(first),
                MEMORY_BYTES >> 20
            )
        }
    }
}

fn too_slow() -> String {
    format!(
        "compiling it took longer than {} s, or {PROCESSOR_SECONDS} s of all processors together",
        PATIENCE.as_secs()
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn script(text: &str) -> Result<Vec<u8>, String> {
        let mut command = Command::new("sh");
        command.args(["-c", text]);
        run(command, &[7; 300_000], Duration::from_secs(3))
    }

    #[test]
    fn what_comes_of_it_is_taken_whatever_the_order_of_reading_and_writing() {
        assert_eq!(script("cat"), Ok(vec![7; 300_000]));
        assert_eq!(script("head -c 400000 /dev/zero; cat >/dev/null").map(|bytes| bytes.len()), Ok(400_000));
        assert_eq!(script("exit 0"), Ok(Vec::new()), "it did not even read");
    }

    #[test]
    fn every_way_to_fail_is_told() {
        for (text, expected) in [
            ("cat >/dev/null; echo first >&2; printf 'no component\\033\\n' >&2; exit 1", "no component\\u{1b}"),
            ("echo 'thread main has overflowed its stack' >&2; kill -ABRT $$", "gave up: thread main has overflowed"),
            ("kill -SEGV $$", "died of signal 11"),
            ("kill -XCPU $$", "took longer than"),
            ("exec sleep 60", "took longer than"),
            ("exec head -c 250000000 /dev/zero", "more than 192 MiB"),
        ] {
            let told = script(text).expect_err(text);
            assert!(told.contains(expected), "{text}: {told}");
        }
    }
}
