//! An authoritative PowerDNS server with its REST API.

use std::{
    fs,
    net::{Ipv4Addr, SocketAddr},
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, ensure};
use reqwest::Method;
use serde_json::{Value, json};
use tempfile::TempDir;
use uuid::Uuid;

use crate::{
    http, ports,
    process::{self, Process, START_DEADLINE, with_fresh_ports},
    programs,
    zones::{TTL_SECONDS, absolute, name_server, soa},
};

/// A running PowerDNS.
#[derive(Debug)]
pub struct PowerDns {
    /// Where it answers DNS questions, over UDP and TCP.
    pub dns: SocketAddr,
    /// Base URL of the API, without a path: what `PDNS_API_URL` wants.
    pub api_url: String,
    /// What the header `X-API-Key` must hold.
    pub api_key: String,
    /// The process.
    pub process: Process,
    _directory: TempDir,
}

impl PowerDns {
    /// Starts it on a free port of 127.0.0.1 with `zones`, each with SOA, NS and addresses.
    ///
    /// # Errors
    /// When the program is missing or does not start.
    pub async fn start(zones: &[&str]) -> anyhow::Result<Self> {
        let start = || async {
            let dns = SocketAddr::from((Ipv4Addr::LOCALHOST, ports::free_tcp_and_udp()?));
            Self::start_at(dns, zones).await
        };
        with_fresh_ports(start).await
    }

    /// Starts it on port 53 of `address` (see [`ports::loopback_address`]), where its zones' NS records point: whoever
    /// follows them and dials port 53 reaches it. Needs the right to use ports below 1024.
    ///
    /// # Errors
    /// When the program is missing or does not start.
    pub async fn start_on(address: Ipv4Addr, zones: &[&str]) -> anyhow::Result<Self> {
        with_fresh_ports(|| Self::start_at(SocketAddr::from((address, 53)), zones)).await
    }

    /// Calls the API below `/api/v1/servers/localhost`.
    ///
    /// # Errors
    /// When the answer's status is not 2xx; with the body.
    pub async fn call(&self, method: Method, path: &str, body: Option<&Value>) -> anyhow::Result<Value> {
        let url = format!("{}/api/v1/servers/localhost{path}", self.api_url);
        let mut request = http::client().request(method, url).header("X-API-Key", &self.api_key);
        if let Some(body) = body {
            request = request.json(body);
        }
        http::expect_success(request).await
    }

    /// Replaces the TXT values at `name` in `zone`; none removes the record set.
    ///
    /// # Errors
    /// When the zone does not exist.
    pub async fn set_txt(&self, zone: &str, name: &str, values: &[&str]) -> anyhow::Result<()> {
        let records: Vec<Value> =
            values.iter().map(|value| json!({"content": format!("\"{value}\""), "disabled": false})).collect();
        let change = if records.is_empty() { "DELETE" } else { "REPLACE" };
        let set = json!({
            "name": absolute(name), "type": "TXT", "ttl": TTL_SECONDS, "changetype": change, "records": records,
        });
        let path = format!("/zones/{}", absolute(zone));
        self.call(Method::PATCH, &path, Some(&json!({"rrsets": [set]}))).await.map(drop)
    }

    async fn start_at(dns: SocketAddr, zones: &[&str]) -> anyhow::Result<Self> {
        let directory = tempfile::tempdir()?;
        let api_key = Uuid::new_v4().simple().to_string();
        let web_port = ports::free_tcp()?;
        let database = make_database(directory.path())?;
        fs::write(directory.path().join("pdns.conf"), config(directory.path(), &database, dns, web_port, &api_key))?;
        let mut command = process::command(&programs::system("pdns_server")?);
        command.arg(format!("--config-dir={}", directory.path().display()));
        let process = Process::spawn("pdns_server", command, &directory.path().join("log"))?;
        let api_url = format!("http://127.0.0.1:{web_port}");
        let mut server = Self { dns, api_url, api_key, process, _directory: directory };
        let url = format!("{}/api/v1/servers/localhost", server.api_url);
        let request = http::client().get(url).header("X-API-Key", &server.api_key);
        let ready = || async { http::expect_success(request.try_clone().context("a GET has no body")?).await };
        server.process.until_ready(START_DEADLINE, ready).await?;
        for zone in zones {
            server.add_zone(zone).await?;
        }
        Ok(server)
    }

