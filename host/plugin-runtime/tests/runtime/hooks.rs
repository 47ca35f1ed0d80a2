//! The other world: issuance hooks, on `tests/plugins/hook`.

use std::{path::PathBuf, time::Duration};

use acme_manager_plugin_runtime::{
    CallError, ChallengeKind, ErrorKind, Hook, LoadError, Origin, Outcome, PluginDigest, PluginSettings, ProposedOrder,
    World,
};

use crate::support::{self, ENGINE, Reports};

const SECRET: &str = "a-s3cret-of-the-hook";

fn settings(behaviour: &str) -> PluginSettings {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../target/plugins/test/hook.wasm");
    let bytes = std::fs::read(&path).unwrap_or_else(|_| panic!("{} is missing: `cargo xtask plugins`", path.display()));
    let mut settings = PluginSettings::new("policy", Origin::File { path, checksum: PluginDigest::of(&bytes) });
    settings.environment.insert("BEHAVIOUR".into(), behaviour.into());
    settings.environment.insert("SECRET".into(), SECRET.into());
    settings
}

async fn hook(behaviour: &str) -> Hook {
    ENGINE.load_hook(settings(behaviour)).await.expect("the hook loads")
}

fn order() -> ProposedOrder {
    let domains = vec!["example.com".to_owned(), "*.example.com".to_owned()];
    ProposedOrder { domains, issuer: "letsencrypt".into(), challenge: ChallengeKind::Dns }
}

#[tokio::test]
async fn a_hook_says_what_it_is() {
    let hook = hook("allow").await;
    let description = hook.description();
    assert_eq!((hook.name(), description.name.as_str()), ("policy", "scripted"));
    assert_eq!(description.hosts, ["policy.example.com"]);
    let keys: Vec<_> = description.environment.iter().map(|key| (key.name.as_str(), key.secret)).collect();
    assert_eq!(keys, [("BEHAVIOUR", false), ("SECRET", true)]);
}

#[tokio::test]
async fn it_allows_and_refuses_in_its_own_words() {
    hook("allow").await.review(&order()).await.expect("allowed");
    let refused = hook("refuse").await.review(&order()).await.expect_err("refused");
    let CallError::Refused { kind: ErrorKind::Rejected, message, .. } = &refused else { panic!("{refused:?}") };
    assert_eq!(message, "not example.com *.example.com at letsencrypt by dns");
    let failed = hook("fail").await.review(&order()).await.expect_err("failed");
    assert!(matches!(&failed, CallError::Refused { kind: ErrorKind::Unavailable, .. }), "{failed:?}");
    assert!(failed.retryable() && !refused.retryable());
}

#[tokio::test]
async fn its_secrets_stay_its_own() {
    let told = hook("tell").await.review(&order()).await.expect_err("refused").to_string();
    assert!(!told.contains(SECRET) && told.contains("the secret is"), "{told}");
}

#[tokio::test]
async fn limits_hold_for_it_as_for_providers() {
    let reports = Reports::default();
    let mut settings = settings("loop");
    settings.limits.fuel = 1_000_000;
    reports.observe(&mut settings);
    let hook = ENGINE.load_hook(settings.clone()).await.expect("it loads");
    let stopped = hook.review(&order()).await.expect_err("an endless loop");
    assert!(matches!(stopped, CallError::OutOfFuel { .. }), "{stopped:?}");
    let report = reports.last();
    assert_eq!((report.function.as_str(), report.outcome), ("review", Outcome::Limit));
    settings.limits.fuel = u64::MAX;
    settings.limits.timeout = Duration::from_millis(200);
    let hook = ENGINE.load_hook(settings).await.expect("it loads");
    let stopped = hook.review(&order()).await.expect_err("an endless loop");
    assert!(matches!(stopped, CallError::Timeout { .. }), "{stopped:?}");
}

#[tokio::test]
async fn one_that_breaks_does_not_allow() {
    let broken = hook("panic").await.review(&order()).await.expect_err("a panic");
    assert!(
        matches!(&broken, CallError::Panicked { detail, .. } if detail.contains("a defect of the hook")),
        "{broken}"
    );
}

#[tokio::test]
async fn a_component_of_the_other_world_is_named() {
    let wrong = ENGINE.load(settings("allow")).await.expect_err("a hook is no provider");
    assert!(matches!(wrong, LoadError::OtherKind { found: World::IssuanceHook, .. }), "{wrong:?}");
    assert!(wrong.to_string().contains("set `kind: issuance-hook`"), "{wrong}");
    let wrong = ENGINE.load_hook(support::settings()).await.expect_err("a provider is no hook");
    assert!(wrong.to_string().contains("set `kind: dns-provider`"), "{wrong}");
}

#[tokio::test]
async fn an_inspection_shows_it() {
    let Origin::File { path, .. } = settings("allow").origin else { panic!("a file") };
    let found = ENGINE.inspect(std::fs::read(path).expect("readable")).await.expect("a component");
    assert_eq!((found.world, found.difference), (World::IssuanceHook, None));
    assert!(found.description.is_none());
    assert_eq!(found.hook.expect("a hook").expect("it describes itself").name, "scripted");
}
