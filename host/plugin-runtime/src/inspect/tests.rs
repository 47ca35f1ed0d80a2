use std::path::Path;

use super::*;
use crate::engine::EngineSettings;

fn component(name: &str) -> Vec<u8> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/plugins").join(name);
    std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}: run `cargo xtask plugins`", path.display()))
}

async fn inspect(bytes: Vec<u8>) -> Result<Inspection, LoadError> {
    Engine::new(EngineSettings::default()).expect("an engine").inspect(bytes).await
}

fn wat(text: &str) -> Vec<u8> {
    wat::parse_str(text).expect("it is WebAssembly")
}

/// A custom section of the given fields, each a role with names and versions.
fn producers(fields: &[(&str, &[(&str, &str)])]) -> String {
    let text = |text: &str| {
        let bytes: String = text.bytes().map(|byte| format!("\\{byte:02x}")).collect();
        assert!(text.len() < 128, "a length is one byte here");
        format!("\\{:02x}{bytes}", text.len())
    };
    let mut section = format!("\\{:02x}", fields.len());
    for (role, values) in fields {
        section += &format!("{}\\{:02x}", text(role), values.len());
        for (name, version) in *values {
            section += &(text(name) + &text(version));
        }
    }
    format!("(@custom \"producers\" \"{section}\")")
}

fn told(inspection: &Inspection) -> Vec<String> {
    let line = |Producer { role, name, version }: &Producer| format!("{role} {name} {version}");
    inspection.producers.iter().map(line).collect()
}

#[tokio::test]
async fn what_built_plugins_are_is_told() {
    for (name, world, notes) in [
        ("digitalocean.wasm", World::DnsProvider, &["`allowed_hosts`"][..]),
        ("caa.wasm", World::IssuanceHook, &["`allowed_dns_servers`"]),
        (
            "test/misbehaving.wasm",
            World::DnsProvider,
            &["`allowed_hosts`", "`allowed_dns_servers`", "empty file system"],
        ),
    ] {
        let bytes = component(name);
        let found = inspect(bytes.clone()).await.expect(name);
        assert_eq!((found.digest, found.size), (PluginDigest::of(&bytes), bytes.len() as u64), "{name}");
        assert_eq!((found.world, &found.difference), (world, &None), "{name}");
        assert_eq!(found.description.is_some(), world == World::DnsProvider, "{name}");
        assert_eq!(found.hook.is_some(), world == World::IssuanceHook, "{name}");
        for note in notes {
            assert!(found.notes.iter().any(|one| one.contains(note)), "{name}: {note}: {:?}", found.notes);
        }
        let made = told(&found);
        assert!(made.iter().any(|one| one.starts_with("processed-by wit-component 0.")), "{name}: {made:?}");
    }
}

#[tokio::test]
async fn producers_of_a_component_and_of_the_modules_in_it_are_told_once() {
    let inner = producers(&[("language", &[("Rust", "")]), ("processed-by", &[("rustc", "1.95.0"), ("b", "1")])]);
    let outer = producers(&[("processed-by", &[("b", "1")]), ("sdk", &[("an-sdk", "2.0")])]);
    let found = inspect(wat(&format!("(component (core module {inner}) {outer})"))).await.expect("a component");
    assert_eq!(told(&found), ["language Rust ", "processed-by b 1", "processed-by rustc 1.95.0", "sdk an-sdk 2.0"]);
    assert!(found.difference.is_some(), "it is told of one that does not fit as well");
}

#[tokio::test]
async fn producers_are_bounded_and_nonsense_is_left_out() {
    let names: Vec<String> = (0..100).map(|number| format!("tool {number}")).collect();
    let many: Vec<(&str, &str)> = names.iter().map(|name| (name.as_str(), "1")).collect();
    let text = producers(&[("processed-by", &many)]);
    let found = inspect(wat(&format!("(component {text})"))).await.expect("a component");
    assert_eq!(found.producers.len(), 64);

    let unknown = producers(&[("sdk", &[("a", "1")]), ("author", &[("b", "2")])]);
    let found = inspect(wat(&format!("(component {unknown})"))).await.expect("a component");
    assert_eq!(told(&found), ["sdk a 1"]);
    for nonsense in ["\\ff", "", "\\01\\03sdk\\ff\\ff\\ff\\ff\\0f"] {
        let text = format!("(component (@custom \"producers\" \"{nonsense}\"))");
        let found = inspect(wat(&text)).await.expect("a component");
        assert_eq!(told(&found), [""; 0], "{nonsense}");
    }
}

#[tokio::test]
async fn what_imports_get_is_told() {
    let found = inspect(wat("(component)")).await.expect("a component");
    assert_eq!(found.notes, ["it imports nothing that reaches outside"]);
    let text =
        "(component (import \"wasi:sockets/tcp@0.2.0\" (instance)) (import \"wasi:keyvalue/store@0.2.0\" (instance)))";
    let found = inspect(wat(text)).await.expect("a component");
    assert!(found.notes[0].contains("wasi:sockets, which is never granted"), "{:?}", found.notes);
    let difference = found.difference.expect("it does not fit");
    assert!(difference.contains("`wasi:keyvalue/store@0.2.0`, which a plugin does not get here"), "{difference}");
}

#[tokio::test]
async fn what_is_no_component_is_no_finding() {
    let whole = component("digitalocean.wasm");
    for (bytes, expected) in [
        (wat("(module)"), "is a core WebAssembly module"),
        (whole[..whole.len() / 2].to_vec(), "does not compile"),
        (b"text".to_vec(), "it is text"),
        (Vec::new(), "it is empty"),
    ] {
        let error = inspect(bytes).await.expect_err(expected).to_string();
        assert!(error.contains(expected), "{expected}: {error}");
    }
}
