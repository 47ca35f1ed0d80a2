//! A running installation of the existing Go system is taken over: its secrets, its account keys, its CA contracts.

use std::{fs, path::Path, process::Command};

use acme_manager_api::{Certificate, CertificateParams};
use acme_manager_harness::{
    Bao, ExternalAccount, Pebble, PebbleOptions, PowerDns, Server, ServerOptions,
    certs::{self, Request},
};
use acme_manager_system_tests::installation::{
    ISSUER, OWNER, ZONE, check, config_yaml, embedded_yaml, issuer_yaml, order, pdns_variables, vault, vault_yaml,
};
use anyhow::{Context, ensure};
use base64::prelude::{BASE64_STANDARD, Engine};
use instant_acme::{Account, AuthorizationStatus, ChallengeType, Identifier, Key, NewOrder, RetryPolicy};
use rustls_pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer, pem::PemObject};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tempfile::TempDir;

const TOKEN_ID: &str = "6f0e4ba5-3ef0-4d4b-9d4c-1c2a5e6b7f80";
const TOKEN_SECRET: &str = "Zm9ydHktdGhyZWUtY2hhcmFjdGVycy1vZi1yYW5kb20x";

/// Key files as an operator makes them with openssl.
#[derive(Clone, Copy, Debug)]
enum KeyFile {
    /// `openssl ecparam -genkey`: curve parameters, then SEC 1.
    Sec1,
    Pkcs8,
    Rsa,
}

impl KeyFile {
    fn write(self, file: &Path) -> anyhow::Result<()> {
        let arguments: &[&str] = match self {
            Self::Sec1 => &["ecparam", "-name", "prime256v1", "-genkey"],
            Self::Pkcs8 => &["genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256"],
            Self::Rsa => &["genrsa", "-traditional", "2048"],
        };
        openssl(arguments, file)?;
        let label = match self {
            Self::Sec1 => "BEGIN EC PRIVATE KEY",
            Self::Pkcs8 => "BEGIN PRIVATE KEY",
            Self::Rsa => "BEGIN RSA PRIVATE KEY",
        };
        Ok(ensure!(fs::read_to_string(file)?.contains(label), "openssl made another file than {label}"))
    }
}

fn openssl(arguments: &[&str], file: &Path) -> anyhow::Result<()> {
    let (command, options) = arguments.split_first().context("no command")?;
    let output = Command::new("openssl").arg(command).arg("-out").arg(file).args(options).output();
    let output = output.context("`openssl` is not installed: run `cargo xtask setup`")?;
    Ok(ensure!(output.status.success(), "openssl: {}", String::from_utf8_lossy(&output.stderr)))
}

/// What the existing system left: a CA account whose key is in a file.
struct Before {
    dns: PowerDns,
    pebble: Pebble,
    accounts: TempDir,
    account: Account,
}

impl Before {
    async fn with_key(key_file: KeyFile) -> anyhow::Result<Self> {
        let dns = PowerDns::start(&[ZONE]).await?;
        let pebble = Pebble::start(PebbleOptions::new(dns.dns)).await?;
        let accounts = tempfile::tempdir()?;
        let folder = accounts.path().join(ISSUER);
        fs::create_dir(&folder)?;
        let file = folder.join("private_key.pem");
        key_file.write(&file)?;
        let plain = accounts.path().join("plain.pem");
        openssl(&["pkcs8", "-topk8", "-nocrypt", "-in", &file.display().to_string()], &plain)?;
        let der = PrivatePkcs8KeyDer::from_pem_file(&plain).context("a key in PKCS #8")?;
        let pair = (Key::from_pkcs8_der(der.clone_key())?, PrivateKeyDer::Pkcs8(der));
        let builder = Account::builder_with_root(&pebble.ca_root_file)?;
        let (account, _) = builder.create_from_key(pair, pebble.directory_url.clone()).await?;
        Ok(Self { dns, pebble, accounts, account })
    }

    async fn issue(&self, request: &Request, name: &str) -> anyhow::Result<String> {
        let identifiers = [Identifier::Dns(name.to_owned())];
        let mut order = self.account.new_order(&NewOrder::new(&identifiers)).await?;
        let place = format!("_acme-challenge.{name}");
        let mut authorizations = order.authorizations();
        while let Some(authorization) = authorizations.next().await {
            let mut authorization = authorization?;
            if authorization.status == AuthorizationStatus::Valid {
                continue;
            }
            let mut challenge = authorization.challenge(ChallengeType::Dns01).context("no DNS challenge")?;
            let value = challenge.key_authorization().dns_value();
            self.dns.set_txt(ZONE, &place, &[value.as_str()]).await?;
            challenge.set_ready().await?;
        }
        order.poll_ready(&RetryPolicy::default()).await?;
        order.finalize_csr(&request.der).await?;
        let chain = order.poll_certificate(&RetryPolicy::default()).await?;
        self.dns.set_txt(ZONE, &place, &[]).await?;
        Ok(chain)
    }

    async fn server(&self, storage: &str) -> anyhow::Result<Server> {
        let common = format!("  rootpath_account: {}\n", self.accounts.path().display());
        serve(&self.dns, &common, &issuer_yaml(&self.pebble, "pdns"), storage).await
    }

