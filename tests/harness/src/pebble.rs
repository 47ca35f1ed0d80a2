//! Pebble, the ACME CA for tests.

use std::{
    fs,
    net::{Ipv4Addr, SocketAddr},
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::{
    certs, http, ports,
    process::{self, Process, START_DEADLINE, with_fresh_ports},
    programs,
};

/// How Pebble behaves.
#[derive(Clone, Debug)]
pub struct PebbleOptions {
    /// The name server that it asks when it validates.
    pub dns_server: SocketAddr,
    /// Leave on what real CAs do to clients: refused nonces (one in twenty), reused authorizations (one in two), and
    /// the API changes that Pebble announces. Otherwise every run takes the same course.
    pub strict: bool,
    /// Accept every challenge unseen.
    pub always_valid: bool,
    /// Demand this account of the CA's operator (RFC 8555 §7.3.4).
    pub external_account: Option<ExternalAccount>,
    /// How long its certificates are valid; Pebble's own default is five years.
    pub certificate_lifetime: Option<Duration>,
    /// The port that HTTP-01 validation dials; a free one when absent.
    pub http_port: Option<u16>,
    /// The port that TLS-ALPN-01 validation dials; a free one when absent.
    pub tls_port: Option<u16>,
}

impl PebbleOptions {
    /// A well-behaved CA that validates through `dns_server`.
    pub fn new(dns_server: SocketAddr) -> Self {
        Self {
            dns_server,
            strict: false,
            always_valid: false,
            external_account: None,
            certificate_lifetime: None,
            http_port: None,
            tls_port: None,
        }
    }
}

/// An external account: what a CA's operator gives to a customer.
#[derive(Clone, Debug)]
pub struct ExternalAccount {
    /// The key's identifier.
    pub key_id: String,
    /// The MAC key, base64url without padding, at least 32 bytes long.
    pub hmac_key: String,
}

/// A running Pebble.
#[derive(Debug)]
pub struct Pebble {
    /// The ACME directory.
    pub directory_url: String,
    /// PEM file with the CA of the API's own TLS certificate; it is no part of the chains that Pebble issues.
    pub ca_root_file: PathBuf,
    /// Base URL of the management API, without a slash at the end.
    pub management_url: String,
    /// The port that HTTP-01 validation dials.
    pub http_port: u16,
    /// The port that TLS-ALPN-01 validation dials.
    pub tls_port: u16,
    /// The process.
    pub process: Process,
    client: reqwest::Client,
    options: PebbleOptions,
    directory: TempDir,
}

impl Pebble {
    /// Starts it, with new root and intermediate certificates.
    ///
    /// # Errors
    /// When the program is missing or does not start.
    pub async fn start(options: PebbleOptions) -> anyhow::Result<Self> {
        with_fresh_ports(|| Self::start_once(&options)).await
    }

    /// The root that issued chains end in, as PEM.
    ///
    /// # Errors
    /// When Pebble does not answer.
    pub async fn root_pem(&self) -> anyhow::Result<String> {
        self.management_text("roots/0").await
    }

    /// The issuing certificate, as PEM.
    ///
    /// # Errors
    /// When Pebble does not answer.
    pub async fn intermediate_pem(&self) -> anyhow::Result<String> {
        self.management_text("intermediates/0").await
    }

    /// What Pebble thinks of the certificate with `serial` (hex): `Status` is `Valid` or `Revoked`.
    ///
    /// # Errors
    /// When it did not issue such a certificate.
    pub async fn certificate_status(&self, serial: &str) -> anyhow::Result<Value> {
        // Pebble prints serials as numbers, without zeros in front.
        let serial = serial.trim_start_matches('0');
        let url = format!("{}/cert-status-by-serial/{serial}", self.management_url);
        http::expect_success(self.client.get(url)).await
    }

    /// Ends it and starts it again at the same addresses: accounts, orders and issuing keys are new, since it keeps all
    /// of them in memory.
    ///
    /// # Errors
    /// When it does not come up.
    pub async fn forget_everything(&mut self) -> anyhow::Result<()> {
        self.process.kill()?;
        self.process.wait(START_DEADLINE).await?;
        self.process = launch(self.directory.path(), &self.options)?;
        let urls = [self.directory_url.clone(), format!("{}/roots/0", self.management_url)];
        until_answered(&mut self.process, &self.client, &urls).await
    }

    async fn management_text(&self, path: &str) -> anyhow::Result<String> {
        let url = format!("{}/{path}", self.management_url);
        Ok(self.client.get(url).send().await?.error_for_status()?.text().await?)
    }

    async fn start_once(options: &PebbleOptions) -> anyhow::Result<Self> {
        let directory = tempfile::tempdir()?;
        certs::write_server_identity(directory.path())?;
        let ca_root_file = directory.path().join("ca.pem");
        let api = SocketAddr::from((Ipv4Addr::LOCALHOST, ports::free_tcp()?));
        let management = SocketAddr::from((Ipv4Addr::LOCALHOST, ports::free_tcp()?));
        let http_port = options.http_port.map_or_else(ports::free_tcp, Ok)?;
        let tls_port = options.tls_port.map_or_else(ports::free_tcp, Ok)?;
        let mut config = json!({
            "listenAddress": api,
            "managementListenAddress": management,
            "certificate": directory.path().join("server.pem"),
            "privateKey": directory.path().join("server.key"),
            "httpPort": http_port,
            "tlsPort": tls_port,
            "externalAccountBindingRequired": options.external_account.is_some(),
        });
        if let Some(account) = &options.external_account {
            config["externalAccountMACKeys"] = json!({&account.key_id: account.hmac_key});
        }
        if let Some(lifetime) = options.certificate_lifetime {
            config["certificateValidityPeriod"] = json!(lifetime.as_secs());
        }
        let config_file = directory.path().join("config.json");
        fs::write(&config_file, json!({ "pebble": config }).to_string())?;

        let mut process = launch(directory.path(), options)?;
        let client = http::client_trusting(&fs::read_to_string(&ca_root_file)?)?;
        let directory_url = format!("https://{api}/dir");
        let management_url = format!("https://{management}");
        until_answered(&mut process, &client, &[directory_url.clone(), format!("{management_url}/roots/0")]).await?;
        Ok(Self {
            directory_url,
            ca_root_file,
            management_url,
            http_port,
            tls_port,
            process,
            client,
            options: options.clone(),
            directory,
        })
    }
}

fn launch(directory: &Path, options: &PebbleOptions) -> anyhow::Result<Process> {
    let mut command = process::command(&programs::system("pebble")?);
    command.arg("-config").arg(directory.join("config.json"));
    command.args(["-dnsserver", &options.dns_server.to_string()]);
    set_behaviour(&mut command, options);
    Process::spawn("pebble", command, &directory.join("log"))
}

async fn until_answered(process: &mut Process, client: &reqwest::Client, urls: &[String]) -> anyhow::Result<()> {
    let ready = || async {
        for url in urls {
            client.get(url).send().await?.error_for_status()?;
        }
        Ok(())
    };
    process.until_ready(START_DEADLINE, ready).await
}

fn set_behaviour(command: &mut Command, options: &PebbleOptions) {
    command.env("PEBBLE_VA_NOSLEEP", "1");
    if options.strict {
        command.arg("-strict");
    } else {
        command.env("PEBBLE_WFE_NONCEREJECT", "0").env("PEBBLE_AUTHZREUSE", "0");
    }
    if options.always_valid {
        command.env("PEBBLE_VA_ALWAYS_VALID", "1");
    }
}

#[cfg(test)]
mod tests;
