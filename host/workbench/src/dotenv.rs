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
    /// Whether a `$` with the name of a variable that is not set left nothing in it: [`GAP`].
    pub has_gap: bool,
}

/// What to say of an assignment that has a gap. Not which name it was: that may be a part of a secret.
pub const GAP: &str = "a `$`, and the name behind it, stands for the value of a variable that is not set, so nothing is \
                       left of it; if it is meant as it stands, put single quotes around the value";

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
    let mut source = text.split_inclusive('\n');
    let (mut all, mut taken) = (Vec::<Assigned>::new(), 0);
    for one in dotenvy::Iter::new(lines) {
        let (name, value) = one.map_err(|error| malformed(&error, count.get()))?;
        let written: String = source.by_ref().take(count.get() - taken).collect();
        taken = count.get();
        let is_set = |name: &str| std::env::var_os(name).is_some() || all.iter().any(|earlier| earlier.name == name);
        let has_gap = variables(&written).any(|name| !is_set(name));
        all.push(Assigned { line: taken, name, value, has_gap });
    }
    Ok(all)
}

/// The names behind each `$` that is neither in single quotes nor escaped, nor in a comment of its own line.
fn variables(written: &str) -> impl Iterator<Item = &str> {
    let (mut is_quoted, mut is_escaped, mut is_comment, mut is_start) = (false, false, false, true);
    written.char_indices().filter_map(move |(at, c)| {
        is_comment = !is_quoted && c != '\n' && (is_comment || (is_start && c == '#'));
        is_start = c == '\n' || (is_start && c.is_whitespace());
        let was_escaped = is_escaped;
        is_escaped = c == '\\' && !was_escaped && !is_quoted;
        match c {
            '\'' if !was_escaped && !is_comment => is_quoted = !is_quoted,
            '$' if !was_escaped && !is_comment && !is_quoted => {
                let rest = written[at + 1..].trim_start_matches('{');
                let end = rest.find(|c: char| !(c.is_ascii_alphanumeric() || c == '_')).unwrap_or(rest.len());
                return Some(&rest[..end]);
            }
            _ => {}
        }
        None
    })
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
    fn what_a_dollar_takes_away_is_known() {
        let text =
            "# $NOT_SET\nA=ab$cdefgh\nB='ab$cdefgh'\nC=x${A}y\nD=\"a$(id)\"\nE=a\\$b\nF=it$A # $x y\nG=a'\n$b'\n";
        let gaps: Vec<_> = read(text).unwrap().into_iter().map(|one| (one.name, one.has_gap)).collect();
        let gaps: Vec<_> = gaps.iter().filter(|(_, has_gap)| *has_gap).map(|(name, _)| name.as_str()).collect();
        assert_eq!(gaps, ["A", "D", "F"]);
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
