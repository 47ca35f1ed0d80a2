//! What belongs to one call: the data of its store, made fresh from the plugin's settings and dropped with the store.

use std::sync::Arc;

use tokio::time::Instant;
use wasmtime::component::ResourceTable;
use wasmtime_wasi::{WasiCtx, WasiCtxView, WasiView};
use wasmtime_wasi_http::{WasiHttpCtx, WasiHttpCtxView, WasiHttpView};

use crate::{
    bindings::{exchange, host, turn, types},
    dns,
    guest_log::{GuestLog, GuestStream, Stream},
    http::Outbound,
    limiter::Limiter,
    limits::Limits,
    turns::CallTurn,
};

/// Resources that a guest can hold at once: streams, pollables, requests. A provider needs a handful. Each can hold some
/// hundred KiB of the host's memory (a request's method, path, authority and header), none of which counts as the guest's.
pub(crate) const MAX_RESOURCES: usize = 128;
/// The account of header fields includes the memory that holds them, several times their length.
const FIELD_OVERHEAD: usize = 4;

pub(crate) struct State {
    wasi: WasiCtx,
    http: WasiHttpCtx,
    table: ResourceTable,
    pub(crate) outbound: Outbound,
    pub(crate) limiter: Limiter,
    pub(crate) log: Arc<GuestLog>,
    /// Calls of our own interfaces.
    pub(crate) host_calls: u32,
    deadline: Instant,
    turn: CallTurn,
}

impl State {
    pub(crate) fn new(
        environment: &[(impl AsRef<str>, impl AsRef<str>)],
        limits: &Limits,
        log: Arc<GuestLog>,
        outbound: Outbound,
        deadline: Instant,
        turn: CallTurn,
    ) -> Self {
        let wasi = WasiCtx::builder()
            .envs(environment)
            .stdout(GuestStream { log: log.clone(), stream: Stream::Out })
            .stderr(GuestStream { log: log.clone(), stream: Stream::Err })
            .allow_blocking_current_thread(false)
            .max_random_size(limits.random_bytes)
            .build();
        let mut http = WasiHttpCtx::new();
        http.set_field_size_limit(limits.header_bytes.saturating_mul(FIELD_OVERHEAD));
        let mut table = ResourceTable::new();
        table.set_max_capacity(MAX_RESOURCES);
        let limiter = Limiter::new(limits.memory_bytes);
        Self { wasi, http, table, outbound, limiter, log, host_calls: 0, deadline, turn }
    }
}

impl WasiView for State {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        WasiCtxView { ctx: &mut self.wasi, table: &mut self.table }
    }
}

impl WasiHttpView for State {
    fn http(&mut self) -> WasiHttpCtxView<'_> {
        WasiHttpCtxView { ctx: &mut self.http, table: &mut self.table, hooks: &mut self.outbound }
    }
}

impl types::Host for State {}

impl exchange::Host for State {
    async fn exchange(
        &mut self,
        server: String,
        transport: exchange::Transport,
        request: Vec<u8>,
    ) -> Result<Vec<u8>, exchange::Failure> {
        dns::exchange(&mut self.outbound, &server, transport, &request).await
    }
}

impl turn::Host for State {
    async fn take(&mut self, what: String) -> Result<(), String> {
        self.host_calls = self.host_calls.saturating_add(1);
        self.turn.take(what).await
    }
}

impl host::Host for State {
    fn log(&mut self, level: host::Level, message: String) {
        self.host_calls = self.host_calls.saturating_add(1);
        self.log.message(level, &message);
    }

    fn remaining(&mut self) -> u64 {
        self.host_calls = self.host_calls.saturating_add(1);
        let left = self.deadline.saturating_duration_since(Instant::now());
        u64::try_from(left.as_millis()).unwrap_or(u64::MAX)
    }
}
