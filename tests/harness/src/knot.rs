//! Knot DNS: another authoritative name server that takes dynamic updates signed with TSIG.

use std::{
    fmt::Write,
    fs,
    net::{Ipv4Addr, SocketAddr},
    path::Path,
};

use anyhow::ensure;
use hickory_resolver::proto::rr::RecordType;
use tempfile::TempDir;

use crate::{
    TsigKey, dns, ports,
    process::{self, Process, START_DEADLINE, with_fresh_ports},
    programs,
    zones::zone_file,
};

/// A running Knot.
#[derive(Debug)]
pub struct Knot {
    /// Where it answers DNS questions and takes updates, over UDP and TCP.
    pub dns: SocketAddr,
    /// The process.
    pub process: Process,
    _directory: TempDir,
}

impl Knot {
    /// Starts it on a free port of 127.0.0.1 with `zones`, which holders of `key` may change.
    ///
    /// # Errors
    /// When the program is missing or does not start.
    pub async fn start(zones: &[&str], key: &TsigKey) -> anyhow::Result<Self> {
        let start = || async {
            let dns = SocketAddr::from((Ipv4Addr::LOCALHOST, ports::free_tcp_and_udp()?));
            Self::start_at(dns, zones, key).await
        };
        with_fresh_ports(start).await
    }

    async fn start_at(dns: SocketAddr, zones: &[&str], key: &TsigKey) -> anyhow::Result<Self> {
        let directory = tempfile::tempdir()?;
        for zone in zones {
            fs::write(directory.path().join(format!("{zone}.zone")), zone_file(zone, Ipv4Addr::LOCALHOST))?;
        }
        // Without a place for its journal it refuses every update.
        fs::create_dir(directory.path().join("db"))?;
        let config_file = directory.path().join("knot.conf");
        fs::write(&config_file, config(directory.path(), dns, zones, key))?;
        let mut command = process::command(&programs::system("knotd")?);
        command.arg("-c").arg(&config_file);
        let mut process = Process::spawn("knotd", command, &directory.path().join("log"))?;
        let zone = zones.first().copied().unwrap_or(".").to_owned();
        let ready = || async {
            let answer = dns::query(dns, &zone, RecordType::SOA).await?;
            ensure!(!answer.answers.is_empty(), "{zone} is not loaded");
            Ok(())
        };
        process.until_ready(START_DEADLINE, ready).await?;
        Ok(Self { dns, process, _directory: directory })
    }
}

fn config(directory: &Path, dns: SocketAddr, zones: &[&str], key: &TsigKey) -> String {
    let (folder, ip, port) = (directory.display(), dns.ip(), dns.port());
    let TsigKey { name, algorithm, secret } = key;
    let mut config = format!(
        "server:\n  listen: {ip}@{port}\n  rundir: {folder}\ndatabase:\n  storage: {folder}/db\n\
         log:\n  - target: stderr\n    any: info\n\
         key:\n  - id: {name}\n    algorithm: {algorithm}\n    secret: {secret}\n\
         acl:\n  - id: holders\n    key: {name}\n    action: update\nzone:\n"
    );
    for zone in zones {
        let _ = writeln!(config, "  - domain: {zone}\n    storage: {folder}\n    file: {zone}.zone\n    acl: holders");
    }
    config
}
