//! Decoding with a memory: reads typed values out of a [`Node`] tree and collects every mistake with its path.
//!
//! A getter returns `None` both for "not there" and for "wrong", having noted the latter; the caller goes on with its
//! default and the config is refused at the end if anything was noted.

use std::cell::RefCell;
use std::fmt;
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use secrecy::SecretString;

use super::tree::{Node, Show, Value};

/// Something to tell the operator about one place of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// The place, such as `issuer.sectigo.certificate_timeout`.
    pub path: String,
    /// The line, counted from 1; 0 when there is none.
    pub line: u64,
    /// What is wrong with it. Never holds a secret.
    pub message: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.line > 0 {
            write!(f, "line {}: ", self.line)?;
        }
        if !self.path.is_empty() {
            write!(f, "{}: ", self.path)?;
        }
        f.write_str(&self.message)
    }
}

/// Where mistakes and warnings gather during one parse.
#[derive(Default)]
pub(crate) struct Notes {
    mistakes: RefCell<Vec<Problem>>,
    warnings: RefCell<Vec<Problem>>,
}

impl Notes {
    /// Mistakes and warnings, in the order of the file.
    pub(crate) fn into_parts(self) -> (Vec<Problem>, Vec<Problem>) {
        let sorted = |mut problems: Vec<Problem>| {
            problems.sort_by_key(|problem| problem.line);
            problems
        };
        (sorted(self.mistakes.into_inner()), sorted(self.warnings.into_inner()))
    }

    pub(crate) fn mistake(&self, path: String, line: u64, message: impl Into<String>) {
        self.mistakes.borrow_mut().push(Problem { path, line, message: message.into() });
    }

    pub(crate) fn warning(&self, path: String, line: u64, message: impl Into<String>) {
        self.warnings.borrow_mut().push(Problem { path, line, message: message.into() });
    }
}

/// One map of the config with the path that leads to it.
pub(crate) struct Section<'a> {
    path: String,
    line: u64,
    pairs: &'a [(super::tree::Key, Node)],
    notes: &'a Notes,
}

impl<'a> Section<'a> {
    /// The map in `node`; anything else is noted and read as an empty map, `Null` without a note.
    pub(crate) fn new(path: &str, node: &'a Node, notes: &'a Notes) -> Self {
        let pairs: &[_] = match &node.value {
            Value::Map(pairs) => pairs,
            Value::Null => &[],
            _ => {
                let found = node.describe(Show::KindOnly);
                notes.mistake(path.to_owned(), node.line, format!("expected a map of keys, got {found}"));
                &[]
            }
        };
        let section = Self { path: path.to_owned(), line: node.line, pairs, notes };
        for (index, (key, _)) in pairs.iter().enumerate() {
            if let Some((first, _)) = pairs[..index].iter().find(|(earlier, _)| earlier.name == key.name) {
                let message = format!("given twice, first on line {}", first.line);
                notes.mistake(section.path_of(&key.name), key.line, message);
            }
        }
        section
    }

    /// Notes every key that is not in `known`, with the nearest one that is, or the section that has it.
    pub(crate) fn only(&self, known: &[&str], elsewhere: &[(&str, &[&str])]) {
        for (key, _) in self.pairs {
            if known.contains(&key.name.as_str()) {
                continue;
            }
            let hint = match (nearest(&key.name, known), elsewhere.iter().find(|(_, keys)| keys.contains(&&*key.name)))
            {
                (_, Some((section, _))) => format!("; it belongs in `{section}`"),
                (Some(near), None) => format!("; did you mean `{near}`?"),
                (None, None) => format!("; known here: {}", known.join(", ")),
            };
            self.notes.mistake(self.path_of(&key.name), key.line, format!("unknown key{hint}"));
        }
    }

    /// The path of a key of this section.
    pub(crate) fn path_of(&self, key: &str) -> String {
        if self.path.is_empty() { key.to_owned() } else { format!("{}.{key}", self.path) }
    }

    /// Whether the key is there and has a value.
    pub(crate) fn has(&self, key: &str) -> bool {
        self.node(key).is_some()
    }

