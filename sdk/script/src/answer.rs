//! What comes back for a request.

use std::collections::BTreeMap;

use serde::{Deserialize, Deserializer, de};
use serde_json::Value;

use crate::Rcode;

/// An answer of the vendor.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Answer {
    /// The HTTP status, from 200 to 599; 0 of a name server, which has none.
    #[serde(default = "no_status", deserialize_with = "status")]
    pub status: u16,
    /// What a name server says instead.
    pub rcode: Option<Rcode>,
    /// Its answer section, one record in each text.
    #[serde(default)]
    pub records: Vec<String>,
    /// Its headers: names and values that HTTP has.
    #[serde(default, deserialize_with = "header_fields")]
    pub headers: BTreeMap<String, String>,
    /// Its body as JSON.
    pub json: Option<Value>,
    /// Its body as text.
    pub body: Option<String>,
}

/// Stands where there is none.
pub(crate) const NO_STATUS: u16 = 0;

fn no_status() -> u16 {
    NO_STATUS
}

/// A number that a server can answer with. The place of another is told by the parser.
fn status<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u16, D::Error> {
    match i64::deserialize(deserializer)? {
        number @ 200..=599 => u16::try_from(number).map_err(de::Error::custom),
        number => Err(de::Error::custom(format!("a status is a number from 200 to 599, not {number}"))),
    }
}

/// What a server can send as header fields. RFC 9110 §5
fn header_fields<'de, D: Deserializer<'de>>(deserializer: D) -> Result<BTreeMap<String, String>, D::Error> {
    let is_token = |c: char| c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(c);
    let fields = BTreeMap::<String, String>::deserialize(deserializer)?;
    for (name, value) in &fields {
        if name.is_empty() || !name.chars().all(is_token) {
            return Err(de::Error::custom(format!("{name:?} is no name of a header field")));
        }
        if value.chars().any(|c| c.is_control() && c != '\t') {
            return Err(de::Error::custom(format!("the header field {name} has a control character in its value")));
        }
    }
    Ok(fields)
}

impl Answer {
    /// An empty one.
    #[must_use]
    pub fn of(status: u16) -> Self {
        Self { status, rcode: None, records: Vec::new(), headers: BTreeMap::new(), json: None, body: None }
    }

    /// The body's bytes.
    #[must_use]
    pub fn bytes(&self) -> Vec<u8> {
        match (&self.json, &self.body) {
            (Some(json), _) => json.to_string().into_bytes(),
            (None, Some(text)) => text.clone().into_bytes(),
            (None, None) => Vec::new(),
        }
    }
}
