//! From settings to a plugin that can be called: read once, check the digest of the very bytes that are compiled,
//! compile away from the async threads, compare with the world, ask the plugin what it is.

mod error;
mod source;

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    sync::Arc,
};

use rustls_pki_types::CertificateDer;
use secrecy::SecretString;
use tokio::task::spawn_blocking;
use wasmtime::component::Component;

use crate::{
    description::is_environment_name,
    digest::PluginDigest,
    engine::Engine,
    grants::Grants,
    hook::Hook,
    http::Resolver,
    limits::Limits,
    plugin::{Introduction, Loaded, Plugin, Sandbox},
    recording::Recorder,
    report::Observer,
    world,
};

pub use error::LoadError;
pub(crate) use source::{MAX_COMPONENT_BYTES, Source};
pub use source::{Origin, read_component, read_regular_file};

/// Everything about one plugin: what to load, what to give it and what to allow it.
#[derive(Clone)]
pub struct PluginSettings {
    /// The name under which it appears in logs, errors and metrics.
    pub name: String,
    /// The component.
    pub origin: Origin,
    /// Its whole environment.
    pub environment: BTreeMap<String, SecretString>,
    /// Variables whose values are secrets whatever the component says of them. In the environment of a component that is
    /// not bundled, so are those that are named like one (`…TOKEN…`, `…SECRET…`, `…PASS…`, `…CREDENTIAL…`, `…KEY…`).
    pub secrets: BTreeSet<String>,
    /// Where it may send requests.
    pub grants: Grants,
    /// What it may use up.
    pub limits: Limits,
    /// CA certificates that count beside the public ones.
    pub extra_roots: Vec<CertificateDer<'static>>,
    /// How names become addresses.
    pub resolver: Resolver,
    /// Told of every call when it is over.
    pub observer: Option<Observer>,
    /// Told of every call with all that went over HTTP in it.
    pub recorder: Option<Recorder>,
}

impl PluginSettings {
    /// No environment, no grants, default limits.
    pub fn new(name: impl Into<String>, origin: Origin) -> Self {
        Self {
            name: name.into(),
            origin,
            environment: BTreeMap::new(),
            secrets: BTreeSet::new(),
            grants: Grants::default(),
            limits: Limits::default(),
            extra_roots: Vec::new(),
            resolver: Resolver::default(),
            observer: None,
            recorder: None,
        }
    }
}

impl fmt::Debug for PluginSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PluginSettings").field("name", &self.name).field("grants", &self.grants).finish_non_exhaustive()
    }
}

impl Engine {
    /// Loads a plugin. It is not yet asked whether its environment is any good: see [`Plugin::check`].
    ///
    /// # Errors
    /// When there is no such component, or it is no DNS provider, or it does not manage to describe itself.
    pub async fn load(&self, settings: PluginSettings) -> Result<Plugin, LoadError> {
        self.load_for(settings).await
    }

    /// Loads an issuance hook.
    ///
    /// # Errors
    /// When there is no such component, or it is no hook, or it does not manage to describe itself.
    pub async fn load_hook(&self, settings: PluginSettings) -> Result<Hook, LoadError> {
        self.load_for(settings).await
    }

    async fn load_for<D: Introduction>(&self, settings: PluginSettings) -> Result<Loaded<D>, LoadError> {
        check_environment(&settings)?;
        let origin = settings.origin.clone();
        let engine = self.clone();
        let name = settings.name.clone();
        let compile = move || {
            let source = source::read(&origin, &name)?;
            let place = source.origin.clone();
            let compiled = engine.compile(source)?;
            match compiled.linked.world {
                found if found != D::WORLD => Err(LoadError::OtherKind { origin: place, found }),
                _ => Ok(compiled),
            }
        };
        self.equip(blocking(compile).await?, settings).await
    }

