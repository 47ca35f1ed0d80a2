//! BIND: an authoritative name server that takes dynamic updates (RFC 2136), signed with TSIG (RFC 8945).

use std::{
    fmt::Write,
    fs,
    net::{Ipv4Addr, SocketAddr},
    path::Path,
};

use anyhow::ensure;
use base64::{Engine, prelude::BASE64_STANDARD};
use hickory_resolver::proto::rr::RecordType;
use tempfile::TempDir;
use uuid::Uuid;

use crate::{
    dns, ports,
    process::{self, Process, START_DEADLINE, with_fresh_ports},
    programs,
    zones::zone_file,
};

/// A key for signed updates.
#[derive(Clone, Debug)]
pub struct TsigKey {
    /// The key's name.
    pub name: String,
    /// The algorithm, for instance `hmac-sha256`.
    pub algorithm: String,
    /// The secret, in base64.
    pub secret: String,
}

impl TsigKey {
    /// A random `hmac-sha256` key.
    pub fn random(name: &str) -> Self {
        let secret = [Uuid::new_v4().into_bytes(), Uuid::new_v4().into_bytes()].concat();
        Self { name: name.to_owned(), algorithm: "hmac-sha256".to_owned(), secret: BASE64_STANDARD.encode(secret) }
    }
}

/// A running BIND.
#[derive(Debug)]
pub struct Bind {
    /// Where it answers DNS questions and takes updates, over UDP and TCP.
    pub dns: SocketAddr,
    /// The process.
    pub process: Process,
    _directory: TempDir,
}

impl Bind {
    /// Starts it on a free port of 127.0.0.1 with `zones`, which holders of `key` may change.
    ///
    /// # Errors
    /// When the program is missing or does not start.
    pub async fn start(zones: &[&str], key: Option<&TsigKey>) -> anyhow::Result<Self> {
        let start = || async {
            let dns = SocketAddr::from((Ipv4Addr::LOCALHOST, ports::free_tcp_and_udp()?));
            Self::start_at(dns, zones, key).await
        };
        with_fresh_ports(start).await
    }

    /// As [`Bind::start`], on port 53 of `address`, where its zones' NS records point.
    ///
    /// # Errors
    /// When the program is missing or does not start.
    pub async fn start_on(address: Ipv4Addr, zones: &[&str], key: Option<&TsigKey>) -> anyhow::Result<Self> {
        with_fresh_ports(|| Self::start_at(SocketAddr::from((address, 53)), zones, key)).await
    }

    async fn start_at(dns: SocketAddr, zones: &[&str], key: Option<&TsigKey>) -> anyhow::Result<Self> {
        let SocketAddr::V4(at) = dns else { anyhow::bail!("BIND is started on IPv4 addresses alone") };
        let directory = tempfile::tempdir()?;
        for zone in zones {
            fs::write(directory.path().join(format!("{zone}.zone")), zone_file(zone, *at.ip()))?;
        }
        let config_file = directory.path().join("named.conf");
        fs::write(&config_file, config(directory.path(), dns, zones, key))?;
        let mut command = process::command(&programs::system("named")?);
        // -g: in the foreground, all messages to standard error.
        command.arg("-g").arg("-c").arg(&config_file);
        let mut process = Process::spawn("named", command, &directory.path().join("log"))?;
        let zone = zones.first().copied().unwrap_or(".").to_owned();
        let ready = || async {
            let answer = dns::query(dns, &zone, RecordType::SOA).await?;
            ensure!(zone == "." || !answer.answers.is_empty(), "{zone} is not loaded");
            Ok(())
        };
        process.until_ready(START_DEADLINE, ready).await?;
        Ok(Self { dns, process, _directory: directory })
    }
}

fn config(directory: &Path, dns: SocketAddr, zones: &[&str], key: Option<&TsigKey>) -> String {
    let (ip, port) = (dns.ip(), dns.port());
    let mut config = format!(
        "options {{ directory \"{}\"; pid-file none; recursion no; dnssec-validation no; notify no;\n\
         listen-on port {port} {{ {ip}; }}; listen-on-v6 {{ none; }}; }};\ncontrols {{ }};\n",
        directory.display()
    );
    let mut rights = "allow-update { none; };".to_owned();
    if let Some(TsigKey { name, algorithm, secret }) = key {
        let _ = writeln!(config, "key \"{name}\" {{ algorithm {algorithm}; secret \"{secret}\"; }};");
        rights = format!("allow-update {{ key \"{name}\"; }};");
    }
    for zone in zones {
        let _ = writeln!(config, "zone \"{zone}\" {{ type primary; file \"{zone}.zone\"; {rights} }};");
    }
    config
}

#[cfg(test)]
mod tests {
    use std::process::{Command, Output};

    use super::*;

    fn update(server: &Bind, key: &TsigKey, change: &str) -> Output {
        let directory = tempfile::tempdir().unwrap();
        let script = directory.path().join("script");
        let at = format!("server {} {}", server.dns.ip(), server.dns.port());
        fs::write(&script, format!("{at}\nzone example.test\nupdate {change}\nsend\n")).unwrap();
        let credential = format!("{}:{}:{}", key.algorithm, key.name, key.secret);
        let mut command = Command::new(programs::system("nsupdate").unwrap());
        command.args(["-y", &credential]).arg(&script).output().unwrap()
    }

    #[tokio::test]
    async fn signed_updates_are_taken_and_others_refused() {
        let key = TsigKey::random("acme");
        let server = Bind::start(&["example.test"], Some(&key)).await.unwrap();
        let name = "_acme-challenge.example.test";
        let add = format!("add {name}. 1 TXT \"one\"");
        let foreign = update(&server, &TsigKey::random("acme"), &add);
        assert!(!foreign.status.success());
        assert!(dns::txt(server.dns, name).await.unwrap().is_empty());
        let own = update(&server, &key, &add);
        assert!(own.status.success(), "{}", String::from_utf8_lossy(&own.stderr));
        assert_eq!(dns::txt(server.dns, name).await.unwrap(), ["one"]);
    }
}
