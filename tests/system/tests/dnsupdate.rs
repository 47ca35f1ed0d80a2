//! Dynamic updates by plugin, on name servers that have them from others than us: BIND and Knot.

use std::net::SocketAddr;

use acme_manager_api::CertificateParams;
use acme_manager_harness::{Api, Bind, Knot, Pebble, PebbleOptions, Server, ServerOptions, TsigKey, dns};
use anyhow::ensure;
use reqwest::Method;
use serde_json::Value;

const ZONE: &str = "update.test";

fn config(pebble: &Pebble) -> String {
    let (directory, roots) = (&pebble.directory_url, pebble.ca_root_file.display());
    format!(
        "common:\n  api_key_hash: '@API_KEY_HASH@'\n  cert_timeout: 60\nissuer:\n  pebble:\n    ca_dir_url: {directory}\n    \
         ca_root_file: {roots}\n    dns_challenge: dnsupdate\nstorage:\n  embedded:\n    path: '@DIR@/store.redb'\n"
    )
}

/// A server whose plugin updates the name server at `at` with `key`, and a CA that asks the same one.
async fn server(at: SocketAddr, key: &TsigKey, pebble: &Pebble) -> anyhow::Result<Server> {
    let options = ServerOptions::new(config(pebble))
        .env("DNSUPDATE_NAMESERVER", at.to_string())
        // The names that lego gave them before.
        .env("RFC2136_TSIG_KEY", &key.name)
        .env("RFC2136_TSIG_SECRET", &key.secret)
        .env("RFC2136_TSIG_ALGORITHM", format!("{}.", key.algorithm))
        .env("ACME_MANAGER_DNS_RESOLVERS", at.to_string())
        .env("ACME_MANAGER_DNS_PROPAGATIONDISABLEANS", "true");
    let mut server = Server::start(options).await?;
    server.wait_ready().await?;
    Ok(server)
}

fn order(provider: &str) -> CertificateParams {
    CertificateParams {
        domain: ZONE.to_owned(),
        // A second value at the same name, and a name below.
        san: format!("*.{ZONE},www.{ZONE}"),
        issuer: "pebble".to_owned(),
        dns_challenge: provider.to_owned(),
        ..CertificateParams::default()
    }
}

async fn refused(api: &Api, bearer: &str) -> anyhow::Result<(String, String)> {
    let request = api.request(Method::POST, "/api/v1/certificate").bearer_auth(bearer).json(&order("dnsupdate"));
    let body: Value = request.send().await?.json().await?;
    let text = |field: &str| body[field].as_str().unwrap_or_default().to_owned();
    Ok((text("code"), text("error")))
}

/// Two values at one name come and go, and only with the right key and in the right zone.
async fn updates(at: SocketAddr, key: &TsigKey) -> anyhow::Result<()> {
    let pebble = Pebble::start(PebbleOptions::new(at)).await?;
    let with_key = server(at, key, &pebble).await?;
    let (api, bearer) = (with_key.api(), with_key.api().bearer("web").await?);
    let certificate = api.create_certificate(&bearer, &order("dnsupdate")).await?;
    ensure!(!certificate.cert.is_empty(), "no certificate");
    for name in [ZONE.to_owned(), format!("www.{ZONE}")] {
        let left = dns::txt(at, &format!("_acme-challenge.{name}")).await?;
        ensure!(left.is_empty(), "{left:?} are left at {name}");
    }
    api.delete_certificate(&bearer, &format!("pebble/{ZONE}")).await?;
    // Configs of the existing system call it so.
    api.create_certificate(&bearer, &order("rfc2136")).await?;
    let elsewhere = CertificateParams { domain: "elsewhere.test".to_owned(), san: String::new(), ..order("dnsupdate") };
    ensure!(api.create_certificate(&bearer, &elsewhere).await.is_err(), "a name of no zone");
    ensure!(!with_key.process.log().contains(&key.secret), "the log shows the key");

    for (wrong, words) in [
        (TsigKey { secret: TsigKey::random("x").secret, ..key.clone() }, "does not take the key"),
        (TsigKey { name: "nobody".to_owned(), ..key.clone() }, "does not take the key nobody"),
    ] {
        let stranger = server(at, &wrong, &pebble).await?;
        let bearer = stranger.api().bearer("web").await?;
        let (code, error) = refused(&stranger.api(), &bearer).await?;
        ensure!(code == "plugin_refused" && error.contains(words), "{code}: {error}");
    }
    Ok(())
}

#[tokio::test]
async fn bind_takes_the_updates_of_whoever_has_the_key() -> anyhow::Result<()> {
    let key = TsigKey::random("acme");
    let bind = Bind::start(&[ZONE], Some(&key)).await?;
    updates(bind.dns, &key).await
}

#[tokio::test]
async fn knot_takes_the_updates_of_whoever_has_the_key() -> anyhow::Result<()> {
    let key = TsigKey { algorithm: "hmac-sha512".to_owned(), ..TsigKey::random("acme") };
    let knot = Knot::start(&[ZONE], &key).await?;
    updates(knot.dns, &key).await
}
