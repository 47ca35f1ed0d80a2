//! `plugin run`: one call by hand, under the server's sandbox, against whatever the network has.

mod environment;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use acme_manager_plugin_runtime::{
    About, CallError, CallReport, ChallengeKind, Description, EnvironmentKey, Function, ProposedOrder, Recorder,
    Recording, TxtRecord,
};
use anyhow::{Context as _, bail, ensure};
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use rand::RngCore as _;

use crate::command::{CallName, Challenge, RunOptions};
use crate::component::{Bench, Described, Reachable};
use crate::file;
use crate::quantity::{bytes, count, time};
use crate::subject::Subject;
use crate::text::{plain, shell};

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
        return Ok(described(bench.subject()));
    }
    let question = Question::of(options, bench.subject())?;
    options.record.as_deref().map_or(Ok(()), may_record)?;
    let environment = environment::of(options, bench.about().environment, Path::new(""))?;
    let reachable = bench.reachable(&environment, &options.reach, Described::Certain)?;
    tell(&announced(&environment, &reachable));
    let kept = Kept::default();
    let subject = bench
        .equip(&environment, reachable.grants, |settings| {
            settings.limits.timeout = Duration::from_secs(options.timeout);
            let kept = kept.clone();
            let keep = move |recording| *kept.lock().unwrap_or_else(PoisonError::into_inner) = Some(recording);
            settings.recorder = options.record.as_ref().map(|_| Arc::new(keep) as Recorder);
        })
        .await?;
    bench.reports().take();
    let result = question.ask(&subject, options).await;
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
            crate::print(&(said + &text))?;
            Err(error.context("the call succeeded, but it is not recorded"))
        }
        (Err(error), recorded) => {
            crate::tell(&text);
            if let Err(unrecorded) = recorded {
                crate::tell(&format!("the call is not recorded: {unrecorded:#}\n"));
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

/// What is asked of a component.
enum Question {
    Check,
    Present(TxtRecord),
    Cleanup(TxtRecord),
    Ready(TxtRecord),
    Review(ProposedOrder),
}

impl Question {
    /// What a command line asks of a component, if it is one that can be asked.
    fn of(options: &RunOptions, subject: &Subject) -> anyhow::Result<Self> {
        let is_for_hooks = options.call == CallName::Review;
        ensure!(
            is_for_hooks == matches!(subject, Subject::Hook(_)),
            "{} is {}, which has the calls {}",
            options.file.display(),
            subject.kind(),
            if is_for_hooks { "describe, check, present, cleanup and ready" } else { "describe and review" }
        );
        idle(options)?;
        Ok(match options.call {
            CallName::Describe | CallName::Check => Self::Check,
            CallName::Present => Self::Present(record(options)?),
            CallName::Cleanup => Self::Cleanup(record(options)?),
            CallName::Ready => Self::Ready(record(options)?),
            CallName::Review => Self::Review(order(options)?),
        })
    }

    /// Asks, and says what a success means.
    async fn ask(&self, subject: &Subject, options: &RunOptions) -> Result<String, CallError> {
        let handle = options.handle.as_deref().unwrap_or_default();
        let said = |text: &str| text.to_owned();
        match (subject, self) {
            (Subject::Hook(hook), Self::Review(order)) => {
                hook.review(order).await.map(|()| said("the order is allowed\n"))
            }
            (Subject::Provider(plugin), Self::Present(record)) => {
                plugin.present(record).await.map(|handle| presented(options, record, &handle))
            }
            (Subject::Provider(plugin), Self::Cleanup(record)) => {
                let gone = format!("{} no longer holds {}\n", record.name, record.value);
                plugin.cleanup(record, handle).await.map(|()| gone)
            }
            (Subject::Provider(plugin), Self::Ready(record)) => {
                plugin.ready(record, handle).await.map(|ready| match (plugin.description().reports_ready, ready) {
                    (false, _) => said("the plugin does not know: it does not report when a change is live\n"),
                    (true, true) => said("the change is live\n"),
                    (true, false) => said("the change is not live yet\n"),
                })
            }
            (Subject::Provider(plugin), _) => {
                let works = "the environment is complete and, as far as the plugin looked, works\n";
                plugin.check().await.map(|()| said(works))
            }
            (Subject::Hook(hook), _) => hook.describe().await.map(|_| String::new()),
        }
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

/// Looks before the call whether a recording may take the place: afterwards is too late for the call, and what is no
/// recording may be the component.
fn may_record(file: &Path) -> anyhow::Result<()> {
    let folder = file.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    ensure!(folder.is_dir(), "--record: there is no folder {}", folder.display());
    file::takes_files(folder).with_context(|| format!("--record: nothing can be written into {}", folder.display()))?;
    let Ok(there) = std::fs::symlink_metadata(file) else { return Ok(()) };
    ensure!(
        there.is_file(),
        "--record: {} is there and is no regular file: remove it, or name another",
        file.display()
    );
    let is_recording = || file::read(file).is_ok_and(|text| serde_json::from_str::<Recording>(&text).is_ok());
    ensure!(
        there.len() == 0 || is_recording(),
        "--record: {} is there and is no recording: name another",
        file.display()
    );
    Ok(())
}

fn save(file: &Path, recording: Option<Recording>) -> anyhow::Result<String> {
    let recording = recording.context(
        "there is nothing to record: the call was not made, or its headers and fields hold more secrets than can be \
         looked for",
    )?;
    let text = serde_json::to_string_pretty(&recording)? + "\n";
    file::replace(file, text.as_bytes(), RECORDING_MODE)?;
    let exchanges = match recording.exchanges.len() {
        1 => "1 exchange".to_owned(),
        several => format!("{several} exchanges"),
    };
    Ok(format!("recorded: {exchanges} in {}, without secrets; look through it before you pass it on\n", file.display()))
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
fn described(subject: &Subject) -> String {
    let About { name, version, homepage, hosts, environment: keys } = subject.about();
    let home = if homepage.is_empty() { String::new() } else { format!(", {homepage}") };
    let hosts = if hosts.is_empty() { "none".to_owned() } else { hosts.join(", ") };
    let mut text = format!("{name} {version}, {}{home}\nhosts: {hosts}\n", subject.kind());
    if let Subject::Provider(plugin) = subject {
        text += &times(plugin.description());
    }
    keys.iter().fold(text, |text, key| text + &variable(key))
}

fn times(description: &Description) -> String {
    format!(
        "time to live: {} s; shown everywhere within {} s, looked for every {} s\nvalues at one name: {}; says when a \
         change is live: {}\n",
        description.default_ttl,
        description.propagation_timeout.as_secs(),
        description.propagation_interval.as_secs(),
        if description.multiple_values { "several" } else { "one" },
        if description.reports_ready { "yes" } else { "no" },
    )
}

fn variable(key: &EnvironmentKey) -> String {
    let marks = [(key.required, "required"), (key.secret, "secret"), (key.endpoint, "endpoint")];
    let marks: Vec<&str> = marks.into_iter().filter_map(|(is_set, word)| is_set.then_some(word)).collect();
    let marks = if marks.is_empty() { String::new() } else { format!(" ({})", marks.join(", ")) };
    let default = key.default.as_ref().map(|value| format!(" [{value}]")).unwrap_or_default();
    format!("  {}{marks}{default}: {}\n", key.name, key.help)
}

/// Refuses what the call has no use for: whoever writes it means something by it. `check` is often the line of another
/// call with a word exchanged.
fn idle(options: &RunOptions) -> anyhow::Result<()> {
    use CallName::{Check, Cleanup, Present, Ready, Review};
    if options.call == Check {
        return Ok(());
    }
    let of_records = [Present, Cleanup, Ready];
    let given = [
        ("--name", options.name.is_some(), &of_records[..]),
        ("--zone", options.zone.is_some(), &of_records),
        ("--value", options.value.is_some(), &of_records),
        ("--handle", options.handle.is_some(), &of_records[1..]),
        ("--domain", !options.domains.is_empty(), &[Review]),
    ];
    for (flag, is_given, calls) in given {
        let calls_with_it: Vec<String> = calls.iter().map(|call| call.word()).collect();
        ensure!(
            !is_given || calls.contains(&options.call),
            "{flag} is for {}; `{}` has no use for it",
            calls_with_it.join(", "),
            options.call.word()
        );
    }
    Ok(())
}

/// The order to ask about.
fn order(options: &RunOptions) -> anyhow::Result<ProposedOrder> {
    ensure!(!options.domains.is_empty(), "--domain is missing: a name of the certificate, `www.example.com`");
    let challenge = match options.challenge {
        Challenge::Dns => ChallengeKind::Dns,
        Challenge::Http => ChallengeKind::Http,
    };
    let domains = options.domains.iter().map(|name| tidy(name)).collect();
    Ok(ProposedOrder { domains, issuer: options.issuer.clone(), challenge })
}

/// A name as the server hands it over.
fn tidy(name: &str) -> String {
    name.trim_end_matches('.').to_ascii_lowercase()
}

/// The record to call with.
fn record(options: &RunOptions) -> anyhow::Result<TxtRecord> {
    let name = options.name.as_deref().context("--name is missing: the full name, `_acme-challenge.example.com`")?;
    let zone = options.zone.as_deref().map(tidy).unwrap_or_default();
    let name = tidy(name);
    ensure!(
        zone.is_empty() || name == zone || name.ends_with(&format!(".{zone}")),
        "{name} is not in the zone {zone}: --name wants the full name"
    );
    let value = match &options.value {
        // What a shell makes of a variable that is not set.
        Some(value) if value.is_empty() => bail!("--value is empty: name the text of the record"),
        Some(value) => value.clone(),
        None if options.call == CallName::Present => {
            let mut digest = [0; VALUE_BYTES];
            rand::rng().fill_bytes(&mut digest);
            BASE64_URL_SAFE_NO_PAD.encode(digest)
        }
        None => bail!("--value is missing: which value, of those at {name}"),
    };
    Ok(TxtRecord { zone, name, value, ttl: options.ttl })
}

#[cfg(test)]
mod tests;
