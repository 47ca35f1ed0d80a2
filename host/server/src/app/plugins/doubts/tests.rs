use std::path::Path;

use acme_manager_plugin_runtime::PluginDigest;

use super::*;

fn config(plugins: &str, issuer: &str) -> Config {
    let text = format!(
        "common: {{plugins: [{plugins}]}}\nissuer: {{le: {{ca_dir_url: 'https://ca', dns_challenge: '{issuer}'}}}}\n"
    );
    Config::parse(&text).unwrap_or_else(|error| panic!("{text}: {error}")).config
}

#[test]
fn names_of_providers_are_suggested_and_those_of_hooks_are_not() {
    let said = doubts(&config("", "cloudfare")).join("\n");
    assert!(said.contains("there is no DNS provider cloudfare; did you mean cloudflare?"), "{said}");
    assert!(said.contains("acmedns, ") && !said.contains("caa"), "{said}");
    let own = "{name: my-dns, kind: dns-provider, path: /x.wasm}";
    let said = doubts(&config(own, "my-dsn")).join("\n");
    assert!(said.contains("did you mean my-dns?"), "{said}");
    for good in ["cloudflare", "rfc2136"] {
        assert_eq!(doubts(&config("", good)), [""; 0], "{good}");
    }
    assert_eq!(doubts(&config(own, "my-dns")), [""; 0]);
    let said = doubts(&config("{name: caa}", "caa")).join("\n");
    assert_eq!(said, "issuer.le.dns_challenge: caa is an issuance hook, no DNS provider");
}

#[test]
fn a_bundled_plugin_is_what_it_is() {
    let said = doubts(&config("{name: caa, kind: dns-provider}", "pdns")).join("\n");
    assert!(said.contains("the bundled plugin caa is an issuance hook; nothing is issued"), "{said}");
    let said = doubts(&config("{name: pdns, kind: issuance-hook}", "pdns")).join("\n");
    assert!(said.contains("the bundled plugin pdns is a DNS provider; nothing is issued"), "{said}");
    assert_eq!(doubts(&config("{name: caa, kind: issuance-hook}", "pdns")), [""; 0]);
}

#[test]
fn a_provider_that_is_called_a_hook_is_told() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/plugins/test/misbehaving.wasm");
    let checksum = PluginDigest::of(&std::fs::read(&path).expect("run `cargo xtask plugins`"));
    let entry = |kind: &str| format!("{{name: p, kind: {kind}, path: {}, checksum: '{checksum}'}}", path.display());
    assert_eq!(wrong_files(&config(&entry("dns-provider"), "pdns")), [""; 0]);
    let said = wrong_files(&config(&entry("issuance-hook"), "pdns")).join("\n");
    assert!(said.contains("is a DNS provider; nothing is issued until the entry says `kind: dns-provider`"), "{said}");
}