    /// The value of a key; `Null` counts as absent, and of repeated keys the first counts.
    pub(crate) fn node(&self, key: &str) -> Option<&'a Node> {
        let (_, node) = self.pairs.iter().find(|(name, _)| name.name == key)?;
        (!matches!(node.value, Value::Null)).then_some(node)
    }

    /// All pairs, for maps whose keys the operator chooses.
    pub(crate) fn pairs(&self) -> &'a [(super::tree::Key, Node)] {
        self.pairs
    }

    /// The map below a key, empty when absent.
    pub(crate) fn child(&self, key: &str) -> Option<Section<'a>> {
        self.node(key).map(|node| Section::new(&self.path_of(key), node, self.notes))
    }

    /// The items of a list with their paths.
    pub(crate) fn list(&self, key: &str) -> Vec<(String, &'a Node)> {
        let Some(node) = self.node(key) else { return Vec::new() };
        let Value::List(items) = &node.value else {
            return self.wrong(key, "a list", Show::KindOnly).unwrap_or_default();
        };
        let path = |index: usize| format!("{}[{index}]", self.path_of(key));
        items.iter().enumerate().map(|(index, item)| (path(index), item)).collect()
    }

    /// A text that may be empty; numbers and words such as `true` are taken as they are spelled.
    pub(crate) fn any_text(&self, key: &str) -> Option<String> {
        match scalar(self.node(key)?) {
            Some(text) => Some(text.to_owned()),
            None => self.wrong(key, "text", Show::Value),
        }
    }

    /// A text; the empty one counts as absent, as it does in configs made for the Go server.
    pub(crate) fn optional_text(&self, key: &str) -> Option<String> {
        self.any_text(key).filter(|text| !text.is_empty())
    }

    /// A text that must not be empty if it is there.
    pub(crate) fn text(&self, key: &str) -> Option<String> {
        let text = self.any_text(key)?;
        if text.is_empty() {
            self.mistake(key, "must not be empty");
            return None;
        }
        Some(text)
    }

    /// A text that must be there and not be empty.
    pub(crate) fn required_text(&self, key: &str) -> Option<String> {
        if !self.has(key) {
            self.missing(key);
        }
        self.text(key)
    }

    /// A secret that must be there and not be empty; a message never shows it.
    pub(crate) fn required_secret(&self, key: &str) -> Option<SecretString> {
        if !self.has(key) {
            self.missing(key);
        }
        let secret = self.optional_secret(key)?;
        if secrecy::ExposeSecret::expose_secret(&secret).is_empty() {
            self.mistake(key, "must not be empty");
            return None;
        }
        Some(secret)
    }

    /// A secret that may be empty.
    pub(crate) fn optional_secret(&self, key: &str) -> Option<SecretString> {
        match scalar(self.node(key)?) {
            Some(text) => Some(SecretString::from(text)),
            None => self.wrong(key, "text", Show::KindOnly),
        }
    }

    /// A word with its own parser; the empty text counts as absent.
    pub(crate) fn parsed<T: FromStr<Err: fmt::Display>>(&self, key: &str) -> Option<T> {
        let text = self.optional_text(key)?;
        match text.parse() {
            Ok(value) => Some(value),
            Err(error) => {
                let error: T::Err = error;
                self.mistake(key, error.to_string());
                None
            }
        }
    }

    /// A path that must not be empty; relative ones are relative to the working directory.
    pub(crate) fn file(&self, key: &str) -> Option<PathBuf> {
        self.text(key).map(PathBuf::from)
    }

    /// `true` or `false`; the words of YAML 1.1 (`yes`, `off` …) mean what they meant to the Go server.
    pub(crate) fn flag(&self, key: &str) -> Option<bool> {
        let node = self.node(key)?;
        match &node.value {
            Value::Bool { value, .. } => Some(*value),
            Value::Text(text) => match text.to_ascii_lowercase().as_str() {
                "yes" | "on" | "y" => Some(true),
                "no" | "off" | "n" => Some(false),
                _ => self.wrong(key, "true or false", Show::Value),
            },
            _ => self.wrong(key, "true or false", Show::Value),
        }
    }

    /// A whole number in a range; `what` names it in the message.
    pub(crate) fn number(&self, key: &str, what: &str, range: RangeInclusive<u64>) -> Option<u64> {
        let node = self.node(key)?;
        let Value::Integer { value, .. } = node.value else {
            return self.wrong(key, what, Show::Value);
        };
        match u64::try_from(value).ok().filter(|value| range.contains(value)) {
            Some(value) => Some(value),
            None => {
                let (from, to) = range.into_inner();
                let found = node.describe(Show::Value);
                let bounds = if to == u64::MAX { format!("at least {from}") } else { format!("from {from} to {to}") };
                self.mistake(key, format!("expected {what} {bounds}, got {found}"));
                None
            }
        }
    }

    /// As [`Self::number`], for counts that fit 32 bits.
    pub(crate) fn count(&self, key: &str, what: &str, range: RangeInclusive<u32>) -> Option<u32> {
        let (from, to) = range.into_inner();
        let number = self.number(key, what, from.into()..=to.into())?;
        Some(u32::try_from(number).expect("the range ends at a u32"))
    }

    /// Whole seconds; 0 counts as absent, as it does for the Go server.
    pub(crate) fn seconds(&self, key: &str, most: u64) -> Option<Duration> {
        let seconds = self.number(key, "whole seconds", 0..=most)?;
        (seconds > 0).then(|| Duration::from_secs(seconds))
    }

    /// Notes a mistake at a key of this section.
    pub(crate) fn mistake(&self, key: &str, message: impl Into<String>) {
        self.notes.mistake(self.path_of(key), self.line_of(key), message);
    }

    /// Notes a warning at a key of this section.
    pub(crate) fn warning(&self, key: &str, message: impl Into<String>) {
        self.notes.warning(self.path_of(key), self.line_of(key), message);
    }

    /// Notes that a key must be there.
    pub(crate) fn missing(&self, key: &str) {
        self.notes.mistake(self.path_of(key), self.line, "required, but missing");
    }

    fn line_of(&self, key: &str) -> u64 {
        self.pairs.iter().find(|(name, _)| name.name == key).map_or(self.line, |(name, _)| name.line)
    }

    fn wrong<T>(&self, key: &str, expected: &str, show: Show) -> Option<T> {
        let found = self.node(key).map_or_else(String::new, |node| node.describe(show));
        self.mistake(key, format!("expected {expected}, got {found}"));
        None
    }
}

/// The spelling of a scalar; `None` for lists, maps and nothing.
pub(crate) fn scalar(node: &Node) -> Option<&str> {
    match &node.value {
        Value::Bool { text, .. } | Value::Integer { text, .. } | Value::Float { text } => Some(text),
        Value::Text(text) => Some(text),
        Value::Null | Value::List(_) | Value::Map(_) => None,
    }
}

/// The word of `known` that `word` most likely was meant to be, whatever its case.
pub(crate) fn nearest<'k>(word: &str, known: &[&'k str]) -> Option<&'k str> {
    let word = word.to_ascii_lowercase();
    let likeness = |candidate: &str| strsim::jaro_winkler(&word, &candidate.to_ascii_lowercase());
    let best = known.iter().copied().max_by(|a, b| likeness(a).total_cmp(&likeness(b)))?;
    (likeness(best) > 0.8).then_some(best)
}
