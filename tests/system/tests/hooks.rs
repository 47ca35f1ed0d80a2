//! Issuance hooks: nothing is ordered that they do not allow, whatever the reason.

use std::fs;
use std::path::Path;
use std::process::Command;

use acme_manager_system_tests::site::{Site, SiteOptions, params, plugin_component, server_binary};
use anyhow::{Context, ensure};
use reqwest::Method;
use sha2::{Digest, Sha256};

const SECRET: &str = "a-s3cret-of-the-hook";

/// A hook with this behaviour, after one that allows everything.
fn with_hook(behaviour: &str) -> anyhow::Result<SiteOptions> {
    let path = plugin_component("test/hook.wasm");
    let checksum = hex::encode(Sha256::digest(fs::read(&path)?));
    // A component that is a hook is asked whether the config calls it one or not.
    let entry = |name: &str, kind: &str, behaviour: &str| {
        format!(
            "    - name: {name}\n{kind}      path: {}\n      checksum: '{checksum}'\n      \
             timeout: 2\n      env: {{ BEHAVIOUR: {behaviour}, SECRET: {SECRET} }}\n",
            path.display()
        )
    };
    let common = format!(
        "  plugins:\n{}{}",
        entry("easy", "      kind: issuance-hook\n", "allow"),
        entry("policy", "", behaviour)
    );
    Ok(SiteOptions { common, ..SiteOptions::default() })
}

#[tokio::test]
async fn an_order_needs_the_consent_of_every_hook() -> anyhow::Result<()> {
    let mut site = Site::start(with_hook("refuse")?).await?;
    let order = params("www.site.test");
    let refused = site.order(&order).await?;
    let words = "the issuance hook policy does not allow it: not www.site.test at pebble by dns";
    refused.assert_refusal(500, "hook_refused", &[words]);
    site.until_logged(&["issuance failed", "not www.site.test at pebble by dns"]).await?;

    // Each behaviour is a change of the config, which the running server takes up.
    let cases = [
        ("tell", "hook_refused", "the secret is [redacted]"),
        ("fail", "hook_failed", "the policy server is away"),
        ("panic", "hook_failed", "a defect of the hook"),
        ("loop", "hook_failed", "common.plugins[].fuel"),
    ];
    for (at, (behaviour, code, words)) in cases.into_iter().enumerate() {
        site.reconfigure(&with_hook(behaviour)?)?;
        site.until_logged_times(at + 1, &["changed by the config", "policy"]).await?;
        site.order(&order).await?.assert_refusal(500, code, &[words]);
    }
    ensure!(site.orders() == 0, "the CA got an order that no hook allowed");
    site.assert_discreet(&[SECRET])?;

    site.reconfigure(&with_hook("allow")?)?;
    site.until_logged_times(cases.len() + 1, &["changed by the config", "policy"]).await?;
    site.assert_sound("www.site.test").await?;
    let list = site.api.plugins().await?;
    let policy = list.as_array().and_then(|all| all.iter().find(|one| one["name"] == "policy")).context("no policy")?;
    ensure!(policy["kind"] == "issuance-hook" && policy["state"] == "usable", "{policy}");
    ensure!(policy["operations"]["review"]["calls"].as_u64() >= Some(1), "{policy}");
    let series = site.api.request(Method::GET, "/metrics").send().await?.text().await?;
    ensure!(series.contains("operation=\"review\",plugin=\"policy\""), "{series}");
    Ok(())
}

#[tokio::test]
async fn a_hook_that_cannot_be_asked_allows_nothing() -> anyhow::Result<()> {
    // A program as the existing system ran them before its orders, and a hook whose file is gone.
    let program = "  plugins:\n    - { name: caa, path: /bin/sh, checksum: '0' }\n".to_owned();
    let mut site = Site::start(SiteOptions { common: program, ..SiteOptions::default() }).await?;
    site.until_logged(&["common.plugins[0].path", "is a program", "issuance-hook"]).await?;
    site.order(&params("a.site.test")).await?.assert_refusal(500, "hook_unusable", &["caa", "nothing is ordered"]);

    let gone = format!("path: /nowhere/hook.wasm, checksum: '{}'", "0".repeat(64));
    let common = format!("  plugins:\n    - {{ name: gone, kind: issuance-hook, {gone} }}\n");
    site.reconfigure(&SiteOptions { common, ..SiteOptions::default() })?;
    site.until_logged(&["removed by the config", "caa"]).await?;
    let words = ["gone", "there is no file /nowhere/hook.wasm"];
    site.order(&params("b.site.test")).await?.assert_refusal(500, "hook_unusable", &words);
    ensure!(site.orders() == 0, "the CA got an order that no hook allowed");

    site.reconfigure(&SiteOptions::default())?;
    site.until_logged(&["removed by the config", "gone"]).await?;
    site.assert_sound("b.site.test").await?;
    Ok(())
}

