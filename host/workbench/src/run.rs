//! `plugin run`: one call by hand, under the server's sandbox, against whatever the network has.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write as _;
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use acme_manager_plugin_runtime::{CallError, CallReport, Description, Function, Plugin, Recording, TxtRecord};
use anyhow::{Context as _, bail, ensure};
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use rand::RngCore as _;

use crate::command::{Assignment, CallName, RunOptions, Variable};
use crate::component::Bench;
use crate::quantity::{bytes, count, time};

/// As long as the digest that a CA asks for. RFC 8555 §8.4
const VALUE_BYTES: usize = 32;

type Kept = Arc<Mutex<Option<Recording>>>;

/// Makes the call and returns what came of it.
///
/// # Errors
/// When it cannot be made, or ends with an error.
pub(crate) async fn run(options: &RunOptions) -> anyhow::Result<String> {
    let bench = Bench::load(&options.file).await?;
    if options.call == CallName::Describe {
        return Ok(format!("{:#?}\n", bench.description()));
    }
    let environment = environment(options, bench.description())?;
    let record = record(options)?;
    let kept = Kept::default();
    let plugin = bench
        .equip(&environment, &options.reach, |settings| {
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
    if let Some(file) = &options.record {
        let recording = kept.lock().unwrap_or_else(PoisonError::into_inner).take();
        let recording = recording.context("the call was not made, so there is nothing to record")?;
        save(file, &recording)?;
        text += &format!(
            "recorded: {} exchanges in {}, without secrets; look through it before you pass it on\n",
            recording.exchanges.len(),
            file.display()
        );
    }
    match result {
        Ok(said) => Ok(said + &text),
        Err(error) => {
            eprint!("{text}");
            bail!("{error}")
        }
    }
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
    let file = options.file.display();
    let mut again = format!("acme-manager-server plugin run {file} cleanup --name {name} --value={value}");
    for (flag, value) in [("zone", zone.as_str()), ("handle", handle)] {
        if !value.is_empty() {
            again += &format!(" --{flag}='{}'", value.replace('\'', "'\\''"));
        }
    }
    format!("{name} holds {value}\nhandle: {handle:?}\nto remove it: {again}\n")
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

/// What the component describes and the file, this process or the command line has.
fn environment(options: &RunOptions, description: &Description) -> anyhow::Result<BTreeMap<String, String>> {
    let file = &options.env_file;
    let found = match file.try_exists() {
        Ok(true) => dotenv(file)?,
        // The default need not be there; what was asked for must be.
        Ok(false) if file == Path::new(".env") => BTreeMap::new(),
        Ok(false) => bail!("there is no file {}", file.display()),
        Err(error) => return Err(error).with_context(|| format!("{} cannot be read", file.display())),
    };
    let mut environment = BTreeMap::new();
    for key in &description.environment {
        let names = std::iter::once(&key.name).chain(&key.aliases);
        if let Some(value) = names.filter_map(|name| found.get(name)).find(|value| !value.is_empty()) {
            environment.insert(key.name.clone(), value.clone());
        }
    }
    for variable in &options.environment {
        let (name, value) = match variable {
            Variable::Given(Assignment { name, value }) => (name, value.clone()),
            Variable::Inherited(name) => {
                let value = std::env::var_os(name).with_context(|| format!("this process has no variable {name}"))?;
                let value = value.into_string();
                (name, value.map_err(|_| anyhow::anyhow!("the variable {name} of this process is no UTF-8"))?)
            }
        };
        let key = description.environment.iter().find(|key| key.name == *name || key.aliases.contains(name));
        let key = key.with_context(|| {
            let names: Vec<&str> = description.environment.iter().map(|key| key.name.as_str()).collect();
            format!("the component does not read {name}; it reads {}", names.join(", "))
        })?;
        ensure!(
            !(key.secret && matches!(variable, Variable::Given(_))),
            "{name} is a secret, and every user of this machine can see a command line: put it into {}, or export it and \
             write `--env {name}`",
            file.display()
        );
        environment.insert(key.name.clone(), value);
    }
    Ok(environment)
}

fn dotenv(file: &Path) -> anyhow::Result<BTreeMap<String, String>> {
    let unreadable = || format!("{} cannot be read", file.display());
    let lines = dotenvy::from_path_iter(file).map_err(|error| match error {
        dotenvy::Error::Io(error) => anyhow::Error::from(error).context(unreadable()),
        _ => anyhow::anyhow!(unreadable()),
    })?;
    let mut found = BTreeMap::new();
    for line in lines {
        // The library's message holds the line, which may hold a secret.
        let after = found.keys().last().cloned();
        let (name, value) = line.map_err(|_| match after {
            Some(name) => {
                anyhow::anyhow!("{} has a malformed line, NAME=VALUE is wanted; {name} was read", file.display())
            }
            None => anyhow::anyhow!("{} has a malformed line, NAME=VALUE is wanted", file.display()),
        })?;
        found.insert(name, value);
    }
    Ok(found)
}

/// For this user alone: what a vendor says of an account is nobody else's business.
fn save(file: &Path, recording: &Recording) -> anyhow::Result<()> {
    let text = serde_json::to_string_pretty(recording)?;
    let mut open = fs::OpenOptions::new();
    open.write(true).create(true).truncate(true).mode(0o600);
    let written = open.open(file).and_then(|mut opened| {
        // The mode above is for a new file only.
        opened.set_permissions(fs::Permissions::from_mode(0o600))?;
        opened.write_all((text + "\n").as_bytes())
    });
    written.with_context(|| format!("{} cannot be written", file.display()))
}
