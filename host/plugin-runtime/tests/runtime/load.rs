//! What is not loaded, and in which words.

use std::io::Write as _;

use acme_manager_plugin_runtime::{Engine, EngineSettings, LoadError, Origin, PluginDigest, PluginSettings};

use crate::support::{ENGINE, component, settings};

async fn refused(bytes: &[u8]) -> String {
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().join("plugin.wasm");
    std::fs::write(&path, bytes).expect("written");
    let origin = Origin::File { path: path.clone(), checksum: PluginDigest::of(bytes) };
    let error = ENGINE.load(PluginSettings::new("x", origin)).await.expect_err("not loaded").to_string();
    assert!(error.starts_with(&path.display().to_string()), "{error}");
    error
}

fn wat(text: &str) -> Vec<u8> {
    wat::parse_str(text).expect("valid text")
}

#[tokio::test]
async fn what_is_no_component_is_named() {
    for (bytes, expected) in [
        (&b""[..], "it is empty"),
        (b"  <!DOCTYPE html><html>", "a web page"),
        (b"(component)", "`wasm-tools parse`"),
        (b"\x1f\x8b\x08\x00", "compressed"),
        (b"\x7fELF\x02\x01", "program of the operating system"),
        (b"version https://git-lfs.github.com/spec/v1", "Git LFS pointer"),
        (b"#!/bin/sh\n", "a script"),
        (b"hello", "it is text"),
        (b"\xff\xfe\xfd", "does not begin like one"),
        (b"\0asm\x07\0\x01\0", "a version that is not known"),
    ] {
        let error = refused(bytes).await;
        assert!(error.contains("is no WebAssembly component: ") && error.contains(expected), "{error}");
    }
    let error = refused(&wat("(module)")).await;
    assert!(error.contains("core WebAssembly module") && error.contains("wasm32-wasip2"), "{error}");
    let mut damaged = std::fs::read(component()).expect("readable");
    damaged.truncate(damaged.len() / 2);
    assert!(refused(&damaged).await.contains("does not compile: "));
}

