//! `plugin run`: one call by hand, under the server's sandbox, against whatever the network has.

mod environment;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use acme_manager_plugin_runtime::{CallError, CallReport, Description, Function, Plugin, Recording, TxtRecord};
use anyhow::{Context as _, bail, ensure};
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use rand::RngCore as _;

use crate::command::{CallName, RunOptions};
use crate::component::{Bench, Described, Reachable};
use crate::file;
use crate::quantity::{bytes, count, time};
use crate::text::{block, plain, shell};

/// For this user alone: what a vendor says of an account is nobody else's business.
const RECORDING_MODE: u32 = 0o600;
/// As long as the digest that a CA asks for. RFC 8555 §8.4
const VALUE_BYTES: usize = 32;

type Kept = Arc<Mutex<Option<Recording>>>;

/// Makes the call and returns what came of it. Before, `tell` is told what the component gets.
///
/// # Errors
/// When it cannot be made, or ends with an error.
pub(crate) async fn run(options: &RunOptions, tell: impl FnOnce(&str)) -> anyhow::Result<String> {
    let bench = Bench::load(&options.file).await?;
    if options.call == CallName::Describe {
        return Ok(described(bench.description()));
    }
    let record = record(options)?;
    let environment = environment::of(options, bench.description(), Path::new(""))?;
    let reachable = bench.reachable(&environment, &options.reach, Described::Certain)?;
    tell(&announced(&environment, &reachable));
    let kept = Kept::default();
    let plugin = bench
        .equip(&environment, reachable.grants, |settings| {
            settings.limits.timeout = Duration::from_secs(options.timeout);
            let kept = kept.clone();
            settings.recorder = Some(Arc::new(move |recording| {
                *kept.lock().unwrap_or_else(PoisonError::into_inner) = Some(recording);
            }));
        })
        .await?;
    bench.reports().take();
    let result = call(&plugin, options, record.as_ref()).await;
    let cost = bench.reports().take().into_iter().find(|report| report.function != Function::Describe);
    let mut text = cost.as_ref().map(told).unwrap_or_default();
    let recorded = match &options.record {
        None => Ok(()),
        Some(file) => {
            let recording = kept.lock().unwrap_or_else(PoisonError::into_inner).take();
            save(file, recording).map(|said| text += &said)
        }
    };
    match (result, recorded) {
        (Ok(said), Ok(())) => Ok(said + &text),
        (Ok(said), Err(error)) => {
            // What the call did counts, whatever became of the recording.
            print!("{}", block(&(said + &text)));
            Err(error.context("the call succeeded, but it is not recorded"))
        }
        (Err(error), recorded) => {
            eprint!("{}", block(&text));
            if let Err(unrecorded) = recorded {
                eprintln!("{}", block(&format!("the call is not recorded: {unrecorded:#}")));
            }
            bail!("{error}")
        }
    }
}

/// What the component is about to get: names, and where it can send the values.
fn announced(environment: &BTreeMap<String, String>, reachable: &Reachable) -> String {
    fn list<T: ToString>(of: impl IntoIterator<Item = T>) -> Option<String> {
        let mut words: Vec<String> = Vec::new();
        for word in of.into_iter().map(|one| plain(&one.to_string())) {
            if !words.contains(&word) {
                words.push(word);
            }
        }
        (!words.is_empty()).then(|| words.join(", "))
    }
    let Reachable { grants, withheld } = reachable;
    let none = || "none".to_owned();
    let mut text = format!(
        "the component gets\n  variables: {}\n  hosts:     {}\n",
        list(environment.keys()).unwrap_or_else(none),
        list(&grants.hosts).unwrap_or_else(none)
    );
    if let Some(servers) = list(&grants.dns_servers) {
        text += &format!("  name servers: {servers}\n");
    }
    if let Some(networks) = list(&grants.cidrs) {
        text += &format!("  networks that are not public: {networks}\n");
    }
    for (host, doubt) in withheld {
        text += &format!(
            "it describes the host {} as well, which it does not get: {doubt}; if you mean it, add --allow-host {}\n",
            plain(host),
            shell(host)
        );
    }
    text
}

