//! What each further plugin and each further certificate costs.

use std::{fs, path::Path};

use anyhow::{Context, ensure};
use sha2::{Digest, Sha256};
use tempfile::TempDir;

use crate::{
    instance::Folder,
    measure::{Samples, settled_memory},
    seed,
};

const PLUGINS: usize = 10;
const CERTIFICATES: usize = 10_000;
const RUNS: usize = 7;

/// # Errors
/// When the server does not start.
pub(crate) async fn run(binary: &Path) -> anyhow::Result<()> {
    plugins(binary).await?;
    certificates(binary).await
}

/// Copies with a byte of difference: the same bytes are compiled and kept once.
async fn plugins(binary: &Path) -> anyhow::Result<()> {
    let component = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/plugins/pdns.wasm");
    let component =
        fs::read(&component).with_context(|| format!("{}: run `cargo xtask plugins`", component.display()))?;
    let copies = TempDir::new()?;
    let mut entries = String::from("  plugins:\n");
    for number in 0..PLUGINS {
        let mut bytes = component.clone();
        // A custom section: id 0, its size, the length of its name, its name.
        bytes.extend([0, 3, 2, b'n', u8::try_from(number)? + b'a']);
        let path = copies.path().join(format!("copy{number}.wasm"));
        fs::write(&path, &bytes)?;
        let checksum = hex::encode(Sha256::digest(&bytes));
        entries += &format!("  - {{name: copy{number}, path: {}, checksum: \"{checksum}\"}}\n", path.display());
    }
    let (few, many) = (Folder::new(binary, "")?, Folder::new(binary, &entries)?);
    // The second start of each finds the compiled plugins.
    drop((few.start(None)?, many.start(None)?));
    let (few, many) = (few.start(None)?, many.start(None)?);
    let (base, grown) = (settled_memory(few.id()).await?, settled_memory(many.id()).await?);
    let each = |base: i64, grown: i64| (grown - base) / i64::try_from(PLUGINS).unwrap_or(1);
    println!(
        "each further plugin (pdns, {} KiB): {} KiB resident, {} KiB of it anonymous; start {:.1} ms for all {PLUGINS}",
        component.len() >> 10,
        each(base.all, grown.all),
        each(base.anonymous, grown.anonymous),
        (many.start.as_secs_f64() - few.start.as_secs_f64()) * 1e3,
    );
    Ok(())
}

async fn certificates(binary: &Path) -> anyhow::Result<()> {
    let (empty, full) = (Folder::new(binary, "")?, Folder::new(binary, "")?);
    let (mut before, mut after) = (Vec::new(), Vec::new());
    drop(empty.start(None)?);
    drop(full.start(None)?);
    seed::certificates(&full.store(), "fleet", CERTIFICATES).await?;
    for _ in 0..RUNS {
        before.push(empty.start(None)?.start);
        after.push(full.start(None)?.start);
    }
    let (before, after) = (Samples::new(before), Samples::new(after));
    println!("start to ready without certificates: {}", before.summary());
    println!("start to ready with {CERTIFICATES} certificates: {}", after.summary());
    let (empty, full) = (empty.start(None)?, full.start(None)?);
    let (base, grown) = (settled_memory(empty.id()).await?, settled_memory(full.id()).await?);
    ensure!(grown.all > base.all, "certificates cost no memory: were they read?");
    let each = (grown.all - base.all) as f64 / CERTIFICATES as f64;
    println!("idle with {CERTIFICATES} certificates: {grown}; {each:.2} KiB for each");
    Ok(())
}
