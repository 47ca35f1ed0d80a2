//! What the host offers beyond WASI: its log, and the time that is left.

use std::time::Duration;

pub use crate::bindings::acme_manager::dns::host::Level;

/// Writes a line to the host's log, which cuts it at 8 KiB and replaces secret environment values.
pub fn log(level: Level, message: &str) {
    #[cfg(target_family = "wasm")]
    crate::bindings::acme_manager::dns::host::log(level, message);
    #[cfg(not(target_family = "wasm"))]
    crate::testing::capture(level, message);
}

/// A line for those who look for a fault.
pub fn debug(message: &str) {
    log(Level::Debug, message);
}

/// A line about normal work.
pub fn info(message: &str) {
    log(Level::Info, message);
}

/// A line about something odd that did not stop the work.
pub fn warn(message: &str) {
    log(Level::Warn, message);
}

/// A line about a failure.
pub fn error(message: &str) {
    log(Level::Error, message);
}

/// The time that is left until the host ends this call.
pub fn remaining() -> Duration {
    #[cfg(target_family = "wasm")]
    return Duration::from_millis(crate::bindings::acme_manager::dns::host::remaining());
    #[cfg(not(target_family = "wasm"))]
    crate::testing::remaining()
}

/// Pauses, at most for the time that is left.
pub fn sleep(duration: Duration) {
    let duration = duration.min(remaining());
    #[cfg(target_family = "wasm")]
    {
        let nanoseconds = u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX);
        crate::bindings::wasi::clocks::monotonic_clock::subscribe_duration(nanoseconds).block();
    }
    #[cfg(not(target_family = "wasm"))]
    crate::testing::pass(duration);
}