    async fn add_zone(&self, zone: &str) -> anyhow::Result<()> {
        let address = self.dns.ip().to_string();
        let set = |name: &str, kind: &str, content: &str| {
            json!({
                "name": absolute(name), "type": kind, "ttl": TTL_SECONDS,
                "records": [{"content": content, "disabled": false}],
            })
        };
        let name_server = name_server(zone);
        let sets = [
            set(zone, "SOA", &soa(zone)),
            set(zone, "NS", &name_server),
            set(zone, "A", "127.0.0.1"),
            set(&name_server, "A", &address),
        ];
        let zone = json!({"name": absolute(zone), "kind": "Native", "rrsets": sets});
        self.call(Method::POST, "/zones", Some(&zone)).await.map(drop)
    }
}

fn make_database(directory: &Path) -> anyhow::Result<PathBuf> {
    const SCHEMAS: [&str; 2] = [
        "/usr/share/pdns-backend-sqlite3/schema/schema.sqlite3.sql",
        "/usr/share/doc/pdns-backend-sqlite3/schema.sqlite3.sql",
    ];
    let schema = SCHEMAS.iter().find_map(|file| fs::File::open(file).ok());
    let schema = schema.ok_or_else(|| programs::missing("pdns-backend-sqlite3"))?;
    let database = directory.join("zones.sqlite3");
    let output = Command::new(programs::system("sqlite3")?).arg(&database).stdin(schema).output()?;
    ensure!(output.status.success(), "cannot make the database: {}", String::from_utf8_lossy(&output.stderr));
    Ok(database)
}

fn config(directory: &Path, database: &Path, dns: SocketAddr, web_port: u16, api_key: &str) -> String {
    let [directory, database] = [directory, database].map(|path| path.display().to_string());
    let (ip, port) = (dns.ip(), dns.port());
    // Caches are off: a test sees its own change at once.
    format!(
        "launch=gsqlite3\ngsqlite3-database={database}\ngsqlite3-pragma-synchronous=0\n\
         local-address={ip}\nlocal-port={port}\nsocket-dir={directory}\ninclude-dir=\n\
         daemon=no\nguardian=no\ndisable-syslog=yes\nwrite-pid=no\nsecurity-poll-suffix=\n\
         api=yes\napi-key={api_key}\nwebserver=yes\nwebserver-address=127.0.0.1\nwebserver-port={web_port}\n\
         webserver-allow-from=127.0.0.0/8\n\
         cache-ttl=0\nquery-cache-ttl=0\nnegquery-cache-ttl=0\nzone-cache-refresh-interval=0\n"
    )
}

#[cfg(test)]
mod tests {
    use hickory_resolver::proto::rr::RecordType;

    use super::*;
    use crate::dns;

    #[tokio::test]
    async fn a_value_set_over_the_api_is_served() {
        let server = PowerDns::start(&["example.test", "other.test"]).await.unwrap();
        let name = "_acme-challenge.www.example.test";
        assert!(dns::txt(server.dns, name).await.unwrap().is_empty());
        server.set_txt("example.test", name, &["one", "two"]).await.unwrap();
        assert_eq!(dns::txt(server.dns, name).await.unwrap(), ["one", "two"]);
        server.set_txt("example.test", name, &[]).await.unwrap();
        assert!(dns::txt(server.dns, name).await.unwrap().is_empty());
        assert!(server.set_txt("foreign.test", name, &["x"]).await.is_err());
    }

    #[tokio::test]
    async fn on_port_53_its_zones_name_it() {
        let address = ports::loopback_address();
        let server = PowerDns::start_on(address, &["example.test"]).await.unwrap();
        let soa = dns::query(server.dns, "example.test", RecordType::SOA).await.unwrap();
        assert!(soa.metadata.authoritative && soa.answers.len() == 1);
        let glue = dns::query(server.dns, "ns1.example.test", RecordType::A).await.unwrap();
        assert_eq!(glue.answers[0].data.to_string(), address.to_string());
    }
}
