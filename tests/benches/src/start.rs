//! From the start of the process to ready, and the memory that it holds then.

use std::path::Path;

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
    println!("start to ready, three bundled plugins, empty compile cache: {}", Samples::new(cold).summary());
    println!("start to ready, three bundled plugins, warm compile cache: {}", Samples::new(warm).summary());
    let running = folder.start(None)?;
    println!("idle, warm compile cache: {}", settled_memory(running.id()).await?);
    drop(running);
    folder.clear_cache()?;
    let running = folder.start(None)?;
    println!("idle, having compiled its plugins: {}", settled_memory(running.id()).await?);
    Ok(())
}
