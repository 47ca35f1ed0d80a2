//! What one plugin may use up. The defaults are the documented defaults of the configuration.

use std::time::Duration;

/// The limits of a plugin. All count per call but `max_concurrency`, `max_waiting`,
/// `max_connections`, `breakages` and `suspension`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// From the moment the call is asked for, waiting for a free slot included, to its answer.
    pub timeout: Duration,
    /// Linear memory, summed over all memories of the instance.
    pub memory_bytes: usize,
    /// Roughly the number of WebAssembly instructions, instantiation included. Waiting costs none.
    pub fuel: u64,
    /// Calls that run at the same time.
    pub max_concurrency: usize,
    /// Calls that may wait for a free slot; further ones fail at once.
    pub max_waiting: usize,
    /// HTTP requests.
    pub max_requests: u32,
    /// Connections of all running calls together, idle ones apart.
    pub max_connections: usize,
    /// The body of one request.
    pub request_body_bytes: usize,
    /// The body of one response.
    pub response_body_bytes: u64,
    /// The header of one request or response, request line included.
    pub header_bytes: usize,
    /// Log lines, standard output and error included; the rest is counted and dropped.
    pub log_lines: u32,
    /// Bytes of log text, likewise.
    pub log_bytes: usize,
    /// Bytes of randomness asked for at once.
    pub random_bytes: u64,
    /// Calls in a row that break (a crash, an exit, an unusable answer) until the plugin is suspended; 0 for never.
    pub breakages: u32,
    /// How long it is suspended the first time; every further time twice as long, up to ten minutes.
    pub suspension: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            timeout: Duration::from_secs(30),
            memory_bytes: 64 << 20,
            // Seconds of pure computation: a compiled provider needs some hundred thousand, one that brings its
            // interpreter along some hundred million, so the limit only ever meets a loop that does not end.
            fuel: 5_000_000_000,
            max_concurrency: 8,
            // A burst of a few hundred names still gets through: eight at a time, within one timeout.
            max_waiting: 256,
            // A zone listing of a large account has tens of pages.
            max_requests: 100,
            max_connections: 16,
            request_body_bytes: 1 << 20,
            response_body_bytes: 8 << 20,
            header_bytes: 64 << 10,
            log_lines: 500,
            log_bytes: 128 << 10,
            random_bytes: 64 << 10,
            // One breakage may be a vendor's odd answer; five without an answer between them are a defect.
            breakages: 5,
            suspension: Duration::from_secs(30),
        }
    }
}
