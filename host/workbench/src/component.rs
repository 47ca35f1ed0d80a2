//! A component on the bench: loaded once, then equipped with whatever a trial needs.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use acme_manager_plugin_runtime::{
    About, CallReport, DnsGrant, Engine, EngineSettings, Grants, HostGrant, Observer, Origin, PluginDigest,
    PluginSettings, read_component,
};
use anyhow::Context as _;
use secrecy::SecretString;
use url::Url;

use crate::command::Reach;
use crate::hosts;
use crate::subject::Subject;

/// A component that fits its world and can say what it is.
pub(crate) struct Bench {
    subject: Subject,
    reports: Reports,
}

/// Which of the hosts that a component describes it may talk to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Described {
    /// All: a mock stands for them.
    All,
    /// Names over HTTPS. The rest would lead a stranger's component into this network, or secrets through it in clear.
    Certain,
}

/// What a component may reach.
pub(crate) struct Reachable {
    pub(crate) grants: Grants,
    /// Described hosts that it may not, and why.
    pub(crate) withheld: Vec<(String, &'static str)>,
}

/// What the calls of a trial cost, in their order.
#[derive(Clone, Default)]
pub(crate) struct Reports(Arc<Mutex<Vec<CallReport>>>);

impl Bench {
    /// Loads a component from a file.
    pub(crate) async fn load(file: &Path) -> anyhow::Result<Self> {
        let (path, reports) = (file.to_owned(), Reports::default());
        let engine = Engine::new(EngineSettings::default())?;
        let component = tokio::task::spawn_blocking(move || read_component(&path)).await??;
        let mut settings = Self::settings(file, PluginDigest::of(&component));
        settings.observer = Some(reports.observer());
        let subject = Subject::load(&engine, &component, settings).await?;
        Ok(Self { subject, reports })
    }

    fn settings(file: &Path, checksum: PluginDigest) -> PluginSettings {
        let name = file.file_stem().unwrap_or(file.as_os_str()).to_string_lossy().into_owned();
        PluginSettings::new(name, Origin::File { path: file.to_owned(), checksum })
    }

    pub(crate) fn subject(&self) -> &Subject {
        &self.subject
    }

    pub(crate) fn about(&self) -> About<'_> {
        self.subject.about()
    }

    pub(crate) fn reports(&self) -> &Reports {
        &self.reports
    }

    /// The component with an environment, grants and `adjust`ments.
    pub(crate) async fn equip(
        &self,
        environment: &BTreeMap<String, String>,
        grants: Grants,
        adjust: impl FnOnce(&mut PluginSettings),
    ) -> anyhow::Result<Subject> {
        let mut settings = Self::settings(Path::new(self.subject.name()), self.subject.digest());
        settings.environment =
            environment.iter().map(|(name, value)| (name.clone(), SecretString::from(value.as_str()))).collect();
        settings.grants = grants;
        settings.observer = Some(self.reports.observer());
        adjust(&mut settings);
        Ok(self.subject.equip(settings).await?)
    }

    /// The hosts that it describes, the origins of its endpoint keys, and what is allowed beside.
    pub(crate) fn reachable(
        &self,
        environment: &BTreeMap<String, String>,
        reach: &Reach,
        described: Described,
    ) -> anyhow::Result<Reachable> {
        let mut grants = Grants { cidrs: reach.cidrs.clone(), ..Grants::default() };
        for host in &reach.hosts {
            grants.hosts.push(host.parse().context("--allow-host")?);
        }
        let mut withheld = Vec::new();
        for host in self.about().hosts {
            let doubt = hosts::doubt(host).filter(|_| described == Described::Certain);
            match (host.parse::<HostGrant>(), doubt) {
                (Ok(grant), None) => grants.hosts.push(grant),
                (Ok(grant), Some(doubt)) => withheld.push((grant.to_string(), doubt)),
                // What is left of one that held a secret.
                (Err(_), doubt) => withheld.extend(doubt.map(|doubt| (host.clone(), doubt))),
            }
        }
        for server in &reach.dns_servers {
            grants.dns_servers.push(server.parse().context("--allow-dns-server")?);
        }
        for (_, value) in self.endpoints(environment) {
            if self.subject.exchanges_dns() && !value.contains("://") {
                grants.dns_servers.extend(value.parse::<DnsGrant>().ok().map(DnsGrant::at_any_address));
                continue;
            }
            let origin = Url::parse(value).ok().and_then(|url| HostGrant::origin(&url));
            // A scenario may try what the component says to an unusable address.
            grants.hosts.extend(origin);
        }
        withheld.retain(|(host, _)| grants.hosts.iter().all(|grant| grant.to_string() != *host));
        Ok(Reachable { grants, withheld })
    }

    /// The endpoint keys that are set, with their values.
    pub(crate) fn endpoints<'a>(
        &'a self,
        environment: &'a BTreeMap<String, String>,
    ) -> impl Iterator<Item = (&'a str, &'a String)> {
        let keys = self.about().environment.iter().filter(|key| key.endpoint);
        keys.filter_map(|key| Some((key.name.as_str(), environment.get(&key.name)?)))
    }
}

impl Reports {
    pub(crate) fn observer(&self) -> Observer {
        let reports = self.clone();
        Arc::new(move |report: &CallReport| {
            reports.0.lock().unwrap_or_else(PoisonError::into_inner).push(report.clone());
        })
    }

    /// All reports since the last time.
    pub(crate) fn take(&self) -> Vec<CallReport> {
        std::mem::take(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
