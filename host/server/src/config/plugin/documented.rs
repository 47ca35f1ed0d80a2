//! `host/docs/plugins.md` and the metrics in `host/docs/operators.md` against the code: limits, the ranges of their keys,
//! error classes, fields of the API's answer, series. Constants of the runtime are read from its sources, because nothing
//! outside of it needs them.

use std::collections::BTreeSet;
use std::fmt::Display;
use std::sync::Arc;
use std::time::Duration;

use acme_manager_api::{PluginCalls, PluginKind, PluginLimits, PluginState, PluginStatus};
use acme_manager_plugin_runtime::{CallError, EngineSettings, ErrorKind, Function, Limits};
use serde::Serialize;

use crate::config::Config;

const PAGE: &str = include_str!("../../../../docs/plugins.md");
const GUIDE: &str = include_str!("../../../../docs/operators.md");
const SERIES: &str = include_str!("../../telemetry/plugins.rs");

const ARTIFACT: &str = include_str!("../../app/plugins/artifact.rs");
const RECORDER: &str = include_str!("../../app/plugins/recorder.rs");
const BREAKER: &str = include_str!("../../../../plugin-runtime/src/breaker.rs");
const CALL: &str = include_str!("../../../../plugin-runtime/src/call.rs");
const CHILD: &str = include_str!("../../../../plugin-runtime/src/compiler/child.rs");
const CONNECT: &str = include_str!("../../../../plugin-runtime/src/http/connect.rs");
const DESCRIPTION: &str = include_str!("../../../../plugin-runtime/src/description.rs");
const DNS: &str = include_str!("../../../../plugin-runtime/src/dns.rs");
const ENGINE: &str = include_str!("../../../../plugin-runtime/src/engine.rs");
const GUEST_LOG: &str = include_str!("../../../../plugin-runtime/src/guest_log.rs");
const HTTP: &str = include_str!("../../../../plugin-runtime/src/http.rs");
const LIMITER: &str = include_str!("../../../../plugin-runtime/src/limiter.rs");
const PLUGIN: &str = include_str!("../../../../plugin-runtime/src/plugin.rs");
const POOL: &str = include_str!("../../../../plugin-runtime/src/http/pool.rs");
const SECRETS: &str = include_str!("../../../../plugin-runtime/src/recording/secrets.rs");
const SOURCE: &str = include_str!("../../../../plugin-runtime/src/load/source.rs");
const STATE: &str = include_str!("../../../../plugin-runtime/src/state.rs");
const TAPE: &str = include_str!("../../../../plugin-runtime/src/recording/tape.rs");
const TURNS: &str = include_str!("../../../../plugin-runtime/src/turns.rs");

type Row = (&'static str, String, &'static str);

#[test]
fn every_limit_has_its_row() {
    let found: Vec<Row> =
        table(PAGE, "limit").into_iter().map(|cells| (cells[0], cells[1].to_owned(), cells[2])).collect();
    let mut expected = [with_a_key(), without_a_key(), of_other_things()].concat();
    expected.sort();
    let mut sorted = found;
    sorted.sort();
    for (found, expected) in sorted.iter().zip(&expected) {
        assert_eq!(found, expected, "the table in host/docs/plugins.md (left) and the code");
    }
    assert_eq!(sorted.len(), expected.len());
}

fn with_a_key() -> Vec<Row> {
    let limits = Limits::default();
    let all = EngineSettings::default().max_instances;
    vec![
        ("time from the request to the answer, waiting for a slot included", seconds(limits.timeout), "`timeout`"),
        ("linear memory, all memories of the instance together", binary(limits.memory_bytes as u64), "`memory_mb`"),
        ("fuel, roughly instructions", grouped(limits.fuel), "`fuel`"),
        ("calls of one plugin at a time", grouped(limits.max_concurrency as u64), "`max_concurrency`"),
        (
            "calls of all plugins at a time",
            format!("{all}, half of them for one plugin"),
            "`plugin_max_concurrency` of `common`",
        ),
        ("calls a second for one account", "no limit".to_owned(), "`dns_rate_limit`"),
    ]
}

