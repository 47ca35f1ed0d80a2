//! The text of a `.env` file, and the line that is wrong in it. A value is never part of what is said.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::io::{self, Read};
use std::rc::Rc;

/// A line that is no assignment.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Malformed {
    /// Counted from 1; where the assignment begins, if it has several.
    pub(super) line: usize,
    pub(super) expected: &'static str,
}

/// The variables; of several lines with one name, the last counts.
pub(super) fn read(text: &str) -> Result<BTreeMap<String, String>, Malformed> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let lines = Lines { rest: text.as_bytes(), count: Rc::default() };
    let count = Rc::clone(&lines.count);
    let assignments = dotenvy::Iter::new(lines);
    assignments.map(|assignment| assignment.map_err(|error| malformed(&error, count.get()))).collect()
}

/// The library's own message holds the line, which may hold a secret; only the place is taken from it.
fn malformed(error: &dotenvy::Error, last: usize) -> Malformed {
    let (lines, expected) = match error {
        dotenvy::Error::LineParse(text, _) => (
            text.lines().count(),
            "NAME=VALUE is wanted, with quotes around a value with spaces, single ones if it holds `$`, `\\` or quotes",
        ),
        _ => (1, "it cannot be read"),
    };
    Malformed { line: (last + 1).saturating_sub(lines).max(1), expected }
}

/// Hands out one line, or less, per read, so that their count is where the library has come to.
struct Lines<'t> {
    rest: &'t [u8],
    count: Rc<Cell<usize>>,
}

impl Read for Lines<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let line = self.rest.iter().position(|byte| *byte == b'\n').map_or(self.rest.len(), |end| end + 1);
        let (now, rest) = self.rest.split_at(line.min(buffer.len()));
        buffer[..now.len()].copy_from_slice(now);
        self.rest = rest;
        if now.len() == line && line > 0 {
            self.count.set(self.count.get() + 1);
        }
        Ok(now.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_assignment_counts_and_values_may_have_lines() {
        let found = read("\u{feff}A=1 # one\r\nexport B='x\ny'\nA=2\n\n").unwrap();
        let expected = [("A", "2"), ("B", "x\ny")].map(|(name, value)| (name.to_owned(), value.to_owned()));
        assert_eq!(found, BTreeMap::from(expected));
    }

    #[test]
    fn the_line_that_is_wrong_is_known() {
        let long = format!("A={}\ns3cr3t\n", "x".repeat(100_000));
        for (text, line) in [
            ("s3cr3t", 1),
            ("A=1\n\n# c\nA=s3cr3t and more\nB=1\n", 4),
            ("A='x\ny'\n-B=s3cr3t\n", 3),
            ("A=1\nB='s3cr3t\nmore\n", 2),
            ("A=1\nB='x\ny' s3cr3t\nC=1\n", 2),
            (&long, 2),
        ] {
            let error = read(text).unwrap_err();
            assert_eq!(error.line, line, "{text:.40}");
            assert!(!format!("{error:?}").contains("s3cr3t"), "{error:?}");
        }
    }
}
