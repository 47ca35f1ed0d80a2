//! Answers as the real API gives them: envelope, codes, statuses.

use axum::http::{Response, StatusCode, header};
use serde_json::{Value, json};

use super::{
    Fault, MockState, StoredRecord,
    checks::{self, Call, Presented},
    identifier,
};

/// Carries the request out and answers it.
pub(super) fn answer(state: &mut MockState, call: &Call) -> Response<String> {
    match call.credential {
        Presented::Right => {}
        Presented::Wrong => return failure(StatusCode::FORBIDDEN, 10000, "Authentication error"),
        Presented::Missing => {
            return failure(StatusCode::BAD_REQUEST, 9106, "Missing X-Auth-Key, X-Auth-Email or Authorization headers");
        }
    }
    let segments: Vec<&str> = call.segments.iter().map(String::as_str).collect();
    match (call.method.as_str(), segments.as_slice()) {
        ("GET", ["user", "tokens", "verify"]) => success(json!({"id": identifier(), "status": "active"})),
        ("GET", ["zones"]) => zones(state, call),
        (_, ["zones", id, ..]) if *id != state.zone_id => no_route(state, call),
        ("GET", ["zones", _]) => success(zone(state)),
        ("GET", ["zones", _, "dns_records"]) => list(state, call),
        ("POST", ["zones", _, "dns_records"]) => create(state, call),
        (method, ["zones", _, "dns_records", id]) => one(state, call, method, id),
        _ => no_route(state, call),
    }
}

/// The answer that stands for `fault`; nobody reads it where none is given.
pub(super) fn fault(fault: Fault) -> Response<String> {
    match fault {
        Fault::Unauthorized => failure(StatusCode::UNAUTHORIZED, 1000, "Invalid API Token"),
        Fault::RateLimited { retry_after_seconds } => {
            let text = "More than 1200 requests per 300 seconds reached. Please wait and consider throttling your request speed";
            let mut response = failure(StatusCode::TOO_MANY_REQUESTS, 971, text);
            response.headers_mut().insert(header::RETRY_AFTER, retry_after_seconds.into());
            response
        }
        Fault::ServerError | Fault::AnswerLost | Fault::Silence => {
            let page = "<html><head><title>500 Internal Server Error</title></head></html>".to_owned();
            respond(StatusCode::INTERNAL_SERVER_ERROR, "text/html", page)
        }
    }
}

fn zones(state: &MockState, call: &Call) -> Response<String> {
    let fits = |name: &str, value: &str| call.query.get(name).is_none_or(|wanted| wanted == value);
    let zones = if fits("name", &state.zone) && fits("status", "active") { vec![zone(state)] } else { Vec::new() };
    page(zones, call, 20)
}

fn list(state: &MockState, call: &Call) -> Response<String> {
    let fits = |names: &[&str], value: &str| {
        names.iter().filter_map(|name| call.query.get(*name)).all(|wanted| wanted.eq_ignore_ascii_case(value))
    };
    let records = state.records.iter().filter(|record| {
        fits(&["type"], &record.kind)
            && fits(&["name", "name.exact"], &record.name)
            && fits(&["content", "content.exact"], &record.content)
    });
    page(records.map(|record| shown(state, record)).collect(), call, 100)
}

fn create(state: &mut MockState, call: &Call) -> Response<String> {
    let mut record = StoredRecord {
        id: identifier(),
        kind: String::new(),
        name: String::new(),
        content: String::new(),
        ttl: 1,
        comment: None,
    };
    match change(state, &mut record, call) {
        Ok(()) => {
            let body = shown(state, &record);
            state.records.push(record);
            success(body)
        }
        Err(response) => *response,
    }
}

fn one(state: &mut MockState, call: &Call, method: &str, id: &str) -> Response<String> {
    let Some(index) = state.records.iter().position(|record| record.id == id) else {
        return failure(StatusCode::NOT_FOUND, 81044, "Record does not exist.");
    };
    match method {
        "GET" => success(shown(state, &state.records[index])),
        "DELETE" => success(json!({"id": state.records.remove(index).id})),
        "PUT" | "PATCH" => {
            let mut record = state.records[index].clone();
            match change(state, &mut record, call) {
                Ok(()) => {
                    let body = shown(state, &record);
                    state.records[index] = record;
                    success(body)
                }
                Err(response) => *response,
            }
        }
        _ => no_route(state, call),
    }
}

