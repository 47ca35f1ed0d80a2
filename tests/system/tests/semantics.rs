//! What creating, changing and deleting mean, also for many at once.

use std::collections::BTreeMap;

use acme_manager_api::CertificateParams;
use acme_manager_system_tests::installation::{ISSUER, Plan, ZONE, order};
use anyhow::{Context, ensure};
use reqwest::Method;
use tokio::task::JoinSet;

#[tokio::test]
async fn the_replaced_certificate_is_revoked_once_the_new_one_is_stored() -> anyhow::Result<()> {
    let with = Plan::vault().start().await?;
    let api = with.server.api();
    let key = format!("{ISSUER}/{ZONE}");
    let old = with.create(&order(ZONE)).await?;
    let change = CertificateParams { san: "www.example.test".to_owned(), revoke: true, ..order(ZONE) };

    // Nobody can prove this name: what is there must stay as it is.
    let foreign = CertificateParams { san: "www.elsewhere.test".to_owned(), ..change.clone() };
    let refused = api.update_certificate(&with.bearer, &foreign).await;
    ensure!(refused.is_err(), "a certificate for a foreign name");
    assert_eq!(with.status(&old).await?, "Valid");
    let read = api.certificate(&with.bearer, &key).await?;
    ensure!(read == old, "a failed change changed the certificate");

    // The failed attempt may still be cleaning up.
    with.until_clean(ZONE).await?;
    let new = api.update_certificate(&with.bearer, &change).await?;
    with.check(&new, &[ZONE, "www.example.test"], &new.key).await?;
    assert_eq!((with.status(&old).await?.as_str(), with.status(&new).await?.as_str()), ("Revoked", "Valid"));
    assert_ne!(new.key, old.key, "a key that is made by the server is new each time");
    let read = api.certificate(&with.bearer, &key).await?;
    ensure!(read == new, "another certificate is served than the answer said");

    // Without `revoke` the old one is left alone.
    let back = api.update_certificate(&with.bearer, &order(ZONE)).await?;
    assert_eq!((with.status(&new).await?.as_str(), with.status(&back).await?.as_str()), ("Valid", "Valid"));
    Ok(())
}

#[tokio::test]
async fn fifty_certificates_at_once() -> anyhow::Result<()> {
    const MANY: usize = 50;
    let with = Plan { request_budget_seconds: 280, ..Plan::vault() }.start().await?;
    let mut requests = JoinSet::new();
    for number in 0..MANY {
        let (api, bearer) = (with.server.api(), with.bearer.clone());
        let params = order(&format!("host-{number}.example.test"));
        requests.spawn(async move { api.create_certificate(&bearer, &params).await });
    }
    while let Some(answer) = requests.join_next().await {
        let made = answer??;
        with.check(&made, &[made.metadata.domain.as_str()], &made.key).await?;
    }
    let list = with.server.api().metadata(&with.bearer).await?;
    assert_eq!(list.as_array().map(Vec::len), Some(MANY));
    assert_eq!((with.orders(), with.issued()), (MANY, MANY));
    for number in 0..MANY {
        with.until_clean(&format!("host-{number}.example.test")).await?;
    }
    Ok(())
}

#[tokio::test]
async fn one_of_twenty_equal_requests_wins() -> anyhow::Result<()> {
    for plan in [Plan::vault(), Plan::embedded()] {
        let with = plan.start().await?;
        let mut requests = JoinSet::new();
        for _ in 0..20 {
            let request = with.server.api().request(Method::POST, "/api/v1/certificate");
            let request = request.bearer_auth(&with.bearer).json(&order(ZONE));
            requests.spawn(async move { request.send().await.map(|answer| answer.status().as_u16()) });
        }
        let mut counts = BTreeMap::<u16, usize>::new();
        while let Some(status) = requests.join_next().await {
            *counts.entry(status??).or_default() += 1;
        }
        assert_eq!(counts.get(&201), Some(&1), "{counts:?}");
        let others = counts.get(&409).unwrap_or(&0) + counts.get(&429).unwrap_or(&0);
        assert_eq!(others, 19, "{counts:?}");
        assert_eq!((with.orders(), with.issued()), (1, 1));
    }
    Ok(())
}

