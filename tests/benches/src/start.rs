//! From the start of the process to ready, and the memory that it holds then.

use std::{fs, path::Path};

use crate::{
    instance::Folder,
    measure::{Samples, settled_memory},
};

const COLD_RUNS: usize = 3;
const WARM_RUNS: usize = 15;

/// # Errors
/// When the server does not start.
pub(crate) async fn run(binary: &Path) -> anyhow::Result<()> {
    let folder = Folder::new(binary, "")?;
    // Makes the database and brings the binary into the page cache.
    drop(folder.start(None)?);
    let (mut cold, mut warm) = (Vec::new(), Vec::new());
    for _ in 0..COLD_RUNS {
        folder.clear_cache()?;
        cold.push(folder.start(None)?.start);
    }
    for _ in 0..WARM_RUNS {
        warm.push(folder.start(None)?.start);
    }
    println!("start to ready, one plugin in use, empty compile cache: {}", Samples::new(cold).summary());
    println!("start to ready, one plugin in use, warm compile cache: {}", Samples::new(warm).summary());
    let running = folder.start(None)?;
    println!("idle, warm compile cache: {}", settled_memory(running.id()).await?);
    drop(running);
    folder.clear_cache()?;
    let running = folder.start(None)?;
    println!("idle, having compiled its plugins: {}", settled_memory(running.id()).await?);
    drop(running);
    every_plugin(binary).await
}

/// A server whose issuers name every bundled DNS provider, so that it loads them all.
async fn every_plugin(binary: &Path) -> anyhow::Result<()> {
    let (providers, _) = Folder::new(binary, "")?.start(None)?.providers()?;
    let names: Vec<&str> = providers.iter().map(String::as_str).collect();
    let (folder, count) = (Folder::with_challenges(binary, "", &names)?, names.len());
    let first = folder.start(None)?;
    println!("all {count} bundled providers, empty compile cache: ready after {:?}", first.start);
    println!("all {count} bundled providers, empty compile cache: loaded after {:?}", first.all_loaded()?);
    drop(first);
    let (mut ready, mut loaded) = (Vec::new(), Vec::new());
    for _ in 0..WARM_RUNS {
        let running = folder.start(None)?;
        ready.push(running.start);
        loaded.push(running.all_loaded()?);
    }
    println!("start to ready, all {count} bundled providers, warm compile cache: {}", Samples::new(ready).summary());
    println!("start to all {count} loaded, warm compile cache: {}", Samples::new(loaded).summary());
    let running = folder.start(None)?;
    running.all_loaded()?;
    println!("idle with all {count} loaded, warm compile cache: {}", settled_memory(running.id()).await?);
    let size = fs::metadata(binary)?.len();
    println!("the server's file: {:.1} MB", size as f64 / 1e6);
    Ok(())
}