async fn call(plugin: &Plugin, options: &RunOptions, record: Option<&TxtRecord>) -> Result<String, CallError> {
    let handle = options.handle.as_deref().unwrap_or_default();
    match (options.call, record) {
        (CallName::Present, Some(record)) => {
            plugin.present(record).await.map(|handle| presented(options, record, &handle))
        }
        (CallName::Cleanup, Some(record)) => {
            plugin.cleanup(record, handle).await.map(|()| format!("{} no longer holds {}\n", record.name, record.value))
        }
        (CallName::Ready, Some(record)) => plugin.ready(record, handle).await.map(|ready| match ready {
            true => "the change is live\n".to_owned(),
            false => "the change is not live yet\n".to_owned(),
        }),
        _ => plugin
            .check()
            .await
            .map(|()| "the environment is complete and, as far as the plugin looked, works\n".to_owned()),
    }
}

fn presented(options: &RunOptions, record: &TxtRecord, handle: &str) -> String {
    let TxtRecord { zone, name, value, .. } = record;
    let file = options.file.display().to_string();
    let mut again = format!(
        "acme-manager-server plugin run {} cleanup --name {} --value={}",
        shell(&file),
        shell(name),
        shell(value)
    );
    for (flag, value) in [("zone", zone.as_str()), ("handle", handle)] {
        if !value.is_empty() {
            again += &format!(" --{flag}={}", shell(value));
        }
    }
    format!("{} holds {}\nhandle: {handle:?}\nto remove it: {again}\n", plain(name), plain(value))
}

fn save(file: &Path, recording: Option<Recording>) -> anyhow::Result<String> {
    let recording = recording.context("the call was not made, so there is nothing to record")?;
    let text = serde_json::to_string_pretty(&recording)? + "\n";
    file::replace(file, text.as_bytes(), RECORDING_MODE)?;
    Ok(format!(
        "recorded: {} exchanges in {}, without secrets; look through it before you pass it on\n",
        recording.exchanges.len(),
        file.display()
    ))
}

fn told(report: &CallReport) -> String {
    format!(
        "{} took {}: fuel {}, memory {}, requests {}, sent {}, received {}\n",
        report.function,
        time(report.wall),
        count(report.fuel),
        bytes(report.peak_memory_bytes as u64),
        report.requests,
        bytes(report.sent_bytes),
        bytes(report.received_bytes),
    )
}

/// What a component says of itself.
fn described(description: &Description) -> String {
    let seconds = |time: Duration| time.as_secs();
    let mut text = format!(
        "{} {}, {}\nhosts: {}\ntime to live: {} s; shown everywhere within {} s, looked for every {} s\n\
         values at one name: {}; says when a change is live: {}\n",
        description.name,
        description.version,
        description.homepage,
        description.hosts.join(", "),
        description.default_ttl,
        seconds(description.propagation_timeout),
        seconds(description.propagation_interval),
        if description.multiple_values { "several" } else { "one" },
        if description.reports_ready { "yes" } else { "no" },
    );
    for key in &description.environment {
        let marks = [(key.required, "required"), (key.secret, "secret"), (key.endpoint, "endpoint")];
        let marks: Vec<&str> = marks.into_iter().filter_map(|(is_set, word)| is_set.then_some(word)).collect();
        let marks = if marks.is_empty() { String::new() } else { format!(" ({})", marks.join(", ")) };
        let default = key.default.as_ref().map(|value| format!(" [{value}]")).unwrap_or_default();
        text += &format!("  {}{marks}{default}: {}\n", key.name, key.help);
    }
    text
}

/// The record to call with; nothing for `check`.
fn record(options: &RunOptions) -> anyhow::Result<Option<TxtRecord>> {
    if options.call == CallName::Check {
        return Ok(None);
    }
    let name = options.name.as_deref().context("--name is missing: the full name, `_acme-challenge.example.com`")?;
    let tidy = |name: &str| name.trim_end_matches('.').to_ascii_lowercase();
    let zone = options.zone.as_deref().map(tidy).unwrap_or_default();
    let name = tidy(name);
    ensure!(
        zone.is_empty() || name == zone || name.ends_with(&format!(".{zone}")),
        "{name} is not in the zone {zone}: --name wants the full name"
    );
    let value = match &options.value {
        Some(value) => value.clone(),
        None if options.call == CallName::Present => {
            let mut digest = [0; VALUE_BYTES];
            rand::rng().fill_bytes(&mut digest);
            BASE64_URL_SAFE_NO_PAD.encode(digest)
        }
        None => bail!("--value is missing: which value, of those at {name}"),
    };
    Ok(Some(TxtRecord { zone, name, value, ttl: options.ttl }))
}

#[cfg(test)]
mod tests;