#[tokio::test]
async fn deleted_and_made_again() -> anyhow::Result<()> {
    for plan in [Plan::vault(), Plan::embedded()] {
        let mut with = plan.start().await?;
        let (api, key) = (with.server.api(), format!("{ISSUER}/{ZONE}"));
        let first = with.create(&order(ZONE)).await?;
        with.until_clean(ZONE).await?;
        api.delete_certificate(&with.bearer, &key).await?;
        let gone = api.certificate(&with.bearer, &key).await;
        let error = format!("{:#}", gone.err().context("it is still there")?);
        ensure!(error.contains("404"), "{error}");
        let second = with.create(&order(ZONE)).await?;
        assert_ne!(first.metadata.serial, second.metadata.serial);
        assert_eq!(with.status(&first).await?, "Valid", "nobody asked to revoke it");
        with.until_clean(ZONE).await?;
        with.server.restart().await?;
        with.server.wait_ready().await?;
        let read = api.certificate(&with.bearer, &key).await?;
        ensure!(read == second, "after a restart another certificate is served");
        api.delete_certificate(&with.bearer, &format!("{key}?revoke=true")).await?;
        assert_eq!(with.status(&second).await?, "Revoked");
        with.server.restart().await?;
        with.server.wait_ready().await?;
        ensure!(api.certificate(&with.bearer, &key).await.is_err(), "deleted, and back after a restart");
    }
    Ok(())
}

#[tokio::test]
async fn a_ca_that_lost_its_accounts_gets_a_new_one() -> anyhow::Result<()> {
    let mut with = Plan::vault().start().await?;
    with.create(&order(ZONE)).await?;
    // While the server runs, and with an account that it restores from the store.
    for restart in [false, true] {
        with.pebble.forget_everything().await?;
        if restart {
            with.server.restart().await?;
            with.server.wait_ready().await?;
        }
        let domain = if restart { format!("after.{ZONE}") } else { format!("during.{ZONE}") };
        let certificate = with.create(&order(&domain)).await?;
        with.check(&certificate, &[&domain], &certificate.key).await?;
        let log = with.server.process.log();
        ensure!(log.contains("it was registered anew"), "nothing tells of the lost account\n{log}");
    }
    Ok(())
}

#[tokio::test]
async fn the_figures_of_plugins_are_the_same_everywhere() -> anyhow::Result<()> {
    let with = Plan::embedded().start().await?;
    with.create(&order(ZONE)).await?;
    with.until_clean(ZONE).await?;
    let list = with.server.api().plugins().await?;
    let pdns = list.as_array().and_then(|all| all.iter().find(|one| one["name"] == "pdns")).context("no pdns")?;
    ensure!(pdns["state"] == "usable" && pdns["origin"] == "bundled", "{pdns}");
    let present = &pdns["operations"]["present"];
    ensure!(present["calls"] == 1 && present["errors"] == serde_json::json!({}), "{pdns}");
    for figure in ["fuel", "peak_memory_bytes", "host_calls", "requests", "sent_bytes", "received_bytes"] {
        ensure!(present[figure].as_u64().is_some_and(|value| value > 0), "{figure}: {pdns}");
    }
    let idle = list.as_array().and_then(|all| all.iter().find(|one| one["name"] == "route53")).context("no route53")?;
    ensure!(idle["state"] == "unloaded", "{idle}");
    let digest = pdns["digest"].as_str().context("no digest")?;
    let series = with.server.api().request(Method::GET, "/metrics").send().await?.text().await?;
    let fuel = format!("acme_manager_plugin_fuel_total{{operation=\"present\",plugin=\"pdns\"}} {}", present["fuel"]);
    ensure!(series.contains(&fuel), "{fuel}\n{series}");
    ensure!(series.contains(&format!("acme_manager_plugin_info{{digest=\"{digest}\",plugin=\"pdns\"")), "{series}");
    Ok(())
}
