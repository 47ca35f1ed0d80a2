//! `plugin list URL`: what a running server says of its plugins, for people. Every text of it is that of somebody else.

use std::time::Duration;

use acme_manager_api::{PluginCalls, PluginKind, PluginLimits, PluginState, PluginStatus};
use acme_manager_workbench::quantity::{bytes, count, time};
use acme_manager_workbench::table::Table;
use acme_manager_workbench::text::plain;
use anyhow::{Context as _, bail, ensure};
use reqwest::header::{HeaderValue, LOCATION};
use reqwest::{Response, StatusCode, redirect};
use secrecy::ExposeSecret as _;
use url::{Host, Url};

use crate::config::Environment;

/// The variable that holds the key of a running server's API: a command line can be seen by every user of a machine.
const API_KEY: &str = "ACME_MANAGER_API_KEY";
/// A list of plugins is a few kilobytes that the server has at hand.
const ANSWER_TIME: Duration = Duration::from_secs(10);
const MAX_ANSWER_BYTES: usize = 4 << 20;

/// Asks the server and says what it answered.
pub(super) async fn list(server: &Url, environment: &Environment) -> anyhow::Result<String> {
    let key = environment.resolve(API_KEY).map_err(|problem| anyhow::anyhow!("{problem}"))?.with_context(|| {
        format!("set {API_KEY} to the key whose hash is `common.api_key_hash` on the server {server}")
    })?;
    let mut key = HeaderValue::from_str(key.expose_secret())
        .map_err(|_| anyhow::anyhow!("{API_KEY} holds characters that no API key has"))?;
    key.set_sensitive(true);
    Ok(told(&ask(server, key).await?))
}

async fn ask(server: &Url, key: HeaderValue) -> anyhow::Result<Vec<PluginStatus>> {
    let is_plain = server.scheme() == "http";
    ensure!(
        !is_plain || is_loopback(server),
        "over http:// everybody on the way could read the API key: write https://{}; http:// is for this machine alone",
        server.host_str().unwrap_or_default()
    );
    ensure!(
        server.username().is_empty() && server.password().is_none(),
        "the URL of a server has no user and no password: the key goes into {API_KEY}"
    );
    let url = server.join("/api/v1/plugins")?;
    // Wherever a redirect leads, nobody said that the key is meant for it.
    let mut client = reqwest::Client::builder().timeout(ANSWER_TIME).redirect(redirect::Policy::none());
    if is_plain {
        // A proxy would not be this machine.
        client = client.no_proxy();
    }
    let answer = client.build()?.get(url.clone()).header("x-api-key", key).send().await;
    let answer = answer.with_context(|| format!("{server} cannot be asked"))?;
    let status = answer.status();
    if status.is_redirection() {
        let place = answer.headers().get(LOCATION).map(|place| String::from_utf8_lossy(place.as_bytes()).into_owned());
        bail!(
            "{url} answered {status} and leads to {}: the API key is not sent on; if that is the server, name it instead",
            place.map_or_else(|| "nowhere".to_owned(), |place| plain(&place))
        );
    }
    ensure!(status != StatusCode::UNAUTHORIZED, "{url} does not accept the key in {API_KEY}");
    ensure!(status.is_success(), "{url} answered {status}: is this an acme-manager of this version?");
    let body = read(answer).await.with_context(|| format!("the answer of {url}"))?;
    let plugins: Vec<PluginStatus> = serde_json::from_slice(&body)
        .with_context(|| format!("{url} did not answer with a list of plugins: is this an acme-manager?"))?;
    ensure!(
        plugins.iter().all(|plugin| !plugin.name.is_empty()),
        "{url} answered with a list of something else than plugins: is this an acme-manager?"
    );
    Ok(plugins)
}

fn is_loopback(server: &Url) -> bool {
    match server.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}

async fn read(mut answer: Response) -> anyhow::Result<Vec<u8>> {
    let mut body = Vec::new();
    while let Some(piece) = answer.chunk().await.context("it broke off")? {
        ensure!(body.len() + piece.len() <= MAX_ANSWER_BYTES, "it is longer than any list of plugins");
        body.extend_from_slice(&piece);
    }
    Ok(body)
}