fn without_a_key() -> Vec<Row> {
    let Limits { max_waiting, max_requests, max_connections, .. } = Limits::default();
    let limits = Limits::default();
    let bodies = [limits.request_body_bytes as u64, limits.response_body_bytes].map(binary).join(" / ");
    let waiting = format!("{max_waiting} of one plugin, {} of all", grouped(constant(CALL, "MAX_WAITING_OF_ALL")));
    let (idle, kept) = (constant(POOL, "MAX_IDLE"), constant(POOL, "MAX_IDLE_TIME"));
    let datagrams = value(DNS, "RETRIES").matches("from_secs").count() + 1;
    let message = grouped(constant(DNS, "MAX_MESSAGE_BYTES"));
    let log = [binary(limits.log_bytes as u64), binary(constant(GUEST_LOG, "MAX_LINE_BYTES"))].join(", ");
    let [memories, tables, instances] =
        ["MAX_MEMORIES", "MAX_TABLES", "MAX_INSTANCES"].map(|name| constant(LIMITER, name));
    let elements = grouped(constant(LIMITER, "MAX_TABLE_ELEMENTS"));
    let (lookups, addresses) = (constant(HTTP, "MAX_LOOKUPS"), constant(CONNECT, "MAX_ADDRESSES"));
    let (wait, connecting) = (constant(HTTP, "CONNECTION_WAIT"), constant(HTTP, "CONNECT_TIMEOUT"));
    let pauses = format!("then {} to {} min", seconds(limits.suspension), constant(BREAKER, "MAX_PAUSE") / 60);
    [
        ("calls that wait for a slot", waiting),
        ("HTTP requests and DNS messages of one call", max_requests.to_string()),
        ("connections of one plugin", format!("{max_connections}; {idle} idle ones are kept for {kept} s")),
        ("body of a request / of a response", bodies),
        ("header section of a request or response", binary(limits.header_bytes as u64)),
        ("DNS message", format!("{message} bytes, {} s, {datagrams} datagrams", constant(DNS, "PATIENCE"))),
        ("log of one call", format!("{} lines, {log} a line", limits.log_lines)),
        ("randomness asked for at once", binary(limits.random_bytes)),
        ("resources (streams, requests, pollables) held", grouped(constant(STATE, "MAX_RESOURCES"))),
        ("handles of resources in the component", grouped(constant(CALL, "MAX_HANDLES"))),
        ("what one call across the border copies out of a component", binary(constant(CALL, "MAX_COPY_BYTES"))),
        (
            "memories, tables, core instances; elements of all tables",
            format!("{memories}, {tables}, {instances}; {elements}"),
        ),
        ("stack", binary(constant(ENGINE, "WASM_STACK_BYTES"))),
        ("look-ups of names", format!("{lookups} of one plugin at a time; {addresses} addresses of a name are tried")),
        ("wait for a connection, connecting", format!("{wait} s, {connecting} s")),
        (
            "pause after a call that broke or met a limit",
            format!("{} ms, in which it keeps its slot", constant(CALL, "REST")),
        ),
        ("breakages in a row until a plugin is suspended", format!("{}, {pauses}", limits.breakages)),
    ]
    .map(|(name, default)| (name, default, "–"))
    .into()
}

fn of_other_things() -> Vec<Row> {
    let [keys, hosts] = ["MAX_KEYS", "MAX_HOSTS"].map(|name| constant(DESCRIPTION, name));
    let texts = ["MAX_TEXT_BYTES", "MAX_OWN_NAME_BYTES", "MAX_NAME_BYTES"];
    let texts = texts.map(|name| format!("{} bytes", grouped(constant(DESCRIPTION, name)))).join(", ");
    let [time, processors] = ["PATIENCE", "PROCESSOR_SECONDS"].map(|name| constant(CHILD, name));
    let [memory, code] = ["MEMORY_BYTES", "MAX_ARTIFACT_BYTES"].map(|name| binary(constant(CHILD, name)));
    let [body, bodies] = ["MAX_BODY_BYTES", "MAX_BYTES"].map(|name| binary(constant(TAPE, name)));
    let (secrets, kept) = (binary(constant(SECRETS, "MAX_BYTES")), constant(RECORDER, "KEPT"));
    let error = grouped(constant(PLUGIN, "MAX_MESSAGE_BYTES"));
    [
        ("compiling", format!("{time} s, {processors} s of processors, {memory}, {code} of machine code")),
        ("description: keys, hosts, each text, its name, each key's name", format!("{keys}, {hosts}, {texts}")),
        ("error text; `retry-after`", format!("{error} bytes; {} h", constant(PLUGIN, "MAX_RETRY_AFTER") / 3600)),
        ("turns of one call (`turn.take`)", format!("1, a name of {} bytes", constant(TURNS, "MAX_WHAT_BYTES"))),
        ("handle returned by `present`", format!("{} bytes", grouped(constant(PLUGIN, "MAX_HANDLE_BYTES")))),
        ("component file", binary(constant(SOURCE, "MAX_COMPONENT_BYTES"))),
        ("fetching a component from a registry", format!("{} s", constant(ARTIFACT, "PATIENCE"))),
        (
            "recording of a failed call (`record_failures`)",
            format!("{body} of each body, {bodies} of all; {secrets} of secrets in it; the latest {kept} calls"),
        ),
    ]
    .map(|(name, default)| (name, default, "–"))
    .into()
}

