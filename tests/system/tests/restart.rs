//! What a crash, a signal or a failing store leaves behind: the same order is finished, and nothing stays in the DNS.

use std::{future::Future, time::Duration};

use acme_manager_api::{Certificate, CertificateParams};
use acme_manager_system_tests::installation::{ISSUER, Installation, PATIENCE, Plan, Propagation, ZONE, order, until};
use anyhow::{Context, ensure};
use tokio::time::Instant;

/// Long enough to interrupt an issuance while it waits for its TXT value.
const SLOWED: Propagation = Propagation::Wait(4);

/// Begins to order a certificate, kills the server as soon as `reached` says so, starts it again, and checks that
/// the one order was finished.
async fn kill_when<F>(with: &mut Installation, reached: impl Fn(String) -> F) -> anyhow::Result<()>
where
    F: Future<Output = anyhow::Result<bool>>,
{
    let request = with.begin(order(ZONE));
    let log = with.server.process.log().len();
    let end = Instant::now() + PATIENCE;
    while !reached(with.server.process.log()[log..].to_owned()).await? {
        ensure!(Instant::now() < end, "the moment to kill the server did not come\n{}", with.server.process.log());
        tokio::task::yield_now().await;
    }
    with.server.kill9()?;
    drop(request);
    with.server.restart().await?;
    finished_once(with).await.map(drop)
}

/// Waits for the certificate and checks that it took one order and one certificate of the CA.
async fn finished_once(with: &Installation) -> anyhow::Result<Certificate> {
    let stored = with.until_stored(&format!("{ISSUER}/{ZONE}")).await?;
    with.check(&stored, &[ZONE], &stored.key).await?;
    with.until_clean(ZONE).await?;
    ensure!(with.orders() == 1, "{} orders were placed", with.orders());
    ensure!(with.issued() == 1, "{} certificates were issued", with.issued());
    let list = with.server.api().metadata(&with.bearer).await?;
    ensure!(list.as_array().map(Vec::len) == Some(1), "not one certificate: {list}");
    Ok(stored)
}

fn order_urls(log: &str) -> Vec<String> {
    let lines = log.lines().filter(|line| line.contains("order placed") || line.contains("order taken up again"));
    let url = |line: &str| line.split_whitespace().find_map(|word| word.strip_prefix("order=").map(str::to_owned));
    lines.filter_map(url).map(|url| url.trim_matches('"').to_owned()).collect()
}

#[tokio::test]
async fn killed_after_the_order_was_written_down() -> anyhow::Result<()> {
    let mut with = Plan::vault().propagation(SLOWED).start().await?;
    let request = with.begin(order(ZONE));
    let noted = || async {
        let intent = with.intent(ZONE).await?;
        intent["order_url"].as_str().map(str::to_owned).context("no order yet")
    };
    let url = until(PATIENCE, noted).await?;
    with.server.kill9()?;
    drop(request);
    with.server.restart().await?;
    let stored = finished_once(&with).await?;
    let urls = order_urls(&with.server.process.log());
    ensure!(urls == [url.clone(), url], "other orders than the one that was written down: {urls:?}");
    ensure!(!stored.key.is_empty(), "the key that was made before the crash is lost");
    Ok(())
}

#[tokio::test]
async fn killed_while_the_txt_value_is_in_the_dns() -> anyhow::Result<()> {
    for plan in [Plan::vault(), Plan::embedded()] {
        let mut with = plan.propagation(SLOWED).start().await?;
        kill_when(&mut with, |log| async move { Ok(log.contains("TXT value placed")) }).await?;
        let urls = order_urls(&with.server.process.log());
        ensure!(urls.len() == 2 && urls[0] == urls[1], "not the same order: {urls:?}");
    }
    Ok(())
}

#[tokio::test]
async fn killed_while_the_account_is_being_made() -> anyhow::Result<()> {
    let mut with = Plan::vault().start().await?;
    // A CA that has stopped answers nothing: the server waits with its new key stored and not registered.
    with.pebble.process.signal("STOP")?;
    let request = with.begin(order(ZONE));
    let path = format!("certificates/.acme-manager/accounts/{ISSUER}");
    let key_of = || async {
        let found = with.bao()?.kv_get(&path).await?.context("no account yet")?;
        found["data"]["account_key"].as_str().map(str::to_owned).context("no key yet")
    };
    let key = until(PATIENCE, key_of).await?;
    with.server.kill9()?;
    drop(request);
    with.pebble.process.signal("CONT")?;
    with.server.restart().await?;
    finished_once(&with).await?;
    let account = with.bao()?.kv_get(&path).await?.context("the account is gone")?;
    let credentials = account["data"]["credentials"].as_str().context("no credentials")?;
    let credentials: serde_json::Value = serde_json::from_str(credentials)?;
    use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD, Engine};
    let registered = credentials["key_pkcs8"].as_str().context("no key in the credentials")?;
    let registered = BASE64_URL_SAFE_NO_PAD.decode(registered)?;
    ensure!(registered == BASE64_STANDARD.decode(key)?, "another key than the stored one was registered");
    Ok(())
}