/// Writes the body's fields into `record`, as long as the result may stand in the zone.
fn change(state: &MockState, record: &mut StoredRecord, call: &Call) -> Result<(), Box<Response<String>>> {
    let refuse = |code, text| Err(Box::new(failure(StatusCode::BAD_REQUEST, code, text)));
    let text = |name: &str| call.body[name].as_str().map(str::to_owned);
    if let Some(kind) = text("type") {
        record.kind = kind;
    }
    if let Some(name) = text("name") {
        let name = name.trim_end_matches('.').to_ascii_lowercase();
        let inside = name == state.zone || name.ends_with(&format!(".{}", state.zone));
        record.name = if inside { name } else { format!("{name}.{}", state.zone) };
    }
    if let Some(content) = text("content") {
        record.content = content;
    }
    let ttl = &call.body["ttl"];
    if !ttl.is_null() {
        if !checks::ttl_is_valid(ttl) {
            return refuse(9021, "Invalid TTL. Must be between 60 and 86400 seconds, or 1 for Automatic.");
        }
        record.ttl = ttl.as_u64().and_then(|ttl| u32::try_from(ttl).ok()).unwrap_or(1);
    }
    record.comment = text("comment");
    if record.kind.is_empty() || record.name.is_empty() || record.content.is_empty() {
        return refuse(9000, "DNS record type, name and content are required.");
    }
    let same = |other: &&StoredRecord| {
        let content = |record: &StoredRecord| record.content.trim_matches('"').to_owned();
        other.id != record.id
            && other.kind == record.kind
            && other.name == record.name
            && content(other) == content(record)
    };
    if state.records.iter().find(same).is_some() {
        return refuse(81058, "An identical record already exists.");
    }
    Ok(())
}

fn no_route(state: &mut MockState, call: &Call) -> Response<String> {
    let path = call.segments.join("/");
    let text = format!("Could not route to /{path}, perhaps your object identifier is invalid?");
    state.violations.push(format!("{} {path}: there is no such endpoint or zone", call.method));
    failure(StatusCode::NOT_FOUND, 7003, &text)
}

fn zone(state: &MockState) -> Value {
    json!({
        "id": state.zone_id,
        "name": state.zone,
        "status": "active",
        "paused": false,
        "type": "full",
        "development_mode": 0,
        "name_servers": ["ada.ns.cloudflare.test", "bob.ns.cloudflare.test"],
        "original_name_servers": null,
        "original_registrar": null,
        "original_dnshost": null,
        "created_on": "2026-01-02T03:04:05.678901Z",
        "modified_on": "2026-01-02T03:04:05.678901Z",
        "activated_on": "2026-01-02T03:04:05.678901Z",
        "meta": {
            "step": 2, "custom_certificate_quota": 0, "page_rule_quota": 3, "phishing_detected": false,
            "multiple_railguns_allowed": false,
        },
        "owner": {"id": null, "type": "user", "email": null},
        "account": {"id": "0123456789abcdef0123456789abcdef", "name": "tests"},
        "permissions": ["#dns_records:edit", "#dns_records:read", "#zone:read"],
    })
}

fn shown(state: &MockState, record: &StoredRecord) -> Value {
    json!({
        "id": record.id,
        "zone_id": state.zone_id,
        "zone_name": state.zone,
        "name": record.name,
        "type": record.kind,
        "content": record.content,
        "proxiable": false,
        "proxied": false,
        "ttl": record.ttl,
        "settings": {},
        "meta": {},
        "comment": record.comment,
        "tags": [],
        "created_on": "2026-01-02T03:04:05.678901Z",
        "modified_on": "2026-01-02T03:04:05.678901Z",
    })
}

fn page(all: Vec<Value>, call: &Call, default_size: usize) -> Response<String> {
    let number = |name: &str| call.query.get(name).and_then(|value| value.parse::<usize>().ok());
    let (page, size) = (number("page").unwrap_or(1).max(1), number("per_page").unwrap_or(default_size).max(1));
    let total = all.len();
    let shown: Vec<Value> = all.into_iter().skip((page - 1) * size).take(size).collect();
    let info = json!({
        "page": page, "per_page": size, "count": shown.len(), "total_count": total, "total_pages": total.div_ceil(size),
    });
    envelope(
        StatusCode::OK,
        &json!({
            "result": shown, "success": true, "errors": [], "messages": [], "result_info": info,
        }),
    )
}

fn success(result: Value) -> Response<String> {
    envelope(StatusCode::OK, &json!({"result": result, "success": true, "errors": [], "messages": []}))
}

fn failure(status: StatusCode, code: u32, message: &str) -> Response<String> {
    let errors = json!([{"code": code, "message": message}]);
    envelope(status, &json!({"result": null, "success": false, "errors": errors, "messages": []}))
}

fn envelope(status: StatusCode, body: &Value) -> Response<String> {
    respond(status, "application/json", body.to_string())
}

fn respond(status: StatusCode, content_type: &'static str, body: String) -> Response<String> {
    let response = Response::builder().status(status).header(header::CONTENT_TYPE, content_type).body(body);
    response.expect("status and content type are constants that http knows")
}
