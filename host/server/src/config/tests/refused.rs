//! One wrong value, or several, for every key, with the message that the operator reads.

use super::*;

/// What is wrong, where the complaint must point (below the section), and a part of its text.
type Row = (&'static str, &'static str, &'static str);

const COMMON: &[Row] = &[
    ("api_key_hash: my-key", "api_key_hash", "expected a SHA-256 digest of 64 hex digits, got 6 characters"),
    ("api_key_hash: [1]", "api_key_hash", "expected text, got a list"),
    ("cert_days_renewal: often", "cert_days_renewal", "\"often\" is not valid: expected days before expiry"),
    ("cert_days_renewal: 30-20", "cert_days_renewal", "the smaller number of days first"),
    ("cert_days_renewal: 0", "cert_days_renewal", "expected days before expiry"),
    ("cert_timeout: abc", "cert_timeout", "expected whole seconds, got \"abc\""),
    ("cert_timeout: 4m", "cert_timeout", "expected whole seconds, got \"4m\""),
    ("cert_timeout: 1.5", "cert_timeout", "expected whole seconds, got 1.5"),
    ("cert_timeout: -1", "cert_timeout", "expected whole seconds from 0 to 86400, got -1"),
    ("cert_timeout: 0240", "cert_timeout", "expected whole seconds, got \"0240\""),
    ("cert_timeout: 99999999999999999999", "cert_timeout", "expected whole seconds"),
    ("cert_timeout: true", "cert_timeout", "expected whole seconds, got true"),
    ("rootpath_account: {a: b}", "rootpath_account", "expected text, got a map"),
    ("rootpath_certificate: [a]", "rootpath_certificate", "expected text, got a list"),
    ("plugins: {name: a}", "plugins", "expected a list, got a map"),
    ("plugins: [a]", "plugins[0]", "expected a map of keys"),
    ("plugin_trusted_keys: x", "plugin_trusted_keys", "expected a list"),
    ("plugin_trusted_keys: [[]]", "plugin_trusted_keys[0]", "expected text"),
    ("http_client_retry_max: 101", "http_client_retry_max", "expected a number of retries from 0 to 100, got 101"),
    ("http_client_retry_wait_min: 1s", "http_client_retry_wait_min", "expected whole seconds, got \"1s\""),
    ("http_client_retry_wait_min: 60", "http_client_retry_wait_min", "must not be below the first one (60 s)"),
    ("http_client_retry_wait_max: 9999", "http_client_retry_wait_max", "from 0 to 3600, got 9999"),
    ("http_client_retry_status_code: 500", "http_client_retry_status_code", "expected a list"),
    ("http_client_retry_status_code: [200]", "http_client_retry_status_code[0]", "from 400 to 599, got 200"),
    ("http_client_retry_status_code: [500, x]", "http_client_retry_status_code[1]", "got \"x\""),
    ("http_client_debug: perhaps", "http_client_debug", "expected true or false, got \"perhaps\""),
    ("http_client_debug: 1", "http_client_debug", "expected true or false, got 1"),
    ("rate_limit_enabled: []", "rate_limit_enabled", "expected true or false, got a list"),
    ("rate_limit_window: 1d", "rate_limit_window", "\"1d\" is not valid"),
    ("rate_limit_window: 0s", "rate_limit_window", "must be longer than 0"),
    ("plugin_max_concurrency: 1", "plugin_max_concurrency", "expected a number of calls"),
    ("rate_limit_max_requests: -1", "rate_limit_max_requests", "expected a number of requests"),
    ("api_key: x", "api_key", "unknown key; did you mean `api_key_hash`?"),
    ("dns_challenge: x", "dns_challenge", "unknown key; it belongs in `issuer.<name>`"),
    ("zzz: x", "zzz", "unknown key; known here: api_key_hash"),
    ("cert_timeout: 1\n  cert_timeout: 2", "cert_timeout", "given twice, first on line 2"),
];

const PLUGIN: &[Row] = &[
    ("path: /x", "name", "required, but missing"),
    ("name: ''", "name", "must not be empty"),
    ("name: a b", "name", "challenge provider \"a b\" is not valid"),
    ("{name: a, path: ''}", "path", "must not be empty"),
    ("{name: a, path: a.wasm}", "path", "expected an absolute path, got \"a.wasm\""),
    ("{name: a, checksum: abc}", "checksum", "has no meaning without `path`"),
    ("{name: a, signature: /x.minisig}", "signature", "has no meaning without `path`"),
    ("{name: a, trusted_keys: [x]}", "trusted_keys", "has no meaning without `path`"),
    ("{name: a, path: /x, signature: x.minisig}", "signature", "expected an absolute path, got \"x.minisig\""),
    ("{name: a, path: /x, trusted_keys: []}", "trusted_keys", "names no key: leave it out"),
    ("{name: a, path: /x, trusted_keys: [hunter2]}", "trusted_keys[0]", "expected a public key of minisign: 56"),
    ("{name: a, path: /x, trusted_keys: ['file:/nowhere']}", "trusted_keys[0]", "cannot read /nowhere"),
    ("{name: a, path: 'oci://r.example/a/b:1'}", "path", "is not pinned, and what a tag means can change"),
    ("{name: a, path: 'oci://a/b@sha256:00'}", "path", "the registry's host must be named"),
    ("{name: a, path: 'oci://r.example/a@sha256:00'}", "path", "expected oci://registry.example/namespace/name@sha256"),
    ("{name: a, path: 'oci://r.example'}", "path", "expected oci://registry.example/namespace/name@sha256"),
    (
        "{name: a, path: /x, registry_username: u, registry_password: hunter2}",
        "registry_username",
        "begins with oci://",
    ),
    ("{name: a, path: /x, registry_password: hunter2}", "registry_password", "without `registry_username`"),
    ("{name: a, allowed_dns_servers: ['*.x']}", "allowed_dns_servers[0]", "a name server is written `host`"),
    (
        "{name: a, path: 'oci://r.example/a/b@sha256:0000000000000000000000000000000000000000000000000000000000000000'}",
        "kind",
        "required with a path that begins with oci://",
    ),
    (
        "{name: a, path: 'oci://r.example/a/b@sha256:0000000000000000000000000000000000000000000000000000000000000000', \
         checksum: abc}",
        "kind",
        "required with a path that begins with oci://",
    ),
    ("{name: a, kind: hook}", "kind", "expected dns-provider or issuance-hook, got \"hook\""),
    ("{name: a, timeout: 30s}", "timeout", "expected whole seconds, got \"30s\""),
    ("{name: a, env: [A]}", "env", "expected a map of keys, got a list"),
    ("{name: a, env: {A-B: c}}", "env.A-B", "expected a variable name"),
    ("{name: a, env: {A: [hunter2]}}", "env.A", "expected text, got a list"),
    ("{name: a, allowed_hosts: x}", "allowed_hosts", "expected a list"),
    ("{name: a, allowed_hosts: [https://x/y]}", "allowed_hosts[0]", "without path"),
    ("{name: a, allowed_hosts: [ftp://x]}", "allowed_hosts[0]", "expected http:// or https://"),
    ("{name: a, allowed_hosts: ['u:hunter2@x']}", "allowed_hosts[0]", "without path, query or user name"),
    ("{name: a, allowed_hosts: ['a.*.b']}", "allowed_hosts[0]", "expected a host such as"),
    ("{name: a, allowed_hosts: ['']}", "allowed_hosts[0]", "expected a host such as"),
    ("{name: a, allowed_hosts: ['x:99999']}", "allowed_hosts[0]", "expected a host such as"),
    ("{name: a, allowed_hosts: ['*.1.2.3.4']}", "allowed_hosts[0]", "expected a host such as"),
    ("{name: a, allowed_cidrs: [10.0.0.0/33]}", "allowed_cidrs[0]", "expected a network such as"),
    ("{name: a, allowed_cidrs: [{}]}", "allowed_cidrs[0]", "expected text, got a map"),
    ("{name: a, memory_mb: 0}", "memory_mb", "expected MiB from 1 to 4096, got 0"),
    ("{name: a, fuel: 0}", "fuel", "expected fuel units at least 1, got 0"),
    ("{name: a, max_concurrency: 0}", "max_concurrency", "expected a number of calls from 1 to 1024"),
    ("{name: a, record_failures: recordings}", "record_failures", "expected an absolute path, got \"recordings\""),
    ("{name: a, dns_rate_limit: fast}", "dns_rate_limit", "expected calls per second, got \"fast\""),
    ("{name: a, alowed_hosts: []}", "alowed_hosts", "did you mean `allowed_hosts`?"),
];

const ISSUER: &[Row] = &[
    ("eab: false", "ca_dir_url", "required, but missing"),
    ("ca_dir_url: ''", "ca_dir_url", "must not be empty"),
    ("ca_dir_url: not a url", "ca_dir_url", "expected a URL such as"),
    ("ca_dir_url: http://ca.example.com", "ca_dir_url", "plain http is allowed to loopback hosts only"),
    ("ca_dir_url: ftp://ca", "ca_dir_url", "got the scheme \"ftp\""),
    ("ca_dir_url: https://u:hunter2@ca", "ca_dir_url", "must not hold a user name or password"),
    ("contact: nobody", "contact", "expected one e-mail address, got \"nobody\""),
    ("contact: 'a@b, c@d'", "contact", "expected one e-mail address"),
    ("eab: 2", "eab", "expected true or false, got 2"),
    ("eab: true", "kid", "required, because `eab` is true"),
    ("eab: true", "hmac", "required, because `eab` is true"),
    ("kid: [a]", "kid", "expected text, got a list"),
    ("hmac: 'hunter2+/'", "hmac", "expected base64url"),
    ("hmac: {a: hunter2}", "hmac", "expected text, got a map"),
    ("dns_challenge: a/b", "dns_challenge", "challenge provider \"a/b\" is not valid"),
    ("{dns_challenge: a, http_challenge: kvring}", "http_challenge", "only one of"),
    ("http_challenge: a b", "http_challenge", "challenge provider \"a b\" is not valid"),
    ("http_challenge_config: []", "http_challenge_config", "expected text, got a list"),
    ("overall_request_limit: many", "overall_request_limit", "expected requests per second, got \"many\""),
    ("certificate_timeout: abc", "certificate_timeout", "expected whole seconds, got \"abc\""),
    ("unregister: maybe", "unregister", "expected true or false, got \"maybe\""),
    ("ca_root_file: ''", "ca_root_file", "must not be empty"),
    ("profile: ''", "profile", "must not be empty"),
    ("cert_timeout: 1", "cert_timeout", "it belongs in `common`"),
    ("text", "", "expected a map of keys"),
];

const VAULT: &[Row] = &[
    ("{}", "url", "required, but missing"),
    ("url: ftp://vault:8200", "url", "got the scheme"),
    ("{}", "role_id", "required, but missing"),
    ("role_id: ''", "role_id", "must not be empty"),
    ("{}", "secret_id", "required, but missing"),
    ("secret_id: ''", "secret_id", "must not be empty"),
    ("secret_id: [hunter2]", "secret_id", "expected text, got a list"),
    ("secret_engine: ''", "secret_engine", "must not be empty"),
    ("mount_path: a//b", "mount_path", "expected a path such as"),
    ("certificate_prefix: ''", "certificate_prefix", "must not be empty"),
    ("certificate_prefix: /", "certificate_prefix", "expected a path such as"),
    ("token_prefix: .acme-manager", "token_prefix", "not starting with a dot"),
    ("{certificate_prefix: a, token_prefix: /a/}", "token_prefix", "must differ from `certificate_prefix`"),
    ("{certificate_prefix: a, token_prefix: a/b}", "token_prefix", "may lie below the other"),
    ("{certificate_prefix: token/x}", "token_prefix", "may lie below the other"),
    ("retry_max: -1", "retry_max", "expected a number of retries"),
    ("retry_wait_min: x", "retry_wait_min", "expected whole seconds"),
    ("{retry_wait_min: 5, retry_wait_max: 2}", "retry_wait_max", "raise `retry_wait_max` or lower `retry_wait_min`"),
    ("ca_file: [x]", "ca_file", "expected text, got a list"),
    ("path: x", "path", "it belongs in `storage.embedded`"),
];

const ELSEWHERE: &[Row] = &[
    ("comon: {}", "comon", "did you mean `common`?"),
    ("common: 3", "common", "expected a map of keys"),
    ("issuer: []", "issuer", "expected a map of keys, got a list"),
    ("issuer: {a/b: {ca_dir_url: 'https://x'}}", "issuer.a/b", "issuer \"a/b\" is not valid"),
    ("issuer: {a: {ca_dir_url: 'https://x'}, a: {ca_dir_url: 'https://x'}}", "issuer.a", "given twice"),
    ("[common]", "", "expected a map of keys, got a list"),
    ("storage: {valt: {}}", "storage.valt", "did you mean `vault`?"),
    ("storage: {vault: 1}", "storage.vault", "expected a map of keys"),
    ("storage: {embedded: {path: ''}}", "storage.embedded.path", "must not be empty"),
    ("storage: {embedded: {key_file: x}}", "storage.embedded.path", "required, but missing"),
    ("storage: {embedded: {path: x, key_file: x}}", "storage.embedded.key_file", "must not be the database itself"),
    ("storage: {embedded: {path: x, key_file: ''}}", "storage.embedded.key_file", "must not be empty"),
    ("storage: {embedded: {path: x}, vault: {}}", "storage", "only one of `vault` and `embedded`"),
    ("storage: {url: x}", "storage.url", "it belongs in `storage.vault`"),
    ("common: {plugins: [{name: a}, {name: a}]}", "common.plugins[1].name", "already called \"a\""),
];

fn cases() -> Vec<(String, String, &'static str)> {
    let block = |section: &str, wrong: &str| {
        if wrong.starts_with(['{', '[']) || !wrong.contains(':') {
            format!("{section} {wrong}\n")
        } else {
            let depth = section.rsplit('\n').next().map_or(0, |line| line.len() - line.trim_start().len()) + 2;
            format!("{section}\n{}{wrong}\n", " ".repeat(depth))
        }
    };
    let sections: [(&str, &str, &[Row]); 4] = [
        ("common:", "common", COMMON),
        ("common:\n  plugins:\n    -", "common.plugins[0]", PLUGIN),
        ("issuer:\n  le:", "issuer.le", ISSUER),
        ("storage:\n  vault:", "storage.vault", VAULT),
    ];
    let mut cases = Vec::new();
    for (section, prefix, rows) in sections {
        for (wrong, path, message) in rows {
            let path = if path.is_empty() { prefix.to_owned() } else { format!("{prefix}.{path}") };
            cases.push((block(section, wrong), path, *message));
        }
    }
    cases.extend(ELSEWHERE.iter().map(|(text, path, message)| ((*text).to_owned(), (*path).to_owned(), *message)));
    cases
}

#[test]
fn wrong_values_are_refused_with_path_line_and_reason() {
    for (text, path, message) in cases() {
        let error = match Config::parse(&text) {
            Err(ConfigError::Invalid(problems)) => problems,
            other => panic!("{text:?}: {other:?}"),
        };
        let found = error.iter().find(|problem| problem.path == path && problem.message.contains(message));
        let Some(found) = found else { panic!("{text:?}: expected {path}: {message}, got {error:#?}") };
        assert!(found.line > 0, "{text:?}: {found:?}");
        assert!(error.iter().all(|problem| !problem.message.contains("hunter2")), "{error:?}");
    }
}

#[test]
fn every_key_has_a_wrong_value() {
    let paths: Vec<String> = cases().into_iter().map(|(_, path, _)| path).collect();
    assert!(paths.len() >= 60);
    for key in known_keys() {
        let pattern = key.replace("[]", "[0]").replace("issuer.*", "issuer.le");
        let covered = paths.iter().any(|path| path.starts_with(&pattern));
        assert!(covered, "no wrong value for {key}");
    }
}