#[tokio::test]
async fn killed_between_issuing_and_storing() -> anyhow::Result<()> {
    let mut with = Plan::vault().propagation(SLOWED).start().await?;
    let request = with.begin(order(ZONE));
    let placed = || async {
        let handle = with.intent(ZONE).await?["placements"][0]["handle"].clone();
        ensure!(!handle.is_null(), "nothing is placed yet");
        Ok(())
    };
    until(PATIENCE, placed).await?;
    // The store hears nothing from here on; the CA goes on.
    with.bao.as_mut().context("OpenBao")?.process.signal("STOP")?;
    let issued = || async {
        ensure!(with.issued() == 1, "the CA has not issued yet");
        Ok(())
    };
    until(PATIENCE, issued).await?;
    with.server.kill9()?;
    drop(request);
    with.bao.as_mut().context("OpenBao")?.process.signal("CONT")?;
    with.server.restart().await?;
    finished_once(&with).await.map(drop)
}

#[tokio::test]
async fn killed_when_the_certificate_is_stored() -> anyhow::Result<()> {
    let mut with = Plan::vault().start().await?;
    kill_when(&mut with, |log| async move { Ok(log.contains("certificate stored")) }).await
}

#[tokio::test]
async fn sigterm_ends_it_in_time_and_the_order_is_finished_later() -> anyhow::Result<()> {
    // Longer than the server waits for what is under way.
    let mut with = Plan::embedded().propagation(Propagation::Wait(36)).start().await?;
    let mut request = with.begin(order(ZONE));
    let placed = || async {
        ensure!(!with.txt(ZONE).await?.is_empty(), "nothing is placed yet");
        Ok(())
    };
    until(PATIENCE, placed).await?;
    let begun = Instant::now();
    with.server.process.signal("TERM")?;
    let status = with.server.process.wait(Duration::from_secs(60)).await?;
    let took = begun.elapsed();
    ensure!(took < Duration::from_secs(35), "it took {took:?} to end");
    ensure!(status.success(), "it ended with {status}");
    let answer = request.join_next().await.context("one request")??;
    ensure!(answer.is_err(), "a certificate before the value was waited for");
    with.server.restart().await?;
    with.server.wait_ready().await?;
    finished_once(&with).await.map(drop)
}

#[tokio::test]
async fn a_store_sealed_between_order_and_certificate() -> anyhow::Result<()> {
    let with = Plan::vault().propagation(SLOWED).start().await?;
    let mut request = with.begin(order(ZONE));
    let placed = || async {
        let handle = with.intent(ZONE).await?["placements"][0]["handle"].clone();
        ensure!(!handle.is_null(), "nothing is placed yet");
        Ok(())
    };
    until(PATIENCE, placed).await?;
    with.bao()?.seal().await?;
    let answer = request.join_next().await.context("one request")??;
    let error = format!("{:#}", answer.err().context("a certificate without a store")?);
    ensure!(error.contains("503"), "not a 503: {error}");
    // What is stored of it can still be seen, and no new order is begun.
    with.server.api().metadata(&with.bearer).await?;
    let refused = with.create(&order("other.example.test")).await;
    ensure!(refused.is_err() && with.orders() == 1, "an order without a store");
    with.bao()?.unseal().await?;
    finished_once(&with).await.map(drop)
}

#[tokio::test]
async fn a_store_that_pauses_is_only_slow() -> anyhow::Result<()> {
    let mut with = Plan::vault().start().await?;
    with.bao.as_mut().context("OpenBao")?.process.signal("STOP")?;
    let mut request = with.begin(order(ZONE));
    // The pause itself is what is tested.
    tokio::time::sleep(Duration::from_secs(4)).await;
    with.bao.as_mut().context("OpenBao")?.process.signal("CONT")?;
    let made = request.join_next().await.context("one request")???;
    with.check(&made, &[ZONE], &made.key).await?;
    finished_once(&with).await.map(drop)
}

