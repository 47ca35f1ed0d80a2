//! What was built against earlier versions of the contract goes on working: `tests/built-for-1.0` and `-1.1`.

use std::path::PathBuf;

use acme_manager_plugin_runtime::{ChallengeKind, Origin, PluginDigest, PluginSettings, ProposedOrder, World};

use crate::dns::{Temper, name_server};
use crate::server::Server;
use crate::support::{ENGINE, TOKEN, present, record};

/// A file of `tests/built-for-…`.
fn fixture(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(format!("../../tests/built-for-{name}"))
}

fn settings(name: &str) -> PluginSettings {
    let path = fixture(name);
    let checksum = PluginDigest::of(&std::fs::read(&path).expect("a file of the repository"));
    PluginSettings::new("old", Origin::File { path, checksum })
}

#[tokio::test]
async fn a_provider_of_1_0_does_everything_it_did() {
    let server = Server::start(None).await;
    let mut settings = settings("1.0/provider.wasm");
    settings.environment.insert("TOKEN".into(), TOKEN.into());
    settings.grants.hosts = vec![format!("http://{}", server.address).parse().expect("a grant")];
    let plugin = ENGINE.load(settings).await.expect("it loads");
    assert_eq!(plugin.description().name, "misbehaving");
    assert!(!plugin.exchanges_dns());
    plugin.check().await.expect("its environment is complete");
    assert_eq!(present(&plugin, "ok").await.expect("a handle"), "_acme-challenge.example.com in example.com");
    present(&plugin, &format!("get http://{}/", server.address)).await.expect("HTTP");
    let left: u64 = present(&plugin, "remaining").await.expect("the host's functions").parse().expect("a number");
    assert!(left > 0);
    plugin.cleanup(&record("ok"), "handle").await.expect("nothing to remove");
    assert!(plugin.ready(&record("ok"), "live").await.expect("an answer"));
    let refused = present(&plugin, "refuse").await.expect_err("an error of its own");
    assert_eq!(refused.class(), "rate-limited");
}

#[tokio::test]
async fn a_provider_of_1_1_sends_dns_messages() {
    let server = name_server(Temper::Answers).await;
    let mut settings = settings("1.1/provider.wasm");
    settings.grants.dns_servers = vec![server.address.to_string().parse().expect("a grant")];
    let plugin = ENGINE.load(settings).await.expect("it loads");
    assert!(plugin.exchanges_dns());
    let answer = present(&plugin, &format!("dns udp {}", server.address)).await.expect("an answer");
    assert!(answer.ends_with("id ac3e"), "{answer}");
}

#[tokio::test]
async fn a_hook_of_1_0_is_asked_as_before() {
    let mut settings = settings("1.0/hook.wasm");
    settings.environment.insert("BEHAVIOUR".into(), "refuse".into());
    let hook = ENGINE.load_hook(settings).await.expect("it loads");
    let order =
        ProposedOrder { domains: vec!["a.example".into()], issuer: "le".into(), challenge: ChallengeKind::Http };
    let refused = hook.review(&order).await.expect_err("it refuses");
    assert!(refused.to_string().contains("not a.example at le by http"), "{refused}");
}

/// Such as one that is built against a later minor version and imports nothing that came with it.
#[tokio::test]
async fn a_provider_of_1_9_runs_as_long_as_it_asks_for_nothing_new() {
    let mut bytes = std::fs::read(crate::support::component()).expect("a component");
    let (mut at, mut changed) = (0, 0);
    while let Some(found) = bytes[at..].windows(6).position(|window| window == b"@1.2.0") {
        bytes[at + found + 3] = b'9';
        at += found + 6;
        changed += 1;
    }
    assert!(changed > 3, "the contract's version is in it");
    let origin = Origin::Bytes { from: "1.9".into(), checksum: PluginDigest::of(&bytes), bytes: bytes.into() };
    let plugin = ENGINE.load(PluginSettings::new("later", origin)).await.expect("it loads");
    assert_eq!(present(&plugin, "ok").await.expect("a handle"), "_acme-challenge.example.com in example.com");
}

/// Nobody builds them again.
#[test]
fn they_are_what_was_built_then() {
    for (name, digest) in [
        ("1.0/provider.wasm", "1313e7997df43fa685dac783539ac09b2c3586867ed32f686e63cd5ba79a9837"),
        ("1.0/hook.wasm", "599fc5376872054293d3153d58d13c28801e145a6f037788e7af678635233a44"),
        ("1.1/provider.wasm", "104e8ce3fbdb4542df140dedef8a0ddf09099ce3eb5aa68b1bf4d0dde24ed76b"),
    ] {
        let bytes = std::fs::read(fixture(name)).expect("a file of the repository");
        assert_eq!(PluginDigest::of(&bytes).to_string(), digest, "{name}");
        let version = format!("acme-manager:dns/types@{}.0", &name[..3]);
        assert!(bytes.windows(version.len()).any(|window| window == version.as_bytes()), "{name}: {version}");
    }
}

#[tokio::test]
async fn an_inspection_finds_no_fault_with_them() {
    for (name, world) in [
        ("1.0/provider.wasm", World::DnsProvider),
        ("1.0/hook.wasm", World::IssuanceHook),
        ("1.1/provider.wasm", World::DnsProvider),
    ] {
        let found = ENGINE.inspect(std::fs::read(fixture(name)).expect("a file")).await.expect("a component");
        assert_eq!((found.world, found.difference), (world, None), "{name}");
    }
}
