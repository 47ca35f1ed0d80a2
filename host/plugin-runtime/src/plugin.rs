//! A loaded component: the typed functions of the contract over the sandboxed call.

use std::{
    collections::BTreeSet,
    fmt,
    sync::{Arc, atomic::AtomicUsize},
    time::Duration,
};

use secrecy::{ExposeSecret, SecretString};
use tokio::sync::Semaphore;

use crate::{
    bindings::types,
    breaker::{Breaker, Suspension},
    description::{Description, EnvironmentKey, TxtRecord, map_texts},
    digest::PluginDigest,
    engine::Engine,
    error::{CallError, ErrorKind},
    guest_log::escape,
    http::{Network, Obstacle},
    limits::Limits,
    load::{Compiled, LoadError, Origin, PluginSettings},
    recording::{Asked, Recorder, Subject},
    redact::Redactor,
    report::{Function, Observer},
    state::State,
    world::{Linked, World},
};

/// The contract's bounds.
const MAX_MESSAGE_BYTES: usize = 4096;
const MAX_HANDLE_BYTES: usize = 4096;
const MAX_RETRY_AFTER: Duration = Duration::from_secs(3600);

/// A DNS provider.
pub type Plugin = Loaded<Description>;

/// A component that said what it is: a [`Plugin`] or a [`Hook`](crate::Hook). Cheap to clone; calls can run side by
/// side up to its `max_concurrency`.
///
/// One that is replaced goes on serving the calls that hold it, and goes away with the last of them.
pub struct Loaded<D>(pub(crate) Arc<Callee<D>>);

pub(crate) struct Callee<D> {
    pub(crate) sandbox: Sandbox,
    description: D,
}

/// What a component of one of the worlds says of itself.
pub(crate) trait Introduction: Sized {
    /// The world.
    const WORLD: World;

    /// Asks for it.
    fn ask(sandbox: &Sandbox) -> impl Future<Output = Result<Self, CallError>> + Send;

    /// The name that it gives itself.
    fn name(&self) -> &str;

    /// The variables that it names.
    fn environment(&self) -> &[EnvironmentKey];

    /// Applies `f` to every text that people get to read.
    #[must_use]
    fn map_texts(self, f: impl Fn(&str) -> String) -> Self;
}

/// Everything that the calls of one component share.
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
    pub(crate) recorder: Option<Recorder>,
    environment: Vec<Variable>,
    /// Variables that are secrets whatever the component says.
    secrets: BTreeSet<String>,
    is_bundled: bool,
    size: u64,
}

/// A variable of the guest's environment.
struct Variable {
    name: String,
    value: SecretString,
    is_secret: bool,
}

type Answer<T> = (Result<T, types::Error>,);

impl<D> Loaded<D> {
    /// The name from the settings.
    pub fn name(&self) -> &str {
        &self.0.sandbox.name
    }

    /// The digest of the component.
    pub fn digest(&self) -> PluginDigest {
        self.0.sandbox.digest
    }

    /// The component's size in bytes.
    pub fn size(&self) -> u64 {
        self.0.sandbox.size
    }

    /// Whether it sends DNS messages to name servers.
    pub fn exchanges_dns(&self) -> bool {
        self.0.sandbox.linked.exchanges_dns
    }

    /// The limits that its calls run under.
    pub fn limits(&self) -> &Limits {
        &self.0.sandbox.limits
    }

    /// Whether its last calls broke, and if that keeps further ones from being made.
    pub fn suspension(&self) -> Suspension {
        self.0.sandbox.breaker.suspension()
    }

    /// What it said of itself when it was loaded. Texts are free of secrets, but otherwise foreign.
    pub fn description(&self) -> &D {
        &self.0.description
    }
}

#[expect(private_bounds, reason = "the worlds are a closed list")]
impl<D: Introduction> Loaded<D> {
    /// Asks the component what it is, and from then on hides the values that it calls secret and those it does not
    /// name.
    pub(crate) async fn introduce(mut sandbox: Sandbox) -> Result<Self, CallError> {
        let description = D::ask(&sandbox).await?;
        let is_told_open = |key: &str| description.environment().iter().any(|own| own.name == key && !own.secret);
        sandbox.hide_all_but(is_told_open);
        // Names are looked up and cannot be replaced, so there must be nothing in them.
        let keys = description.environment().iter().flat_map(|key| std::iter::once(&key.name).chain(&key.aliases));
        if keys.map(String::as_str).chain([description.name()]).any(|name| sandbox.redactor.finds(name)) {
            return Err(sandbox.bad_return("a name in its description contains the value of a secret"));
        }
        let description = description.map_texts(|text| sandbox.tidy(text));
        Ok(Self(Arc::new(Callee { sandbox, description })))
    }

