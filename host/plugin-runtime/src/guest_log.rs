//! What a plugin writes: `host.log`, standard output and standard error, as lines in our own log under the target
//! `plugin`. Foreign text is never written as it comes: it is cut into lines, bounded, stripped of secrets, and its
//! control characters are escaped.

use std::{
    fmt::Write as _,
    io,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll},
};

use bytes::Bytes;
use tokio::io::AsyncWrite;
use wasmtime_wasi::{
    cli::{IsTerminal, StdoutStream},
    p2::{OutputStream, Pollable, StreamResult},
};

use crate::{bindings::host::Level, limits::Limits, redact::Redactor};

/// The contract promises this length.
const MAX_LINE_BYTES: usize = 8 << 10;
/// How much of a line is looked at beyond its kept part, so that a secret across the cut is still recognised.
const LOOK_AHEAD_BYTES: usize = 8 << 10;
/// What a guest may write at once; it also bounds what `write-zeroes` makes the host allocate.
const MAX_WRITE_BYTES: usize = 16 << 10;

/// The log of one call.
pub(crate) struct GuestLog {
    plugin: Arc<str>,
    function: &'static str,
    redactor: Arc<Redactor>,
    state: Mutex<LogState>,
}

struct LogState {
    lines_left: u32,
    bytes_left: usize,
    dropped_lines: u64,
    dropped_bytes: u64,
    stdout: Line,
    stderr: Line,
    /// Kept for the error of a call that crashes: a Rust guest says here why it panicked.
    last_words: Option<String>,
}

/// A line that is not finished yet.
#[derive(Default)]
struct Line {
    bytes: Vec<u8>,
    dropped_bytes: u64,
}

/// The two standard streams.
#[derive(Clone, Copy)]
pub(crate) enum Stream {
    Out,
    Err,
}

impl GuestLog {
    pub(crate) fn new(plugin: Arc<str>, function: &'static str, redactor: Arc<Redactor>, limits: &Limits) -> Self {
        let state = LogState {
            lines_left: limits.log_lines,
            bytes_left: limits.log_bytes,
            dropped_lines: 0,
            dropped_bytes: 0,
            stdout: Line::default(),
            stderr: Line::default(),
            last_words: None,
        };
        Self { plugin, function, redactor, state: Mutex::new(state) }
    }

    /// What `host.log` was given. A message of several lines becomes several lines.
    pub(crate) fn message(&self, level: Level, message: &str) {
        let mut state = self.state();
        let mut rest = message;
        while !rest.is_empty() {
            if state.lines_left == 0 {
                return state.drop_all(rest.as_bytes());
            }
            let (line, more) = rest.split_once('\n').unwrap_or((rest, ""));
            let line = line.strip_suffix('\r').unwrap_or(line);
            self.emit(&mut state, level, "log", line, line.len() as u64);
            rest = more;
        }
    }

    fn write(&self, stream: Stream, mut bytes: &[u8]) {
        let mut state = self.state();
        while let Some(end) = bytes.iter().position(|&b| b == b'\n') {
            if state.lines_left == 0 && !matches!(stream, Stream::Err) {
                return state.drop_all(bytes);
            }
            state.line(stream).extend(&bytes[..end]);
            bytes = &bytes[end + 1..];
            self.end_line(&mut state, stream);
        }
        state.line(stream).extend(bytes);
    }

    /// Writes out what is unfinished and says what was dropped. Called once, when the call is over.
    pub(crate) fn finish(&self) {
        let mut state = self.state();
        for stream in [Stream::Out, Stream::Err] {
            if !state.line(stream).bytes.is_empty() {
                self.end_line(&mut state, stream);
            }
        }
        let (lines, bytes) = (state.dropped_lines, state.dropped_bytes);
        if lines > 0 {
            let (plugin, call) = (&*self.plugin, self.function);
            tracing::warn!(target: "plugin", plugin, call, lines, bytes, "log limit reached, the rest was dropped");
        }
    }

    /// How many lines were dropped so far.
    pub(crate) fn dropped_lines(&self) -> u64 {
        self.state().dropped_lines
    }

    /// The last line on standard error, if any.
    pub(crate) fn last_words(&self) -> Option<String> {
        self.state().last_words.clone()
    }

