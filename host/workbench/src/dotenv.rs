//! The text of a `.env` file, and the line that is wrong in it. A value is never part of what is said.

use std::cell::Cell;
use std::io::{self, Read};
use std::rc::Rc;

/// An assignment.
#[derive(Clone, PartialEq, Eq)]
pub struct Assigned {
    /// The line on which it ends, counted from 1.
    pub line: usize,
    /// The variable.
    pub name: String,
    /// Its value; it may be a secret.
    pub value: String,
}

/// A line that is no assignment.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {expected}")]
pub struct Malformed {
    /// Counted from 1; where the assignment begins, if it has several.
    pub line: usize,
    /// What should stand there.
    pub expected: &'static str,
}

/// The assignments, in their order; of several with one name, the last counts.
///
/// # Errors
/// At the first line that is none.
pub fn read(text: &str) -> Result<Vec<Assigned>, Malformed> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let lines = Lines { rest: text.as_bytes(), count: Rc::default() };
    let count = Rc::clone(&lines.count);
    let assignments = dotenvy::Iter::new(lines);
    let assigned = |(name, value)| Assigned { line: count.get(), name, value };
    assignments.map(|one| one.map(assigned).map_err(|error| malformed(&error, count.get()))).collect()
}

/// The library's own message holds the line, which may hold a secret; only the place is taken from it.
fn malformed(error: &dotenvy::Error, last: usize) -> Malformed {
    let (lines, expected) = match error {
        dotenvy::Error::LineParse(text, _) => (
            text.lines().count(),
            "expected NAME=value; put quotes around values with spaces, single ones if they hold `$`, `\\` or quotes",
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
    fn assignments_come_in_their_order_and_values_may_have_lines() {
        let found = read("\u{feff}A=1 # one\r\nexport B='x\ny'\nA=2\n\n").unwrap();
        let found: Vec<_> = found.iter().map(|one| (one.line, one.name.as_str(), one.value.as_str())).collect();
        assert_eq!(found, [(1, "A", "1"), (3, "B", "x\ny"), (4, "A", "2")]);
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
            let Err(error) = read(text) else { panic!("{text:.40}") };
            assert_eq!(error.line, line, "{text:.40}");
            assert!(!format!("{error:?}").contains("s3cr3t"), "{error:?}");
        }
    }
}
