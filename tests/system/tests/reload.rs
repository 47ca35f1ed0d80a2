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
    let (changing, is_wrong) = status(&site, "changing").await?;
    let told = changing["refused_update"].as_str().unwrap_or_default();
    ensure!(changing["state"] == "usable" && told.contains("has another checksum") && is_wrong, "{changing}");
    // What the plugin itself finds, it says once it is loaded.
    ensure!(changing["check"].as_str().is_some_and(|said| said.contains("TOKEN is missing")), "{changing}");
    site.until_logged(&["own check failed", "changing", "TOKEN is missing"]).await?;
    site.reconfigure(&with_plugins(&[("changing", "v2", None), ("added", "v1", None)])?)?;
    until_in_force(&site, "changing").await?;
    site.reconfigure(&with_plugins(&[("changing", "v3", Some("0000")), ("added", "v1", None)])?)?;
    site.until_logged_times(2, &["its new version cannot be used; the old one stays", "changing"]).await?;
    ensure!(status(&site, "changing").await?.1, "acme_manager_config_error is not 1");
    // Neither does a config that cannot be read.
    site.server.set_config("common: [")?;
    site.server.process.signal("HUP")?;
    site.until_logged(&["the changed config cannot be used; what was read before stays"]).await?;
    site.order(&by("changing", "h.site.test")).await?.assert_refusal(500, "plugin_refused", &["`v2` is no behaviour"]);
    site.assert_sound("i.site.test").await?;
    Ok(())
}

/// What the API says of a plugin, and whether the metrics say that the config is not in force.
async fn status(site: &Site, plugin: &str) -> anyhow::Result<(serde_json::Value, bool)> {
    let list = site.api.plugins().await?;
    let found = list.as_array().and_then(|all| all.iter().find(|one| one["name"] == plugin)).cloned();
    let series = site.api.request(reqwest::Method::GET, "/metrics").send().await?.text().await?;
    Ok((found.with_context(|| format!("no {plugin}"))?, series.contains("\nacme_manager_config_error 1\n")))
}

async fn until_in_force(site: &Site, plugin: &str) -> anyhow::Result<()> {
    let end = tokio::time::Instant::now() + Duration::from_secs(30);
    loop {
        let (found, is_wrong) = status(site, plugin).await?;
        if found["refused_update"].is_null() && !is_wrong {
            return Ok(());
        }
        ensure!(tokio::time::Instant::now() < end, "{found}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

#[tokio::test]
async fn what_needs_a_restart_is_said_once() -> anyhow::Result<()> {
    let mut site = Site::start(SiteOptions::default()).await?;
    let issuers = "  other:\n    ca_dir_url: https://127.0.0.1:9/dir\n".to_owned();
    let changed = SiteOptions { cert_timeout: 61, issuers, ..SiteOptions::default() };
    site.reconfigure(&changed)?;
    let words = ["takes effect at its next start", "common.cert_timeout, issuer.other"];
    site.until_logged(&words).await?;
    // Read again, and seen to have been read, by a plugin that comes with it.
    site.reconfigure(&SiteOptions { common: "  plugins: [{ name: caa }]\n".to_owned(), ..changed })?;
    site.until_logged(&["changed by the config", "caa"]).await?;
    site.reconfigure(&SiteOptions::default())?;
    site.until_logged(&["removed by the config", "caa"]).await?;
    let log = site.server.process.log();
    ensure!(log.matches("takes effect at its next start").count() == 1, "{log}");
    Ok(())
}

#[tokio::test]
async fn variables_that_reach_nobody_are_named() -> anyhow::Result<()> {
    let common = "  plugins:\n    - { name: pdns, env: { PDNS_API_KEYS: a-secret-value } }\n".to_owned();
    let env = vec![("PDNS_TTLS".to_owned(), "another-secret-value".to_owned())];
    let site = Site::start(SiteOptions { common, env, ..SiteOptions::default() }).await?;
    site.until_logged(&["pdns", "`env` sets what this plugin does not read", "PDNS_API_KEYS"]).await?;
    site.until_logged(&["pdns", "set, but not read by this plugin", "PDNS_TTLS"]).await?;
    site.assert_discreet(&["a-secret-value", "another-secret-value"])?;
    Ok(())
}
