//! One call of one function: wait for a slot, make a store, run the guest under three clocks, sort out how it ended,
//! report it, throw the store away.
//!
//! Fuel meets guests that compute too much and gives the same verdict on every machine; epochs make a guest that
//! computes give way and stop it when the timer cannot; the timer ends a guest that waits, which costs neither.

use std::{
    panic::AssertUnwindSafe,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use futures::FutureExt;
use tokio::{
    sync::SemaphorePermit,
    time::{Instant, sleep, timeout_at},
};
use wasmtime::{
    PoolConcurrencyLimitError, Store, Trap, UpdateDeadline,
    component::{ComponentNamedList, Lift, Lower, ResourceTableError},
};
use wasmtime_wasi::I32Exit;

use crate::{
    breaker::{Pass, Suspension},
    engine::WASM_STACK_BYTES,
    error::{CONCURRENCY, CONCURRENCY_OF_ALL, CallError},
    guest_log::{GuestLog, escape},
    http::{Outbound, Traffic},
    limiter::MAX_TABLE_ELEMENTS,
    plugin::Sandbox,
    recording::{Asked, Recording, Tape},
    report::{CallReport, Function, Outcome},
    state::{MAX_RESOURCES, State},
    turns::CallTurn,
};

/// Resource handles of the guest.
const MAX_HANDLES: usize = 4096;
/// What one call across the border may copy out of the guest: the host's memory, and time in which nobody else runs. The
/// longest that the contract knows is a DNS message.
const MAX_COPY_BYTES: usize = 128 << 10;
/// How long after the deadline a guest that computes is interrupted. The timer has its turn before, because it can
/// tell a time-out from a trap.
const GRACE: Duration = Duration::from_millis(100);
/// Calls of all plugins that wait for a slot of the engine, each with a slot of its plugin in hand; further ones fail at
/// once.
const MAX_WAITING_OF_ALL: usize = 1024;
/// How long a call that broke or overstepped a limit keeps its slot of the plugin. Growing memory and taking it away again
/// stops all processors for a moment: a plugin that does nothing else, as fast as it is called, must not be called that fast.
const REST: Duration = Duration::from_millis(2);
/// A trap's description, in errors.
const MAX_DETAIL_BYTES: usize = 2048;

impl Sandbox {
    /// Calls `function` and lets `accept` make of its answer what the caller wants.
    pub(crate) async fn call<P, R, T>(
        &self,
        asked: impl Into<Asked<'_>>,
        params: P,
        accept: impl FnOnce(R, &State) -> Result<T, CallError>,
    ) -> Result<T, CallError>
    where
        P: ComponentNamedList + Lower + Send + Sync + 'static,
        R: ComponentNamedList + Lift + Send + Sync + 'static,
    {
        let asked = asked.into();
        let (function, begun) = (asked.function, Instant::now());
        let deadline = begun + self.limits.timeout;
        let admitted = match self.enter() {
            Ok(pass) => self.admit(deadline).await.map(|slots| (pass, slots)),
            Err(suspended) => Err(suspended),
        };
        let (pass, (own_slot, engine_slot)) = match admitted {
            Ok(admitted) => admitted,
            Err(error) => {
                let mut report = self.report(function, Outcome::of(&Err::<(), _>(&error)), begun.elapsed());
                report.error = Some(error.class());
                self.observe(&report);
                return Err(error);
            }
        };
        let started = Instant::now();
        let mut report = self.report(function, Outcome::Ok, started - begun);
        let mut store = self.store(function, deadline);
        // A panic of the host (a defect, in a host function or in the engine) costs this call, not the process; the
        // store it may have left in disorder is dropped below.
        let run = async {
            let ended = timeout_at(deadline, self.run::<P, R>(&mut store, function, params)).await;
            store.data().log.finish();
            ended
        };
        let ended = AssertUnwindSafe(run).catch_unwind().await;
        let result = match ended {
            Ok(Ok(Ok(answer))) => accept(answer, store.data()),
            Ok(Ok(Err(error))) => Err(self.classify(&error, store.data())),
            Ok(Err(_elapsed)) => Err(self.timeout(store.data())),
            Err(panic) => Err(self.host_failure(&panic_text(panic.as_ref()))),
        };
        report.outcome = Outcome::of(&result.as_ref());
        report.error = result.as_ref().err().map(CallError::class);
        report.wall = started.elapsed();
        report.fuel = self.limits.fuel - store.get_fuel().unwrap_or(self.limits.fuel).min(self.limits.fuel);
        report.peak_memory_bytes = store.data().limiter.peak;
        let (state, traffic) = (store.data(), store.data().outbound.traffic());
        report.requests = state.outbound.requests;
        report.host_calls = state.host_calls.saturating_add(state.outbound.requests);
        report.denials = traffic.denials();
        report.sent_bytes = traffic.sent();
        report.received_bytes = traffic.received();
        report.dropped_log_lines = store.data().log.dropped_lines();
        self.record(asked, traffic.tape(), result.as_ref().err());
        drop(store);
        drop(engine_slot);
        report.is_suspended = self.leave(&pass, report.outcome, &result);
        self.observe(&report);
        if matches!(report.outcome, Outcome::Broken | Outcome::Limit) {
            sleep(REST).await;
        }
        drop(own_slot);
        result
    }

    fn record(&self, asked: Asked<'_>, tape: Option<&Tape>, error: Option<&CallError>) {
        if let (Some(recorder), Some(tape)) = (&self.recorder, tape) {
            match Recording::new(&self.subject(), asked, tape.take(), error) {
                Some(recording) => recorder(recording),
                None => tracing::warn!(
                    plugin = &*self.name,
                    "the call is not recorded: it holds more secrets than can be looked for"
                ),
            }
        }
    }

    fn enter(&self) -> Result<Pass, CallError> {
        self.breaker.enter().map_err(|Suspension { breakages, remaining, last }| CallError::Suspended {
            plugin: self.name.clone(),
            breakages,
            remaining: remaining.unwrap_or_default(),
            last: last.unwrap_or_default(),
        })
    }

    fn leave<T>(&self, pass: &Pass, outcome: Outcome, result: &Result<T, CallError>) -> bool {
        let was_suspended = self.breaker.suspension().remaining.is_some();
        self.breaker.leave(pass, outcome, || result.as_ref().err().map(ToString::to_string).unwrap_or_default());
        let Suspension { breakages, remaining, .. } = self.breaker.suspension();
        match remaining {
            Some(pause) if !was_suspended => {
                let seconds = pause.as_secs_f64();
                tracing::error!(
                    plugin = &*self.name,
                    breakages,
                    seconds,
                    "the plugin broke too often; it is suspended"
                );
            }
            None if was_suspended => tracing::info!(plugin = &*self.name, "the plugin answers again"),
            _ => {}
        }
        remaining.is_some()
    }

    async fn run<P, R>(&self, store: &mut Store<State>, function: Function, params: P) -> wasmtime::Result<R>
    where
        P: ComponentNamedList + Lower + Send + Sync + 'static,
        R: ComponentNamedList + Lift + Send + Sync + 'static,
    {
        // Instantiation runs guest code as well, hence inside all limits.
        let instance = self.linked.instance.instantiate_async(&mut *store).await?;
        let function = instance.get_typed_func::<P, R>(&mut *store, self.linked.export(function))?;
        function.call_async(store, params).await
    }

    /// Waits for a slot of the plugin and one of the engine, in this order, so that a plugin that is called too often
    /// queues before its own door.
    async fn admit(&self, deadline: Instant) -> Result<(SemaphorePermit<'_>, SemaphorePermit<'_>), CallError> {
        let own = match self.permits.try_acquire() {
            Ok(permit) => permit,
            Err(_) => {
                let _waiting = Waiting::join(&self.waiting, self.limits.max_waiting).ok_or_else(|| {
                    self.overloaded(format!("{} calls wait already", self.limits.max_waiting), CONCURRENCY)
                })?;
                self.wait(&self.permits, deadline, CONCURRENCY).await?
            }
        };
        let global = match self.engine.0.slots.try_acquire() {
            Ok(permit) => permit,
            Err(_) => {
                let _waiting = Waiting::join(&self.engine.0.waiting, MAX_WAITING_OF_ALL).ok_or_else(|| {
                    let detail = format!("{MAX_WAITING_OF_ALL} calls of all plugins wait already");
                    self.overloaded(detail, CONCURRENCY_OF_ALL)
                })?;
                self.wait(&self.engine.0.slots, deadline, CONCURRENCY_OF_ALL).await?
            }
        };
        Ok((own, global))
    }

    async fn wait<'a>(
        &self,
        slots: &'a tokio::sync::Semaphore,
        deadline: Instant,
        setting: &'static str,
    ) -> Result<SemaphorePermit<'a>, CallError> {
        match timeout_at(deadline, slots.acquire()).await {
            Ok(Ok(permit)) => Ok(permit),
            Ok(Err(_closed)) => Err(self.host_failure("the slots are closed")),
            Err(_elapsed) => {
                let whose = if setting == CONCURRENCY { "its own" } else { "those of all plugins" };
                let detail = format!("none of {whose} became free within {} s", self.limits.timeout.as_secs_f64());
                Err(self.overloaded(detail, setting))
            }
        }
    }

    fn store(&self, function: Function, deadline: Instant) -> Store<State> {
        let log = Arc::new(GuestLog::new(self.name.clone(), function.as_str(), self.redactor.clone(), &self.limits));
        let tape = self.recorder.as_ref().map(|_| Tape::default());
        let outbound = Outbound::new(self.network.clone(), deadline, Traffic::on(tape));
        let turn = CallTurn::new(self.name.clone(), self.engine.0.turns.clone());
        let state = State::new(&self.environment(), &self.limits, log, outbound, deadline, turn);
        let mut store = Store::new(&self.engine.0.wasm, state);
        store.limiter(|state| &mut state.limiter);
        store.set_fuel(self.limits.fuel).expect("the engine counts fuel");
        store.set_max_component_handles(MAX_HANDLES);
        store.set_hostcall_fuel(MAX_COPY_BYTES);
        store.set_epoch_deadline(1);
        let hard = deadline + GRACE;
        store.epoch_deadline_callback(move |_| {
            if Instant::now() >= hard {
                return Ok(UpdateDeadline::Interrupt);
            }
            // tokio puts a task that yields by itself behind the others; the engine's own way of yielding does not.
            Ok(UpdateDeadline::YieldCustom(1, Box::pin(tokio::task::yield_now())))
        });
        store
    }

    /// Whose fault it was, and how to say it.
    fn classify(&self, error: &wasmtime::Error, state: &State) -> CallError {
        let plugin = self.name.clone();
        if state.limiter.refused {
            return CallError::OutOfMemory { plugin, limit_bytes: self.limits.memory_bytes };
        }
        if let Some(I32Exit(status)) = error.downcast_ref() {
            return CallError::Exited { plugin, status: *status };
        }
        if error.is::<PoolConcurrencyLimitError>() {
            return self.overloaded("the instance pool of the server is used up".into(), CONCURRENCY_OF_ALL);
        }
        if state.limiter.refused_table {
            let detail = format!("its tables may have {MAX_TABLE_ELEMENTS} elements");
            return CallError::OutOfBounds { plugin, detail };
        }
        let text = self.clean(&format!("{:#}", error.root_cause()));
        match error.downcast_ref::<Trap>() {
            Some(Trap::OutOfFuel) => CallError::OutOfFuel { plugin, limit: self.limits.fuel },
            Some(Trap::Interrupt) => self.timeout(state),
            Some(Trap::StackOverflow) => {
                let detail = format!("its calls may nest as deep as {} KiB of stack reach", WASM_STACK_BYTES >> 10);
                CallError::OutOfBounds { plugin, detail }
            }
            Some(Trap::StringOutOfBounds | Trap::ListOutOfBounds | Trap::InvalidChar) => {
                CallError::BadReturn { plugin, detail: text }
            }
            Some(_) => {
                let backtrace = self.clean(&format!("{error:?}"));
                tracing::debug!(target: "plugin", plugin = &*self.name, backtrace, "trap");
                let detail = match state.log.last_words() {
                    Some(words) => format!("{words} ({text})"),
                    None => text,
                };
                CallError::Panicked { plugin, detail }
            }
            None if matches!(error.downcast_ref(), Some(ResourceTableError::Full)) => {
                let detail = format!("it holds {MAX_RESOURCES} streams, requests and pollables already ({text})");
                CallError::OutOfBounds { plugin, detail }
            }
            None if is_bound(error, &text) => CallError::OutOfBounds { plugin, detail: text },
            None => CallError::BadReturn { plugin, detail: text },
        }
    }

    fn timeout(&self, state: &State) -> CallError {
        let (plugin, limit) = (self.name.clone(), self.limits.timeout);
        CallError::Timeout { plugin, limit, denied: state.outbound.traffic().obstacle().map(|met| met.to_string()) }
    }

    fn overloaded(&self, detail: String, setting: &'static str) -> CallError {
        CallError::Overloaded { plugin: self.name.clone(), detail, setting }
    }

    fn host_failure(&self, detail: &str) -> CallError {
        let detail = self.clean(detail);
        tracing::error!(plugin = &*self.name, detail, "the plugin runtime failed");
        CallError::Host { plugin: self.name.clone(), detail }
    }

    /// A text without secrets and control characters, of bounded length.
    pub(crate) fn clean(&self, text: &str) -> String {
        escape(&self.redactor.redact_start(text, MAX_DETAIL_BYTES))
    }

    fn report(&self, function: Function, outcome: Outcome, waited: Duration) -> CallReport {
        CallReport {
            plugin: self.name.clone(),
            digest: self.digest,
            function,
            outcome,
            waited,
            wall: Duration::ZERO,
            fuel: 0,
            peak_memory_bytes: 0,
            error: None,
            host_calls: 0,
            requests: 0,
            denials: 0,
            sent_bytes: 0,
            received_bytes: 0,
            dropped_log_lines: 0,
            is_suspended: outcome == Outcome::Suspended,
        }
    }

    fn observe(&self, report: &CallReport) {
        if let Some(observer) = &self.observer {
            observer(report);
        }
    }
}

/// Whether a bound between host and guest was exceeded. The engine's own ones have no type outside of it.
fn is_bound(error: &wasmtime::Error, text: &str) -> bool {
    error.is::<wasmtime_wasi_http::FieldMapError>()
        || ["fuel allocated for hostcalls", "resource table", "handles", "limit", "too large", "max size"]
            .iter()
            .any(|word| text.contains(word))
}

pub(crate) fn panic_text(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().map(String::as_str).or_else(|| panic.downcast_ref::<&str>().copied());
    text.unwrap_or("a panic without a message").to_owned()
}

/// A place in a queue.
struct Waiting<'a>(&'a AtomicUsize);

impl<'a> Waiting<'a> {
    /// Nothing when `most` wait already.
    fn join(queue: &'a AtomicUsize, most: usize) -> Option<Self> {
        let before = queue.fetch_add(1, Ordering::Relaxed);
        let place = Self(queue);
        (before < most).then_some(place)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}
