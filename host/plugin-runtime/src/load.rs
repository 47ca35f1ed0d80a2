//! From settings to a plugin that can be called: read once, check the digest of the very bytes that are compiled,
//! compile away from the async threads, compare with the world, ask the plugin what it is.

use std::{
    collections::BTreeMap,
    fmt, fs,
    io::{self, Read},
    os::unix::fs::OpenOptionsExt,
    panic::{AssertUnwindSafe, catch_unwind},
    path::{Path, PathBuf},
    sync::Arc,
};

use bytes::Bytes;
use rustls_pki_types::CertificateDer;
use secrecy::SecretString;
use tokio::task::spawn_blocking;
use wasmtime::component::Component;

use crate::{
    call::{Observer, panic_text},
    description::is_environment_name,
    digest::PluginDigest,
    engine::Engine,
    error::CallError,
    grants::Grants,
    hook::Hook,
    http::Resolver,
    limits::Limits,
    plugin::{Introduction, Loaded, Plugin, Sandbox},
    recording::Recorder,
    world::{self, World},
};

/// Three times the largest component that any language's tool chain makes of a provider today.
const MAX_COMPONENT_BYTES: u64 = 64 << 20;

/// Where a component comes from.
#[derive(Clone)]
pub enum Origin {
    /// Part of the server binary.
    Bundled {
        /// The component.
        bytes: &'static [u8],
        /// Its digest, computed when the binary was built.
        digest: PluginDigest,
    },
    /// A file, which must have the given checksum.
    File {
        /// The file.
        path: PathBuf,
        /// What the operator expects it to be.
        checksum: PluginDigest,
    },
    /// Bytes that were read before, so that what was checked of them holds for what is loaded.
    Bytes {
        /// Where they come from, for errors.
        from: String,
        /// The component.
        bytes: Bytes,
        /// What it is expected to be.
        checksum: PluginDigest,
    },
}

/// Everything about one plugin: what to load, what to give it and what to allow it.
#[derive(Clone)]
pub struct PluginSettings {
    /// The name under which it appears in logs, errors and metrics.
    pub name: String,
    /// The component.
    pub origin: Origin,
    /// Its whole environment.
    pub environment: BTreeMap<String, SecretString>,
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

/// Why a plugin cannot be loaded. Every text names the file or the bundled plugin.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// There is no such file.
    #[error("there is no file {}", .path.display())]
    Missing {
        /// The file.
        path: PathBuf,
    },
    /// The file cannot be read.
    #[error("{} cannot be read", .path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// The reason.
        #[source]
        source: io::Error,
    },
    /// The path leads to a directory, a device or a pipe.
    #[error("{} is no regular file", .path.display())]
    NotAFile {
        /// The path.
        path: PathBuf,
    },
    /// The component, or another file beside it, is larger than any that is read.
    #[error("{origin} has {size} bytes, more than the {} that it may have", size_text(*.limit))]
    TooLarge {
        /// The file or the bundled plugin.
        origin: String,
        /// Its size, or what was read of it.
        size: u64,
        /// The limit in bytes.
        limit: u64,
    },
    /// The component is not the one that the operator named.
    #[error("{origin} has another checksum: if it is the file you mean, set `checksum: {actual}` (it was {expected})")]
    Checksum {
        /// The file or the bundled plugin.
        origin: String,
        /// What the configuration says.
        expected: PluginDigest,
        /// What was found.
        actual: PluginDigest,
    },
    /// The bytes are no WebAssembly at all.
    #[error("{origin} is no WebAssembly component: {found}")]
    NotWasm {
        /// The file or the bundled plugin.
        origin: String,
        /// What it looks like instead.
        found: &'static str,
    },
    /// The bytes are a core module.
    #[error(
        "{origin} is a core WebAssembly module, not a component: build it for `wasm32-wasip2`, \
         or wrap it with `wasm-tools component new`"
    )]
    CoreModule {
        /// The file or the bundled plugin.
        origin: String,
    },
    /// A component that does not fit the world that it is made for, or is made for none.
    #[error("{origin} does not fit the world `{}`: {difference}", .world.name())]
    OtherWorld {
        /// The file or the bundled plugin.
        origin: String,
        /// The world that comes nearest.
        world: World,
        /// What is missing, unknown or of another version.
        difference: String,
    },
    /// A provider where a hook is wanted, or the other way round.
    #[error("{origin} is made for the world `{}`: set `kind: {found}`, or another component", .found.name())]
    OtherKind {
        /// The file or the bundled plugin.
        origin: String,
        /// What it is.
        found: World,
    },
    /// The component is damaged or uses features that are switched off.
    #[error("{origin} does not compile: {detail}")]
    Compile {
        /// The file or the bundled plugin.
        origin: String,
        /// The compiler's words.
        detail: String,
    },
    /// An environment variable that cannot be handed over.
    #[error("the environment key {key:?} {problem}")]
    Environment {
        /// The key.
        key: String,
        /// What is wrong with it.
        problem: &'static str,
    },
    /// The plugin does not manage to say what it is.
    #[error("it loads, but `describe` fails")]
    Describe(#[source] CallError),
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
            let source = read(&origin, &name)?;
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
        let refused = |detail| LoadError::Compile { origin: origin.clone(), detail };
        // The compiler panics where parts of a component exchange texts and several memories are switched off
        // (wasmtime-environ, fact/adapt.rs). A stranger's file must not take a thread with it.
        match catch_unwind(AssertUnwindSafe(|| Component::from_binary(&self.0.wasm, bytes))) {
            Ok(compiled) => compiled.map_err(|error| refused(format!("{error:#}"))),
            Err(panic) => Err(refused(format!(
                "the compiler gave up: {}; a component that is composed of several is not supported",
                panic_text(panic.as_ref())
            ))),
        }
    }
}