    fn orders(&self) -> usize {
        self.pebble.process.log().matches("Added order ").count()
    }
}

async fn serve(dns: &PowerDns, common: &str, issuers: &str, storage: &str) -> anyhow::Result<Server> {
    let mut options = ServerOptions::new(config_yaml(common, issuers, storage))
        .env("ACME_MANAGER_DNS_RESOLVERS", dns.dns.to_string())
        .env("ACME_MANAGER_DNS_PROPAGATIONDISABLEANS", "true");
    for (name, value) in pdns_variables(dns) {
        options = options.env(name, value);
    }
    let mut server = Server::start(options).await?;
    server.wait_ready().await?;
    Ok(server)
}

/// A certificate with every field that the existing system writes.
fn go_certificate(chain: &str, request: &Request, domain: &str, name: &str) -> anyhow::Result<Value> {
    let leaf = certs::Certificate::from_pem(chain)?;
    let (_, issuer) = chain.split_once("-----END CERTIFICATE-----\n").context("a chain")?;
    Ok(json!({
        "domain": domain, "issuer": ISSUER, "bundle": true, "san": "", "days": 0, "renewal_days": "20-30",
        "renewal_date": "2030-01-02 03:04:05 +0000 UTC", "dns_challenge": "pdns", "http_challenge": "",
        "expires": "2031-01-02 03:04:05 +0000 UTC", "fingerprint": hex::encode(Sha256::digest(chain)), "owner": OWNER,
        "csr": request.base64(), "labels": "team=old", "encryption": "ECDSA-256", "serial": leaf.serial,
        "key_type": "ec256", "updated_at": 1_760_000_000_000_i64, "profile": "", "renewal_count": 3, "name": name,
        "cert": chain, "ca_issuer": issuer.trim_start(), "url": "https://ca.example/cert/1",
    }))
}

async fn write_token(bao: &Bao) -> anyhow::Result<String> {
    let credential = BASE64_STANDARD.encode(format!("{TOKEN_ID}:{TOKEN_SECRET}"));
    let secret = json!({
        "id": TOKEN_ID, "token": credential, "tokenHash": hex::encode(Sha256::digest(TOKEN_SECRET)),
        "scope": ["create", "read", "update", "delete"], "username": OWNER, "expires": "Never", "duration": "",
        "rate_limit_window": "", "rate_limit_max_requests": 0,
    });
    bao.kv_put(&format!("tokens/{OWNER}/{TOKEN_ID}"), &secret).await?;
    Ok(credential)
}

/// The settings of a stored certificate as its owner sends them.
fn params_of(certificate: &Certificate) -> CertificateParams {
    let metadata = certificate.metadata.clone();
    CertificateParams {
        domain: metadata.domain,
        issuer: metadata.issuer,
        name: metadata.name,
        csr: metadata.csr,
        san: metadata.san,
        bundle: metadata.bundle,
        renewal_days: metadata.renewal_days,
        dns_challenge: metadata.dns_challenge,
        labels: metadata.labels,
        key_type: metadata.key_type,
        ..CertificateParams::default()
    }
}

