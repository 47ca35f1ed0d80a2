//! A loaded plugin: the typed functions of the contract over the sandboxed call.

use std::{
    fmt,
    sync::{Arc, atomic::AtomicUsize},
    time::Duration,
};

use secrecy::{ExposeSecret, SecretString};
use tokio::sync::Semaphore;

use crate::{
    bindings::types,
    breaker::{Breaker, Suspension},
    call::{Function, Observer},
    description::{Description, TxtRecord},
    digest::PluginDigest,
    engine::Engine,
    error::CallError,
    http::Network,
    limits::Limits,
    load::{Compiled, LoadError, PluginSettings},
    redact::Redactor,
    state::State,
    world::Linked,
};

/// The contract's bounds.
const MAX_MESSAGE_BYTES: usize = 4096;
const MAX_HANDLE_BYTES: usize = 4096;
const MAX_RETRY_AFTER: Duration = Duration::from_secs(3600);

/// A DNS provider. Cheap to clone; calls can run side by side up to its `max_concurrency`.
///
/// A plugin that is replaced goes on serving the calls that hold it, and goes away with the last of them.
#[derive(Clone)]
pub struct Plugin(Arc<Sandbox>);

/// Everything that the calls of one plugin share.
pub(crate) struct Sandbox {
    pub(crate) name: Arc<str>,
    pub(crate) digest: PluginDigest,
    pub(crate) engine: Engine,
    pub(crate) linked: Arc<Linked>,
    pub(crate) limits: Limits,
    pub(crate) redactor: Arc<Redactor>,
    pub(crate) network: Arc<Network>,
    pub(crate) permits: Semaphore,
    pub(crate) waiting: AtomicUsize,
    pub(crate) breaker: Breaker,
    pub(crate) observer: Option<Observer>,
    environment: Vec<(String, SecretString)>,
    size: u64,
    description: Option<Description>,
}

type Answer<T> = (Result<T, types::Error>,);

impl Plugin {
    pub(crate) fn new(sandbox: Sandbox) -> Self {
        Self(Arc::new(sandbox))
    }

    /// The name from the settings.
    pub fn name(&self) -> &str {
        &self.0.name
    }

    /// The digest of the component.
    pub fn digest(&self) -> PluginDigest {
        self.0.digest
    }

    /// The component's size in bytes.
    pub fn size(&self) -> u64 {
        self.0.size
    }

    /// The limits that its calls run under.
    pub fn limits(&self) -> &Limits {
        &self.0.limits
    }

    /// Whether its last calls broke, and if that keeps further ones from being made.
    pub fn suspension(&self) -> Suspension {
        self.0.breaker.suspension()
    }

    /// What it said of itself when it was loaded. Texts are free of secrets, but otherwise foreign.
    pub fn description(&self) -> &Description {
        self.0.description.as_ref().expect("a plugin has introduced itself before anybody sees it")
    }

    /// The same component with other settings, for when its description says what it needs. Nothing is read or
    /// compiled again; `settings.origin` does not count.
    ///
    /// # Errors
    /// When the environment cannot be handed over, or the component does not manage to describe itself in it.
    pub async fn equip(&self, settings: PluginSettings) -> Result<Self, LoadError> {
        let Sandbox { linked, digest, size, engine, .. } = &*self.0;
        let compiled = Compiled { linked: linked.clone(), digest: *digest, size: *size };
        engine.equip(compiled, settings).await
    }

    /// Asks again what it is.
    pub async fn describe(&self) -> Result<Description, CallError> {
        let description = self.0.describe().await?;
        Ok(description.map_texts(|text| self.0.redactor.redact(text).into_owned()))
    }

    /// Whether the environment is complete and, if the plugin can tell cheaply, the credentials work.
    pub async fn check(&self) -> Result<(), CallError> {
        self.0.call(Function::Check, (), |(answer,): Answer<()>, state| self.0.accept(answer, state)).await
    }

    /// Creates the TXT value; returns the handle that `cleanup` and `ready` want, at most 4096 bytes.
    pub async fn present(&self, record: &TxtRecord) -> Result<String, CallError> {
        let accept = |(answer,): Answer<String>, state: &State| {
            let handle = self.0.accept(answer, state)?;
            let bad = |detail: String| CallError::BadReturn { plugin: self.0.name.clone(), detail };
            if handle.len() > MAX_HANDLE_BYTES {
                return Err(bad(format!("a handle of {} bytes, {MAX_HANDLE_BYTES} are allowed", handle.len())));
            }
            // Handles are stored in clear.
            if self.0.redactor.finds(&handle) {
                return Err(bad("the handle contains the value of a secret".into()));
            }
            Ok(handle)
        };
        self.0.call(Function::Present, (types::TxtRecord::from(record),), accept).await
    }

