//! Takes the values of secrets out of texts that leave a plugin, also in the spellings that a request gives them.
//!
//! The needles are the secrets themselves, so this type has neither `Debug` nor any way to read them back.

use std::borrow::Cow;

use aho_corasick::{AhoCorasick, AhoCorasickKind, MatchKind};
use base64::{Engine as _, prelude::BASE64_STANDARD_NO_PAD, prelude::BASE64_URL_SAFE_NO_PAD};

pub(crate) const MARK: &str = "[redacted]";
/// Shorter values (`true`, `5`, `eu`) would turn logs into gaps and hide nothing worth hiding.
const MIN_SECRET_BYTES: usize = 6;

/// Replaces secrets by a mark.
pub(crate) struct Redactor {
    /// `None` without secrets.
    needles: Option<AhoCorasick>,
}

impl Redactor {
    /// Knows the given values from now on; those of five bytes or less are left alone.
    pub(crate) fn new<'a>(secrets: impl IntoIterator<Item = &'a str>) -> Self {
        let mut needles: Vec<Vec<u8>> = Vec::new();
        for secret in secrets {
            // Texts are cut into lines, so the lines of a key file have to be known one by one.
            let lines = secret.lines().map(str::trim);
            for part in std::iter::once(secret).chain(std::iter::once(secret.trim())).chain(lines) {
                if part.len() >= MIN_SECRET_BYTES {
                    needles.extend(spellings(part));
                }
            }
        }
        needles.sort_unstable();
        needles.dedup();
        if needles.is_empty() {
            return Self { needles: None };
        }
        // The kind that the library would choose for few needles grows faster than they do.
        let mut builder = AhoCorasick::builder();
        builder.match_kind(MatchKind::LeftmostLongest).kind(Some(AhoCorasickKind::ContiguousNFA));
        let automaton = builder.build(&needles);
        Self { needles: Some(automaton.expect("environment values are far below the automaton's size limit")) }
    }

    /// `text` with every secret replaced.
    pub(crate) fn redact<'a>(&self, text: &'a str) -> Cow<'a, str> {
        self.redact_start(text, text.len())
    }

    /// The first `limit` bytes of `text` with every secret replaced, also one that reaches beyond the limit.
    pub(crate) fn redact_start<'a>(&self, text: &'a str, limit: usize) -> Cow<'a, str> {
        let limit = text.floor_char_boundary(limit);
        let mut matches =
            self.needles.iter().flat_map(|n| n.find_iter(text)).take_while(|m| m.start() < limit).peekable();
        if matches.peek().is_none() {
            return Cow::Borrowed(&text[..limit]);
        }
        let mut clean = String::with_capacity(limit);
        let mut done = 0;
        for found in matches {
            clean.push_str(&text[done..found.start()]);
            clean.push_str(MARK);
            done = found.end();
        }
        clean.push_str(text.get(done..limit).unwrap_or_default());
        Cow::Owned(clean)
    }

    /// Whether a secret occurs in `text`.
    pub(crate) fn finds(&self, text: &str) -> bool {
        self.needles.as_ref().is_some_and(|n| n.is_match(text))
    }
}

/// The secret as it looks in a header, a URL, a form, a JSON text, in HTTP basic authentication and in hexadecimal
/// digits.
fn spellings(secret: &str) -> Vec<Vec<u8>> {
    let form: String = url::form_urlencoded::byte_serialize(secret.as_bytes()).collect();
    let mut all = vec![
        secret.to_owned(),
        percent(secret, false),
        percent(secret, true),
        form.to_ascii_lowercase(),
        form,
        secret.escape_debug().to_string(),
        secret.bytes().map(|byte| format!("{byte:02x}")).collect(),
        secret.bytes().map(|byte| format!("{byte:02X}")).collect(),
        secret.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n").replace('/', "\\/"),
    ];
    for before in 0..3 {
        all.extend(base64_core(secret.as_bytes(), before));
    }
    all.into_iter().map(String::into_bytes).collect()
}

/// Every byte but the unreserved ones (RFC 3986 §2.3) as `%XX`.
fn percent(secret: &str, lower_case: bool) -> String {
    let mut out = String::with_capacity(secret.len() * 3);
    for byte in secret.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => out.push(char::from(byte)),
            _ if lower_case => out.push_str(&format!("%{byte:02x}")),
            _ => out.push_str(&format!("%{byte:02X}")),
        }
    }
    out
}

/// The characters of a Base64 text that depend on the secret alone when `before` (modulo 3) other bytes stand in
/// front of it, in both alphabets. Empty when too little would be left to be recognised.
fn base64_core(secret: &[u8], before: usize) -> Vec<String> {
    let mut bytes = vec![0; before];
    bytes.extend_from_slice(secret);
    // Six bits a character: those that share bits with what stands before or after the secret are no part of it.
    let first = (before * 8).div_ceil(6);
    let last = bytes.len() * 8 / 6;
    if last - first < MIN_SECRET_BYTES {
        return Vec::new();
    }
    [BASE64_STANDARD_NO_PAD.encode(&bytes), BASE64_URL_SAFE_NO_PAD.encode(&bytes)]
        .into_iter()
        .map(|text| text[first..last].to_owned())
        .collect()
}

#[cfg(test)]
mod tests;
