use std::fs;
use std::path::PathBuf;

use super::*;

fn built(name: &str) -> PathBuf {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/plugins").join(name);
    assert!(path.exists(), "{} is missing: run `cargo xtask plugins`", path.display());
    path
}

async fn told(path: &Path) -> String {
    let Found { text, verdict } = inspect(path).await.expect("a component");
    verdict.expect("a plugin");
    text
}

/// Columns are as wide as they need to be.
fn assert_lines(text: &str, expected: &[&str]) {
    let words = |line: &str| line.split_whitespace().collect::<Vec<_>>().join(" ");
    let text = text.lines().map(|line| words(line) + "\n").collect::<String>();
    for line in expected.iter().map(|line| words(line)) {
        let line = line.as_str();
        assert!(text.lines().any(|one| one.starts_with(line)), "no line begins with {line:?}:\n{text}");
    }
}

#[tokio::test]
async fn a_provider_is_told_whole() {
    let path = built("digitalocean.wasm");
    let text = told(&path).await;
    let size = fs::metadata(&path).unwrap().len();
    let (size, digest) = (format!("size:     {size} bytes"), super::super::PluginDigest::of(&fs::read(&path).unwrap()));
    assert_lines(&text, &[&size, &format!("checksum: {digest}")]);
    assert_lines(
        &text,
        &[
            "kind:     dns-provider",
            "world:    acme-manager:dns/dns-provider@1.",
            "producer: processed-by wit-component 0.",
            "name:     digitalocean 0.1.0",
            "homepage: https://docs.digitalocean.com/",
            "hosts:    api.digitalocean.com",
            "export:   acme-manager:dns/provider@1.2.0#present",
            "note:     it imports wasi:http/outgoing-handler: it sends HTTP requests to the hosts in `allowed_hosts`",
            "  VARIABLE       MARKS             DEFAULT",
            "  DO_AUTH_TOKEN  required, secret  -  ",
            "  DO_API_URL     endpoint          https://api.digitalocean.com",
            "  allowed_hosts: [\"api.digitalocean.com\"]",
        ],
    );
    let import = text.lines().find(|line| line.starts_with("import:   wasi:http/outgoing-handler@"));
    assert!(import.is_some_and(|line| line.ends_with("  (granted by `allowed_hosts`)")), "{text}");
    assert!(!text.contains("allowed_dns_servers"), "{text}");
}

#[tokio::test]
async fn hooks_and_other_imports_are_told() {
    let text = told(&built("caa.wasm")).await;
    assert_lines(&text, &["kind:     issuance-hook", "world:    acme-manager:issuance/", "  # allowed_dns_servers: "]);
    assert_lines(&text, &["note:     it imports acme-manager:dns/exchange: it sends DNS messages to the servers in"]);
    let text = told(&built("test/misbehaving.wasm")).await;
    for (import, behind) in [
        ("wasi:filesystem/types@", "(never granted: nothing is behind it)"),
        ("acme-manager:dns/exchange@", "(granted by `allowed_dns_servers`)"),
    ] {
        let line = text.lines().find(|line| line.starts_with(&format!("import:   {import}")));
        assert!(line.is_some_and(|line| line.ends_with(behind)), "{import}: {text}");
    }
    assert_lines(&text, &["name:     misbehaving ", "  TOKEN     secret", "  allowed_hosts: [\"api.example.com\"]"]);
}

/// Texts are changed in place for others of the same length.
#[tokio::test]
async fn what_a_stranger_says_neither_steers_a_terminal_nor_forges_lines() {
    let mut bytes = fs::read(built("digitalocean.wasm")).unwrap();
    for (from, to) in [
        ("api.digitalocean.comDO_AUTH", "http://127.0.0.1:80/DO_AUTH"),
        ("Personal access token", "\u{1b}[2J\r\nkind:  a hook!!"),
        ("https://docs.", "\u{1b}]0;xy\u{7}\nsize:"),
    ] {
        assert_eq!(from.len(), to.len());
        let at = bytes.windows(from.len()).position(|window| window == from.as_bytes()).expect(from);
        bytes[at..at + to.len()].copy_from_slice(to.as_bytes());
    }
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("stranger.wasm");
    fs::write(&path, bytes).unwrap();
    let text = told(&path).await;
    assert!(!text.contains(|c: char| c.is_control() && c != '\n'), "{text:?}");
    assert!(text.contains("\\u{1b}[2J\\r\\nkind:  a hook!!") && text.contains("\\u{1b}]0;xy\\u{7}\\nsize:"), "{text}");
    for word in ["kind:", "size:"] {
        assert_eq!(text.lines().filter(|line| line.starts_with(word)).count(), 1, "{text}");
    }
    // Nobody grants this because a file says so.
    assert!(!text.contains("allowed_hosts: [\""), "{text}");
    assert_lines(&text, &["  # described as well: http://127.0.0.1:80/ (plain http"]);
}

#[tokio::test]
async fn what_does_not_fit_is_told_as_far_as_it_goes() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("file.wasm");
    // An empty component with a section `producers`: one field, `sdk`, with one value.
    let section = b"\x09producers\x01\x03sdk\x01\x02an\x031.0";
    let mut bytes = b"\0asm\x0d\0\x01\0\0".to_vec();
    bytes.push(section.len() as u8);
    bytes.extend(section);
    fs::write(&path, &bytes).unwrap();
    let Found { text, verdict } = inspect(&path).await.unwrap();
    assert!(verdict.unwrap_err().to_string().contains("is not a plugin for this server"));
    assert_lines(&text, &["producer: sdk an 1.0", "note:     it imports nothing that reaches outside", "size:     "]);
    assert_lines(&text, &["world:    does not fit acme-manager:dns/dns-provider@1.2.0: it exports nothing"]);

    for (bytes, expected) in [
        (&b"\0asm\x01\0\0\0"[..], "is a core WebAssembly module"),
        (b"\0asm\x0d\0\x01\0\x07\xff", "does not compile"),
        (b"#!/bin/sh", "it is a script"),
    ] {
        fs::write(&path, bytes).unwrap();
        let error = inspect(&path).await.err().expect("no component").to_string();
        assert!(error.contains(expected) && error.contains("file.wasm"), "{error}");
    }
}
