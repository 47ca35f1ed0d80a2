//! Percent-encoding and credentials.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// A text as one segment of a path or one value of a query: all but the unreserved characters are percent-encoded
/// (RFC 3986 §2.3).
pub fn segment(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    push_encoded(&mut encoded, text);
    encoded
}

/// Names and values as a query string, or as a form's body: `a=1&b=x%20y`.
pub fn query_string<'a>(pairs: impl IntoIterator<Item = (&'a str, &'a str)>) -> String {
    let mut text = String::new();
    for (name, value) in pairs {
        push_pair(&mut text, name, value);
    }
    text
}

/// Adds `name=value`, with `&` before it unless it is the first.
pub(super) fn push_pair(text: &mut String, name: &str, value: &str) {
    if !text.is_empty() {
        text.push('&');
    }
    push_encoded(text, name);
    text.push('=');
    push_encoded(text, value);
}

/// RFC 7617 §2
pub(super) fn basic_credentials(user: &str, password: &str) -> String {
    format!("Basic {}", STANDARD.encode(format!("{user}:{password}")))
}

fn push_encoded(encoded: &mut String, text: &str) {
    const DIGITS: &[u8; 16] = b"0123456789ABCDEF";
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~') {
            encoded.push(char::from(byte));
        } else {
            encoded.push('%');
            encoded.push(char::from(DIGITS[usize::from(byte >> 4)]));
            encoded.push(char::from(DIGITS[usize::from(byte & 15)]));
        }
    }
}
