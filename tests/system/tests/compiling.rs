//! Components that are made to break a compiler: the server that is told to load them goes on.

use std::{fs, path::Path, process::Command};

use acme_manager_system_tests::site::{Site, SiteOptions, plugin_component, server_binary};
use anyhow::ensure;
use sha2::{Digest, Sha256};

/// Component types, one within the other: three hundred thousand are too many for the stack of whoever reads them.
fn deep() -> Vec<u8> {
    const DEPTH: usize = 300_000;
    let mut types = vec![1];
    types.extend([0x41, 0x01, 0x01].repeat(DEPTH));
    types.extend([0x41, 0x00]);
    let mut component = b"\0asm\x0d\0\x01\0\x07".to_vec();
    let mut length = types.len();
    // LEB128
    while length > 0x7f {
        component.push((length & 0x7f) as u8 | 0x80);
        length >>= 7;
    }
    component.push(length as u8);
    component.extend(types);
    component
}

fn options(file: &Path, bytes: &[u8]) -> anyhow::Result<SiteOptions> {
    fs::write(file, bytes)?;
    let checksum = hex::encode(Sha256::digest(bytes));
    let entry = format!(
        "  plugins:\n    - {{ name: deep, kind: dns-provider, path: {}, checksum: '{checksum}' }}\n",
        file.display()
    );
    Ok(SiteOptions { common: entry, ..SiteOptions::default() })
}

#[tokio::test]
async fn a_component_that_overflows_the_compiler_costs_itself_only() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("deep.wasm");
    let good = fs::read(plugin_component("challtestsrv.wasm"))?;
    let mut site = Site::start(options(&file, &good)?).await?;
    site.until_logged(&["plugin loaded", "deep"]).await?;
    site.reconfigure(&options(&file, &deep())?)?;
    site.until_logged(&["does not compile", "the compiler gave up", "overflowed its stack"]).await?;
    site.until_logged(&["its new version cannot be used; the old one stays"]).await?;
    site.assert_sound("a.site.test").await?;

    let told = Command::new(server_binary()).args(["plugin", "inspect"]).arg(&file).output()?;
    let text = String::from_utf8_lossy(&told.stderr);
    ensure!(told.status.code() == Some(1) && text.contains("the compiler gave up"), "{:?}: {text}", told.status);
    Ok(())
}
