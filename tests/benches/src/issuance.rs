//! Whole issuances by the server and by lego, from the same Pebble through the same PowerDNS.

use std::{
    collections::VecDeque,
    path::Path,
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use acme_manager_api::CertificateParams;
use acme_manager_harness::{Api, Pebble, PebbleOptions, PowerDns, Server, ServerOptions};
use anyhow::{Context, ensure};
use futures::future::try_join_all;
use tempfile::TempDir;

use crate::measure::Samples;

const ZONE: &str = "bench.example";
const RUNS: usize = 7;
const BATCH: usize = 50;
const BATCHES: usize = 2;
/// lego processes at one time. With all fifty at once most of them fail at the CA or the DNS server; a few keep both
/// processors busy.
const AT_ONCE: usize = 6;
/// Failed processes in one batch after which there is nothing to compare.
const FAILURES: usize = 100;

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

/// # Errors
/// When a program is missing or a certificate is not issued.
pub(crate) async fn run(binary: &Path) -> anyhow::Result<()> {
    let dns = PowerDns::start(&[ZONE]).await?;
    let ca = Pebble::start(PebbleOptions::new(dns.dns)).await?;
    let config =
        CONFIG.replace("@DIRECTORY@", &ca.directory_url).replace("@ROOT@", &ca.ca_root_file.display().to_string());
    let mut options = ServerOptions::new(config)
        .env("PDNS_API_URL", &dns.api_url)
        .env("PDNS_API_KEY", &dns.api_key)
        .env("ACME_MANAGER_DNS_RESOLVERS", dns.dns.to_string())
        // As lego's `--dns.disable-cp`: neither looks whether the value is visible yet.
        .env("ACME_MANAGER_DNS_PROPAGATIONDISABLEANS", "true");
    options.binary = Some(binary.to_path_buf());
    let mut server = Server::start(options).await?;
    server.wait_ready().await?;
    let api = server.api();
    let bearer = api.bearer("bench").await?;
    let lego = Lego { dns: &dns, ca: &ca, home: TempDir::new()? };
    // Both have their account before the clock runs.
    issue(&api, &bearer, "account-server").await?;
    lego.run("account-lego", Pace::Default)?.wait()?;
    one(&api, &bearer, &lego).await?;
    many(&api, &bearer, &lego).await
}

async fn one(api: &Api, bearer: &str, lego: &Lego<'_>) -> anyhow::Result<()> {
    let (mut ours, mut theirs, mut eager) = (Vec::new(), Vec::new(), Vec::new());
    for run in 0..RUNS {
        ours.push(issue(api, bearer, &format!("one-{run}-server")).await?);
        theirs.push(lego.one(&format!("one-{run}-lego"), Pace::Default)?);
        eager.push(lego.one(&format!("one-{run}-eager"), Pace::NoWait)?);
    }
    let (ours, theirs, eager) = (Samples::new(ours), Samples::new(theirs), Samples::new(eager));
    println!("one certificate, server: {}", ours.summary());
    println!("one certificate, lego: {}", theirs.summary());
    println!("one certificate, lego with PDNS_POLLING_INTERVAL=0: {}", eager.summary());
    let ratio = |lego: &Samples| lego.median().as_secs_f64() / ours.median().as_secs_f64();
    println!("one certificate: lego takes {:.1} times as long, without its wait {:.1}", ratio(&theirs), ratio(&eager));
    Ok(())
}

async fn many(api: &Api, bearer: &str, lego: &Lego<'_>) -> anyhow::Result<()> {
    let (mut ours, mut theirs, mut eager) = (Vec::new(), Vec::new(), Vec::new());
    for run in 0..BATCHES {
        let begun = Instant::now();
        let names: Vec<String> = (0..BATCH).map(|number| format!("batch-{run}-{number}-server")).collect();
        try_join_all(names.iter().map(|name| issue(api, bearer, name))).await?;
        let took = begun.elapsed();
        println!("server: {BATCH} certificates in {took:.1?}");
        ours.push(took);
        theirs.push(lego.batch(run, "lego", Pace::Default)?);
        eager.push(lego.batch(run, "eager", Pace::NoWait)?);
    }
    let (ours, theirs, eager) = (Samples::new(ours), Samples::new(theirs), Samples::new(eager));
    for (who, samples) in [("server", &ours), ("lego", &theirs), ("lego with PDNS_POLLING_INTERVAL=0", &eager)] {
        let rate = BATCH as f64 / samples.median().as_secs_f64();
        println!("{BATCH} certificates at once, {who}: {}, {rate:.1} certificates/s", samples.summary());
    }
    let ratio = |lego: &Samples| lego.median().as_secs_f64() / ours.median().as_secs_f64();
    println!("{BATCH} at once: {:.1} times lego's throughput, without its wait {:.1}", ratio(&theirs), ratio(&eager));
    Ok(())
}

async fn issue(api: &Api, bearer: &str, host: &str) -> anyhow::Result<Duration> {
    let params = CertificateParams {
        domain: format!("{host}.{ZONE}"),
        issuer: "pebble".to_owned(),
        bundle: true,
        ..CertificateParams::default()
    };
    let begun = Instant::now();
    let certificate = api.create_certificate(bearer, &params).await?;
    let took = begun.elapsed();
    ensure!(certificate.cert.contains("BEGIN CERTIFICATE") && !certificate.key.is_empty(), "no certificate");
    Ok(took)
}

/// Whether lego waits before it tells the CA that the challenge is ready.
#[derive(Clone, Copy)]
enum Pace {
    /// Two seconds, as it does unless told otherwise.
    Default,
    NoWait,
}

struct Lego<'a> {
    dns: &'a PowerDns,
    ca: &'a Pebble,
    home: TempDir,
}

