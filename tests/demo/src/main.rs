//! `cargo xtask demo`: starts a test CA (Pebble), a DNS server (PowerDNS) and acme-manager with its embedded store, orders
//! a certificate that the `pdns` plugin proves, verifies it with openssl, shows it, and stays up.

use std::time::Instant;

use acme_manager_api::{Certificate, CertificateParams};
use acme_manager_harness::{Pebble, PebbleOptions, PowerDns, Server, ServerOptions, certs};
use anyhow::{Context, ensure};

const ZONE: &str = "demo.example";
const CONFIG: &str = "\
common:
  api_key_hash: \"@API_KEY_HASH@\"
issuer:
  pebble:
    ca_dir_url: @DIRECTORY@
    ca_root_file: @ROOT@
    dns_challenge: pdns
storage:
  embedded:
    path: @DIR@/acme-manager.redb
";

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let once = std::env::args().any(|argument| argument == "--once");
    step("starting PowerDNS with the zone demo.example, and the test CA Pebble, which asks it");
    let dns = PowerDns::start(&[ZONE]).await?;
    let ca = Pebble::start(PebbleOptions::new(dns.dns)).await?;
    step("starting acme-manager-server with the embedded store and the bundled plugin pdns");
    let config =
        CONFIG.replace("@DIRECTORY@", &ca.directory_url).replace("@ROOT@", &ca.ca_root_file.display().to_string());
    let options = ServerOptions::new(config)
        .env("PDNS_API_URL", &dns.api_url)
        .env("PDNS_API_KEY", &dns.api_key)
        .env("ACME_MANAGER_DNS_RESOLVERS", dns.dns.to_string())
        // The zone's servers listen on a port of their own here, so they cannot be asked on port 53.
        .env("ACME_MANAGER_DNS_PROPAGATIONDISABLEANS", "true");
    let mut server = Server::start(options).await?;
    server.wait_ready().await?;
    step("making a token, and ordering a certificate with it");
    let api = server.api();
    let bearer = api.bearer("demo").await?;
    let params = CertificateParams {
        domain: format!("www.{ZONE}"),
        san: format!("{ZONE},*.{ZONE}"),
        issuer: "pebble".to_owned(),
        bundle: true,
        ..CertificateParams::default()
    };
    let begun = Instant::now();
    let certificate = api.create_certificate(&bearer, &params).await?;
    let took = begun.elapsed();
    verify(&certificate, &ca.root_pem().await?)?;
    show(&certificate);
    println!("issued in {:.2} s, and verified: chain (openssl), names, key, serial\n", took.as_secs_f64());
    if once {
        ensure!(server.stop().await?.success(), "the server did not stop cleanly");
        return Ok(());
    }
    look(&server.url, &bearer, &ca.ca_root_file.display().to_string());
    tokio::signal::ctrl_c().await.context("cannot wait for Ctrl-C")?;
    server.stop().await?;
    Ok(())
}

/// Nothing of this may be taken on trust: the server says so, the demonstration checks.
fn verify(certificate: &Certificate, root_pem: &str) -> anyhow::Result<()> {
    certs::openssl_verify(&certificate.cert, root_pem)?;
    let leaf = certs::Certificate::from_pem(&certificate.cert)?;
    let mut names = leaf.names.clone();
    names.sort();
    ensure!(
        names == [format!("*.{ZONE}"), ZONE.to_owned(), format!("www.{ZONE}")],
        "the certificate has other names: {names:?}"
    );
    ensure!(leaf.belongs_to_key(&certificate.key)?, "the key does not belong to the certificate");
    ensure!(leaf.serial == certificate.metadata.serial, "the serial number is another");
    Ok(())
}

fn show(certificate: &Certificate) {
    println!("\n{}", certificate.cert.lines().take_while(|line| !line.contains("END")).collect::<Vec<_>>().join("\n"));
    println!("-----END CERTIFICATE-----");
    let metadata = &certificate.metadata;
    println!("domain      {} and {}", metadata.domain, metadata.san);
    println!("serial      {}", metadata.serial);
    println!("key         {}", metadata.encryption);
    println!("expires     {}", metadata.expires);
    println!("renewal     {}", metadata.renewal_date);
}

fn look(url: &str, bearer: &str, ca_root: &str) {
    println!("The server stays up until Ctrl-C. Look at it:\n");
    println!("  API documentation   {url}/swagger");
    println!("  metrics             {url}/metrics");
    println!("  export TOKEN={bearer}");
    println!("  curl -H \"Authorization: Bearer $TOKEN\" {url}/api/v1/certificate/metadata");
    println!("  curl -H \"Authorization: Bearer $TOKEN\" {url}/api/v1/certificate/pebble/www.{ZONE}");
    println!(
        "  curl -H \"Authorization: Bearer $TOKEN\" -d '{{\"domain\":\"api.{ZONE}\",\"issuer\":\"pebble\"}}' {url}/api/v1/certificate"
    );
    println!("\nThe CA's own API speaks TLS with the root in {ca_root}.");
}

fn step(text: &str) {
    println!("• {text}");
}
