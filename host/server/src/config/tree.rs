//! The YAML text as a tree that remembers lines, before anything is known about keys.
//!
//! The tree keeps what typed decoding would stop at (repeated keys, wrong types), so that `section` can report all
//! mistakes of a file together. Plain scalars keep their spelling: `1e5` as a user id stays `1e5`.

use std::fmt;

use serde::de::{Deserialize, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};
use serde_saphyr::{DuplicateKeyPolicy, Location, Spanned};
use zeroize::Zeroize;

/// A value and the line where it begins.
#[derive(Clone)]
pub(crate) struct Node {
    pub(crate) value: Value,
    /// Counted from 1; 0 when unknown.
    pub(crate) line: u64,
}

/// What a YAML node holds. Scalars hold their text; the variant says what an unquoted spelling means.
#[derive(Clone)]
pub(crate) enum Value {
    Null,
    Bool {
        text: String,
        value: bool,
    },
    Integer {
        text: String,
        value: i128,
    },
    Float {
        text: String,
    },
    Text(String),
    List(Vec<Node>),
    /// Pairs in the order of the file, repeated keys included.
    Map(Vec<(Key, Node)>),
}

/// A key of a map.
#[derive(Clone)]
pub(crate) struct Key {
    pub(crate) name: String,
    pub(crate) line: u64,
}

/// A text that is no YAML at all.
#[derive(Debug, thiserror::Error)]
#[error("line {line}: {message}")]
pub struct SyntaxError {
    /// Counted from 1; 0 when unknown.
    pub line: u64,
    /// What the parser says, without the text around it, which may hold secrets.
    pub message: String,
}

impl Node {
    /// Reads one YAML document; an empty one is `Null`.
    pub(crate) fn parse(text: &str) -> Result<Self, SyntaxError> {
        let options = serde_saphyr::options! {
            duplicate_keys: DuplicateKeyPolicy::PassThrough,
            strict_booleans: true,
            leading_zero_numbers_as_strings: true,
            underscored_numbers_as_strings: true,
            with_snippet: false,
        };
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        let nothing = |line: &str| {
            let line = line.trim();
            line.is_empty() || line.starts_with('#') || line == "---"
        };
        if text.lines().all(nothing) {
            return Ok(Self { value: Value::Null, line: 1 });
        }
        let raw: Spanned<Raw> = serde_saphyr::from_str_with_options(text, options).map_err(|error| SyntaxError {
            line: error.location().map_or(0, |location| location.line()),
            message: first_line(&error),
        })?;
        Ok(raw.value.into_node(raw.referenced, raw.defined, text))
    }

    /// What the value is, for a message that says what was found. Texts are shown only when `show` says so.
    pub(crate) fn describe(&self, show: Show) -> String {
        let scalar = |kind: &str, text: &str| match show {
            Show::Value => format!("{kind}{:?}", text.chars().take(100).collect::<String>()),
            Show::KindOnly => "another value".to_owned(),
        };
        match &self.value {
            Value::Null => "nothing".to_owned(),
            Value::Bool { value, .. } => value.to_string(),
            Value::Integer { text, .. } | Value::Float { text } => match show {
                Show::Value => text.clone(),
                Show::KindOnly => "a number".to_owned(),
            },
            Value::Text(text) => scalar("", text),
            Value::List(_) => "a list".to_owned(),
            Value::Map(_) => "a map".to_owned(),
        }
    }
}

/// Whether a message may repeat a value.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Show {
    Value,
    /// For secrets.
    KindOnly,
}

impl Drop for Value {
    fn drop(&mut self) {
        if let Self::Text(text) = self {
            text.zeroize();
        }
    }
}

/// What the deserializer hands over, still without text for the plain scalars.
enum Raw {
    Null,
    Bool(bool),
    Integer(i128),
    Float(f64),
    Text(String),
    List(Vec<Spanned<Raw>>),
    Map(Vec<(Spanned<String>, Spanned<Raw>)>),
}

impl Raw {
    fn into_node(self, referenced: Location, defined: Location, source: &str) -> Node {
        let spelling = |fallback: String| match slice(source, defined) {
            Some(text) => text.to_owned(),
            None => fallback,
        };
        let value = match self {
            Self::Null => Value::Null,
            Self::Bool(value) => Value::Bool { text: spelling(value.to_string()), value },
            Self::Integer(value) => Value::Integer { text: spelling(value.to_string()), value },
            Self::Float(value) => Value::Float { text: spelling(value.to_string()) },
            Self::Text(text) => Value::Text(text),
            Self::List(items) => Value::List(
                items.into_iter().map(|item| item.value.into_node(item.referenced, item.defined, source)).collect(),
            ),
            Self::Map(pairs) => Value::Map(
                pairs
                    .into_iter()
                    .map(|(key, item)| {
                        let key = Key { name: key.value, line: key.referenced.line() };
                        (key, item.value.into_node(item.referenced, item.defined, source))
                    })
                    .collect(),
            ),
        };
        Node { value, line: referenced.line() }
    }
}

fn slice(source: &str, location: Location) -> Option<&str> {
    let span = location.span();
    let start = usize::try_from(span.byte_offset()?).ok()?;
    let length = usize::try_from(span.byte_len()?).ok()?;
    source.get(start..start.checked_add(length)?).map(str::trim).filter(|text| !text.is_empty())
}

/// The parser repeats its position on the lines after the first.
fn first_line(error: &serde_saphyr::Error) -> String {
    let text = error.without_snippet().to_string();
    let line = text.lines().next().unwrap_or_default().trim();
    match line.contains("null into string") {
        // Which is what a `:` without anything before it is to the library.
        true => "a key has no name: something must stand before `:`".to_owned(),
        false => line.to_owned(),
    }
}

impl<'de> Deserialize<'de> for Raw {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(RawVisitor)
    }
}

struct RawVisitor;

impl<'de> Visitor<'de> for RawVisitor {
    type Value = Raw;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any YAML value")
    }

    fn visit_unit<E>(self) -> Result<Raw, E> {
        Ok(Raw::Null)
    }

    fn visit_none<E>(self) -> Result<Raw, E> {
        Ok(Raw::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Raw, E> {
        Ok(Raw::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Raw, E> {
        Ok(Raw::Integer(value.into()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Raw, E> {
        Ok(Raw::Integer(value.into()))
    }

    fn visit_i128<E>(self, value: i128) -> Result<Raw, E> {
        Ok(Raw::Integer(value))
    }

    fn visit_u128<E: serde::de::Error>(self, value: u128) -> Result<Raw, E> {
        i128::try_from(value).map(Raw::Integer).map_err(|_| E::custom("a number is too large"))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Raw, E> {
        Ok(Raw::Float(value))
    }

    fn visit_str<E>(self, value: &str) -> Result<Raw, E> {
        Ok(Raw::Text(value.to_owned()))
    }

    fn visit_string<E>(self, value: String) -> Result<Raw, E> {
        Ok(Raw::Text(value))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut access: A) -> Result<Raw, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = access.next_element()? {
            items.push(item);
        }
        Ok(Raw::List(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Raw, A::Error> {
        let mut pairs = Vec::new();
        while let Some(key) = access.next_key::<Spanned<String>>()? {
            if pairs.len() >= LONGEST_MAP {
                return Err(A::Error::custom("a map has too many keys"));
            }
            pairs.push((key, access.next_value()?));
        }
        Ok(Raw::Map(pairs))
    }
}

/// Bounds the work of finding repeated keys; installations have tens of issuers.
const LONGEST_MAP: usize = 2_000;

#[cfg(test)]
mod tests;