struct Order {
    child: std::process::Child,
}

impl Lego<'_> {
    fn one(&self, host: &str, pace: Pace) -> anyhow::Result<Duration> {
        let begun = Instant::now();
        self.run(host, pace)?.wait()?;
        let took = begun.elapsed();
        let file = self.home.path().join(format!("certificates/{host}.{ZONE}.crt"));
        ensure!(file.is_file(), "lego left no {}", file.display());
        Ok(took)
    }

    /// One process for each certificate, a few at a time; those that fail are put back at the end of the queue.
    fn batch(&self, run: usize, who: &str, pace: Pace) -> anyhow::Result<Duration> {
        let begun = Instant::now();
        let mut waiting: VecDeque<String> = (0..BATCH).map(|number| format!("batch-{run}-{number}-{who}")).collect();
        let mut running: Vec<(String, Order)> = Vec::new();
        let mut failures = 0;
        while !waiting.is_empty() || !running.is_empty() {
            while running.len() < AT_ONCE {
                let Some(host) = waiting.pop_front() else { break };
                let order = self.run(&host, pace)?;
                running.push((host, order));
            }
            std::thread::sleep(Duration::from_millis(5));
            let mut still = Vec::new();
            for (host, mut order) in running {
                if order.child.try_wait()?.is_none() {
                    still.push((host, order));
                } else if order.wait().is_err() {
                    failures += 1;
                    ensure!(failures < FAILURES, "{who}: {failures} processes failed, last for {host}");
                    waiting.push_back(host);
                }
            }
            running = still;
        }
        let took = begun.elapsed();
        println!("{who}: {BATCH} certificates in {took:.1?}; {failures} processes failed and were started again");
        Ok(took)
    }

    fn run(&self, host: &str, pace: Pace) -> anyhow::Result<Order> {
        let mut command = Command::new("lego");
        command.args(["--accept-tos", "--email", "bench@bench.example", "--key-type", "ec256"]);
        command.args(["--dns", "pdns", "--dns.disable-cp", "--dns.resolvers", &self.dns.dns.to_string()]);
        command.args(["--server", &self.ca.directory_url, "--domains", &format!("{host}.{ZONE}")]);
        command.arg("--path").arg(self.home.path()).arg("run");
        command.env("LEGO_CA_CERTIFICATES", &self.ca.ca_root_file);
        command.env("PDNS_API_URL", &self.dns.api_url).env("PDNS_API_KEY", &self.dns.api_key);
        if let Pace::NoWait = pace {
            command.env("PDNS_POLLING_INTERVAL", "0");
        }
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
        Ok(Order { child: command.spawn().context("lego does not start: run `cargo xtask setup`")? })
    }
}

impl Order {
    fn wait(self) -> anyhow::Result<()> {
        let output = self.child.wait_with_output()?;
        ensure!(output.status.success(), "lego failed: {}", String::from_utf8_lossy(&output.stderr));
        Ok(())
    }
}
