use std::fmt::Write as _;
use std::path::PathBuf;
use std::time::Duration;

use proptest::prelude::*;
use secrecy::ExposeSecret;

use super::tree::{Node, Value};
use super::*;

mod pipes;
mod refused;

/// Examples are read from where users find them.
pub(super) fn example(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../config/examples").join(name)
}

fn load(name: &str) -> Loaded {
    Config::load(&example(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

#[test]
fn the_documented_config_loads_as_written() {
    let Loaded { config, warnings } = load("config.yml");
    let common = &config.common;
    assert_eq!(common.api_key_hash, None, "the sample is the digest of an empty key");
    assert_eq!(common.rootpath_account.as_deref(), Some(Path::new("/var/lib/acme-manager/accounts")));
    assert_eq!(common.http_client_retry.max, 3);
    assert_eq!(common.http_client_retry_status_codes, [429, 500, 502, 503, 504]);
    assert_eq!((common.renewal_days.min(), common.renewal_days.max()), (20, 30));
    assert_eq!(common.cert_timeout, Duration::from_secs(240));
    assert_eq!(common.rate_limit, None);

    let [plugin] = common.plugins.as_slice() else { panic!("one plugin") };
    assert_eq!(plugin.name.as_str(), "acme-manager-custom-plugin");
    assert_eq!(plugin.timeout, Duration::from_secs(30));
    assert_eq!(plugin.env["MY_VAR_KEY"].expose_secret(), "your-var-key");
    let PluginSource::Broken { problem, .. } = &plugin.source else { panic!("{:?}", plugin.source) };
    assert!(problem.contains("64 hex digits"), "{problem}");

    assert_eq!(
        config.issuers.keys().map(IssuerName::as_str).collect::<Vec<_>>(),
        ["letsencrypt", "letsencrypt-staging", "sectigo"]
    );
    let sectigo = &config.issuers[&"sectigo".parse().expect("name")];
    assert_eq!(sectigo.certificate_timeout, Duration::from_secs(600));
    assert_eq!(sectigo.overall_request_limit, 10);
    assert_eq!(sectigo.challenge, None);
    let account = sectigo.external_account.as_ref().expect("eab is true");
    assert_eq!(account.kid, "your-kid-value");
    assert_eq!(account.hmac.expose_secret(), "your-hmac-value");
    assert_eq!(account.key().len(), 11);

    let Storage::Vault(vault) = &config.storage else { panic!("vault") };
    assert_eq!(vault.url.as_str(), "https://vault.example.com/");
    assert_eq!((vault.secret_engine.as_str(), vault.mount_path.as_str()), ("secret", "approle"));
    assert_eq!((vault.certificate_prefix.as_str(), vault.token_prefix.as_str()), ("certificates", "tokens"));
    let retry = Retry { max: 3, wait_min: Duration::from_secs(1), wait_max: Duration::from_secs(10) };
    assert_eq!(vault.retry, retry);

    let warned: Vec<&str> = warnings.iter().map(|warning| warning.path.as_str()).collect();
    let unknown = "common.plugins (acme-manager-custom-plugin)";
    assert_eq!(warned, ["common.api_key_hash", "common.plugins[0].checksum", unknown]);
}

#[test]
fn the_documented_plugin_section_loads_as_written() {
    let Loaded { config, warnings } = load("config.plugin.yml");
    assert_eq!(config.common.plugins.len(), 1);
    assert!(config.issuers.is_empty());
    let Storage::Embedded(embedded) = &config.storage else { panic!("embedded") };
    assert_eq!(embedded.key_file, Path::new("acme-manager.redb.key"));
    let warned: Vec<&str> = warnings.iter().map(|warning| warning.path.as_str()).collect();
    let unknown = "common.plugins (acme-manager-custom-plugin)";
    assert_eq!(warned, ["issuer", "storage", "common.api_key_hash", "common.plugins[0].checksum", unknown]);
}

#[test]
fn the_single_node_example_has_nothing_to_warn_of() {
    let Loaded { config, warnings } = load("config.single-node.yml");
    assert_eq!(warnings, []);
    assert!(matches!(config.common.api_key_hash, Some(ApiKeyHash::Sha256(_))));
    let issuer = config.issuers.values().next().expect("one issuer");
    assert_eq!(issuer.challenge, Some(DefaultChallenge::Dns("cloudflare".parse().expect("name"))));
    assert_eq!((issuer.overall_request_limit, issuer.certificate_timeout), (18, Duration::from_secs(30)));
}

#[test]
fn the_full_example_has_every_key_and_loads() {
    let Loaded { config, warnings } = load("config.full.yml");
    let unexpected: Vec<_> = warnings.iter().filter(|warning| !warning.message.starts_with("cannot open")).collect();
    assert!(unexpected.is_empty(), "{unexpected:?}");
    assert_eq!(warnings.len(), 3, "plugin file, issuer CA, Vault CA: {warnings:?}");
    let plugin = &config.common.plugins[0];
    assert_eq!(plugin.env["EXAMPLE_API_PORT"].expose_secret(), "8443");
    assert_eq!((plugin.memory_mb, plugin.fuel, plugin.max_concurrency), (32, Some(2_000_000_000), Some(4)));
    assert_eq!(config.common.plugins[2].source, PluginSource::Bundled);
    assert_eq!(config.common.rate_limit, Some(RateLimit { window: Duration::from_secs(3600), max_requests: 5 }));

    let mut present = keys_of("config.full.yml");
    // The two kinds of storage exclude each other.
    present.extend(keys_of("config.single-node.yml"));
    present.push("storage.embedded.key_file".to_owned());
    for key in known_keys() {
        assert!(present.contains(&key), "config.full.yml shows no {key}");
    }
}

fn keys_of(name: &str) -> Vec<String> {
    let text = std::fs::read_to_string(example(name)).expect("example");
    let mut keys = Vec::new();
    walk("", &Node::parse(&text).expect("YAML"), &mut keys);
    keys
}

fn walk(path: &str, node: &Node, keys: &mut Vec<String>) {
    match &node.value {
        Value::Map(pairs) => {
            for (key, value) in pairs {
                let name = if path == "issuer" { "*" } else { &key.name };
                let path = if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") };
                keys.push(path.clone());
                walk(&path, value, keys);
            }
        }
        Value::List(items) => items.iter().for_each(|item| walk(&format!("{path}[]"), item, keys)),
        _ => {}
    }
}

#[test]
fn absent_and_empty_values_of_older_configs_mean_the_default() {
    let text = "
common:
  api_key_hash: ''
  cert_days_renewal: ''
  cert_timeout: 0
  http_client_retry_max: 0
  plugins:
issuer:
  le:
    ca_dir_url: http://127.0.0.1:14000/dir
    contact: ''
    eab: no
    kid: ''
    hmac: ''
    dns_challenge: ''
    http_challenge: kvring
    overall_request_limit: 0
    certificate_timeout: 0
storage:
  vault: {url: 'https://v', role_id: 0123, secret_id: 1e5, secret_engine: /kv/, mount_path: approle/}
";
    let Loaded { config, warnings } = Config::parse(text).expect("valid");
    assert_eq!(config.common.renewal_days, RenewalDays::default());
    assert_eq!(config.common.http_client_retry.max, 5);
    let issuer = config.issuers.values().next().expect("issuer");
    assert!(issuer.external_account.is_none());
    assert_eq!(issuer.challenge, Some(DefaultChallenge::Http("kvring".parse().expect("name"))));
    let Storage::Vault(vault) = &config.storage else { panic!("vault") };
    assert_eq!((vault.role_id.as_str(), vault.secret_id.expose_secret()), ("0123", "1e5"));
    assert_eq!((vault.secret_engine.as_str(), vault.mount_path.as_str()), ("kv", "approle"));
    assert_eq!((vault.certificate_prefix.as_str(), vault.token_prefix.as_str()), ("certificates", "token"));
    let warned: Vec<String> = warnings.iter().map(ToString::to_string).collect();
    assert_eq!(warned.len(), 3, "{warned:?}");
    assert!(warned[0].contains("answered 401"), "{warned:?}");
    assert!(warned[1].contains("plain HTTP"), "{warned:?}");
    assert!(warned[2].starts_with("line 20: storage.vault.certificate_prefix: not set"), "{warned:?}");
}

#[test]
fn references_are_resolved() {
    let directory = tempfile::tempdir().expect("directory");
    let file = directory.path().join("token");
    std::fs::write(&file, "hunter2\n").expect("written");
    let text = |value: &str| format!("common: {{plugins: [{{name: a, env: {{A: '{value}'}}}}]}}");
    let value = |value: &str| {
        let loaded = Config::parse(&text(value)).map_err(|error| error.to_string())?;
        Ok::<_, String>(loaded.config.common.plugins[0].env["A"].expose_secret().to_owned())
    };
    assert_eq!(value(&format!("file:{}", file.display())), Ok("hunter2".to_owned()));
    // What is kept in a file is a secret, whatever the plugin says of it.
    for (text_of, is_secret) in [(format!("file:{}", file.display()), true), ("plain".to_owned(), false)] {
        let loaded = Config::parse(&text(&text_of)).expect("valid");
        assert_eq!(loaded.config.common.plugins[0].env_from_files.contains("A"), is_secret, "{text_of}");
    }
    assert_eq!(value("file:"), Ok("file:".to_owned()));
    assert_eq!(value("vault:x"), Ok("vault:x".to_owned()));
    let missing = value("file:/nowhere/at/all").expect_err("no such file");
    assert!(missing.contains("common.plugins[0].env.A: cannot read /nowhere/at/all"), "{missing}");
    let vault = value("vault:secret/x#y").expect_err("unsupported");
    assert!(vault.contains("not supported yet"), "{vault}");
}

#[test]
fn a_host_that_the_runtime_would_refuse_is_a_mistake() {
    for (host, reason) in [("::1", "brackets"), ("*.com", "two labels"), ("%2a.example.com", "a host such as")] {
        let text = format!(
            "common: {{plugins: [{{name: a, allowed_hosts: ['{host}']}}]}}\nissuer: {{le: {{ca_dir_url: 'https://ca'}}}}\n\
             storage: {{vault: {{url: 'https://v', role_id: r, secret_id: s}}}}\n"
        );
        let error = Config::parse(&text).expect_err(host).to_string();
        assert!(error.contains("common.plugins[0].allowed_hosts[0]") && error.contains(reason), "{host}: {error}");
    }
}

#[test]
fn debug_shows_no_secret() {
    let text = "
common:
  plugins: [{name: a, env: {A: hunter2}}]
issuer:
  le: {ca_dir_url: 'https://ca', eab: true, kid: k, hmac: hunter2}
storage:
  vault: {url: 'https://v', role_id: r, secret_id: hunter2}
";
    let loaded = Config::parse(text).expect("valid");
    assert!(!format!("{loaded:?}").contains("hunter2"), "{loaded:?}");
}

#[test]
fn a_missing_file_is_named() {
    let error = Config::load(Path::new("/nowhere/config.yml")).expect_err("missing");
    assert_eq!(error.to_string(), "cannot read the config file /nowhere/config.yml");
}

#[test]
fn all_mistakes_come_together() {
    let text = "\
comon: {}
common:
  api_key_hash: the key itself
  cert_days_renewal: 30-20
  http_client_debug: perhaps
  cert_timeout: 4m
  cert_timeout: 240
  plugins:
    - name: a
      path: plugins/a.wasm
      timout: 3
    - name: b
      allowed_hosts: [https://x/y, 7]
issuer:
  sectigo:
    ca_dir_url: http://ca.example.com/dir
    eab: true
    kid: k
    certificate_timeout: abc
    dns_chalenge: pdns
    cert_timeout: 10
  le/2:
    ca_dir_url: ftp://x
    dns_challenge: pdns
    http_challenge: kvring
storage:
  vault:
    url: https://user:hunter2@vault.example.com
    role_id: ''
    certificate_prefix: same
    token_prefix: same
    retry_wait_min: 20
";
    let error = Config::parse(text).expect_err("mistakes");
    insta::assert_snapshot!(error.to_string());
}

proptest! {
    #[test]
    fn any_text_is_answered(text in "\\PC{0,200}") {
        let _ = Config::parse(&text);
    }

    #[test]
    fn any_value_of_any_key_is_answered(
        key in prop::sample::select(known_keys()),
        value in prop_oneof!["[-0-9a-z.:/\\[\\]{}'\"~ ]{0,20}", "\\PC{0,20}"],
    ) {
        let mut text = String::new();
        for (depth, part) in key.split('.').enumerate() {
            let part = part.replace('*', "le");
            let indent = "    ".repeat(depth);
            match part.strip_suffix("[]") {
                Some(list) => write!(text, "{indent}{list}:\n{indent}  -\n").expect("a string grows"),
                None => writeln!(text, "{indent}{part}: ").expect("a string grows"),
            }
        }
        let text = format!("{}{value}\n", text.trim_end_matches('\n'));
        let _ = Config::parse(&text);
    }
}
