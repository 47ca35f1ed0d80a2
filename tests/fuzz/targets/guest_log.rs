//! What a guest writes, in whatever pieces: our log stays one line a line, bounded, without secrets.
#![no_main]

#[path = "../../../host/plugin-runtime/src/testing.rs"]
mod lines;

use acme_manager_plugin_runtime::{Limits, fuzzing::Log};
use arbitrary::Arbitrary;
use libfuzzer_sys::fuzz_target;

const SECRET: &str = "s3cr3t/t0ken+value";

#[derive(Debug, Arbitrary)]
struct Case<'a> {
    lines: u8,
    bytes: u16,
    pieces: Vec<Piece<'a>>,
}

#[derive(Debug, Arbitrary)]
enum Piece<'a> {
    Message(&'a str),
    Secret { by: Way, cut: u8 },
    Out(&'a [u8]),
    Err(&'a [u8]),
    Long { by: Way, length: u16 },
}

#[derive(Debug, Clone, Copy, Arbitrary)]
enum Way {
    Message,
    Out,
    Err,
}

fn write(log: &Log, way: Way, text: &[u8]) {
    match way {
        Way::Message => log.message(&String::from_utf8_lossy(text)),
        Way::Out => log.print(false, text),
        Way::Err => log.print(true, text),
    }
}

fuzz_target!(|case: Case<'_>| {
    let limits = Limits { log_lines: case.lines.into(), log_bytes: case.bytes.into(), ..Limits::default() };
    let lines = lines::Lines::default();
    let last_words = tracing::subscriber::with_default(lines.clone(), || {
        let log = Log::new(&limits, SECRET);
        for piece in &case.pieces {
            match *piece {
                Piece::Message(text) => log.message(text),
                Piece::Out(bytes) => log.print(false, bytes),
                Piece::Err(bytes) => log.print(true, bytes),
                Piece::Long { by, length } => write(&log, by, &vec![b'y'; length.into()]),
                // Streams are put together again; a message is whole by itself.
                Piece::Secret { by: Way::Message, .. } => log.message(SECRET),
                Piece::Secret { by, cut } => {
                    let (start, end) = SECRET.as_bytes().split_at(usize::from(cut) % SECRET.len());
                    write(&log, by, start);
                    write(&log, by, end);
                }
            }
        }
        log.finish().1
    });
    let lines = lines.take();
    assert!(lines.len() <= usize::from(case.lines) + 1, "{} lines", lines.len());
    for line in lines.iter().chain(&last_words) {
        assert!(!line.contains(SECRET), "{line}");
        assert!(!line.chars().any(char::is_control), "{line:?}");
        // Every byte can become an escape, and a mark can be longer than what it hides.
        assert!(line.len() <= (8 << 10) * 10, "{} bytes", line.len());
    }
});