/// The compiler panics at it: text passes from one memory to another, and several memories are switched off.
#[tokio::test]
async fn what_the_compiler_cannot_bear_is_refused() {
    let memory = "(core module $m (memory (export \"m\") 1)
            (func (export \"r\") (param i32 i32 i32 i32) (result i32) i32.const 0)
            (func (export \"f\") (param i32 i32)))
        (core instance $i (instantiate $m))";
    let options = "(memory (core memory $i \"m\")) (realloc (core func $i \"r\"))";
    let composed = wat(&format!(
        "(component
            (component $a {memory}
                (func (export \"f\") (param \"s\" string) (canon lift (core func $i \"f\") {options})))
            (component $b (import \"f\" (func $f (param \"s\" string))) {memory}
                (core func $g (canon lower (func $f) {options}))
                (core module $n (import \"\" \"f\" (func $f (param i32 i32)))
                    (func (export \"g\") i32.const 0 i32.const 0 call $f))
                (core instance $k (instantiate $n (with \"\" (instance (export \"f\" (func $g))))))
                (func (export \"g\") (canon lift (core func $k \"g\"))))
            (instance $ia (instantiate $a))
            (instance $ib (instantiate $b (with \"f\" (func $ia \"f\"))))
            (export \"g\" (func $ib \"g\")))"
    ));
    let error = refused(&composed).await;
    assert!(error.contains("does not compile: ") && error.contains("composed of several"), "{error}");
}

#[tokio::test]
async fn other_worlds_are_explained() {
    let function = "(core module $m (func (export \"f\") (result i32) i32.const 0))
        (core instance $c (instantiate $m))
        (func $f (result u32) (canon lift (core func $c \"f\")))";
    for (text, expected) in [
        ("(component)".to_owned(), "it exports nothing"),
        (
            "(component (import \"wasi:keyvalue/store@0.2.0\" (instance)))".to_owned(),
            "it imports `wasi:keyvalue/store@0.2.0`, which a plugin does not get here",
        ),
        (
            "(component (import \"wasi:http/types@0.3.0\" (instance)))".to_owned(),
            "it imports `wasi:http/types@0.3.0`, this host offers `wasi:http/types@0.2.12`",
        ),
        (
            "(component (import \"acme-manager:dns/host@2.0.0\" (instance)))".to_owned(),
            "it imports `acme-manager:dns/host@2.0.0`, this host offers `acme-manager:dns/host@1.2.0`",
        ),
        (
            "(component (instance $i) (export \"acme-manager:dns/provider@2.0.0\" (instance $i)))".to_owned(),
            "it exports `acme-manager:dns/provider@2.0.0`, this host calls `acme-manager:dns/provider@1.2.0`",
        ),
        (
            "(component (instance $i) (export \"wasi:cli/run@0.2.0\" (instance $i)))".to_owned(),
            "only `wasi:cli/run@0.2.0`",
        ),
        (
            format!(
                "(component {function} (instance $p (export \"describe\" (func $f)) (export \"check\" (func $f)))
                 (export \"acme-manager:dns/provider@1.0.0\" (instance $p)))"
            ),
            "its function `describe` has another type",
        ),
        (
            format!(
                "(component {function} (instance $p (export \"describe\" (func $f)))
                 (export \"acme-manager:dns/provider@1.0.0\" (instance $p)))"
            ),
            "it does not export the function `cleanup`",
        ),
    ] {
        let error = refused(&wat(&text)).await;
        assert!(error.contains("does not fit the world") && error.contains(expected), "{error}");
    }
    // The name of the interface is right, what it wants of it does not exist.
    let error =
        refused(&wat("(component (import \"acme-manager:dns/host@1.9.0\" (instance (export \"dance\" (func)))))"))
            .await;
    assert!(error.contains("does not fit the world"), "{error}");
}

#[tokio::test]
async fn files_are_checked_before_they_are_compiled() {
    let dir = tempfile::tempdir().expect("a directory");
    let load = |path: std::path::PathBuf| async move {
        let origin = Origin::File { path, checksum: PluginDigest::of(b"") };
        ENGINE.load(PluginSettings::new("x", origin)).await.expect_err("not loaded")
    };
    assert!(matches!(load(dir.path().join("none.wasm")).await, LoadError::Missing { .. }));
    assert!(matches!(load(dir.path().to_owned()).await, LoadError::NotAFile { .. }));
    assert!(matches!(load("/dev/zero".into()).await, LoadError::NotAFile { .. }));
    let large = dir.path().join("large.wasm");
    std::fs::File::create(&large).and_then(|file| file.set_len((64 << 20) + 1)).expect("a sparse file");
    let error = load(large).await.to_string();
    assert!(error.contains("67108865 bytes, more than the 64 MiB"), "{error}");
    let actual = PluginDigest::of(&std::fs::read(component()).expect("readable"));
    let error = load(component()).await.to_string();
    assert!(error.contains(&format!("set `checksum: {actual}`")), "{error}");
}

#[tokio::test]
async fn bundled_plugins_are_checked_as_well() {
    let load = async |packed: Vec<u8>| {
        let origin = Origin::Bundled { packed: packed.leak(), digest: PluginDigest::of(b"it") };
        ENGINE.load(PluginSettings::new("cloudflare", origin)).await.expect_err("not loaded").to_string()
    };
    let mut packer = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::fast());
    packer.write_all(b"not it").expect("memory takes it");
    let packed = packer.finish().expect("memory takes it");
    let error = load(packed.clone()).await;
    assert!(error.starts_with("the bundled plugin `cloudflare` has another checksum"), "{error}");
    let error = load(packed[..packed.len() - 3].to_vec()).await;
    assert!(error.starts_with("the bundled plugin `cloudflare` is damaged"), "{error}");
}

#[tokio::test]
async fn a_plugin_that_cannot_describe_itself_is_not_loaded() {
    for (how, expected) in [("panic", "no idea what I am"), ("loop", "`common.plugins[].fuel`"), ("bad", "`Bad Name`")]
    {
        let mut settings = settings();
        settings.environment.insert("DESCRIBE".into(), how.into());
        settings.limits.fuel = 100_000_000;
        let error = ENGINE.load(settings).await.expect_err("not loaded");
        let source = std::error::Error::source(&error).expect("the call's error").to_string();
        assert!(source.contains(expected), "{how}: {source}");
    }
}

#[tokio::test]
async fn environment_keys_are_checked() {
    for (key, value, expected) in
        [("A=B", "x", "letters, digits"), ("", "x", "letters, digits"), ("A", "x\0y", "zero byte")]
    {
        let mut settings = settings();
        settings.environment.insert(key.into(), value.into());
        let error = ENGINE.load(settings).await.expect_err("not loaded").to_string();
        assert!(error.contains(expected), "{error}");
    }
}

#[tokio::test]
async fn inspection_needs_neither_environment_nor_grants() {
    let bytes = std::fs::read(component()).expect("readable");
    let found = ENGINE.inspect(bytes.clone()).await.expect("a component");
    assert_eq!((found.digest, found.size), (PluginDigest::of(&bytes), bytes.len() as u64));
    assert_eq!(found.difference, None);
    assert!(
        found.imports.iter().any(|name| name.starts_with("wasi:http/outgoing-handler@0.2.")),
        "{:?}",
        found.imports
    );
    assert!(found.exports.contains(&"acme-manager:dns/provider@1.2.0#present".to_owned()), "{:?}", found.exports);
    let description = found.description.expect("it was asked").expect("it answered");
    assert_eq!(description.environment[0].help, "the TOKEN, now None");
    assert!(found.notes.iter().any(|note| note.contains("empty file system")), "{:?}", found.notes);
    let found = ENGINE.inspect(wat("(component)")).await.expect("a component");
    assert!(found.difference.is_some_and(|text| text.contains("exports nothing")) && found.description.is_none());
    assert!(matches!(ENGINE.inspect(b"(module)".to_vec()).await, Err(LoadError::NotWasm { .. })));
}

#[tokio::test]
async fn the_compile_cache_is_used_and_guarded() {
    use std::os::unix::fs::PermissionsExt;
    let dir = tempfile::tempdir().expect("a directory");
    let cache = dir.path().join("cache");
    let mut engine_settings = EngineSettings { compile_cache: Some(cache.clone()), ..EngineSettings::default() };
    let first = Engine::new(engine_settings.clone()).expect("an engine");
    first.load(settings()).await.expect("loaded");
    assert_eq!(cache.metadata().expect("made").permissions().mode() & 0o777, 0o700);
    assert!(cache.read_dir().expect("readable").next().is_some(), "something was cached");
    Engine::new(engine_settings.clone()).expect("an engine").load(settings()).await.expect("loaded from the cache");
    std::fs::set_permissions(&cache, std::fs::Permissions::from_mode(0o777)).expect("ours");
    let error = Engine::new(engine_settings.clone()).expect_err("refused").to_string();
    assert!(error.contains("others can write to it (mode 777)"), "{error}");
    engine_settings.compile_cache = Some("relative".into());
    assert!(Engine::new(engine_settings).expect_err("refused").to_string().contains("not absolute"));
}

#[tokio::test]
async fn plugins_run_without_a_pool() {
    let engine =
        Engine::new(EngineSettings { max_instances: 1_000_000, ..EngineSettings::default() }).expect("an engine");
    assert!(!engine.is_pooled());
    let plugin = engine.load(settings()).await.expect("loaded");
    assert_eq!(crate::support::present(&plugin, "sleep 1").await.expect("an answer"), "rested");
}