    fn end_line(&self, state: &mut LogState, stream: Stream) {
        let line = std::mem::take(state.line(stream));
        let text = String::from_utf8_lossy(&line.bytes);
        let text = text.trim_end_matches('\r');
        let length = line.bytes.len() as u64 + line.dropped_bytes;
        match stream {
            Stream::Out => self.emit(state, Level::Info, "stdout", text, length),
            Stream::Err => {
                // A Rust guest's last line is advice that does not apply here; the one before says what happened.
                if !text.trim().is_empty() && !text.starts_with("note: run with `RUST_BACKTRACE") {
                    state.last_words = Some(self.clean(text, 1024));
                }
                self.emit(state, Level::Warn, "stderr", text, length);
            }
        }
    }

    fn emit(&self, state: &mut LogState, level: Level, source: &'static str, line: &str, length: u64) {
        let kept = line.len().min(MAX_LINE_BYTES);
        if state.lines_left == 0 || state.bytes_left < kept {
            state.lines_left = 0;
            state.dropped_lines += 1;
            state.dropped_bytes += length;
            return;
        }
        state.lines_left -= 1;
        state.bytes_left -= kept;
        let (plugin, call, line) = (&*self.plugin, self.function, self.clean(line, MAX_LINE_BYTES));
        match level {
            Level::Debug => tracing::debug!(target: "plugin", plugin, call, source, "{line}"),
            Level::Info => tracing::info!(target: "plugin", plugin, call, source, "{line}"),
            Level::Warn => tracing::warn!(target: "plugin", plugin, call, source, "{line}"),
            Level::Error => tracing::error!(target: "plugin", plugin, call, source, "{line}"),
        }
    }

    fn clean(&self, line: &str, limit: usize) -> String {
        escape(&self.redactor.redact_start(line, limit))
    }

    fn state(&self) -> MutexGuard<'_, LogState> {
        // A panic in the subscriber leaves at worst a half-counted line.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl LogState {
    /// Counts what nobody reads any more, without a look at each line.
    fn drop_all(&mut self, bytes: &[u8]) {
        let lines = bytes.iter().filter(|byte| **byte == b'\n').count() + usize::from(!bytes.ends_with(b"\n"));
        self.dropped_lines += lines as u64;
        self.dropped_bytes += bytes.len() as u64;
    }

    fn line(&mut self, stream: Stream) -> &mut Line {
        match stream {
            Stream::Out => &mut self.stdout,
            Stream::Err => &mut self.stderr,
        }
    }
}

impl Line {
    fn extend(&mut self, bytes: &[u8]) {
        let room = (MAX_LINE_BYTES + LOOK_AHEAD_BYTES).saturating_sub(self.bytes.len());
        let (kept, dropped) = bytes.split_at(bytes.len().min(room));
        self.bytes.extend_from_slice(kept);
        self.dropped_bytes += dropped.len() as u64;
    }
}

/// Makes control characters, line ends and characters that turn the writing direction visible, so that a guest can
/// neither forge lines nor steer a terminal.
pub(crate) fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        let steers = matches!(c, '\u{2028}' | '\u{2029}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
        match c {
            '\t' => out.push(' '),
            c if c.is_control() || steers => {
                let _ = write!(out, "{}", c.escape_default());
            }
            c => out.push(c),
        }
    }
    out
}

/// One of the standard streams of a guest.
pub(crate) struct GuestStream {
    pub(crate) log: Arc<GuestLog>,
    pub(crate) stream: Stream,
}

impl IsTerminal for GuestStream {
    fn is_terminal(&self) -> bool {
        false
    }
}

impl StdoutStream for GuestStream {
    fn async_stream(&self) -> Box<dyn AsyncWrite + Send + Sync> {
        Box::new(Self { log: self.log.clone(), stream: self.stream })
    }

    // The default goes through a buffer that empty writes can fill without end (GHSA-5m8g-xhq4-4h93).
    fn p2_stream(&self) -> Box<dyn OutputStream> {
        Box::new(Self { log: self.log.clone(), stream: self.stream })
    }
}

impl OutputStream for GuestStream {
    fn write(&mut self, bytes: Bytes) -> StreamResult<()> {
        self.log.write(self.stream, &bytes);
        Ok(())
    }

    fn flush(&mut self) -> StreamResult<()> {
        Ok(())
    }

    fn check_write(&mut self) -> StreamResult<usize> {
        Ok(MAX_WRITE_BYTES)
    }
}

#[async_trait::async_trait]
impl Pollable for GuestStream {
    async fn ready(&mut self) {}
}

impl AsyncWrite for GuestStream {
    fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.log.write(self.stream, bytes);
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

#[cfg(test)]
mod tests;