    /// Gives a loaded component other settings, without reading or compiling it again; `settings.origin` is ignored.
    pub(crate) async fn equip<D: Introduction>(
        &self,
        compiled: Compiled,
        settings: PluginSettings,
    ) -> Result<Loaded<D>, LoadError> {
        check_environment(&settings)?;
        Loaded::introduce(Sandbox::new(self, compiled, settings)).await.map_err(LoadError::Describe)
    }

    /// Compiles and links. Takes from milliseconds (cached) to seconds: not for async threads.
    pub(crate) fn compile(&self, source: Source) -> Result<Compiled, LoadError> {
        let (digest, size) = (source.digest, source.bytes.len() as u64);
        let linked = self.0.components.get_or_make(digest, || {
            let component = self.component(&source)?;
            let (world, fit) = world::compare(&self.0.wasm, &component);
            fit.and_then(|()| world::link(&self.0.linker, &component, world))
                .map_err(|difference| LoadError::OtherWorld { origin: source.origin.clone(), world, difference })
        })?;
        Ok(Compiled { linked, digest, size })
    }

    pub(crate) fn component(&self, source: &Source) -> Result<Component, LoadError> {
        let Source { origin, bytes, .. } = source;
        if wasmparser::Parser::is_core_wasm(bytes) {
            return Err(LoadError::CoreModule { origin: origin.clone() });
        }
        if !wasmparser::Parser::is_component(bytes) {
            return Err(LoadError::NotWasm { origin: origin.clone(), found: looks_like(bytes) });
        }
        let is_bundled = source.is_bundled;
        let compiled = self.0.compiler.compile(&self.0.wasm, source.digest, bytes, is_bundled);
        compiled.map_err(|detail| LoadError::Compile { origin: origin.clone(), detail })
    }
}

/// A component that fits the world.
pub(crate) struct Compiled {
    pub(crate) linked: Arc<world::Linked>,
    pub(crate) digest: PluginDigest,
    pub(crate) size: u64,
}

fn check_environment(settings: &PluginSettings) -> Result<(), LoadError> {
    use secrecy::ExposeSecret;
    for (key, value) in &settings.environment {
        let problem = if !is_environment_name(key) {
            "is not made of ASCII letters, digits and `_`"
        } else if value.expose_secret().contains('\0') {
            "has a value with a zero byte"
        } else {
            continue;
        };
        return Err(LoadError::Environment { key: key.clone(), problem });
    }
    Ok(())
}

/// The usual reasons why a download is no component.
fn looks_like(bytes: &[u8]) -> &'static str {
    let text = bytes.trim_ascii_start();
    let starts = |prefix: &str| text.get(..prefix.len()).is_some_and(|s| s.eq_ignore_ascii_case(prefix.as_bytes()));
    match bytes {
        [] => "it is empty",
        [0, b'a', b's', b'm', ..] => "it is WebAssembly of a version that is not known",
        [0x1f, 0x8b, ..] | [b'P', b'K', 3, 4, ..] => "it is compressed, unpack it",
        [0x7f, b'E', b'L', b'F', ..] => "it is a program of the operating system",
        _ if starts("<") => "it is a web page, probably an error page of the server it came from",
        _ if starts("(") => "it is WebAssembly as text, translate it with `wasm-tools parse`",
        _ if starts("version https://git-lfs") => "it is a Git LFS pointer, fetch the file itself",
        _ if starts("#!") => "it is a script",
        _ if bytes.iter().take(512).all(|b| b.is_ascii_graphic() || b.is_ascii_whitespace()) => "it is text",
        _ => "it does not begin like one",
    }
}

/// Runs `work` on a thread that may block.
pub(crate) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, LoadError> + Send + 'static,
) -> Result<T, LoadError> {
    match spawn_blocking(work).await {
        Ok(result) => result,
        Err(stopped) => match stopped.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            Err(_) => Err(LoadError::Compile { origin: "the plugin".into(), detail: "the process is ending".into() }),
        },
    }
}
