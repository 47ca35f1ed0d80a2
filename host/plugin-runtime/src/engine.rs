//! What all plugins share: the compiler and its cache, the pool of instances, the functions offered to guests, and the
//! clock that interrupts guests which compute.

use std::{
    fmt,
    num::NonZeroUsize,
    path::PathBuf,
    sync::{Arc, atomic::AtomicUsize},
    thread,
    time::Duration,
};

use tokio::sync::Semaphore;
use wasmtime::{
    Config, Enabled, EngineWeak, InstanceAllocationStrategy, OptLevel, PoolingAllocationConfig, Strategy,
    component::{HasSelf, Linker},
};

use crate::{
    bindings::{exchange, host, turn, types},
    compiler::{Compiler, cache::Cache},
    components::Components,
    limiter::MAX_TABLE_ELEMENTS,
    state::State,
    turns::PluginTurns,
};

/// How often guests that compute give way to other tasks, and how exactly a deadline meets them.
const TICK: Duration = Duration::from_millis(10);
/// Interpreters nest deeply; only touched pages cost memory.
pub(crate) const WASM_STACK_BYTES: usize = 512 << 10;
/// The host functions run on the rest: half a megabyte.
const STACK_BYTES: usize = 1 << 20;
/// What a reused memory or table keeps in place instead of faulting it in again. Small, because it is cleared at every
/// call, and idle instances hold it.
const KEEP_MEMORY_BYTES: usize = 128 << 10;
const KEEP_TABLE_BYTES: usize = 8 << 10;
/// Core instances, memories and tables per component in the pool; a Python component has some thirty, two and two.
const CORE_INSTANCES_EACH: u32 = 32;
const MEMORIES_EACH: u32 = 2;
const TABLES_EACH: u32 = 8;
/// Frames of a trap's backtrace that are kept for the debug log.
const BACKTRACE_FRAMES: NonZeroUsize = NonZeroUsize::new(20).expect("20 is not zero");

/// How to make an [`Engine`].
#[derive(Debug, Clone)]
pub struct EngineSettings {
    /// An absolute directory for compiled components; `None` compiles at every start. It holds native code that is
    /// run, so it is created for this user alone and refused when others can write to it.
    pub compile_cache: Option<PathBuf>,
    /// Calls of all plugins together that run at the same time; further ones wait. No plugin gets more than half of
    /// them, so that one that hangs leaves room for others.
    pub max_instances: u32,
}

impl Default for EngineSettings {
    fn default() -> Self {
        Self { compile_cache: None, max_instances: 64 }
    }
}

/// Why there is no engine.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// The cache directory cannot be used.
    #[error("the compile cache {} cannot be used: {reason}", .path.display())]
    Cache {
        /// The directory.
        path: PathBuf,
        /// Why not.
        reason: String,
    },
    /// WebAssembly cannot be run on this machine.
    #[error("the WebAssembly engine does not start: {0}")]
    Unsupported(String),
    /// The clock thread could not be started.
    #[error("the epoch thread does not start")]
    Thread(#[source] std::io::Error),
}

/// What the calls that run hold of an [`Engine`]; the counts of the pool are zero when there is none.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Usage {
    /// Calls that could start now.
    pub free_slots: usize,
    /// Component instances.
    pub components: usize,
    /// Linear memories.
    pub memories: usize,
    /// Tables.
    pub tables: usize,
    /// Stacks.
    pub stacks: usize,
}

/// Compiles and runs plugins. Cheap to clone; its clock thread ends with the last clone and the last plugin.
#[derive(Clone)]
pub struct Engine(pub(crate) Arc<Shared>);

pub(crate) struct Shared {
    pub(crate) wasm: wasmtime::Engine,
    pub(crate) linker: Linker<State>,
    /// One permit per instance that may live.
    pub(crate) slots: Semaphore,
    /// Calls that wait for one.
    pub(crate) waiting: AtomicUsize,
    max_instances: usize,
    pub(crate) components: Components,
    pub(crate) compiler: Compiler,
    /// Of all plugins, each by its name, so that a plugin that is replaced and its successor share them.
    pub(crate) turns: Arc<PluginTurns>,
    pooled: bool,
}

impl Engine {
    /// Starts an engine. Where the address space for the pool cannot be had (`ulimit -v`, small containers), instances
    /// are allocated one by one instead.
    pub fn new(settings: EngineSettings) -> Result<Self, EngineError> {
        let open =
            |path: &PathBuf| Cache::open(path).map_err(|reason| EngineError::Cache { path: path.clone(), reason });
        let cache = settings.compile_cache.as_ref().map(open).transpose()?;
        let instances = settings.max_instances.max(1);
        let mut config = config();
        config.allocation_strategy(InstanceAllocationStrategy::Pooling(pool(instances)));
        let (wasm, pooled) = match wasmtime::Engine::new(&config) {
            Ok(wasm) => (wasm, true),
            Err(error) => {
                tracing::info!(error = format!("{error:#}"), "no instance pool, instances are allocated on demand");
                config.allocation_strategy(InstanceAllocationStrategy::OnDemand);
                let wasm = wasmtime::Engine::new(&config);
                (wasm.map_err(|error| EngineError::Unsupported(format!("{error:#}")))?, false)
            }
        };
        let linker = linker(&wasm).map_err(|error| EngineError::Unsupported(format!("{error:#}")))?;
        start_clock(wasm.weak()).map_err(EngineError::Thread)?;
        Ok(Self(Arc::new(Shared {
            wasm,
            linker,
            slots: Semaphore::new(instances as usize),
            waiting: AtomicUsize::new(0),
            max_instances: instances as usize,
            components: Components::default(),
            compiler: Compiler::new(cache),
            turns: Arc::default(),
            pooled,
        })))
    }

