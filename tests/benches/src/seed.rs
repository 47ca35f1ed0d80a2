//! Certificates put into an embedded store without a CA: as they lie there after an issuance.

use std::path::Path;

use acme_manager_server::storage::{
    Expect, Secret, Store,
    embedded::{EmbeddedSettings, EmbeddedStore},
};
use anyhow::Context;
use serde_json::{Map, Value, json};

/// Writes `count` certificates of `owner` into the store of a server that does not run.
///
/// # Errors
/// When the store cannot be written.
pub(crate) async fn certificates(store: &Path, owner: &str, count: usize) -> anyhow::Result<()> {
    let key_file = format!("{}.key", store.display());
    let settings = EmbeddedSettings::with_key_file(store.to_path_buf(), Path::new(&key_file))?;
    let store = EmbeddedStore::open(settings).await?;
    let (certificate, key) = leaf()?;
    for number in 0..count {
        let domain = format!("host-{number}.bench.example");
        let secret = Secret(fields(owner, &domain, number, &certificate, &key));
        let path = format!("certificates/{owner}/bench/{domain}").parse().context("a valid path")?;
        store.write(&path, &secret, Expect::Absent).await?;
    }
    Ok(())
}

/// One leaf serves for all: the server reads the metadata of a record and keeps its PEM as it is.
fn leaf() -> anyhow::Result<(String, String)> {
    let signed = rcgen::generate_simple_self_signed(["host.bench.example".to_owned()])?;
    Ok((signed.cert.pem(), signed.signing_key.serialize_pem()))
}

fn fields(owner: &str, domain: &str, number: usize, certificate: &str, key: &str) -> Map<String, Value> {
    let fields = json!({
        "domain": domain, "issuer": "bench", "owner": owner, "san": format!("www.{domain}"), "bundle": true,
        "days": 90, "renewal_days": "30", "renewal_date": "2099-01-01 00:00:00 +0000 UTC",
        "dns_challenge": "pdns", "http_challenge": "", "expires": "2099-03-01 00:00:00 +0000 UTC",
        "fingerprint": format!("{number:064x}"), "csr": "", "labels": "fleet=bench",
        "encryption": "ECDSA-256", "serial": format!("{number:032x}"), "key_type": "ec256", "profile": "",
        "name": "", "cert": format!("{certificate}{certificate}"), "ca_issuer": certificate,
        "url": format!("https://127.0.0.1:1/certificate/{number}"), "renewal_count": 0, "updated_at": 1, "key": key,
    });
    match fields {
        Value::Object(fields) => fields,
        _ => Map::new(),
    }
}