#[test]
fn keys_take_what_the_page_says() {
    let parsed = |entry: &str, common: &str| {
        Config::parse(&format!("common: {{{common} plugins: [{{name: pdns{entry}}}]}}")).map(|loaded| loaded.config)
    };
    let plain = parsed("", "").expect("valid").common.plugins.remove(0);
    let limits = Limits::default();
    assert_eq!((plain.timeout, (plain.memory_mb as usize) << 20), (limits.timeout, limits.memory_bytes));

    let takes = |key: &str, value: u64| match key {
        "plugin_max_concurrency" => parsed("", &format!("{key}: {value},")).is_ok(),
        _ => parsed(&format!(", {key}: {value}"), "").is_ok(),
    };
    let rows = table(PAGE, "key");
    assert_eq!(rows.len(), with_a_key().len());
    for cells in rows {
        let (key, range) = (cells[0].trim_matches('`'), cells[1].split(';').next().expect("a range"));
        let numbers: Vec<u64> = range.split(' ').filter_map(|word| word.replace(',', "").parse().ok()).collect();
        match numbers.as_slice() {
            [least] => assert!(takes(key, *least) && !takes(key, least - 1), "{key}: {range}"),
            [least, most] => {
                assert!(takes(key, *least) && takes(key, *most) && !takes(key, most + 1), "{key}: {range}")
            }
            _ => panic!("{key}: {range} is no range"),
        }
    }
}

#[test]
fn every_error_class_has_its_row() {
    let mut expected: Vec<(String, bool)> =
        errors().iter().map(|error| (format!("`{}`", error.class()), error.retryable())).collect();
    let rows = table(PAGE, "class").into_iter();
    let mut found: Vec<(String, bool)> =
        rows.map(|cells| (cells[0].to_owned(), cells[2] == "yes" || cells[2].starts_with("yes,"))).collect();
    expected.sort();
    found.sort();
    assert_eq!(found, expected, "the table in host/docs/plugins.md (left) and the code");
}

/// One of each class.
fn errors() -> Vec<CallError> {
    use ErrorKind::{Config, Conflict, Other, RateLimited, Rejected, Unauthorized, Unavailable, ZoneNotFound};
    let plugin: Arc<str> = "p".into();
    let (name, text) = (|| plugin.clone(), String::new);
    let refused = |kind: ErrorKind, denied: Option<String>| CallError::Refused {
        plugin: name(),
        kind,
        message: text(),
        retry_after: None,
        denied,
    };
    let (limit, remaining) = (Duration::ZERO, Duration::ZERO);
    let mut errors = vec![
        refused(Other, Some(text())),
        CallError::Timeout { plugin: name(), limit, denied: None },
        CallError::OutOfFuel { plugin: name(), limit: 0 },
        CallError::OutOfMemory { plugin: name(), limit_bytes: 0 },
        CallError::OutOfBounds { plugin: name(), detail: text() },
        CallError::Panicked { plugin: name(), detail: text() },
        CallError::Exited { plugin: name(), status: 0 },
        CallError::BadReturn { plugin: name(), detail: text() },
        CallError::Suspended { plugin: name(), breakages: 0, remaining, last: text() },
        CallError::Overloaded { plugin: name(), detail: text(), setting: "" },
        CallError::Host { plugin: name(), detail: text() },
    ];
    // A variant that is not here does not compile there.
    for (at, error) in errors.iter().enumerate() {
        assert_eq!(at, place(error));
    }
    let kinds = [Config, Unauthorized, ZoneNotFound, RateLimited, Conflict, Unavailable, Rejected, Other];
    for (at, kind) in kinds.into_iter().enumerate() {
        assert_eq!(at, place_of_kind(kind));
        errors.push(refused(kind, None));
    }
    errors
}

fn place(error: &CallError) -> usize {
    match error {
        CallError::Refused { .. } => 0,
        CallError::Timeout { .. } => 1,
        CallError::OutOfFuel { .. } => 2,
        CallError::OutOfMemory { .. } => 3,
        CallError::OutOfBounds { .. } => 4,
        CallError::Panicked { .. } => 5,
        CallError::Exited { .. } => 6,
        CallError::BadReturn { .. } => 7,
        CallError::Suspended { .. } => 8,
        CallError::Overloaded { .. } => 9,
        CallError::Host { .. } => 10,
    }
}

fn place_of_kind(kind: ErrorKind) -> usize {
    match kind {
        ErrorKind::Config => 0,
        ErrorKind::Unauthorized => 1,
        ErrorKind::ZoneNotFound => 2,
        ErrorKind::RateLimited => 3,
        ErrorKind::Conflict => 4,
        ErrorKind::Unavailable => 5,
        ErrorKind::Rejected => 6,
        ErrorKind::Other => 7,
    }
}

