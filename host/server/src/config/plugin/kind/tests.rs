use std::fs;

use super::*;
use crate::config::Loaded;

fn component(name: &str) -> Vec<u8> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/plugins/test");
    fs::read(folder.join(name)).expect("run `cargo xtask plugins`")
}

/// The role of an entry `p` with this file and checksum; `issuer` is what an issuer names.
fn role(path: &Path, checksum: &str, more: &str, issuer: &str) -> Role {
    let text = format!(
        "common: {{plugins: [{{name: p, path: '{}', checksum: '{checksum}'{more}}}]}}\n\
         issuer: {{le: {{ca_dir_url: 'https://ca', dns_challenge: {issuer}}}}}\n",
        path.display()
    );
    let Loaded { config, .. } = Config::parse(&text).expect("valid");
    config.role(&config.common.plugins[0])
}

#[test]
fn a_component_is_what_it_exports() {
    let (hook, provider) = (component("hook.wasm"), component("misbehaving.wasm"));
    assert_eq!(FileContent::of(&hook), FileContent::Component(PluginKind::IssuanceHook));
    assert_eq!(FileContent::of(&provider), FileContent::Component(PluginKind::DnsProvider));
    let older = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/built-for-1.0");
    for (file, kind) in [("hook.wasm", PluginKind::IssuanceHook), ("provider.wasm", PluginKind::DnsProvider)] {
        let bytes = fs::read(older.join(file)).expect("it is kept");
        assert_eq!(FileContent::of(&bytes), FileContent::Component(kind), "{file}");
    }
    // The name alone, in data of a provider, makes no hook.
    let mut talks_of_hooks = provider;
    let name = b"acme-manager:issuance/hook@1.0.0";
    talks_of_hooks.extend([0, u8::try_from(name.len()).expect("short") + 2, 1, b'n']);
    talks_of_hooks.extend(name);
    assert_eq!(FileContent::of(&talks_of_hooks), FileContent::Component(PluginKind::DnsProvider));
    // Whatever is cut off is not taken for the rest.
    for length in (0..hook.len()).step_by(997).chain([hook.len() - 1]) {
        let cut = FileContent::of(&hook[..length]);
        let hook = FileContent::Component(PluginKind::IssuanceHook);
        assert!(matches!(cut, FileContent::Unknown(_)) || cut == hook, "{length} bytes: {cut:?}");
    }
    for other in
        [&b""[..], b"text", b"\0asm\x01\0\0\0", b"\0asm\x0d\0\x01\0", b"\0asm\x0d\0\x01\0\x0b\xff\xff\xff\xff\xff"]
    {
        assert!(matches!(FileContent::of(other), FileContent::Unknown(_)), "{other:?}");
    }
    assert_eq!(FileContent::of(b"#!/bin/sh"), FileContent::Program);
}

#[test]
fn a_file_that_nobody_can_read_stands_for_a_policy() {
    let folder = tempfile::tempdir().expect("a folder");
    let place = |name: &str, bytes: &[u8]| {
        let path = folder.path().join(name);
        fs::write(&path, bytes).expect("the folder takes files");
        (path, Checksum(Sha256::digest(bytes).into()).to_string())
    };
    let hook = component("hook.wasm");
    let (good, sum) = place("good.wasm", &hook);
    let (short, _) = place("short.wasm", &hook[..hook.len() / 2]);
    let (text, text_sum) = place("text.wasm", b"hello");
    let (provider, provider_sum) = place("provider.wasm", &component("misbehaving.wasm"));
    let pipe = folder.path().join("pipe");
    assert!(std::process::Command::new("mkfifo").arg(&pipe).status().expect("mkfifo runs").success());
    let gone = folder.path().join("gone.wasm");
    let table = [
        (&gone, &sum, "there is no such file"),
        (&short, &sum, "it has another checksum"),
        (&provider, &sum, "it has another checksum"),
        (&pipe, &sum, "it is no regular file"),
        (&folder.path().to_owned(), &sum, "it is no regular file"),
        (&text, &text_sum, "it is no WebAssembly component"),
        // Without a checksum that could tell, its end does.
        (&short, &String::new(), "it ends too early"),
    ];
    for (path, sum, words) in table {
        let Role::Unknown(reason) = role(path, sum, "", "other") else { panic!("{words}") };
        for part in [words, &path.display().to_string(), "nothing is issued", "`kind: dns-provider`"] {
            assert!(reason.contains(part), "{part}: {reason}");
        }
        assert_eq!(role(path, sum, "", "p"), Role::Named, "an issuer says that it is a provider");
        let stated = role(path, sum, ", kind: dns-provider", "other");
        assert_eq!(stated, Role::Known(PluginKind::DnsProvider), "and so may the entry");
        assert_eq!(role(path, sum, ", kind: issuance-hook", "p"), Role::Known(PluginKind::IssuanceHook));
    }
    assert_eq!(role(&good, &sum, "", "p"), Role::Known(PluginKind::IssuanceHook), "a hook, whoever names it");
    assert_eq!(role(&provider, &provider_sum, "", "other"), Role::Known(PluginKind::DnsProvider));
    let contradicted = role(&good, &sum, ", kind: dns-provider", "p");
    assert!(contradicted.obstacle().is_some_and(|reason| reason.contains("is an issuance hook")), "{contradicted:?}");
    assert_eq!(contradicted.kind(), PluginKind::IssuanceHook);
}

#[test]
fn what_keeps_everything_from_being_issued_is_a_warning() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("config.yml");
    let text = format!("common: {{plugins: [{{name: p, path: /nowhere/p.wasm, checksum: '{}'}}]}}", "0".repeat(64));
    fs::write(&file, text).expect("the folder takes files");
    let warnings = Config::load(&file).expect("it can start").warnings;
    let about: Vec<String> =
        warnings.iter().map(ToString::to_string).filter(|warning| warning.contains("/nowhere/p.wasm")).collect();
    assert_eq!(
        about,
        [
            "common.plugins (p): its file /nowhere/p.wasm cannot be read (there is no such file), so nobody knows whether \
          it is a policy; nothing is issued until the file is right or the entry says `kind: dns-provider`"
        ]
    );
}
