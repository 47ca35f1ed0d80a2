//! Plugins come, change and go while the server runs and calls are under way.

use std::fs;
use std::time::Duration;

use acme_manager_api::CertificateParams;
use acme_manager_system_tests::site::{Site, SiteOptions, params, plugin_component};
use anyhow::{Context, ensure};
use sha2::{Digest, Sha256};

/// Entries of the misbehaving component: name, behaviour, and what its checksum ends with if not as it should.
fn with_plugins(entries: &[(&str, &str, Option<&str>)]) -> anyhow::Result<SiteOptions> {
    let path = plugin_component("test/misbehaving.wasm");
    let checksum = hex::encode(Sha256::digest(fs::read(&path)?));
    let mut common = String::from("  plugins:\n    - { name: pdns, dns_rate_limit: 1000 }\n");
    for (name, behaviour, wrong) in entries {
        let tail = wrong.unwrap_or(&checksum[60..]);
        common.push_str(&format!(
            "    - name: {name}\n      path: {}\n      checksum: '{}{tail}'\n      env: {{ MISBEHAVE: {behaviour} }}\n",
            path.display(),
            &checksum[..60],
        ));
    }
    Ok(SiteOptions { common, ..SiteOptions::default() })
}

fn by(provider: &str, name: &str) -> CertificateParams {
    CertificateParams { dns_challenge: provider.to_owned(), ..params(name) }
}

#[tokio::test]
async fn plugins_come_change_and_go_while_calls_run() -> anyhow::Result<()> {
    let mut site = Site::start(with_plugins(&[("changing", "v1", None), ("slow", "sleep 4000", None)])?).await?;
    site.order(&by("changing", "a.site.test")).await?.assert_refusal(500, "plugin_refused", &["`v1` is no behaviour"]);
    site.order(&by("added", "b.site.test")).await?.assert_refusal(400, "unknown_dns_provider", &["added"]);

    // A call is under way when its plugin is replaced; it finishes as it began, and only then the CA finds no value.
    let request = site.api.request(reqwest::Method::POST, "/api/v1/certificate").bearer_auth(&site.bearer);
    let mut tasks = tokio::task::JoinSet::new();
    let request = request.json(&by("slow", "c.site.test"));
    tasks.spawn(async move { request.send().await?.text().await });
    site.until_logged(&["plugin loaded", "slow"]).await?;
    tokio::time::sleep(Duration::from_secs(1)).await;
    site.reconfigure(&with_plugins(&[("changing", "v2", None), ("slow", "v2", None), ("added", "v1", None)])?)?;
    site.until_logged(&["changed by the config", "slow"]).await?;
    site.order(&by("slow", "d.site.test")).await?.assert_refusal(500, "plugin_refused", &["`v2` is no behaviour"]);
    site.order(&by("changing", "e.site.test")).await?.assert_refusal(500, "plugin_refused", &["`v2` is no behaviour"]);
    site.order(&by("added", "f.site.test")).await?.assert_refusal(500, "plugin_refused", &["`v1` is no behaviour"]);
    let answer = tasks.join_next().await.context("the slow call")???;
    ensure!(answer.contains("ca_validation_failed"), "the old call did not finish on the old plugin: {answer}");

    // What is removed is gone.
    site.reconfigure(&with_plugins(&[("changing", "v2", None), ("added", "v1", None)])?)?;
    site.until_logged(&["removed by the config", "slow"]).await?;
    site.order(&by("slow", "d.site.test")).await?.assert_refusal(400, "unknown_dns_provider", &["slow"]);

    // A version that cannot be loaded does not take the place of one that works.
    site.reconfigure(&with_plugins(&[("changing", "v3", Some("0000")), ("added", "v1", None)])?)?;
    site.until_logged(&["its new version cannot be used; the old one stays", "changing"]).await?;
    site.order(&by("changing", "g.site.test")).await?.assert_refusal(500, "plugin_refused", &["`v2` is no behaviour"]);
    // Neither does a config that cannot be read.
    site.server.set_config("common: [")?;
    site.server.process.signal("HUP")?;
    site.until_logged(&["the changed config cannot be used; what was read before stays"]).await?;
    site.order(&by("changing", "h.site.test")).await?.assert_refusal(500, "plugin_refused", &["`v2` is no behaviour"]);
    site.assert_sound("i.site.test").await?;
    Ok(())
}