    /// The same component with other settings, for when its description says what it needs. Nothing is read or
    /// compiled again; `settings.origin` does not count.
    ///
    /// # Errors
    /// When the environment cannot be handed over, or the component does not manage to describe itself in it.
    pub async fn equip(&self, settings: PluginSettings) -> Result<Self, LoadError> {
        let Sandbox { linked, digest, size, engine, .. } = &self.0.sandbox;
        let compiled = Compiled { linked: linked.clone(), digest: *digest, size: *size };
        engine.equip(compiled, settings).await
    }

    /// Asks again what it is.
    pub async fn describe(&self) -> Result<D, CallError> {
        let description = D::ask(&self.0.sandbox).await?;
        Ok(description.map_texts(|text| self.0.sandbox.tidy(text)))
    }
}

impl Plugin {
    /// Whether the environment is complete and, if the plugin can tell cheaply, the credentials work.
    pub async fn check(&self) -> Result<(), CallError> {
        let sandbox = &self.0.sandbox;
        sandbox.call(Function::Check, (), |(answer,): Answer<()>, state| sandbox.accept(answer, state)).await
    }

    /// Creates the TXT value; returns the handle that `cleanup` and `ready` want, at most 4096 bytes.
    pub async fn present(&self, record: &TxtRecord) -> Result<String, CallError> {
        let sandbox = &self.0.sandbox;
        let accept = |(answer,): Answer<String>, state: &State| {
            let handle = sandbox.accept(answer, state)?;
            let bad = |detail: String| CallError::BadReturn { plugin: sandbox.name.clone(), detail };
            if handle.len() > MAX_HANDLE_BYTES {
                return Err(bad(format!("a handle of {} bytes, {MAX_HANDLE_BYTES} are allowed", handle.len())));
            }
            // Handles are stored in clear.
            if sandbox.redactor.finds(&handle) {
                return Err(bad("the handle contains the value of a secret".into()));
            }
            Ok(handle)
        };
        let asked = Asked { record: Some(record), ..Function::Present.into() };
        sandbox.call(asked, (types::TxtRecord::from(record),), accept).await
    }

    /// Removes exactly this value. `handle` is what `present` returned, or empty when that is not known.
    pub async fn cleanup(&self, record: &TxtRecord, handle: &str) -> Result<(), CallError> {
        let (sandbox, params) = (&self.0.sandbox, (types::TxtRecord::from(record), handle.to_owned()));
        let asked = Asked { record: Some(record), handle: Some(handle), ..Function::Cleanup.into() };
        sandbox.call(asked, params, |(answer,): Answer<()>, state| sandbox.accept(answer, state)).await
    }

    /// Whether the change is live on all of the vendor's name servers.
    pub async fn ready(&self, record: &TxtRecord, handle: &str) -> Result<bool, CallError> {
        let (sandbox, params) = (&self.0.sandbox, (types::TxtRecord::from(record), handle.to_owned()));
        let asked = Asked { record: Some(record), handle: Some(handle), ..Function::Ready.into() };
        sandbox.call(asked, params, |(answer,): Answer<bool>, state| sandbox.accept(answer, state)).await
    }
}

impl Introduction for Description {
    const WORLD: World = World::DnsProvider;

    async fn ask(sandbox: &Sandbox) -> Result<Self, CallError> {
        let accept = |(raw,): (types::Description,), _: &State| Self::accept(raw).map_err(|e| sandbox.bad_return(&e));
        sandbox.call(Function::Describe, (), accept).await
    }

    fn name(&self) -> &str {
        &self.name
    }

    fn environment(&self) -> &[EnvironmentKey] {
        &self.environment
    }

    fn map_texts(mut self, f: impl Fn(&str) -> String) -> Self {
        map_texts(&f, [&mut self.version, &mut self.homepage], &mut self.hosts, &mut self.environment);
        self
    }
}

impl<D> Clone for Loaded<D> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<D> fmt::Debug for Loaded<D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Sandbox { name, digest, .. } = &self.0.sandbox;
        f.debug_struct("Loaded").field("name", name).field("digest", digest).finish_non_exhaustive()
    }
}

