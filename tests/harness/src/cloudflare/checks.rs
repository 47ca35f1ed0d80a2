//! What the documentation demands of a request, whatever its answer.

use std::collections::BTreeMap;

use axum::http::{HeaderMap, header, request::Parts};
use serde_json::Value;

use super::{Credential, MockState, SeenRequest};

const PREFIX: &str = "/client/v4/";
/// Documented fields of a DNS record in a request.
const RECORD_FIELDS: [&str; 9] =
    ["type", "name", "content", "ttl", "proxied", "priority", "comment", "tags", "settings"];
const RECORD_FILTERS: [&str; 18] = [
    "name",
    "name.exact",
    "name.contains",
    "name.startswith",
    "name.endswith",
    "type",
    "content",
    "content.exact",
    "content.contains",
    "comment",
    "search",
    "match",
    "page",
    "per_page",
    "order",
    "direction",
    "proxied",
    "tag",
];
const ZONE_FILTERS: [&str; 9] =
    ["name", "status", "account.id", "account.name", "page", "per_page", "order", "direction", "match"];

/// A request, taken apart.
#[derive(Debug)]
pub(super) struct Call {
    pub(super) method: String,
    /// Path below `/client/v4/`, without the query.
    pub(super) segments: Vec<String>,
    pub(super) query: BTreeMap<String, String>,
    pub(super) body: Value,
    pub(super) credential: Presented,
}

/// What a request shows of a credential.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Presented {
    Right,
    Wrong,
    Missing,
}

impl Call {
    /// Takes a request apart, writes it down, and notes what is wrong with its form.
    pub(super) fn new(state: &mut MockState, head: &Parts, body: &[u8]) -> Self {
        let path = head.uri.path_and_query().map_or("/", |path| path.as_str()).to_owned();
        let label = format!("{} {path}", head.method);
        let mut problems = Vec::new();
        let json = parse_body(head, body, &mut problems);
        let below = head.uri.path().strip_prefix(PREFIX).unwrap_or_else(|| {
            problems.push(format!("the path is not below {PREFIX}"));
            ""
        });
        let query = url::form_urlencoded::parse(head.uri.query().unwrap_or_default().as_bytes()).into_owned().collect();
        let call = Self {
            method: head.method.to_string(),
            segments: below.split('/').map(str::to_owned).collect(),
            query,
            body: json.clone(),
            credential: presented(&state.credential, &head.headers, &mut problems),
        };
        call.check_query(&mut problems);
        if matches!(call.method.as_str(), "POST" | "PUT" | "PATCH") {
            call.check_record(&state.zone, &mut problems);
        }
        state.requests.push(SeenRequest { method: call.method.clone(), path, body: json });
        state.violations.extend(problems.into_iter().map(|problem| format!("{label}: {problem}")));
        call
    }

    fn check_query(&self, problems: &mut Vec<String>) {
        let known: &[&str] = match (self.method.as_str(), self.segments.len()) {
            ("GET", 1) => &ZONE_FILTERS,
            ("GET", 3) => &RECORD_FILTERS,
            _ => &[],
        };
        for (name, value) in &self.query {
            if !known.contains(&name.as_str()) {
                problems.push(format!("there is no query parameter `{name}` here"));
            }
            let range = match (name.as_str(), self.segments.len()) {
                ("page", _) => 1..=u32::MAX,
                // Zones: at most 50 a page; records: at most 5 000 000.
                ("per_page", 1) => 5..=50,
                ("per_page", _) => 5..=5_000_000,
                _ => continue,
            };
            if !value.parse::<u32>().is_ok_and(|number| range.contains(&number)) {
                problems.push(format!("`{name}={value}` is out of range"));
            }
        }
    }

    /// <https://developers.cloudflare.com/api/resources/dns/subresources/records/methods/create/>
    fn check_record(&self, zone: &str, problems: &mut Vec<String>) {
        let Some(fields) = self.body.as_object() else {
            problems.push("the body is not a JSON object".to_owned());
            return;
        };
        for name in fields.keys().filter(|name| !RECORD_FIELDS.contains(&name.as_str())) {
            problems.push(format!("a record has no field `{name}`"));
        }
        if self.method != "PATCH" {
            for name in ["type", "name", "content", "ttl"].iter().filter(|name| !fields.contains_key(**name)) {
                problems.push(format!("the field `{name}` is missing"));
            }
        }
        if let Some(name) = fields.get("name").and_then(Value::as_str) {
            // The API would silently add the zone to any other name.
            if name != zone && !name.ends_with(&format!(".{zone}")) {
                problems.push(format!("`{name}` is not a full name in the zone {zone}"));
            }
        }
        if let Some(ttl) = fields.get("ttl")
            && !ttl_is_valid(ttl)
        {
            problems.push(format!("ttl {ttl} is neither 1 nor from 60 to 86400"));
        }
        if let Some(comment) = fields.get("comment").filter(|comment| !comment.is_null()) {
            // The free plan's limit.
            if comment.as_str().is_none_or(|comment| comment.chars().count() > 100) {
                problems.push("a comment is a text of at most 100 characters".to_owned());
            }
        }
        if fields.get("type").is_some_and(|kind| kind == "TXT") && fields.get("proxied").is_some_and(|on| on == true) {
            problems.push("a TXT record cannot be proxied".to_owned());
        }
        if let Some(content) = fields.get("content")
            && !content.as_str().is_some_and(|content| !content.is_empty() && content.len() <= 2048)
        {
            problems.push("a TXT record's content is a text of 1 to 2048 characters".to_owned());
        }
    }
}

/// 1 stands for automatic.
pub(super) fn ttl_is_valid(ttl: &Value) -> bool {
    ttl.as_u64().is_some_and(|ttl| ttl == 1 || (60..=86400).contains(&ttl))
}

fn parse_body(head: &Parts, body: &[u8], problems: &mut Vec<String>) -> Value {
    if body.is_empty() {
        return Value::Null;
    }
    if matches!(head.method.as_str(), "GET" | "HEAD") {
        problems.push("a GET carries a body".to_owned());
    }
    let content_type = head.headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    if content_type.split(';').next().map(str::trim) != Some("application/json") {
        problems.push(format!("the body's content type is {content_type:?}, not application/json"));
    }
    serde_json::from_slice(body).unwrap_or_else(|error| {
        problems.push(format!("the body is not JSON: {error}"));
        Value::Null
    })
}

fn presented(wanted: &Credential, headers: &HeaderMap, problems: &mut Vec<String>) -> Presented {
    let text = |name: &str| headers.get(name).map(|value| value.to_str().unwrap_or_default());
    let (bearer, email, key) = (text("authorization"), text("x-auth-email"), text("x-auth-key"));
    if bearer.is_some() && (email.is_some() || key.is_some()) {
        problems.push("both kinds of credentials at once".to_owned());
    }
    if email.is_some() != key.is_some() {
        problems.push("X-Auth-Email and X-Auth-Key belong together".to_owned());
    }
    if let Some(bearer) = bearer
        && !bearer.starts_with("Bearer ")
    {
        problems.push("the header Authorization is not `Bearer …`".to_owned());
    }
    if bearer.is_none() && key.is_none() {
        problems.push("no credentials".to_owned());
        return Presented::Missing;
    }
    let right = match wanted {
        Credential::Token(token) => bearer.and_then(|value| value.strip_prefix("Bearer ")) == Some(token),
        Credential::GlobalKey { email: wanted_email, key: wanted_key } => {
            email == Some(wanted_email) && key == Some(wanted_key)
        }
    };
    if right { Presented::Right } else { Presented::Wrong }
}
