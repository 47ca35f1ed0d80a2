//! Files that are changed, exchanged or no files at all, and signatures that do and do not count.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::*;
use crate::config::Config;

/// Made by minisign 0.11: a key pair, a file, its signature, and one of the legacy kind.
const FIXTURES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/src/app/plugins/foreign/fixtures");
const COMPONENT: &[u8] = include_bytes!("fixtures/component.bin");
const KEY: &str = "RWT3l4hbl01rvCaxdyJITnyFEwlMOnksVU+TSIodmdnwMkKcyy/dxz6K";
/// Of another pair.
const STRANGER: &str = "RWQf6LRCGA9i53mlYecO4IzT51TGPpvWucNSCh1CBM0QTaLn73Y7GFO3";

fn fixture(name: &str) -> PathBuf {
    Path::new(FIXTURES).join(name)
}

fn entry(path: &Path, checksum: Option<&[u8]>, common: &str, more: &str) -> config::Plugin {
    let checksum = checksum.map(|bytes| format!(", checksum: '{}'", PluginDigest::of(bytes))).unwrap_or_default();
    let text = format!(
        "common: {{{common} plugins: [{{name: p, kind: dns-provider, path: '{}'{checksum}{more}}}]}}",
        path.display()
    );
    Config::parse(&text).expect("valid").config.common.plugins.remove(0)
}

fn outcome(path: &Path, checksum: &[u8], common: &str, more: &str) -> Result<Vec<u8>, String> {
    read_bytes(&entry(path, Some(checksum), common, more), false)
}

fn read_bytes(entry: &config::Plugin, allow_unverified: bool) -> Result<Vec<u8>, String> {
    match read(entry, allow_unverified).map_err(|refusal| refusal.to_string())? {
        Origin::Bytes { bytes, checksum, .. } => {
            assert_eq!(checksum, PluginDigest::of(&bytes));
            Ok(bytes.to_vec())
        }
        _ => panic!("bytes"),
    }
}

#[test]
fn a_signature_made_by_minisign_counts() {
    let component = fixture("component.bin");
    let trusting = format!("plugin_trusted_keys: ['{STRANGER}', '{KEY}'],");
    let from_file = format!("plugin_trusted_keys: ['file:{FIXTURES}/public.pub'],");
    let own = format!(", trusted_keys: ['{KEY}']");
    let elsewhere = format!(", signature: '{FIXTURES}/component.bin.minisig'");
    for (common, more) in [(&*trusting, ""), (&from_file, ""), ("", &own), (&trusting, &elsewhere), ("", "")] {
        assert_eq!(outcome(&component, COMPONENT, common, more).as_deref(), Ok(COMPONENT), "{common} {more}");
    }
}

#[test]
fn what_does_not_count_is_explained() {
    let dir = tempfile::tempdir().expect("a directory");
    let place = |name: &str, bytes: &[u8]| {
        let path = dir.path().join(name);
        fs::write(&path, bytes).expect("written");
        path
    };
    let good = fs::read(fixture("component.bin.minisig")).expect("readable");
    let changed = place("changed.wasm", b"component bytes for the signature test5\n");
    place("changed.wasm.minisig", &good);
    let commented = String::from_utf8(good.clone()).expect("text").replace("fixture made", "fixture faked");
    let key = format!("trusted_keys: ['{KEY}']");
    let signature = |path: &Path| format!(", {key}, signature: '{}'", path.display());
    let component = fixture("component.bin");
    let fifo = dir.path().join("fifo");
    pipe(&fifo);
    let table = [
        (&component, format!(", trusted_keys: ['{STRANGER}']"), "is signed with the key BC6B4D975B8897F7"),
        (&component, format!(", trusted_keys: ['{STRANGER}']"), "trusted: E7620F1842B4E81F. If you mean to trust"),
        (&component, signature(&fixture("legacy.minisig")), "is of minisign's legacy kind: sign"),
        (&component, signature(&place("commented", commented.as_bytes())), "does not fit"),
        (&component, signature(&place("text", b"hello")), "text is no signature of minisign"),
        (&component, signature(&place("binary", b"\xff\xfe")), "binary is no signature of minisign"),
        (&component, signature(&place("short", &good[..good.len() / 2])), "short is no signature of minisign"),
        (&component, signature(&place("long", &vec![b'a'; 20_000])), "20000 bytes, more than the 16 KiB"),
        (&component, signature(&dir.path().join("none")), "it is not signed: there is no file"),
        (&component, signature(dir.path()), "is no regular file"),
        (&component, signature(&fifo), "is no regular file"),
        (&component, signature(Path::new("/dev/zero")), "is no regular file"),
        (&changed, format!(", {key}"), "changed.wasm: one of the two was changed"),
        (&component, format!(", signature: '{FIXTURES}/component.bin.minisig'"), "nothing would check the signature"),
    ];
    for (path, more, expected) in table {
        let error = outcome(path, &fs::read(path).expect("readable"), "", &more).expect_err(expected);
        assert!(error.contains(expected), "{expected}: {error}");
    }
}