impl Sandbox {
    /// A sandbox that takes every environment value for a secret, until [`Loaded::introduce`] has told them apart.
    pub(crate) fn new(engine: &Engine, compiled: Compiled, settings: PluginSettings) -> Self {
        let PluginSettings {
            name,
            environment,
            secrets,
            grants,
            limits,
            extra_roots,
            resolver,
            observer,
            recorder,
            origin,
        } = settings;
        let name: Arc<str> = name.into();
        let redactor = Arc::new(Redactor::new(environment.values().map(|value| value.expose_secret())));
        let variable = |(name, value)| Variable { name, value, is_secret: true };
        let environment = environment.into_iter().map(variable).collect();
        let network = Network::new(name.clone(), grants, resolver, extra_roots, redactor.clone(), &limits);
        Self {
            name,
            digest: compiled.digest,
            engine: engine.clone(),
            linked: compiled.linked,
            redactor,
            network: Arc::new(network),
            permits: Semaphore::new(limits.max_concurrency.clamp(1, engine.share())),
            waiting: AtomicUsize::new(0),
            breaker: Breaker::new(limits.breakages, limits.suspension),
            observer,
            recorder,
            environment,
            secrets,
            is_bundled: matches!(origin, Origin::Bundled { .. }),
            size: compiled.size,
            limits,
        }
    }

    /// From now on takes for secrets all values of the environment but those of open keys.
    fn hide_all_but(&mut self, open: impl Fn(&str) -> bool) {
        for variable in &mut self.environment {
            let is_hidden =
                self.secrets.contains(&variable.name) || (!self.is_bundled && names_a_secret(&variable.name));
            variable.is_secret = is_hidden || !open(&variable.name);
        }
        let secrets = self.environment.iter().filter(|variable| variable.is_secret);
        self.redactor = Arc::new(Redactor::new(secrets.map(|variable| variable.value.expose_secret())));
        let network = &self.network;
        self.network = Arc::new(Network::new(
            self.name.clone(),
            network.grants.clone(),
            network.resolver.clone(),
            network.extra_roots.clone(),
            self.redactor.clone(),
            &self.limits,
        ));
    }

    /// A text of the guest without secrets and control characters.
    fn tidy(&self, text: &str) -> String {
        escape(&self.redactor.redact(text))
    }

    /// What the guest returned breaks the contract.
    pub(crate) fn bad_return(&self, detail: &str) -> CallError {
        CallError::BadReturn { plugin: self.name.clone(), detail: self.clean(detail) }
    }

    /// The environment as the guest gets it.
    pub(crate) fn environment(&self) -> Vec<(&str, &str)> {
        self.environment.iter().map(|one| (one.name.as_str(), one.value.expose_secret())).collect()
    }

    /// Whose recordings they are.
    pub(crate) fn subject(&self) -> Subject<'_> {
        let each = self
            .environment
            .iter()
            .map(|Variable { name, value, is_secret }| (name.as_str(), value.expose_secret(), *is_secret));
        Subject { name: &self.name, digest: self.digest.to_string(), environment: each.collect() }
    }

    /// Passes an answer on, or makes the plugin's "no" fit for people to read.
    fn accept<T>(&self, answer: Result<T, types::Error>, state: &State) -> Result<T, CallError> {
        answer.map_err(|types::Error { kind, message, retry_after }| {
            let retry_after = retry_after.map(|s| Duration::from_secs(s.into()).min(MAX_RETRY_AFTER));
            self.refused(kind.into(), &message, retry_after, state)
        })
    }

    /// The component's "no", fit for people to read.
    pub(crate) fn refused(
        &self,
        kind: ErrorKind,
        message: &str,
        retry_after: Option<Duration>,
        state: &State,
    ) -> CallError {
        let plugin = self.name.clone();
        let message = escape(&self.redactor.redact_start(message, MAX_MESSAGE_BYTES));
        match state.outbound.traffic().obstacle() {
            // Whatever the component makes of it: it would meet the bound the next time as well.
            Some(Obstacle::Bound(bound)) => {
                CallError::OutOfBounds { plugin, detail: format!("{bound}; it said: {message}") }
            }
            Some(Obstacle::Denied(advice)) => {
                CallError::Refused { plugin, kind, message, retry_after, denied: Some(advice) }
            }
            None => CallError::Refused { plugin, kind, message, retry_after, denied: None },
        }
    }
}

/// Whether a variable's name says that its value is a secret. Who describes a foreign component may say otherwise, and
/// may have a reason to.
fn names_a_secret(name: &str) -> bool {
    let name = name.to_ascii_uppercase();
    ["TOKEN", "SECRET", "PASS", "CREDENTIAL"].iter().any(|word| name.contains(word))
        || (name.contains("KEY") && !name.ends_with("_ID"))
}
