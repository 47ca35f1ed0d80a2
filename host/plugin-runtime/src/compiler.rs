//! From the bytes of a component to machine code. A stranger's component can be made to keep a compiler busy for hours,
//! to fill the memory with it, or to overflow its stack, and none of these can be caught in the process they happen in.
//! So a program that [allows it](enter) compiles in a process of its own, which gets a bounded time and memory, and keeps
//! what came of it in a [cache](cache::Cache).

pub(crate) mod cache;
mod child;

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Mutex, PoisonError},
};

use wasmtime::{Engine, component::Component};

use self::cache::{Cache, Key};
pub use self::child::enter;
use crate::{call::panic_text, digest::PluginDigest};

/// Compiles components, one of each kind at a time: a stranger's that takes long does not hold up the bundled ones.
#[derive(Default)]
pub(crate) struct Compiler {
    cache: Option<Cache>,
    bundled: Mutex<()>,
    foreign: Mutex<()>,
}

impl Compiler {
    pub(crate) fn new(cache: Option<Cache>) -> Self {
        Self { cache, ..Self::default() }
    }

    /// Machine code for the component with this digest, from the cache if it is there. Takes milliseconds or seconds:
    /// not for async threads.
    ///
    /// # Errors
    /// Why it does not compile, in words that may quote the component.
    pub(crate) fn compile(
        &self,
        engine: &Engine,
        digest: PluginDigest,
        bytes: &[u8],
        is_bundled: bool,
    ) -> Result<Component, String> {
        let key = Key::new(digest, engine);
        if let Some(component) = self.cached(engine, &key) {
            return Ok(component);
        }
        let lane = if is_bundled { &self.bundled } else { &self.foreign };
        let _turn = lane.lock().unwrap_or_else(PoisonError::into_inner);
        // Whoever had the turn before may have made it.
        if let Some(component) = self.cached(engine, &key) {
            return Ok(component);
        }
        let artifact = if child::is_allowed() { child::compile(bytes)? } else { precompile(engine, bytes)? };
        let component = load(engine, &artifact)?;
        if let Some(cache) = &self.cache {
            cache.put(&key, &artifact);
        }
        Ok(component)
    }

    fn cached(&self, engine: &Engine, key: &Key) -> Option<Component> {
        let cache = self.cache.as_ref()?;
        let artifact = cache.get(key)?;
        load(engine, &artifact).inspect_err(|_| cache.remove(key)).ok()
    }
}

/// In this process, for programs that have no other: tests, and the process that does nothing else.
fn precompile(engine: &Engine, bytes: &[u8]) -> Result<Vec<u8>, String> {
    // The compiler panics where parts of a component exchange texts and several memories are switched off
    // (wasmtime-environ, fact/adapt.rs). A stranger's file must not take a thread with it.
    match catch_unwind(AssertUnwindSafe(|| engine.precompile_component(bytes))) {
        Ok(compiled) => compiled.map_err(|error| format!("{error:#}")),
        Err(panic) => Err(format!(
            "the compiler gave up: {}; a component that is composed of several is not supported",
            panic_text(panic.as_ref())
        )),
    }
}

fn load(engine: &Engine, artifact: &[u8]) -> Result<Component, String> {
    #[expect(
        unsafe_code,
        reason = "the bytes are what our own compiler made, in this process, in its child, or in a cache that nobody else \
                  can write to and that is checked"
    )]
    let component = unsafe { Component::deserialize(engine, artifact) };
    component.map_err(|error| format!("{error:#}"))
}