/// A component's bytes, whose digest has been checked.
pub(crate) struct Source {
    pub(crate) origin: String,
    pub(crate) bytes: Bytes,
    pub(crate) digest: PluginDigest,
}

/// A component that fits the world.
pub(crate) struct Compiled {
    pub(crate) linked: Arc<world::Linked>,
    pub(crate) digest: PluginDigest,
    pub(crate) size: u64,
}

impl Source {
    /// Bytes of unknown origin, as they are.
    pub(crate) fn unchecked(origin: String, bytes: Bytes) -> Result<Self, LoadError> {
        let size = bytes.len() as u64;
        if size > MAX_COMPONENT_BYTES {
            return Err(LoadError::TooLarge { origin, size, limit: MAX_COMPONENT_BYTES });
        }
        let digest = PluginDigest::of(&bytes);
        Ok(Self { origin, bytes, digest })
    }
}

fn read(origin: &Origin, name: &str) -> Result<Source, LoadError> {
    let (text, bytes, expected) = match origin {
        Origin::Bundled { bytes, digest } => {
            (format!("the bundled plugin `{name}`"), Bytes::from_static(bytes), *digest)
        }
        Origin::File { path, checksum } => (path.display().to_string(), read_component(path)?.into(), *checksum),
        Origin::Bytes { from, bytes, checksum } => (from.clone(), bytes.clone(), *checksum),
    };
    let source = Source::unchecked(text, bytes)?;
    if source.digest != expected {
        return Err(LoadError::Checksum { origin: source.origin, expected, actual: source.digest });
    }
    Ok(source)
}

/// Reads a file that may be a component, as [`Engine::load`] does: see [`read_regular_file`].
///
/// # Errors
/// When there is no such file, or it cannot be read, is of another type, or is too large.
pub fn read_component(path: &Path) -> Result<Vec<u8>, LoadError> {
    read_regular_file(path, MAX_COMPONENT_BYTES)
}

/// Reads a regular file of at most `limit` bytes. Opens once and reads what was opened, so that nothing can be
/// exchanged between the checks, and reads no more than the limit, however long the file says it is or becomes. Links
/// are followed. Blocks, but never for the other end of a pipe.
///
/// # Errors
/// When there is no such file, or it cannot be read, is of another type, or is too large.
pub fn read_regular_file(path: &Path, limit: u64) -> Result<Vec<u8>, LoadError> {
    let fail = |source: io::Error| match source.kind() {
        io::ErrorKind::NotFound => LoadError::Missing { path: path.to_owned() },
        _ => LoadError::Unreadable { path: path.to_owned(), source },
    };
    let not_a_file = || LoadError::NotAFile { path: path.to_owned() };
    // Opening a device may have effects, so that most are not even opened; what counts is the second look, at the
    // opened file.
    if !fs::metadata(path).map_err(fail)?.is_file() {
        return Err(not_a_file());
    }
    // A pipe that took the file's place meanwhile must not make the opening wait for a writer.
    let file = fs::OpenOptions::new().read(true).custom_flags(libc::O_NONBLOCK | libc::O_NOCTTY).open(path);
    read_opened(file.map_err(fail)?, path, limit)
}

/// The second half of [`read_regular_file`]: knows nothing but the opened file.
fn read_opened(file: fs::File, path: &Path, limit: u64) -> Result<Vec<u8>, LoadError> {
    let fail = |source: io::Error| LoadError::Unreadable { path: path.to_owned(), source };
    let metadata = file.metadata().map_err(fail)?;
    if !metadata.is_file() {
        return Err(LoadError::NotAFile { path: path.to_owned() });
    }
    let too_large = |size| LoadError::TooLarge { origin: path.display().to_string(), size, limit };
    if metadata.len() > limit {
        return Err(too_large(metadata.len()));
    }
    let mut bytes = Vec::with_capacity(usize::try_from(metadata.len()).unwrap_or_default());
    file.take(limit + 1).read_to_end(&mut bytes).map_err(fail)?;
    if bytes.len() as u64 > limit {
        return Err(too_large(bytes.len() as u64));
    }
    Ok(bytes)
}

fn size_text(bytes: u64) -> String {
    if bytes >= 1 << 20 { format!("{} MiB", bytes >> 20) } else { format!("{} KiB", bytes >> 10) }
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
