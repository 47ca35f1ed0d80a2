//! Tokens in the store: the existing system's fields, except that its plain-text `token` is never written.

use serde_json::{Map, Value, json};

use super::info;
use crate::clock::parse_date;

use crate::records::{Scope, TokenRecord};
use crate::storage::{Secret, Version};

pub(super) fn to_secret(record: &TokenRecord) -> Secret {
    let info = info(record);
    let mut fields = Map::new();
    fields.insert("id".into(), json!(record.id.to_string()));
    fields.insert("tokenHash".into(), json!(info.token_hash));
    fields.insert("scope".into(), json!(info.scope));
    fields.insert("username".into(), json!(info.username));
    fields.insert("expires".into(), json!(info.expires));
    fields.insert("duration".into(), json!(info.duration));
    fields.insert("rate_limit_window".into(), json!(info.rate_limit_window));
    fields.insert("rate_limit_max_requests".into(), json!(info.rate_limit_max_requests));
    fields.insert("updated_at".into(), json!(info.updated_at));
    Secret(fields)
}

/// Reads a stored token; the reason of a refusal names the field and never its value.
pub(super) fn from_secret(secret: &Secret, version: Version) -> Result<TokenRecord, &'static str> {
    let text = |name: &str| secret.0.get(name).and_then(Value::as_str).unwrap_or_default();
    let hash = text("tokenHash").to_ascii_lowercase();
    match hash.len() {
        64 => {}
        40 => return Err("tokenHash is SHA-1: replace the token with PUT /api/v1/token"),
        _ => return Err("tokenHash is missing or no SHA-256"),
    }
    let expires = match text("expires") {
        "Never" | "" => None,
        date => Some(parse_date(date).ok_or("expires is no date")?),
    };
    let words = secret.0.get("scope").and_then(Value::as_array).ok_or("scope is missing")?;
    let scope = words
        .iter()
        .filter_map(|word| Scope::ALL.into_iter().find(|scope| Some(scope.as_str()) == word.as_str()))
        .collect();
    Ok(TokenRecord {
        id: text("id").parse().map_err(|_| "id is no UUID")?,
        owner: text("username").parse().map_err(|_| "username is not a valid name")?,
        scope,
        hash,
        expires,
        duration: text("duration").to_owned(),
        rate_limit_window: text("rate_limit_window").to_owned(),
        rate_limit_max_requests: number(secret, "rate_limit_max_requests").try_into().unwrap_or(0),
        updated_at: number(secret, "updated_at"),
        version: version.0,
    })
}

fn number(secret: &Secret, name: &str) -> i64 {
    secret.0.get(name).and_then(Value::as_i64).unwrap_or(0)
}