    /// What running calls hold at this moment.
    pub fn usage(&self) -> Usage {
        let slots = self.0.slots.available_permits();
        match self.0.wasm.pooling_allocator_metrics() {
            Some(pool) => Usage {
                free_slots: slots,
                components: usize::try_from(pool.component_instances()).unwrap_or(usize::MAX),
                memories: pool.memories(),
                tables: pool.tables(),
                stacks: pool.stacks(),
            },
            None => Usage { free_slots: slots, ..Usage::default() },
        }
    }

    /// The most calls of one plugin that run at the same time, whatever its limits say.
    pub fn share(&self) -> usize {
        self.0.max_instances.div_ceil(2)
    }

    /// Whether instances come from the pool.
    pub fn is_pooled(&self) -> bool {
        self.0.pooled
    }
}

impl fmt::Debug for Engine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Engine").field("pooled", &self.0.pooled).finish_non_exhaustive()
    }
}

/// An engine that makes machine code for those of [`Engine::new`] and runs none.
pub(crate) fn for_compiling() -> wasmtime::Result<wasmtime::Engine> {
    wasmtime::Engine::new(&config())
}

fn config() -> Config {
    let mut config = Config::new();
    config
        .strategy(Strategy::Cranelift)
        .cranelift_opt_level(OptLevel::Speed)
        .consume_fuel(true)
        .epoch_interruption(true)
        .max_wasm_stack(WASM_STACK_BYTES)
        .async_stack_size(STACK_BYTES)
        .memory_init_cow(true)
        .wasm_backtrace_max_frames(Some(BACKTRACE_FRAMES));
    // Everything that no guest of the contract needs. The cargo features of some of these stay on all the same: builds
    // without them abort on guests that try (GHSA-rc4p, GHSA-2674).
    config
        .concurrency_support(false)
        .wasm_threads(false)
        .wasm_memory64(false)
        .wasm_multi_memory(false)
        .wasm_exceptions(false)
        .wasm_gc(false)
        .wasm_function_references(false)
        .wasm_tail_call(false)
        .relaxed_simd_deterministic(true)
        .wasm_relaxed_simd(false);
    config
}

fn pool(instances: u32) -> PoolingAllocationConfig {
    let mut pool = PoolingAllocationConfig::new();
    pool.total_component_instances(instances)
        .total_stacks(instances)
        .total_core_instances(instances.saturating_mul(CORE_INSTANCES_EACH))
        .total_memories(instances.saturating_mul(MEMORIES_EACH))
        .total_tables(instances.saturating_mul(TABLES_EACH))
        .total_gc_heaps(0)
        .max_memories_per_module(MEMORIES_EACH)
        .max_tables_per_module(TABLES_EACH)
        .table_elements(MAX_TABLE_ELEMENTS)
        .max_unused_warm_slots(instances)
        .linear_memory_keep_resident(KEEP_MEMORY_BYTES)
        .table_keep_resident(KEEP_TABLE_BYTES)
        .pagemap_scan(Enabled::Auto);
    pool
}

/// Everything a guest can import. The file system and sockets are among it because the standard libraries of several
/// languages import them whether used or not; nothing is granted there, so the one is empty and the other refuses.
fn linker(engine: &wasmtime::Engine) -> wasmtime::Result<Linker<State>> {
    let mut linker = Linker::new(engine);
    wasmtime_wasi::p2::add_to_linker_async(&mut linker)?;
    wasmtime_wasi_http::p2::add_only_http_to_linker_async(&mut linker)?;
    types::add_to_linker::<State, HasSelf<State>>(&mut linker, |state| state)?;
    exchange::add_to_linker::<State, HasSelf<State>>(&mut linker, |state| state)?;
    turn::add_to_linker::<State, HasSelf<State>>(&mut linker, |state| state)?;
    host::add_to_linker::<State, HasSelf<State>>(&mut linker, |state| state)?;
    Ok(linker)
}

/// A thread of the system, not a task: a guest that computes can occupy the very thread that drives the timers.
fn start_clock(engine: EngineWeak) -> std::io::Result<()> {
    let tick = move || {
        while let Some(engine) = engine.upgrade() {
            engine.increment_epoch();
            drop(engine);
            thread::sleep(TICK);
        }
    };
    thread::Builder::new().name("plugin-epoch".into()).stack_size(64 << 10).spawn(tick).map(drop)
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;

    #[test]
    fn the_clock_ends_with_the_engine() {
        let engine = Engine::new(EngineSettings::default()).expect("an engine");
        let weak = engine.0.wasm.weak();
        drop(engine);
        let deadline = Instant::now() + Duration::from_secs(5);
        while weak.upgrade().is_some() {
            assert!(Instant::now() < deadline, "something keeps the engine alive");
            thread::yield_now();
        }
    }

    #[test]
    fn without_room_for_a_pool_instances_come_on_demand() {
        let settings = EngineSettings { max_instances: 1_000_000, ..EngineSettings::default() };
        assert!(!Engine::new(settings).expect("an engine all the same").is_pooled());
        assert!(Engine::new(EngineSettings::default()).expect("an engine").is_pooled());
    }
}
