//! Why there is no plugin, in words for the operator.

use std::{io, path::PathBuf};

use crate::{digest::PluginDigest, error::CallError, world::World};

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
    /// The server's own file is not what was built.
    #[error("{origin} is damaged: install the server again")]
    Damaged {
        /// The bundled plugin.
        origin: String,
        /// What unpacking it says.
        source: io::Error,
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

fn size_text(bytes: u64) -> String {
    if bytes >= 1 << 20 { format!("{} MiB", bytes >> 20) } else { format!("{} KiB", bytes >> 10) }
}
