//! `cargo xtask fuzz`: runs the fuzz targets in `tests/fuzz` under libFuzzer.
//!
//! Stable Rust does: the coverage counters are code generation options of LLVM, and libFuzzer comes as a crate. A new
//! target is a file in `tests/fuzz/targets`, a `[[bin]]` in its manifest and a folder in `tests/fuzz/corpus`.

use std::{fs, path::Path, process::Command};

use anyhow::{Context, bail, ensure};

use crate::run::{cargo, checked, workspace_root};

/// Builds go to a folder of the target's name, so that the flags do not reach build scripts.
const TRIPLE: &str = "x86_64-unknown-linux-gnu";
const FLAGS: [&str; 7] = [
    "--cfg",
    "fuzzing",
    "-Cpasses=sancov-module",
    "-Cllvm-args=-sanitizer-coverage-level=4",
    "-Cllvm-args=-sanitizer-coverage-inline-8bit-counters",
    "-Cllvm-args=-sanitizer-coverage-pc-table",
    "-Cllvm-args=-sanitizer-coverage-trace-compares",
];

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// How long each target runs
    #[arg(long, default_value_t = 600)]
    seconds: u32,
    /// Adds what was found to be new to the corpus in the repository
    #[arg(long)]
    keep: bool,
    /// Which targets; all if none is given
    targets: Vec<String>,
}

/// Builds the targets and runs one after the other.
///
/// # Errors
/// When the build fails, or a target finds something; the message names the input.
pub(crate) fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let (root, folder) = (workspace_root(), workspace_root().join("tests/fuzz"));
    let all = targets(&folder)?;
    for target in &arguments.targets {
        ensure!(all.contains(target), "there is no target `{target}`; there are {}", all.join(", "));
    }
    let wanted = if arguments.targets.is_empty() { &all } else { &arguments.targets };
    // The same versions as in the server.
    fs::copy(root.join("Cargo.lock"), folder.join("Cargo.lock")).context("cannot copy Cargo.lock")?;
    let output = root.join("target/fuzz");
    let mut build = cargo();
    build.current_dir(&folder).args(["build", "--quiet", "--bins", "--target", TRIPLE]);
    build.env("CARGO_TARGET_DIR", &output).env("CARGO_INCREMENTAL", "0");
    checked(build.env("CARGO_ENCODED_RUSTFLAGS", FLAGS.join("\x1f")).env_remove("RUSTFLAGS"))?;
    let mut failed = Vec::new();
    // A target keeps one processor busy.
    let at_once = std::thread::available_parallelism().map_or(1, usize::from);
    let (output, folder) = (output.as_path(), folder.as_path());
    for targets in wanted.chunks(at_once) {
        std::thread::scope(|scope| {
            let run = |target| scope.spawn(move || fuzz(output, folder, target, arguments));
            let running: Vec<_> = targets.iter().map(|target| (target, run(target))).collect();
            for (target, thread) in running {
                let result = thread.join().unwrap_or_else(|_| Err(anyhow::anyhow!("it could not be run")));
                match result {
                    Ok(()) => println!("--- {target}: nothing in {} s", arguments.seconds),
                    Err(error) => {
                        println!("--- {target}: {error:#}");
                        failed.push(target.as_str());
                    }
                }
            }
        });
    }
    if !failed.is_empty() {
        bail!("found something: {}; the inputs are in {}", failed.join(", "), output.join("found").display());
    }
    Ok(())
}

fn fuzz(output: &Path, folder: &Path, target: &str, arguments: &Arguments) -> anyhow::Result<()> {
    let (found, grown) = (output.join("found").join(target), output.join("corpus").join(target));
    let corpus = folder.join("corpus").join(target);
    for folder in [&found, &grown, &corpus] {
        fs::create_dir_all(folder).with_context(|| format!("cannot create {}", folder.display()))?;
    }
    let program = output.join(TRIPLE).join("debug").join(target);
    let common = |command: &mut Command| {
        command.arg(format!("-artifact_prefix={}/", found.display()));
        // A target that takes long for an input, or much memory, is a finding as well.
        command.args(["-timeout=10", "-rss_limit_mb=2048", "-verbosity=0", "-print_final_stats=1", "-max_len=65536"]);
    };
    let mut command = Command::new(&program);
    command.current_dir(folder).arg(format!("-max_total_time={}", arguments.seconds)).arg("-dict=dictionary");
    common(&mut command);
    checked(command.args([&grown, &corpus]))?;
    if arguments.keep {
        let mut command = Command::new(&program);
        command.current_dir(folder).arg("-merge=1");
        common(&mut command);
        checked(command.args([&corpus, &grown]))?;
    }
    Ok(())
}

/// The files in `targets`, which the manifest lists as well.
fn targets(folder: &Path) -> anyhow::Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in fs::read_dir(folder.join("targets")).context("cannot read tests/fuzz/targets")? {
        let path = entry?.path();
        names.extend(path.file_stem().and_then(|stem| stem.to_str()).map(str::to_owned));
    }
    names.sort();
    Ok(names)
}