#[tokio::test]
async fn certificates_and_tokens_outlive_the_process() -> anyhow::Result<()> {
    for plan in [Plan::vault(), Plan::embedded()] {
        let mut with = plan.start().await?;
        let made = with.create(&order(ZONE)).await?;
        with.until_clean(ZONE).await?;
        with.server.kill9()?;
        with.server.restart().await?;
        with.server.wait_ready().await?;
        let read = with.server.api().certificate(&with.bearer, &format!("{ISSUER}/{ZONE}")).await?;
        ensure!(read == made, "{read:?} is not {made:?}");
        let again = with.create(&order(ZONE)).await;
        ensure!(format!("{:#}", again.err().context("a second one")?).contains("409"));
        ensure!(with.orders() == 1, "{} orders", with.orders());
    }
    Ok(())
}

#[tokio::test]
async fn killed_when_a_replacing_certificate_is_stored() -> anyhow::Result<()> {
    let mut with = Plan::vault().start().await?;
    let old = with.create(&order(ZONE)).await?;
    let names = [ZONE, "a.example.test", "b.example.test"];
    let change = CertificateParams { san: names[1..].join(","), revoke: true, ..order(ZONE) };
    let (api, bearer) = (with.server.api(), with.bearer.clone());
    let mut request = tokio::task::JoinSet::new();
    request.spawn(async move { api.update_certificate(&bearer, &change).await });
    let stored = || async {
        let lines = with.server.process.log().matches("certificate stored").count();
        ensure!(lines == 2, "the second certificate is not stored yet");
        Ok(())
    };
    until(PATIENCE, stored).await?;
    with.server.kill9()?;
    drop(request);
    with.server.restart().await?;
    let new = with.until_stored(&format!("{ISSUER}/{ZONE}")).await?;
    with.check(&new, &names, &new.key).await?;
    let revoked = || async {
        let status = with.status(&old).await?;
        ensure!(status == "Revoked", "the replaced certificate is {status}");
        Ok(())
    };
    until(PATIENCE, revoked).await?;
    for name in names {
        with.until_clean(name).await?;
    }
    assert_eq!(with.status(&new).await?, "Valid");
    ensure!(with.issued() == 2, "{} certificates were issued", with.issued());
    Ok(())
}

#[tokio::test]
async fn values_that_could_not_be_removed_do_not_hold_up_the_next_request() -> anyhow::Result<()> {
    let mut with = Plan::vault().propagation(SLOWED).start().await?;
    let config = with.server.directory().join("config.yml");
    let good = std::fs::read_to_string(&config)?;
    let bad = "common:\n  plugins:\n    - name: pdns\n      env: { PDNS_API_KEY: not-the-key }\n";
    let mut request = with.begin(order(ZONE));
    let placed = || async {
        let handle = with.intent(ZONE).await?["placements"][0]["handle"].clone();
        ensure!(!handle.is_null(), "nothing is placed yet");
        Ok(())
    };
    until(PATIENCE, placed).await?;
    // From here on the value cannot be removed: the provider is refused.
    reload(&mut with, &config, &good.replacen("common:\n", bad, 1), 1).await?;
    request.join_next().await.context("one request")???;
    let parked = with.intent(ZONE).await?;
    ensure!(parked["phase"] == "cleanup", "nothing was left to remove: {parked}");
    ensure!(with.txt(ZONE).await?.len() == 1, "the value is gone");
    // The next change of the certificate is not held up by that, and takes the removal over.
    reload(&mut with, &config, &good, 2).await?;
    let change = CertificateParams { san: "www.example.test".to_owned(), ..order(ZONE) };
    let made = with.server.api().update_certificate(&with.bearer, &change).await?;
    with.check(&made, &[ZONE, "www.example.test"], &made.key).await?;
    with.until_clean(ZONE).await
}

/// Replaces the config of the running server and waits until its plugin has changed for the `count`th time.
async fn reload(with: &mut Installation, config: &std::path::Path, text: &str, count: usize) -> anyhow::Result<()> {
    std::fs::write(config, text)?;
    with.server.process.signal("HUP")?;
    let with = &*with;
    let changed = || async {
        let lines = with.server.process.log().matches("changed by the config").count();
        ensure!(lines >= count, "the config is not in force yet\n{}", with.server.process.log());
        Ok(())
    };
    until(PATIENCE, changed).await
}