#[tokio::test]
async fn certificates_and_tokens_of_the_existing_system() -> anyhow::Result<()> {
    let before = Before::with_key(KeyFile::Sec1).await?;
    let (bao, role) = vault().await?;
    let domains = ["old.example.test", "named.example.test"];
    let requests = [Request::new(&domains[..1])?, Request::new(&domains[1..])?];
    let chains =
        [before.issue(&requests[0], domains[0]).await?, before.issue(&requests[1], domains[1]).await?];
    let unnamed = go_certificate(&chains[0], &requests[0], domains[0], "")?;
    let named = go_certificate(&chains[1], &requests[1], domains[1], "legacy")?;
    let place = format!("certificates/{OWNER}/{ISSUER}/{}", domains[0]);
    bao.kv_put(&place, &unnamed).await?;
    bao.kv_put(&format!("certificates/{OWNER}/legacy"), &named).await?;
    let bearer = write_token(&bao).await?;

    let server = before.server(&vault_yaml(&bao, &role)).await?;
    let api = server.api();
    let list = api.metadata(&bearer).await?;
    let list = list.as_array().context("a list")?;
    assert_eq!(list.len(), 2);
    for (key, stored) in [(format!("{ISSUER}/{}", domains[0]), &unnamed), ("legacy".to_owned(), &named)] {
        let read = api.certificate(&bearer, &key).await?;
        let read = serde_json::to_value(&read)?;
        for (field, value) in stored.as_object().context("fields")? {
            let is_absent = read.get(field).is_none() && [json!(""), json!(0), json!(false)].contains(value);
            ensure!(read[field] == *value || is_absent, "{key}: {field} is {}, not {value}", read[field]);
        }
        ensure!(list.iter().any(|entry| entry["serial"] == stored["serial"]), "{key} is not listed");
    }

    let key = format!("{ISSUER}/{}", domains[0]);
    let orders = before.orders();
    let old = api.certificate(&bearer, &key).await?;
    let changed = CertificateParams { labels: "team=new".to_owned(), ..params_of(&old) };
    let relabelled = api.update_certificate(&bearer, &changed).await?;
    assert_eq!((relabelled.metadata.labels.as_str(), &relabelled.cert), ("team=new", &old.cert));
    assert_eq!(before.orders(), orders, "another certificate for other labels");
    let stored = bao.kv_get(&place).await?.context("gone")?;
    assert_eq!((&stored["data"]["labels"], &stored["data"]["cert"]), (&json!("team=new"), &json!(old.cert)));

    let names = [domains[0], "more.example.test"];
    let request = Request::new(&names)?;
    let wider = CertificateParams { csr: request.base64(), san: names[1].to_owned(), ..changed };
    let reissued = api.update_certificate(&bearer, &wider).await?;
    check(&before.pebble, &reissued, &names, &request.key_pem).await?;
    assert_ne!(reissued.metadata.serial, old.metadata.serial);
    let log = server.process.log();
    ensure!(log.contains(before.account.id()), "another account than {} was used:\n{log}", before.account.id());

    let status = async |serial: &str| anyhow::Ok(before.pebble.certificate_status(serial).await?["Status"].clone());
    assert_eq!(status(&old.metadata.serial).await?, "Valid", "nobody asked to revoke it");
    api.delete_certificate(&bearer, "legacy").await?;
    assert_eq!(status(named["serial"].as_str().context("serial")?).await?, "Valid", "nobody asked to revoke it");
    api.delete_certificate(&bearer, &format!("{key}?revoke=true")).await?;
    assert_eq!(status(&reissued.metadata.serial).await?, "Revoked");
    for path in [place, format!("certificates/{OWNER}/legacy")] {
        ensure!(bao.kv_get(&path).await?.is_none(), "{path} is still there");
    }
    ensure!(api.certificate(&bearer, &key).await.is_err(), "a deleted certificate is served");
    ensure!(!server.process.log().contains(TOKEN_SECRET), "a token's secret is in the log");
    Ok(())
}

#[tokio::test]
async fn account_keys_of_both_forms_keep_their_account() -> anyhow::Result<()> {
    for key_file in [KeyFile::Sec1, KeyFile::Pkcs8] {
        let before = Before::with_key(key_file).await?;
        let server = before.server(&embedded_yaml()).await?;
        let bearer = server.api().bearer(OWNER).await?;
        let made = server.api().create_certificate(&bearer, &order(ZONE)).await?;
        check(&before.pebble, &made, &[ZONE], &made.key).await?;
        let log = server.process.log();
        ensure!(log.contains(before.account.id()), "{key_file:?}: another account than {}", before.account.id());
    }
    Ok(())
}

#[tokio::test]
async fn an_rsa_account_key_is_refused_with_the_reason() -> anyhow::Result<()> {
    let before = Before::with_key(KeyFile::Sec1).await?;
    KeyFile::Rsa.write(&before.accounts.path().join(ISSUER).join("private_key.pem"))?;
    let server = before.server(&embedded_yaml()).await?;
    let bearer = server.api().bearer(OWNER).await?;
    let refused = server.api().create_certificate(&bearer, &order(ZONE)).await;
    let error = format!("{:#}", refused.err().context("an order with an RSA account key")?);
    let log = server.process.log();
    ensure!(log.contains("only ECDSA P-256 account keys"), "the log does not say why: {error}\n{log}");
    ensure!(error.contains(ISSUER), "the answer does not name the issuer: {error}");
    assert_eq!(before.orders(), 0);
    Ok(())
}

#[tokio::test]
async fn an_external_account_is_bound() -> anyhow::Result<()> {
    let hmac_key = "zWNDZM6eQGHWpSRTPal5eIUYFTu7EajVIoguysqZ9wG44nMEtx3MUAsUDkMTQ12W";
    let other_key = "aWNDZM6eQGHWpSRTPal5eIUYFTu7EajVIoguysqZ9wG44nMEtx3MUAsUDkMTQ12W";
    let dns = PowerDns::start(&[ZONE]).await?;
    let external = ExternalAccount { key_id: "kid-1".to_owned(), hmac_key: hmac_key.to_owned() };
    let options = PebbleOptions { external_account: Some(external), ..PebbleOptions::new(dns.dns) };
    let pebble = Pebble::start(options).await?;
    for (hmac, is_bound) in [(hmac_key, true), (other_key, false)] {
        let issuer = format!("{}    eab: true\n    kid: kid-1\n    hmac: {hmac}\n", issuer_yaml(&pebble, "pdns"));
        let server = serve(&dns, "", &issuer, &embedded_yaml()).await?;
        let bearer = server.api().bearer(OWNER).await?;
        let answer = server.api().create_certificate(&bearer, &order(ZONE)).await;
        match answer {
            Ok(made) if is_bound => check(&pebble, &made, &[ZONE], &made.key).await?,
            Ok(_) => anyhow::bail!("a wrong MAC key was accepted"),
            Err(error) => ensure!(!is_bound, "{error:#}"),
        }
        ensure!(!server.process.log().contains(hmac), "the MAC key is in the log");
    }
    Ok(())
}
