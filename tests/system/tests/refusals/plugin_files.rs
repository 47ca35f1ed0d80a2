//! Files that are no usable plugin, and what is said of each.

use std::{fs, os::unix::fs::symlink, path::Path, path::PathBuf};

use acme_manager_system_tests::site::plugin_component;
use sha2::{Digest, Sha256};

/// Larger than the memory of most machines; it takes no room on the disk.
const SPARSE_BYTES: u64 = 1 << 38;

/// An entry of `common.plugins` that cannot be used.
pub(crate) struct BrokenPlugin {
    pub(crate) name: &'static str,
    pub(crate) path: PathBuf,
    pub(crate) checksum: String,
    /// Further lines of the entry, indented by six.
    more: &'static str,
    /// What a request that names it is told, besides its name.
    pub(crate) words: &'static str,
    /// What `plugin inspect` says; nothing where it finds no fault.
    pub(crate) inspected: &'static str,
}

impl BrokenPlugin {
    /// The entry in the config.
    pub(crate) fn entry(&self) -> String {
        let Self { name, path, checksum, more, .. } = self;
        // Without it, a file that nobody can read might be a policy.
        let kind = if more.contains("kind:") { "" } else { "      kind: dns-provider\n" };
        format!("    - name: {name}\n{kind}      path: {}\n      checksum: '{checksum}'\n{more}", path.display())
    }
}

/// Makes the files in `folder`.
pub(crate) fn all(folder: &Path) -> Vec<BrokenPlugin> {
    let good = plugin_component("test/misbehaving.wasm");
    let good_sum = sum(&fs::read(&good).expect("the component is there"));
    let plugin = |name, path: PathBuf, checksum: &str, words, inspected| BrokenPlugin {
        name,
        path,
        checksum: checksum.to_owned(),
        more: "",
        words,
        inspected,
    };
    let made = |name, bytes: &[u8], words, inspected| {
        let path = folder.join(format!("{name}.wasm"));
        fs::write(&path, bytes).expect("the folder takes files");
        plugin(name, path, &sum(bytes), words, inspected)
    };
    let core = wat::parse_str("(module (func (export \"present\")))").expect("a module");
    let foreign = wat::parse_str("(component (import \"example:door/bell@1.0.0\" (instance)))").expect("a component");
    let truncated = &fs::read(&good).expect("the component is there")[..50_000];
    let sparse = folder.join("sparse.wasm");
    fs::File::create(&sparse).and_then(|file| file.set_len(SPARSE_BYTES)).expect("a sparse file");
    let dangling = folder.join("dangling.wasm");
    symlink(folder.join("nowhere"), &dangling).expect("a link");
    let program = std::env::current_exe().and_then(|test| {
        let start = fs::read(test)?;
        Ok(start[..4096].to_vec())
    });
    let zeros = "0".repeat(64);
    let mut plugins = vec![
        made("text", b"this is a text", "it is text", "it is text"),
        made("page", b"<html><body>404</body></html>", "it is a web page", "it is a web page"),
        made("empty", b"", "it is empty", "it is empty"),
        made("core", &core, "is a core WebAssembly module, not a component", "is a core WebAssembly module"),
        made("foreign", &foreign, "does not fit the world", "does not fit"),
        made("truncated", truncated, "does not compile", "does not compile"),
        made("program", &program.expect("this test"), "it is a program of the operating system", "it is a program"),
        plugin("missing", folder.join("missing.wasm"), &zeros, "there is no file", "there is no file"),
        plugin("folder", folder.to_path_buf(), &zeros, "is no regular file", "is no regular file"),
        plugin("device", "/dev/zero".into(), &zeros, "is no regular file", "is no regular file"),
        plugin("dangling", dangling, &zeros, "there is no file", "there is no file"),
        plugin("sparse", sparse, &zeros, "more than the 64 MiB", "more than the 64 MiB"),
        plugin("changed", good.clone(), &zeros, "has another checksum", ""),
        plugin("nosum", good.clone(), "abc", "expected the SHA-256 digest", ""),
    ];
    // Without this the entry would stand for a policy that must be asked, and nothing would be issued at all.
    for plugin in plugins.iter_mut().filter(|plugin| plugin.name == "program") {
        plugin.more = "      kind: dns-provider\n";
    }
    let describes = [
        ("describe-panics", "      env: { DESCRIBE: panic }\n", "`describe` fails"),
        ("describe-loops", "      env: { DESCRIBE: loop }\n      fuel: 50000000\n", "`common.plugins[].fuel`"),
        ("describe-lies", "      env: { DESCRIBE: bad }\n", "`describe` fails"),
    ];
    for (name, more, words) in describes {
        plugins.push(BrokenPlugin { more, ..plugin(name, good.clone(), &good_sum, words, "") });
    }
    plugins
}

fn sum(bytes: &[u8]) -> String {
    hex::encode(Sha256::digest(bytes))
}