/// A line for each plugin, below it what else there is to say.
fn told(plugins: &[PluginStatus]) -> String {
    let head = ["NAME", "KIND", "STATE", "VERSION", "ORIGIN", "SIZE", "CALLS", "ERRORS", "MEAN", "SHA-256"];
    let mut table = Table::new(head, 5);
    for plugin in plugins {
        table.add(row(plugin));
    }
    let table = table.to_string();
    let mut lines = table.lines();
    let mut text = lines.next().unwrap_or_default().to_owned() + "\n";
    for (plugin, line) in plugins.iter().zip(lines) {
        text += &format!("{line}\n");
        for detail in details(plugin) {
            text += &format!("  {}\n", plain(&detail));
        }
    }
    text
}

fn row(plugin: &PluginStatus) -> [String; 10] {
    let sum = |of: fn(&PluginCalls) -> u64| plugin.operations.values().map(of).fold(0, u64::saturating_add);
    let calls = sum(|calls| calls.calls);
    let seconds: f64 = plugin.operations.values().map(|calls| calls.seconds).sum();
    let kind = match plugin.kind {
        PluginKind::DnsProvider => "dns-provider",
        PluginKind::IssuanceHook => "issuance-hook",
    };
    let state = match plugin.state {
        PluginState::Unloaded => "unloaded",
        PluginState::Usable => "usable",
        PluginState::Suspended => "suspended",
        PluginState::Unusable => "unusable",
    };
    let or_none = |text: &str| if text.is_empty() { "-".to_owned() } else { plain(text) };
    [
        plain(&plugin.name),
        kind.to_owned(),
        state.to_owned(),
        or_none(&plugin.version),
        or_none(&plugin.origin),
        plugin.size_bytes.map_or_else(|| "-".to_owned(), bytes),
        calls.to_string(),
        sum(errors).to_string(),
        mean(seconds, calls),
        or_none(&plugin.digest),
    ]
}

fn details(plugin: &PluginStatus) -> Vec<String> {
    let mut lines = Vec::new();
    if let Some(seconds) = plugin.suspended_seconds {
        lines.push(format!("suspended for {seconds} s more, after {} calls that broke", plugin.breakages_in_a_row));
    } else if plugin.breakages_in_a_row > 0 {
        lines.push(format!("the last calls broke: {} in a row", plugin.breakages_in_a_row));
    }
    if !plugin.reason.is_empty() {
        lines.push(format!("reason: {}", plugin.reason));
    }
    if let Some(reason) = &plugin.refused_update {
        lines.push(format!("runs with its settings of before, those of the config are not usable: {reason}"));
    }
    if let Some(check) = &plugin.check {
        lines.push(format!("check: {check}"));
    }
    if let Some(PluginLimits { timeout_seconds, memory_mb, fuel, max_concurrency }) = &plugin.limits {
        lines.push(format!(
            "limits of a call: {timeout_seconds} s, {memory_mb} MiB, fuel {}; {max_concurrency} at the same time",
            count(*fuel)
        ));
    }
    for (operation, calls) in plugin.operations.iter().filter(|(_, calls)| calls.calls > 0) {
        let classes = calls.errors.iter().map(|(class, count)| format!("{count} × {class}")).collect::<Vec<_>>();
        let classes = if classes.is_empty() { String::new() } else { format!(" ({})", classes.join(", ")) };
        let PluginCalls { host_calls, requests, denials, dropped_log_lines, .. } = calls;
        lines.push(format!(
            "{operation}: {} calls, {} errors{classes}, mean {}",
            calls.calls,
            errors(calls),
            mean(calls.seconds, calls.calls)
        ));
        lines.push(format!(
            "  fuel {}, peak memory {}, host calls {host_calls}, requests {requests}, sent {}, received {}, denials \
             {denials}, dropped log lines {dropped_log_lines}",
            count(calls.fuel),
            bytes(calls.peak_memory_bytes),
            bytes(calls.sent_bytes),
            bytes(calls.received_bytes)
        ));
    }
    lines
}

fn errors(calls: &PluginCalls) -> u64 {
    calls.errors.values().copied().fold(0, u64::saturating_add)
}

fn mean(seconds: f64, calls: u64) -> String {
    #[expect(clippy::cast_precision_loss, reason = "for people")]
    let mean = seconds / calls as f64;
    // Without calls it is no number, and a server could say anything.
    Duration::try_from_secs_f64(mean).map_or_else(|_| "-".to_owned(), time)
}

#[cfg(test)]
mod tests;