#[test]
fn a_signature_replaces_no_checksum_and_no_checksum_replaces_a_signature() {
    let trusting = format!("plugin_trusted_keys: ['{KEY}'],");
    let component = fixture("component.bin");
    let error = outcome(&component, b"other", &trusting, "").expect_err("another checksum");
    assert!(error.contains("has another checksum"), "{error}");
    let without = entry(&component, None, &trusting, "");
    assert!(read_bytes(&without, false).expect_err("no checksum").contains("it has no `checksum`"));
    assert_eq!(read_bytes(&without, true).as_deref(), Ok(COMPONENT), "signed, and checksums are waived");
    let unsigned = entry(&fixture("public.pub"), None, &trusting, "");
    assert!(read_bytes(&unsigned, true).expect_err("unsigned").contains("it is not signed"));
}

#[test]
fn what_comes_from_a_registry_is_held_to_the_same() {
    let place = format!("oci://registry.example/dns/plugin@sha256:{}", PluginDigest::of(b"the manifest"));
    let check = |checksum, more: &str| {
        let checked = check(&entry(Path::new(&place), checksum, "", more), Bytes::from_static(COMPONENT));
        checked.map(drop).map_err(|refusal| refusal.to_string())
    };
    let trusting = format!(", trusted_keys: ['{KEY}']");
    let signature = |name: &str| format!("{trusting}, signature: '{FIXTURES}/{name}'");
    assert_eq!(check(None, ""), Ok(()));
    assert_eq!(check(Some(COMPONENT), &signature("component.bin.minisig")), Ok(()));
    for (checksum, more, expected) in [
        (Some(&b"other"[..]), String::new(), "has another checksum"),
        (None, trusting.clone(), "`signature` must name the file"),
        (None, signature("legacy.minisig"), "legacy kind"),
    ] {
        let error = check(checksum, &more).expect_err(expected);
        assert!(error.contains(expected) && error.contains(&place), "{error}");
    }
}

#[test]
fn only_regular_files_of_a_bounded_size_are_read() {
    let dir = tempfile::tempdir().expect("a directory");
    let fifo = dir.path().join("fifo");
    pipe(&fifo);
    let large = dir.path().join("large");
    fs::File::create(&large).and_then(|file| file.set_len((64 << 20) + 1)).expect("a sparse file");
    let link = dir.path().join("link");
    std::os::unix::fs::symlink("/dev/zero", &link).expect("a link");
    let began = Instant::now();
    for (path, expected) in [
        (fifo.as_path(), "is no regular file"),
        (dir.path(), "is no regular file"),
        (Path::new("/dev/zero"), "is no regular file"),
        (&link, "is no regular file"),
        (&large, "67108865 bytes, more than the 64 MiB"),
        (Path::new("/proc/kmsg/none"), "cannot be read"),
        (&dir.path().join("none"), "there is no file"),
    ] {
        let error = outcome(path, b"", "", "").expect_err("refused");
        assert!(error.contains(expected), "{}: {error}", path.display());
    }
    assert!(began.elapsed() < Duration::from_secs(5), "nothing waits or reads on and on");
}

#[test]
fn what_is_swapped_meanwhile_is_never_loaded() {
    let dir = tempfile::tempdir().expect("a directory");
    let (good, evil, fifo) = (dir.path().join("good"), dir.path().join("evil"), dir.path().join("fifo"));
    fs::copy(fixture("component.bin"), &good).expect("copied");
    fs::write(&evil, [COMPONENT, b"and more"].concat()).expect("written");
    pipe(&fifo);
    let path = dir.path().join("plugin.wasm");
    let trusting = format!("plugin_trusted_keys: ['{KEY}'],");
    let more = format!(", signature: '{FIXTURES}/component.bin.minisig'");
    fs::copy(&good, &path).expect("copied");
    let entry = entry(&path, Some(COMPONENT), &trusting, &more);
    let stop = std::sync::atomic::AtomicBool::new(false);
    let (loaded, refused) = std::thread::scope(|scope| {
        scope.spawn(|| {
            let new = dir.path().join("new");
            for round in 0.. {
                match round % 4 {
                    0 => drop(fs::copy(&good, &new)),
                    1 => std::os::unix::fs::symlink(&evil, &new).expect("a link"),
                    2 => std::os::unix::fs::symlink(&fifo, &new).expect("a link"),
                    _ => drop(fs::copy(&evil, &new)),
                }
                fs::rename(&new, &path).expect("swapped");
                if stop.load(std::sync::atomic::Ordering::Relaxed) {
                    return;
                }
            }
        });
        let until = Instant::now() + Duration::from_secs(2);
        let (mut loaded, mut refused) = (0, 0);
        while Instant::now() < until {
            match read_bytes(&entry, false) {
                Ok(bytes) => {
                    assert_eq!(bytes, COMPONENT);
                    loaded += 1;
                }
                Err(reason) => {
                    let known = ["has another checksum", "is no regular file"];
                    assert!(known.iter().any(|known| reason.contains(known)), "{reason}");
                    refused += 1;
                }
            }
        }
        stop.store(true, std::sync::atomic::Ordering::Relaxed);
        (loaded, refused)
    });
    assert!(loaded > 0 && refused > 0, "both happened: {loaded} loaded, {refused} refused");
}

fn pipe(path: &Path) {
    let made = std::process::Command::new("mkfifo").arg(path).status().expect("mkfifo runs");
    assert!(made.success(), "a pipe");
}