    /// Removes exactly this value. `handle` is what `present` returned, or empty when that is not known.
    pub async fn cleanup(&self, record: &TxtRecord, handle: &str) -> Result<(), CallError> {
        let params = (types::TxtRecord::from(record), handle.to_owned());
        self.0.call(Function::Cleanup, params, |(answer,): Answer<()>, state| self.0.accept(answer, state)).await
    }

    /// Whether the change is live on all of the vendor's name servers.
    pub async fn ready(&self, record: &TxtRecord, handle: &str) -> Result<bool, CallError> {
        let params = (types::TxtRecord::from(record), handle.to_owned());
        self.0.call(Function::Ready, params, |(answer,): Answer<bool>, state| self.0.accept(answer, state)).await
    }
}

impl fmt::Debug for Plugin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Plugin").field("name", &self.0.name).field("digest", &self.0.digest).finish_non_exhaustive()
    }
}

impl Sandbox {
    /// A sandbox that takes every environment value for a secret, until [`Sandbox::introduce`] has told them apart.
    pub(crate) fn new(engine: &Engine, compiled: Compiled, settings: PluginSettings) -> Self {
        let PluginSettings { name, environment, grants, limits, extra_roots, resolver, observer, origin: _ } = settings;
        let name: Arc<str> = name.into();
        let environment: Vec<_> = environment.into_iter().collect();
        let redactor = Arc::new(Redactor::new(environment.iter().map(|(_, value)| value.expose_secret())));
        let network = Network::new(name.clone(), grants, resolver, extra_roots, redactor.clone(), &limits);
        Self {
            name,
            digest: compiled.digest,
            engine: engine.clone(),
            linked: compiled.linked,
            redactor,
            network: Arc::new(network),
            permits: Semaphore::new(limits.max_concurrency.clamp(1, Semaphore::MAX_PERMITS)),
            waiting: AtomicUsize::new(0),
            breaker: Breaker::new(limits.breakages, limits.suspension),
            observer,
            environment,
            size: compiled.size,
            description: None,
            limits,
        }
    }

    /// Asks the plugin what it is, and from then on hides the values that it calls secret and those it does not name.
    pub(crate) async fn introduce(&mut self) -> Result<(), CallError> {
        let description = self.describe().await?;
        let open = |key: &str| description.environment.iter().any(|own| own.name == key && !own.secret);
        let secrets = self.environment.iter().filter(|(key, _)| !open(key)).map(|(_, value)| value.expose_secret());
        self.redactor = Arc::new(Redactor::new(secrets));
        let network = &self.network;
        self.network = Arc::new(Network::new(
            self.name.clone(),
            network.grants.clone(),
            network.resolver.clone(),
            network.extra_roots.clone(),
            self.redactor.clone(),
            &self.limits,
        ));
        self.description = Some(description.map_texts(|text| self.redactor.redact(text).into_owned()));
        Ok(())
    }

    pub(crate) async fn describe(&self) -> Result<Description, CallError> {
        let accept = |(raw,): (types::Description,), _: &State| {
            let bad = |detail: String| CallError::BadReturn { plugin: self.name.clone(), detail: self.clean(&detail) };
            Description::accept(raw).map_err(bad)
        };
        self.call(Function::Describe, (), accept).await
    }

    /// The environment as the guest gets it.
    pub(crate) fn environment(&self) -> Vec<(&str, &str)> {
        self.environment.iter().map(|(key, value)| (key.as_str(), value.expose_secret())).collect()
    }

    /// Passes an answer on, or makes the plugin's "no" fit for people to read.
    fn accept<T>(&self, answer: Result<T, types::Error>, state: &State) -> Result<T, CallError> {
        answer.map_err(|types::Error { kind, message, retry_after }| CallError::Refused {
            plugin: self.name.clone(),
            kind: kind.into(),
            message: crate::guest_log::escape(&self.redactor.redact_start(&message, MAX_MESSAGE_BYTES)),
            retry_after: retry_after.map(|s| Duration::from_secs(s.into()).min(MAX_RETRY_AFTER)),
            denied: state.outbound.traffic().refused(),
        })
    }
}