#[test]
fn every_field_of_the_answer_has_its_row() {
    let told = || "x".to_owned();
    let status = PluginStatus {
        name: told(),
        kind: PluginKind::DnsProvider,
        origin: told(),
        state: PluginState::Usable,
        reason: told(),
        refused_update: Some(told()),
        check: Some(told()),
        version: told(),
        digest: told(),
        size_bytes: Some(1),
        limits: Some(PluginLimits::default()),
        breakages_in_a_row: 1,
        suspended_seconds: Some(1),
        operations: [(told(), PluginCalls::default())].into(),
    };
    let rows = table(PAGE, "field");
    let named: BTreeSet<&str> = rows.iter().flat_map(|cells| in_code(cells[0])).collect();
    assert_eq!(named, fields(&status).iter().map(String::as_str).collect(), "host/docs/plugins.md (left) and the code");
    let row = |field: &str| rows.iter().find(|cells| cells[0] == field).expect("a row");
    let limits: BTreeSet<&str> = in_code(row("`limits`")[1]).collect();
    assert_eq!(limits, fields(&PluginLimits::default()).iter().map(String::as_str).collect());
    let functions = Function::ALL.map(|function| function.as_str().to_owned());
    let figures: BTreeSet<String> = fields(&PluginCalls::default()).into_iter().chain(functions).collect();
    assert_eq!(in_code(row("`operations`")[1]).collect::<BTreeSet<_>>(), figures.iter().map(String::as_str).collect());
}

#[test]
fn every_series_of_plugins_has_its_row() {
    let names = |text: &'static str| -> BTreeSet<&'static str> {
        let is_part = |c: char| c.is_ascii_lowercase() || c == '_';
        let words = text.split(|c: char| !is_part(c));
        words.filter(|word| word.strip_prefix("acme_manager_plugin_").is_some_and(|rest| !rest.is_empty())).collect()
    };
    let guide: BTreeSet<&str> = table(GUIDE, "name").into_iter().flat_map(|cells| names(cells[0])).collect();
    assert_eq!(guide, names(SERIES), "the table in host/docs/operators.md (left) and the code");
    assert!(guide.len() > 10, "the test does not look: {guide:?}");
}

/// The rows below the head that begins with `first`.
fn table(page: &'static str, first: &str) -> Vec<Vec<&'static str>> {
    let head = format!("| {first} |");
    let rows = page.lines().skip_while(|line| !line.starts_with(&head)).skip(2);
    let rows = rows.take_while(|line| line.starts_with('|'));
    let rows: Vec<Vec<&str>> = rows.map(|line| line.trim_matches('|').split('|').map(str::trim).collect()).collect();
    assert!(!rows.is_empty(), "there is no table with the head {first}");
    rows
}

/// What stands between backticks.
fn in_code(text: &str) -> impl Iterator<Item = &str> {
    text.split('`').skip(1).step_by(2)
}

fn fields(value: &impl Serialize) -> BTreeSet<String> {
    let value = serde_json::to_value(value).expect("it is JSON");
    value.as_object().expect("an object").keys().cloned().collect()
}

/// The number that a source gives a constant.
fn constant(source: &str, name: &str) -> u64 {
    let text = value(source, name);
    let units = ["Duration::from_secs(", "Duration::from_millis("];
    let inner = units.iter().find_map(|unit| text.strip_prefix(unit)).and_then(|rest| rest.strip_suffix(')'));
    let number = |text: &str| -> u64 {
        text.replace('_', "")
            .parse()
            .unwrap_or_else(|_| panic!("{name} is {text}, which this test does not understand"))
    };
    match inner.unwrap_or(text).split_once(" << ") {
        Some((number_of, bits)) => number(number_of) << number(bits),
        None => number(inner.unwrap_or(text)),
    }
}

fn value<'a>(source: &'a str, name: &str) -> &'a str {
    let found = source.split_once(&format!("const {name}: ")).and_then(|(_, rest)| rest.split_once("= "));
    let found = found.and_then(|(_, rest)| rest.split_once(';'));
    found.unwrap_or_else(|| panic!("there is no constant {name} where this test looks for it")).0
}

fn seconds(duration: Duration) -> String {
    format!("{} s", duration.as_secs())
}

/// Bytes in the largest unit that divides them.
fn binary(bytes: u64) -> String {
    let unit = |bits: u32, unit: &dyn Display| format!("{} {unit}", bytes >> bits);
    match bytes.trailing_zeros() {
        30.. => unit(30, &"GiB"),
        20.. => unit(20, &"MiB"),
        10.. => unit(10, &"KiB"),
        _ => unit(0, &"bytes"),
    }
}

/// With a comma before every three digits.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let groups: Vec<&[u8]> = digits.as_bytes().rchunks(3).rev().collect();
    groups.iter().map(|group| String::from_utf8_lossy(group)).collect::<Vec<_>>().join(",")
}
