//! pebble-challtestsrv: a name server whose answers are set over HTTP.

use std::net::{Ipv4Addr, SocketAddr};

use anyhow::ensure;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::{
    dns, http, ports,
    process::{self, Process, START_DEADLINE, with_fresh_ports},
    programs,
    zones::absolute,
};

/// A running pebble-challtestsrv: every name resolves to 127.0.0.1 until it is told otherwise.
#[derive(Debug)]
pub struct ChallTestSrv {
    /// Where it answers DNS questions, over UDP and TCP.
    pub dns: SocketAddr,
    /// Base URL of its management API, without a slash at the end.
    pub management_url: String,
    /// The process.
    pub process: Process,
    _directory: TempDir,
}

impl ChallTestSrv {
    /// Starts it.
    ///
    /// # Errors
    /// When the program is missing or does not start.
    pub async fn start() -> anyhow::Result<Self> {
        with_fresh_ports(Self::start_once).await
    }

    /// Adds the value `value` at `name`, beside those that are there.
    ///
    /// # Errors
    /// When the server refuses.
    pub async fn set_txt(&self, name: &str, value: &str) -> anyhow::Result<()> {
        self.post("set-txt", &json!({"host": absolute(name), "value": value})).await
    }

    /// Removes every TXT value at `name`.
    ///
    /// # Errors
    /// When the server refuses.
    pub async fn clear_txt(&self, name: &str) -> anyhow::Result<()> {
        self.post("clear-txt", &json!({"host": absolute(name)})).await
    }

    /// Makes `name` an alias of `target`.
    ///
    /// # Errors
    /// When the server refuses.
    pub async fn set_cname(&self, name: &str, target: &str) -> anyhow::Result<()> {
        self.post("set-cname", &json!({"host": absolute(name), "target": absolute(target)})).await
    }

    /// Gives `name` the address `address` instead of 127.0.0.1.
    ///
    /// # Errors
    /// When the server refuses.
    pub async fn set_a(&self, name: &str, address: Ipv4Addr) -> anyhow::Result<()> {
        self.post("add-a", &json!({"host": absolute(name), "addresses": [address]})).await
    }

    /// Makes questions for `name` fail.
    ///
    /// # Errors
    /// When the server refuses.
    pub async fn set_servfail(&self, name: &str) -> anyhow::Result<()> {
        self.post("set-servfail", &json!({"host": absolute(name)})).await
    }

    /// Any other call of the management API, as in `post("add-caa", …)`.
    ///
    /// # Errors
    /// When the server refuses.
    pub async fn post(&self, path: &str, body: &Value) -> anyhow::Result<()> {
        post(&self.management_url, path, body).await
    }

    async fn start_once() -> anyhow::Result<Self> {
        let directory = tempfile::tempdir()?;
        let dns = SocketAddr::from((Ipv4Addr::LOCALHOST, ports::free_tcp_and_udp()?));
        let management = SocketAddr::from((Ipv4Addr::LOCALHOST, ports::free_tcp()?));
        let mut command = process::command(&programs::system("pebble-challtestsrv")?);
        command.args(["-dns01", &dns.to_string(), "-management", &management.to_string()]);
        // No IPv6: Pebble would try ::1 first, where the server under test does not listen.
        command.args(["-http01", "", "-https01", "", "-tlsalpn01", "", "-defaultIPv6", ""]);
        let mut process = Process::spawn("pebble-challtestsrv", command, &directory.path().join("log"))?;
        let management_url = format!("http://{management}");
        let ready = || async {
            http::client().get(&management_url).send().await?;
            dns::txt(dns, "ready.test").await
        };
        process.until_ready(START_DEADLINE, ready).await?;
        Ok(Self { dns, management_url, process, _directory: directory })
    }
}

/// A call of the management API at `management_url`.
pub(crate) async fn post(management_url: &str, path: &str, body: &Value) -> anyhow::Result<()> {
    let response = http::client().post(format!("{management_url}/{path}")).json(body).send().await?;
    ensure!(response.status().is_success(), "{path}: status {}: {}", response.status(), response.text().await?);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn txt_values_come_and_go() {
        let server = ChallTestSrv::start().await.unwrap();
        let name = "_acme-challenge.example.test";
        for value in ["one", "two"] {
            server.set_txt(name, value).await.unwrap();
        }
        assert_eq!(dns::txt(server.dns, name).await.unwrap(), ["one", "two"]);
        server.clear_txt(name).await.unwrap();
        assert!(dns::txt(server.dns, name).await.unwrap().is_empty());
    }
}
