//! The list: every way of misbehaving that is known, and how it ends.

use std::{net::SocketAddr, time::Duration};

use acme_manager_plugin_runtime::Limits;

use crate::wat::{Parts, component};

const TIMEOUT: Option<&str> = Some("common.plugins[].timeout");
const FUEL: Option<&str> = Some("common.plugins[].fuel");
const MEMORY: Option<&str> = Some("common.plugins[].memory_mb");
const HOSTS: Option<&str> = Some("allowed_hosts");
const NAME_SERVERS: Option<&str> = Some("allowed_dns_servers");
const NETWORKS: Option<&str> = Some("allowed_cidrs");
/// Without optimisation, beside other work.
const NOTICE: Duration = Duration::from_secs(4);
/// The limit that no key changes must say so.
pub(crate) const FIXED: &str = "no setting changes";

pub(crate) enum Guest {
    /// What `tests/plugins/misbehaving` does for this TXT value; `{bytes}` stands for four mebibytes, `{dns}` for a name
    /// server that is granted.
    Value(&'static str),
    /// A component of its own, which gets the value `ok`.
    Component(Parts<'static>),
}

pub(crate) struct Row {
    pub(crate) name: &'static str,
    pub(crate) guest: Guest,
    /// How it ends: [`CallError::class`](acme_manager_plugin_runtime::CallError::class), or `ok` where the misbehaviour
    /// has no effect.
    pub(crate) class: &'static str,
    /// What the error says, or what a call without error returns.
    pub(crate) says: &'static str,
    /// The key of the configuration that would let it pass; the error names it.
    pub(crate) key: Option<&'static str>,
    pub(crate) limits: fn(&mut Limits),
}

impl Row {
    pub(crate) fn bytes(&self) -> Option<Vec<u8>> {
        match &self.guest {
            Guest::Value(_) => None,
            Guest::Component(parts) => Some(component(parts)),
        }
    }

    pub(crate) fn value(&self, name_server: SocketAddr) -> String {
        match self.guest {
            Guest::Value(value) => {
                value.replace("{dns}", &name_server.to_string()).replace("{bytes}", &"x".repeat(4 << 20))
            }
            Guest::Component(_) => "ok".into(),
        }
    }

    /// The time that it gets: its limit, and what an idle machine needs to notice.
    pub(crate) fn budget(&self) -> Duration {
        let mut limits = Limits::default();
        (self.limits)(&mut limits);
        // What is not ended by the clock ends at once, or in a second of computation.
        limits.timeout.min(Duration::from_secs(1)) + NOTICE
    }
}

fn row(
    name: &'static str,
    guest: Guest,
    class: &'static str,
    says: &'static str,
    key: Option<&'static str>,
    limits: fn(&mut Limits),
) -> Row {
    Row { name, guest, class, says, key, limits }
}

fn as_they_are(_: &mut Limits) {}

/// Ended by the clock alone.
fn short(limits: &mut Limits) {
    limits.timeout = Duration::from_millis(20);
    limits.fuel = u64::MAX;
}

/// Ended by its computation alone.
fn frugal(limits: &mut Limits) {
    limits.fuel = 3_000_000;
}

/// The same where most of the time goes by in the host.
fn miserly(limits: &mut Limits) {
    limits.fuel = 600_000;
}

fn small(limits: &mut Limits) {
    limits.memory_bytes = 4 << 20;
}

/// All rows.
pub(crate) fn all() -> Vec<Row> {
    let tables = [computing, memory, the_border, answers, reach, sizes, servers, addresses];
    tables.into_iter().flat_map(|table| table()).collect()
}

fn computing() -> Vec<Row> {
    use Guest::{Component, Value};
    let start = Parts { fields: "(func $spin (loop br 0)) (start $spin)", ..Parts::default() };
    let deep = Parts { fields: "(func $deep call $deep)", present: "call $deep unreachable", ..Parts::default() };
    let after = Parts { options: "(post-return (core func $i \"after\"))", ..Parts::default() };
    vec![
        row("endless loop", Value("loop"), "out-of-fuel", "units of computation", FUEL, frugal),
        row("endless loop with all fuel", Value("loop"), "timeout", "did not finish", TIMEOUT, short),
        row("loop before the first call", Component(start), "out-of-fuel", "units of computation", FUEL, frugal),
        row("loop that calls the host", Value("host-loop"), "out-of-fuel", "units of computation", FUEL, miserly),
        row("loop that calls the host, all fuel", Value("host-loop"), "timeout", "did not finish", TIMEOUT, short),
        row("sleep", Value("sleep 60000"), "timeout", "did not finish", TIMEOUT, short),
        row("polling with a time-out of zero", Value("poll-loop"), "timeout", "did not finish", TIMEOUT, short),
        row("asking without waiting", Value("ready-loop"), "timeout", "did not finish", TIMEOUT, short),
        row("deep recursion", Component(deep), "out-of-bounds", FIXED, None, as_they_are),
        row("deep recursion with frames", Value("recurse"), "panicked", "out of bounds memory", None, as_they_are),
        row("panic", Value("panic"), "panicked", "the token is [redacted]", None, as_they_are),
        row("trap", Value("trap"), "panicked", "unreachable", None, as_they_are),
        row("trap after the answer", Component(after), "panicked", "unreachable", None, as_they_are),
        row("exit with success", Value("exit 0"), "exited", "exit(0)", None, as_they_are),
        row("exit with failure", Value("exit 1"), "exited", "exit(1)", None, as_they_are),
    ]
}

fn memory() -> Vec<Row> {
    use Guest::{Component, Value};
    let many = Parts {
        before: "(core module $hoard (memory 1)
                   (func (export \"grow\") (result i32) i32.const 20 memory.grow))
                 (core instance $a (instantiate $hoard)) (core instance $b (instantiate $hoard))
                 (core instance $c (instantiate $hoard)) (core instance $d (instantiate $hoard))",
        imports: "(import \"a\" \"grow\" (func $a (result i32))) (import \"b\" \"grow\" (func $b (result i32)))
                  (import \"c\" \"grow\" (func $c (result i32))) (import \"d\" \"grow\" (func $d (result i32)))",
        arguments: "(with \"a\" (instance $a)) (with \"b\" (instance $b)) (with \"c\" (instance $c))
                    (with \"d\" (instance $d))",
        present: "call $a call $b call $c call $d i32.const 0 i32.lt_s if unreachable end unreachable",
        ..Parts::default()
    };
    let table = Parts {
        fields: "(table $t 1 funcref)",
        present: "(loop ref.null func i32.const 1000 table.grow $t i32.const 0 i32.ge_s br_if 0) unreachable",
        ..Parts::default()
    };
    vec![
        row("memory growth", Value("alloc"), "out-of-memory", "4 MiB of memory", MEMORY, small),
        row("memory growth in many memories", Component(many), "out-of-memory", "4 MiB of memory", MEMORY, small),
        row("table growth", Component(table), "out-of-bounds", FIXED, None, as_they_are),
        row("handle leak", Value("handles 100000"), "out-of-bounds", FIXED, None, as_they_are),
        row("memory of the host", Value("hoard 100000"), "out-of-bounds", FIXED, None, as_they_are),
        row("huge argument", Value("ok {bytes}"), "out-of-memory", "4 MiB of memory", MEMORY, small),
        row("much randomness", Value("random 100000000"), "out-of-bounds", FIXED, None, as_they_are),
    ]
}

fn the_border() -> Vec<Row> {
    use Guest::{Component, Value};
    let answer = |present| Component(Parts { present, ..Parts::default() });
    let realloc = |realloc| Component(Parts { realloc, ..Parts::default() });
    let bad = "bad-return";
    vec![
        row("huge argument to the host", Value("huge-log 6000000"), "out-of-bounds", FIXED, None, as_they_are),
        row("huge result", Value("huge 6000000"), "out-of-bounds", FIXED, None, as_they_are),
        row("handle beyond the contract", Value("huge 5000"), bad, "4096 are allowed", None, as_they_are),
        row("secret as a handle", Value("secrets-in-handle"), bad, "the value of a secret", None, as_they_are),
        row(
            "text outside of the memory",
            answer("i32.const 2052 i32.const -65536 i32.store i32.const 2056 i32.const 100 i32.store i32.const 2048"),
            bad,
            "out of bounds",
            None,
            as_they_are,
        ),
        row(
            "text of four gibibytes",
            answer("i32.const 2056 i32.const -1 i32.store i32.const 2048"),
            bad,
            "out of bounds",
            None,
            as_they_are,
        ),
        row(
            "text that is none",
            answer("i32.const 2080 i32.const 255 i32.store8 i32.const 2048"),
            bad,
            "utf-8",
            None,
            as_they_are,
        ),
        row(
            "unknown case",
            answer("i32.const 2048 i32.const 7 i32.store8 i32.const 2048"),
            bad,
            "discriminant",
            None,
            as_they_are,
        ),
        row(
            "unknown kind of error",
            answer("i32.const 2048 i32.const 1 i32.store8 i32.const 2052 i32.const 99 i32.store8 i32.const 2048"),
            bad,
            "discriminant",
            None,
            as_they_are,
        ),
        row("result off its boundary", answer("i32.const 2049"), bad, "aligned", None, as_they_are),
        row("result outside of the memory", answer("i32.const -8"), bad, "out of bounds", None, as_they_are),
        row("memory for arguments that is none", realloc("i32.const -65536"), bad, "realloc", None, as_they_are),
        row("endless request for memory", realloc("(loop br 0) unreachable"), "out-of-fuel", "units", FUEL, frugal),
    ]
}

fn answers() -> Vec<Row> {
    use Guest::Value;
    let flood: fn(&mut Limits) = |limits| limits.log_lines = 20;
    vec![
        row("huge error", Value("huge-error 9000"), "other", "éé", None, as_they_are),
        row(
            "secret in an error",
            Value("secrets-in-error"),
            "unauthorized",
            "?token=[redacted] failed\\nbadly",
            None,
            as_they_are,
        ),
        row(
            "control characters in an error",
            Value("refuse-with"),
            "other",
            "\\u{1b}[31m[redacted]\\r\\n\\u{202e}forged",
            None,
            as_they_are,
        ),
        row("endless delay", Value("refuse"), "rate-limited", "slow down", None, as_they_are),
        row("log flood", Value("log-flood 2000"), "ok", "flooded", None, flood),
        row("log loop", Value("log-loop"), "out-of-fuel", "units of computation", FUEL, miserly),
        row("huge line", Value("huge-print 1000000"), "ok", "printed", None, as_they_are),
        row("control characters in the log", Value("steer"), "ok", "logged", None, as_they_are),
        row("secrets in the log", Value("secrets-in-log"), "ok", "logged", None, as_they_are),
    ]
}

fn reach() -> Vec<Row> {
    use Guest::Value;
    vec![
        row("foreign environment", Value("env"), "ok", "REGION=12;TOKEN=18;", None, as_they_are),
        row("arguments of the process", Value("args"), "ok", "0", None, as_they_are),
        row("standard input", Value("stdin"), "ok", "Ok(0)", None, as_they_are),
        row("reading files", Value("files"), "ok", "no files", None, as_they_are),
        row("writing files", Value("write-file"), "ok", "Err", None, as_they_are),
        row("sockets", Value("socket"), "ok", "access-denied", None, as_they_are),
        row("sockets for datagrams", Value("udp"), "ok", "access-denied", None, as_they_are),
        row("looking a name up", Value("lookup localhost"), "ok", "resolver-failure", None, as_they_are),
    ]
}

fn sizes() -> Vec<Row> {
    use Guest::Value;
    let bodies: fn(&mut Limits) = |limits| {
        limits.response_body_bytes = 64 << 10;
        limits.request_body_bytes = 64 << 10;
    };
    let sending = "out-of-bounds";
    vec![
        row("huge request", Value("post http://api.example.com/echo 10000000"), sending, FIXED, None, bodies),
        row("endless request", Value("post http://api.example.com/echo 4000000000"), sending, FIXED, None, bodies),
        row(
            "huge header of a request",
            Value("headers http://api.example.com/ 70000"),
            sending,
            FIXED,
            None,
            as_they_are,
        ),
        row("huge response", Value("get http://api.example.com/big"), sending, FIXED, None, bodies),
        row("endless response", Value("get http://api.example.com/endless"), sending, FIXED, None, bodies),
        row(
            "endless header of a response",
            Value("get http://api.example.com/endless-header"),
            sending,
            FIXED,
            None,
            as_they_are,
        ),
    ]
}

fn servers() -> Vec<Row> {
    use Guest::Value;
    let silent: fn(&mut Limits) = |limits| limits.timeout = Duration::from_millis(20);
    let few: fn(&mut Limits) = |limits| {
        limits.max_requests = 3;
        limits.max_connections = 2;
    };
    let sending = "unavailable";
    vec![
        row(
            "endless preliminary responses",
            Value("get http://api.example.com/continue"),
            "timeout",
            "did not finish",
            TIMEOUT,
            silent,
        ),
        row("no HTTP", Value("get http://api.example.com/garbage"), sending, "HttpProtocolError", None, as_they_are),
        row("silent server", Value("get http://api.example.com/silent"), "timeout", "did not finish", TIMEOUT, silent),
        row("slow header", Value("get http://api.example.com/loris"), "timeout", "did not finish", TIMEOUT, silent),
        row("slow body", Value("get http://api.example.com/drip"), "timeout", "did not finish", TIMEOUT, silent),
        row("thousands of requests", Value("many http://api.example.com/ 5000"), "out-of-bounds", FIXED, None, few),
        row("thousands of DNS messages", Value("dns udp {dns} 5000"), "out-of-bounds", FIXED, None, few),
        row("name server nobody granted", Value("dns udp 192.0.2.1 1"), "denied", "Denied", NAME_SERVERS, as_they_are),
        row(
            "responses held open",
            Value("hold http://api.example.com/drip 3"),
            "timeout",
            "did not finish",
            TIMEOUT,
            |limits| {
                limits.max_connections = 2;
                limits.timeout = Duration::from_millis(20);
            },
        ),
        row(
            "smuggled request",
            Value("smuggle http://api.example.com/echo 2"),
            sending,
            "ErrorCode::",
            None,
            as_they_are,
        ),
        row("redirect to elsewhere", Value("get http://api.example.com/redirect"), "ok", "302 0 ", None, as_they_are),
        row(
            "host that is not granted",
            Value("get http://evil.example.net/"),
            "denied",
            "HttpRequestDenied",
            HOSTS,
            as_they_are,
        ),
        row(
            "port that is not granted",
            Value("get http://api.example.com:8080/"),
            "denied",
            "HttpRequestDenied",
            HOSTS,
            as_they_are,
        ),
    ]
}

/// Names below `example.com` are granted; where they lead is in `main.rs`. The only network granted is 127.0.0.0/8.
fn addresses() -> Vec<Row> {
    use Guest::Value;
    let no = |name, value| row(name, Value(value), "denied", "DestinationIpProhibited", NETWORKS, as_they_are);
    let unknown = |name, value| row(name, Value(value), "denied", "HttpRequestDenied", HOSTS, as_they_are);
    vec![
        no("private address", "get http://private.example.com/"),
        no("IPv4-mapped address", "get http://mapped.example.com/"),
        no("NAT64 address", "get http://nat64.example.com/"),
        no("6to4 address", "get http://6to4.example.com/"),
        no("Teredo address", "get http://teredo.example.com/"),
        no("metadata of most clouds", "get http://metadata.example.com/"),
        no("metadata of AWS over IPv6", "get http://metadata6.example.com/"),
        no("metadata of Alibaba", "get http://alibaba.example.com/"),
        no("metadata, granted as a host only", "get http://169.254.169.254/"),
        unknown("address nobody granted", "get http://127.0.0.2/"),
        unknown("mapped address nobody granted", "get http://[::ffff:127.0.0.1]/"),
        unknown("address in disguise", "get http://2130706433/"),
        // The first answer is private, the second one is granted: only the second one is connected to.
        row("DNS rebinding", Value("get http://rebinding.example.com/"), "ok", "200 5 hello", None, as_they_are),
    ]
}
