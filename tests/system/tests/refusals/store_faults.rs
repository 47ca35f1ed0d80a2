//! Stores that are sealed, silent, gone, refuse, or are full.

use std::{fs, io::Write, path::Path, process::Command, time::Duration};

use acme_manager_harness::{AppRole, Bao, kv_policy};
use acme_manager_system_tests::site::{API_KEY, Answer, Site, SiteOptions, params};
use reqwest::Method;
use serde_json::json;
use tokio::time::{Instant, sleep};

const HOUR: Duration = Duration::from_secs(3600);

/// Longer than any recovery: the server looks every few seconds.
const RECOVERY: Duration = Duration::from_secs(40);

fn policy() -> String {
    kv_policy("certificates") + &kv_policy("tokens")
}

fn storage(bao: &Bao, role: &AppRole) -> SiteOptions {
    let (url, AppRole { role_id, secret_id }) = (&bao.address, role);
    let storage = format!(
        "  vault:\n    url: {url}\n    role_id: '{role_id}'\n    secret_id: '{secret_id}'\n    secret_engine: secret\n    \
         mount_path: approle\n    certificate_prefix: certificates\n    token_prefix: tokens\n    retry_max: 1\n    \
         retry_wait_max: 1\n"
    );
    SiteOptions { storage, ..SiteOptions::default() }
}

async fn new_token(site: &Site) -> Answer {
    let request = site.api.request(Method::POST, "/api/v1/token").header("X-API-Key", API_KEY);
    site.ask(request.json(&json!({"username": "other", "scope": ["read"]}))).await.unwrap()
}

/// Orders until one succeeds; every refusal before must be one of an absent store.
async fn recovers(site: &Site, name: &str) {
    let end = Instant::now() + RECOVERY;
    loop {
        let answer = site.order(&params(name)).await.unwrap();
        if answer.status == 201 {
            return;
        }
        assert!(answer.code == "store_unavailable" || answer.code == "certificate_busy", "{}", answer.body);
        assert!(Instant::now() < end, "no recovery: {}", answer.body);
        sleep(Duration::from_millis(200)).await;
    }
}

async fn refuses_changes_and_goes_on_reading(site: &Site, what: &str) {
    let told = if what == "sealed" { "the store is sealed" } else { "the store is not available" };
    let name = site.name();
    for answer in [site.order(&params(&name)).await.unwrap(), new_token(site).await] {
        eprintln!("{what}: {} {:?} {:?}", answer.body, answer.retry_after, answer.took);
        answer.assert_refusal(503, "store_unavailable", &[told]);
        assert_eq!(answer.retry_after, Some(30), "{what}");
        assert!(answer.took < Duration::from_secs(40), "{what}: {:?}", answer.took);
    }
    assert_eq!(site.known_domains().await.unwrap().len(), 1, "{what}: reads go on");
    let request = |path: &str| site.api.request(Method::GET, path).send();
    assert_eq!(request("/health").await.unwrap().status(), 200, "{what}");
    assert_eq!(request("/ready").await.unwrap().status(), 503, "{what}");
}

#[tokio::test]
async fn a_store_that_goes_away_stops_changes_until_it_comes_back() {
    let mut bao = Bao::start().await.unwrap();
    let role = bao.approle(&policy(), HOUR).await.unwrap();
    let site = Site::start(storage(&bao, &role)).await.unwrap();
    site.assert_sound(&site.name()).await.unwrap();
    bao.seal().await.unwrap();
    refuses_changes_and_goes_on_reading(&site, "sealed").await;
    bao.unseal().await.unwrap();
    recovers(&site, "unsealed.site.test").await;
    site.api.delete_certificate(&site.bearer, "pebble/unsealed.site.test").await.unwrap();
    bao.process.signal("STOP").unwrap();
    refuses_changes_and_goes_on_reading(&site, "stopped").await;
    bao.process.signal("CONT").unwrap();
    recovers(&site, "continued.site.test").await;
    site.api.delete_certificate(&site.bearer, "pebble/continued.site.test").await.unwrap();

    // A policy that was cut back is nothing that waiting mends.
    let cut = json!({"policy": "path \"secret/data/certificates/*\" { capabilities = [\"read\"] }"});
    bao.call(Method::PUT, "sys/policies/acl/acme-manager", Some(&cut)).await.unwrap();
    let name = site.name();
    let answer = site.order(&params(&name)).await.unwrap();
    answer.assert_refusal(500, "store_refused", &["log"]);
    let log = site.server.process.log();
    assert!(log.contains("refused write at") && log.contains("certificates/"), "{log}");
    bao.call(Method::PUT, "sys/policies/acl/acme-manager", Some(&json!({"policy": policy()}))).await.unwrap();
    site.assert_sound(&name).await.unwrap();
    let left = bao.kv_list("certificates/.acme-manager/intents").await.unwrap();
    assert!(left.is_empty(), "{left:?}");
    site.api.delete_certificate(&site.bearer, &format!("pebble/{name}")).await.unwrap();

    bao.process.kill().unwrap();
    refuses_changes_and_goes_on_reading(&site, "gone").await;
    assert!(site.txt_values().await.unwrap().is_empty());
    site.assert_discreet(&[&role.secret_id, &bao.root_token]).unwrap();
}