/// An entry that does not say that it is a policy, for a file that is one when it is there.
fn nameless(file: &Path, more: &str) -> anyhow::Result<SiteOptions> {
    let checksum = hex::encode(Sha256::digest(fs::read(plugin_component("test/hook.wasm"))?));
    let entry = format!("path: {}, checksum: '{checksum}', env: {{ BEHAVIOUR: refuse }}{more}", file.display());
    let common = format!("  plugins:\n    - {{ name: policy, {entry} }}\n");
    Ok(SiteOptions { common, ..SiteOptions::default() })
}

#[tokio::test]
async fn a_file_that_nobody_can_read_may_be_a_policy() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("policy.wasm");
    let hook = fs::read(plugin_component("test/hook.wasm"))?;
    let mut site = Site::start(nameless(&file, "")?).await?;
    let words = "nobody knows whether it is a policy; nothing is issued until the file is right or the entry says";
    site.until_logged(&["config.yml: common.plugins (policy)", "there is no such file", words]).await?;
    let order = params("a.site.test");
    site.order(&order).await?.assert_refusal(500, "hook_unusable", &["policy", "there is no such file", words]);
    for (bytes, reason) in [(&b"another file"[..], "it has another checksum"), (&hook[..9_000], "another checksum")] {
        fs::write(&file, bytes)?;
        site.server.process.signal("HUP")?;
        let told = ["the plugin cannot be used", "policy", reason];
        site.until_logged_times(if bytes.len() == 9_000 { 2 } else { 1 }, &told).await?;
        site.order(&order).await?.assert_refusal(500, "hook_unusable", &["policy", reason]);
    }

    // Put right, it is asked; gone again, the one that is loaded goes on, and so it does for other settings.
    fs::write(&file, &hook)?;
    site.server.process.signal("HUP")?;
    site.until_logged(&["plugin loaded", "policy"]).await?;
    site.order(&order).await?.assert_refusal(500, "hook_refused", &["policy"]);
    fs::remove_file(&file)?;
    site.server.process.signal("HUP")?;
    site.reconfigure(&nameless(&file, ", timeout: 7")?)?;
    site.until_logged(&["its new version cannot be used; the old one stays", "policy", "there is no file"]).await?;
    site.order(&order).await?.assert_refusal(500, "hook_refused", &["policy"]);
    ensure!(site.orders() == 0, "the CA got an order that no hook allowed");

    // The operator may say that it is none, but not of a file that is one.
    site.reconfigure(&nameless(&file, ", kind: dns-provider")?)?;
    site.until_logged_times(2, &["its new version cannot be used; the old one stays", "policy"])
        .await
        .err()
        .context("the refusal of the same file for the same reason was told twice")?;
    site.order(&order).await?.assert_refusal(500, "hook_refused", &["policy"]);
    site.reconfigure(&SiteOptions::default())?;
    site.until_logged(&["removed by the config", "policy"]).await?;
    site.reconfigure(&nameless(&file, ", kind: dns-provider")?)?;
    site.until_logged_times(4, &["changed by the config", "policy"]).await?;
    site.assert_sound("b.site.test").await?;
    fs::write(&file, &hook)?;
    site.server.process.signal("HUP")?;
    site.until_logged_times(5, &["changed by the config", "policy"]).await?;
    let words = ["policy", "says `kind: dns-provider`", "is an issuance hook"];
    site.order(&params("c.site.test")).await?.assert_refusal(500, "hook_unusable", &words);
    Ok(())
}

#[tokio::test]
async fn a_config_that_is_cut_off_does_not_end_a_policy() -> anyhow::Result<()> {
    let mut site = Site::start(with_hook("refuse")?).await?;
    let order = params("a.site.test");
    site.order(&order).await?.assert_refusal(500, "hook_refused", &["policy"]);
    // Nobody waits for a pipe in the file's place: the next change is seen again.
    let config = site.server.directory().join("config.yml");
    fs::remove_file(&config)?;
    ensure!(std::process::Command::new("mkfifo").arg(&config).status()?.success(), "no pipe");
    site.server.process.signal("HUP")?;
    site.until_logged(&["what was read before stays", "no regular file"]).await?;
    fs::remove_file(&config)?;
    let words = ["the changed config cannot be used; what was read before stays", "issuance hook easy", "cut off"];
    site.server.set_config("common:\n  plugins:\n    - name: pdns\n")?;
    site.server.process.signal("HUP")?;
    site.until_logged(&words).await?;
    site.order(&order).await?.assert_refusal(500, "hook_refused", &["policy"]);
    ensure!(site.orders() == 0, "the CA got an order that no hook allowed");
    // Whoever takes it out of a config that is whole means it.
    site.reconfigure(&SiteOptions::default())?;
    site.until_logged(&["this policy is no longer asked", "policy"]).await?;
    site.assert_sound("a.site.test").await?;

    // One whose file is exchanged goes on, and whoever asks is told that it could not be loaded again.
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("hook.wasm");
    fs::copy(plugin_component("test/hook.wasm"), &file)?;
    site.reconfigure(&nameless(&file, ", kind: issuance-hook")?)?;
    site.until_logged_times(2, &["plugin loaded", "policy"]).await?;
    fs::write(&file, "something else")?;
    site.server.process.signal("HUP")?;
    site.until_logged(&["common.plugins (policy)", "another checksum"]).await?;
    site.order(&params("b.site.test")).await?.assert_refusal(500, "hook_refused", &["policy"]);
    Ok(())
}

