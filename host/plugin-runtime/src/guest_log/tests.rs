use tracing::subscriber::with_default;

use super::*;
use crate::testing::Lines;

fn log(limits: &Limits, secrets: &[&str]) -> (Arc<GuestLog>, Lines) {
    let redactor = Arc::new(Redactor::new(secrets.iter().copied()));
    (Arc::new(GuestLog::new("p".into(), "present", redactor, limits)), Lines::default())
}

#[test]
fn output_becomes_lines_however_it_is_written() {
    let (log, lines) = log(&Limits::default(), &["supersecret"]);
    with_default(lines.clone(), || {
        for part in ["one\r\ntw", "o super", "secret\n\n", "un", "finished"] {
            log.write(Stream::Err, part.as_bytes());
        }
        log.write(Stream::Out, b"\x1b[31mred\xff\x07\n");
        log.finish();
    });
    let lines = lines.take();
    assert_eq!(lines[0], "one");
    assert_eq!(lines[1], "two [redacted]");
    assert_eq!(lines[3], "\\u{1b}[31mred\u{fffd}\\u{7}");
    assert_eq!(lines[4], "unfinished");
    assert_eq!(log.last_words().as_deref(), Some("unfinished"));
}

#[test]
fn a_message_cannot_forge_lines_or_turn_the_text_around() {
    let (log, lines) = log(&Limits::default(), &[]);
    with_default(lines.clone(), || log.message(Level::Warn, "a\rb\nc\u{202e}d\u{2028}e"));
    assert_eq!(lines.take(), ["a\\rb", "c\\u{202e}d\\u{2028}e"]);
}

/// A hundred thousand lines take no longer than a hundred thousand bytes.
#[test]
fn lines_beyond_the_limit_are_counted_without_a_look_at_them() {
    let limits = Limits { log_lines: 3, ..Limits::default() };
    let (log, lines) = log(&limits, &[]);
    with_default(lines.clone(), || {
        log.message(Level::Info, &"x\n".repeat(100));
        log.write(Stream::Out, "y\ny\nrest".as_bytes());
        log.finish();
    });
    let lines = lines.take();
    assert_eq!(lines[..3], ["x", "x", "x"]);
    assert_eq!((lines.len(), log.dropped_lines()), (4, 97 + 3), "{lines:?}");
}

#[test]
fn long_lines_are_cut_and_secrets_at_the_cut_are_not_halved() {
    let (log, lines) = log(&Limits::default(), &["supersecret"]);
    with_default(lines.clone(), || {
        let long = format!("{}supersecret{}\n", "x".repeat(MAX_LINE_BYTES - 5), "y".repeat(100_000));
        log.write(Stream::Out, long.as_bytes());
        log.message(Level::Info, &long);
    });
    for line in lines.take() {
        assert!(line.ends_with("xx[redacted]"), "{}", &line[line.len() - 20..]);
        assert!(line.len() < MAX_LINE_BYTES + 10);
    }
}

#[test]
fn what_exceeds_the_limits_is_counted_and_dropped() {
    let limits = Limits { log_lines: 3, ..Limits::default() };
    let (log, lines) = self::log(&limits, &[]);
    with_default(lines.clone(), || {
        for _ in 0..1000 {
            log.write(Stream::Out, b"flood\n");
        }
        log.finish();
    });
    assert_eq!(lines.take().len(), 4, "three lines and the summary");
    assert_eq!(log.dropped_lines(), 997);
    let limits = Limits { log_bytes: 12, ..Limits::default() };
    let (log, lines) = self::log(&limits, &[]);
    with_default(lines.clone(), || log.message(Level::Info, "12345678\n12345678\n1"));
    assert_eq!(lines.take(), ["12345678"]);
    assert_eq!(log.dropped_lines(), 2);
}