#[tokio::test]
async fn a_server_starts_without_its_store_and_finds_it_later() {
    let bao = Bao::start().await.unwrap();
    let role = bao.approle(&policy(), HOUR).await.unwrap();
    bao.seal().await.unwrap();
    let mut site = Site::start_unready(storage(&bao, &role)).await.unwrap();
    assert_eq!(site.api.request(Method::GET, "/health").send().await.unwrap().status(), 200);
    let ready = site.ask(site.api.request(Method::GET, "/ready")).await.unwrap();
    assert_eq!(ready.status, 503, "{}", ready.body);
    let answer = new_token(&site).await;
    answer.assert_refusal(503, "starting", &[]);
    assert!(answer.retry_after.is_some());
    bao.unseal().await.unwrap();
    site.log_in().await.unwrap();
    site.assert_sound(&site.name()).await.unwrap();
    site.assert_discreet(&[&role.secret_id, &bao.root_token]).unwrap();
}

#[tokio::test]
async fn credentials_and_rights_that_do_not_suffice_are_named_in_the_log() {
    let bao = Bao::start().await.unwrap();
    let good = bao.approle(&policy(), HOUR).await.unwrap();
    let wrong = AppRole { secret_id: "wr0ng-secret-id".to_owned(), ..good.clone() };
    let site = Site::start_unready(storage(&bao, &wrong)).await.unwrap();
    let ready = site.ask(site.api.request(Method::GET, "/ready")).await.unwrap();
    ready.assert_refusal(503, "starting", &[]);
    site.until_logged(&["refused log in at", "secret_id"]).await.unwrap();
    site.assert_discreet(&["wr0ng-secret-id", &good.secret_id]).unwrap();

    let small = bao.approle("path \"secret/data/tokens/*\" { capabilities = [\"read\"] }", HOUR).await.unwrap();
    let mut site = Site::start_unready(storage(&bao, &small)).await.unwrap();
    let ready = site.ask(site.api.request(Method::GET, "/ready")).await.unwrap();
    assert_eq!(ready.status, 503, "{}", ready.body);
    site.until_logged(&["refused list at", "must allow `list`"]).await.unwrap();
    bao.call(Method::PUT, "sys/policies/acl/acme-manager", Some(&json!({"policy": policy()}))).await.unwrap();
    site.log_in().await.unwrap();
    site.assert_sound(&site.name()).await.unwrap();
    site.assert_discreet(&[&small.secret_id]).unwrap();
}

/// A small file system of its own.
struct SmallDisk(tempfile::TempDir);

impl SmallDisk {
    fn mount() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", "size=6m", "tmpfs"]).arg(folder.path());
        assert!(mount.status().unwrap().success(), "this test mounts a file system: run it as root");
        Self(folder)
    }

    /// Fills it to the last byte.
    fn fill(&self) -> std::path::PathBuf {
        let path = self.0.path().join("filling");
        let mut file = fs::File::create(&path).unwrap();
        while file.write(&[0; 4096]).is_ok() {}
        path
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("--lazy").arg(self.0.path()).status();
    }
}

fn on_disk(path: &Path) -> SiteOptions {
    let path = path.display();
    let storage = format!("  embedded:\n    path: {path}/store.redb\n    key_file: {path}/store.key\n");
    SiteOptions { storage, ..SiteOptions::default() }
}

#[tokio::test]
async fn a_full_disk_loses_nothing() {
    let disk = SmallDisk::mount();
    let mut site = Site::start(on_disk(disk.0.path())).await.unwrap();
    let name = site.name();
    site.assert_sound(&name).await.unwrap();
    let filling = disk.fill();
    // The store has some room left in its own file.
    let end = Instant::now() + Duration::from_secs(60);
    let mut made = 0;
    let refused = loop {
        let answers = futures::future::join_all((0..32).map(|_| new_token(&site))).await;
        made += answers.iter().filter(|answer| answer.status == 201).count();
        if let Some(refused) = answers.into_iter().find(|answer| answer.status != 201) {
            break refused;
        }
        assert!(Instant::now() < end, "{made} tokens fit on a full disk");
    };
    refused.assert_refusal(503, "store_unavailable", &["the store is not available"]);
    let log = site.server.process.log();
    assert!(log.contains("free some space"), "{log}");
    assert_eq!(site.known_domains().await.unwrap(), std::slice::from_ref(&name));
    fs::remove_file(filling).unwrap();
    recovers(&site, &site.name()).await;
    site.server.kill9().unwrap();
    site.server.restart().await.unwrap();
    site.server.wait_ready().await.unwrap();
    assert_eq!(site.known_domains().await.unwrap().len(), 2);
    site.assert_discreet(&[]).unwrap();
}