#[test]
fn a_check_of_the_config_says_the_same_and_can_be_strict() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let check = |plugins: &str, flag: &str| {
        let config = folder.path().join("config.yml");
        let store = folder.path().join("store").display().to_string();
        let hash = "a".repeat(64);
        let common = format!("common:\n  api_key_hash: '{hash}'\n  plugins: [{plugins}]\n");
        let issuer = "issuer: { le: { ca_dir_url: 'https://ca.test', contact: 'a@b.test', dns_challenge: pdns } }\n";
        fs::write(&config, format!("{common}{issuer}storage: {{ embedded: {{ path: {store} }} }}\n"))?;
        let told = Command::new(server_binary()).current_dir(folder.path()).arg(flag).output()?;
        let text = String::from_utf8_lossy(&[told.stdout, told.stderr].concat()).into_owned();
        anyhow::Ok((told.status.code(), text))
    };
    let hook = plugin_component("test/hook.wasm").display().to_string();
    let checksum = hex::encode(Sha256::digest(fs::read(&hook)?));
    let provider = plugin_component("test/misbehaving.wasm").display().to_string();
    let other = hex::encode(Sha256::digest(fs::read(&provider)?));
    let pipe = folder.path().join("pipe").display().to_string();
    ensure!(Command::new("mkfifo").arg(&pipe).status()?.success(), "no pipe");
    let entry =
        |path: &str, checksum: &str, more: &str| format!("{{ name: p, path: {path}, checksum: '{checksum}'{more} }}");
    let cases = [
        (entry("/nowhere/p.wasm", &checksum, ""), "nobody knows whether it is a policy"),
        (entry(&provider, &checksum, ""), "nobody knows whether it is a policy"),
        (entry(&pipe, &checksum, ""), "it is no regular file"),
        (entry(&provider, &checksum, ", kind: dns-provider"), "has another checksum"),
        (entry(&hook, &checksum, ", kind: dns-provider"), "is an issuance hook; nothing is issued"),
        (entry(&provider, &other, ", kind: issuance-hook"), "is a DNS provider; nothing is issued"),
        ("{ name: caaa }".to_owned(), "nobody knows whether a policy is meant"),
        ("{ name: caaa, kind: dns-provider }".to_owned(), "no bundled plugin has that name"),
        ("{ name: caa, kind: dns-provider }".to_owned(), "the bundled plugin caa is an issuance hook"),
    ];
    for (entry, words) in cases {
        for (flag, code) in [("-config-check", 0), ("-config-check-strict", 1)] {
            let (found, text) = check(&entry, flag)?;
            ensure!(found == Some(code) && text.contains(words), "{flag} {entry}: {found:?} {text}");
            ensure!(text.contains("is valid, with 1 warning"), "{flag} {entry}: {text}");
        }
    }
    for flag in ["-config-check", "-config-check-strict"] {
        let (code, text) = check(&entry(&hook, &checksum, ""), flag)?;
        ensure!(code == Some(0) && text.ends_with("is valid\n"), "{flag}: {code:?} {text}");
    }
    Ok(())
}

#[tokio::test]
async fn the_bundled_hook_demands_a_caa_record() -> anyhow::Result<()> {
    let mut site = Site::start(SiteOptions::default()).await?;
    let env = format!("CAA_RESOLVER: '{}', CAA_IDENTITIES: pebble.test", site.dns.dns);
    let common = format!("  plugins:\n    - {{ name: caa, env: {{ {env} }} }}\n");
    site.reconfigure(&SiteOptions { common, ..SiteOptions::default() })?;
    site.until_logged(&["plugin loaded", "caa", "bundled"]).await?;
    let order = params("www.site.test");
    // This name server knows nothing above its zone, and what cannot be looked up allows nothing.
    let words = "the CAA records of test cannot be looked up: Query Refused";
    site.order(&order).await?.assert_refusal(500, "hook_failed", &["caa", words]);
    for (value, words) in [("other.test", Some("of site.test allow other.test")), ("pebble.test", None)] {
        let record = serde_json::json!({ "rrsets": [{
            "name": "site.test.", "type": "CAA", "ttl": 1, "changetype": "REPLACE",
            "records": [{ "content": format!("0 issue \"{value}\""), "disabled": false }],
        }] });
        site.dns.call(Method::PATCH, "/zones/site.test.", Some(&record)).await?;
        // What was said before is kept for as long as the zone's negative answers may be.
        tokio::time::sleep(std::time::Duration::from_secs(3)).await;
        match words {
            Some(words) => site.order(&order).await?.assert_refusal(500, "hook_refused", &[words]),
            None => drop(site.assert_sound("www.site.test").await?),
        }
    }
    Ok(())
}
