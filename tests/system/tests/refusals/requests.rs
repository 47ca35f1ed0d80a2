//! Requests that cannot be granted, one server for all of them.

use acme_manager_api::TokenParams;
use acme_manager_harness::{Pebble, PebbleOptions, certs::Request, ports};
use acme_manager_system_tests::site::{API_KEY, Site, SiteOptions, ZONE, params, plugin_component};
use base64::{Engine, prelude::BASE64_STANDARD};
use rcgen::{CertificateParams as CertificateRequest, DistinguishedName, KeyPair};
use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};

use crate::plugin_files;

/// The name in every case that needs a good one.
const DOMAIN: &str = "refused.site.test";

/// A body of `POST /api/v1/certificate`, and what is said of it.
struct Case {
    what: &'static str,
    body: Value,
    status: u16,
    code: &'static str,
    words: &'static [&'static str],
}

/// A field of the body is wrong.
fn invalid(what: &'static str, change: Value, words: &'static [&'static str]) -> Case {
    Case { what, body: body(change), status: 400, code: "invalid_request", words }
}

/// A good body but for `change`.
fn body(change: Value) -> Value {
    let mut body = json!({"domain": DOMAIN, "issuer": "pebble"});
    let (Value::Object(fields), Value::Object(change)) = (&mut body, change) else { unreachable!("both are objects") };
    fields.extend(change);
    body
}

fn fields() -> Vec<Case> {
    let many: Vec<String> = (0..100).map(|n| format!("n{n}.{ZONE}")).collect();
    let long = format!("{}.{ZONE}", "a".repeat(64));
    vec![
        invalid("no domain", json!({"domain": ""}), &["domain", "required"]),
        invalid("a domain with a blank", json!({"domain": "a b.site.test"}), &["domain"]),
        invalid("a label that is too long", json!({"domain": long}), &["domain"]),
        invalid("a bad further name", json!({"san": "ok.site.test,-.site.test"}), &["san", "-.site.test"]),
        invalid("too many names", json!({"san": many.join(",")}), &["san", "at most 100 names"]),
        invalid("an unknown issuer", json!({"issuer": "pebbel"}), &["issuer", "pebbel", "configured are", "pebble"]),
        invalid("a negative validity", json!({"days": -1}), &["days", "3660"]),
        invalid("a window upside down", json!({"renewal_days": "40-20"}), &["renewal_days", "40-20"]),
        invalid("a label with two signs", json!({"labels": "a=b=c"}), &["labels", "more than one `=`"]),
        invalid("an unknown key type", json!({"key_type": "rsa1024"}), &["key_type", "ec256"]),
        invalid("an RSA key made here", json!({"key_type": "rsa2048"}), &["key_type", "send a csr"]),
        invalid("a profile with a blank", json!({"profile": "tls server"}), &["profile"]),
        invalid(
            "an unknown HTTP challenge",
            json!({"http_challenge": "nginx"}),
            &["http_challenge", "nginx", "kvring"],
        ),
        invalid("two challenges", json!({"dns_challenge": "pdns", "http_challenge": "kvring"}), &["challenge"]),
        invalid(
            "a wildcard over HTTP",
            json!({"domain": "*.site.test", "http_challenge": "kvring"}),
            &["wildcard", "dns_challenge"],
        ),
        invalid("an address over DNS", json!({"domain": "192.0.2.1"}), &["192.0.2.1", "use an HTTP challenge"]),
        invalid("an address among names", json!({"san": "192.0.2.7"}), &["192.0.2.7", "use an HTTP challenge"]),
        Case {
            what: "an unknown provider",
            body: body(json!({"dns_challenge": "pdsn"})),
            status: 400,
            code: "unknown_dns_provider",
            words: &["pdsn", "did you mean pdns?"],
        },
        Case {
            what: "an issuer without challenge",
            body: body(json!({"issuer": "silent"})),
            status: 400,
            code: "no_challenge",
            words: &["silent", "dns_challenge"],
        },
    ]
}

fn requests_for_certificates() -> Vec<Case> {
    let good = Request::new(&[DOMAIN]).unwrap();
    let mut forged = good.der.clone();
    *forged.last_mut().unwrap() ^= 1;
    let mut nameless = CertificateRequest::new(Vec::new()).unwrap();
    nameless.distinguished_name = DistinguishedName::new();
    let nameless = nameless.serialize_request(&KeyPair::generate().unwrap()).unwrap();
    let certificate = CertificateRequest::new(vec![DOMAIN.to_owned()]).unwrap();
    let certificate = certificate.self_signed(&KeyPair::generate().unwrap()).unwrap();
    let two = Request::new(&[DOMAIN, "second.site.test"]).unwrap();
    let csr = |pem: &str| json!({"csr": BASE64_STANDARD.encode(pem)});
    vec![
        invalid("a forged signature", csr(&pem(&forged)), &["csr", "signature"]),
        invalid("a csr without names", csr(&nameless.pem().unwrap()), &["csr", "names nothing"]),
        invalid(
            "a csr for another name",
            csr(&Request::new(&["other.site.test"]).unwrap().pem),
            &["domain", "other.site.test"],
        ),
        invalid("a csr with one name more", csr(&two.pem), &["san", "second.site.test"]),
        invalid(
            "a csr with one name less",
            {
                let mut change = csr(&good.pem);
                change["san"] = json!("second.site.test");
                change
            },
            &["san", "second.site.test"],
        ),
        invalid("a csr that is not base64", json!({"csr": "%%%"}), &["csr", "base64"]),
        invalid("a csr that is not PEM", csr("nothing"), &["csr", "PEM"]),
        invalid("a csr that is not DER", csr(&pem(b"nothing")), &["csr", "PKCS#10"]),
        invalid("a certificate as csr", csr(&certificate.pem()), &["csr", "CERTIFICATE REQUEST"]),
        invalid("a csr that is huge", json!({"csr": "A".repeat(100_000)}), &["csr", "64 KiB"]),
    ]
}

fn issuers() -> Vec<Case> {
    let issuer = |what, issuer: &str, words| Case {
        what,
        body: body(json!({ "issuer": issuer })),
        status: 500,
        code: "issuer_unusable",
        words,
    };
    vec![
        issuer("unreadable roots", "rootless", &["rootless", "cannot read the certificates", "nowhere.pem"]),
        issuer("roots that are no PEM", "noroots", &["noroots", "holds no certificate"]),
        issuer("a CA with an unknown root", "stranger", &["stranger", "UnknownIssuer", "ca_root_file"]),
        issuer("a CA that is not there", "gone", &["gone", "cannot be reached"]),
    ]
}

#[tokio::test]
async fn each_is_told_what_is_wrong_and_leaves_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let plugins = plugin_files::all(folder.path());
    let (site, _stranger) = site(&folder, &plugins).await;
    let mut cases = fields();
    cases.extend(requests_for_certificates());
    cases.extend(issuers());
    for plugin in &plugins {
        let words: &'static [&'static str] = vec![plugin.name, plugin.words].leak();
        cases.push(unusable("a broken plugin", plugin.name, words));
    }
    cases.push(unusable("garbage as endpoint", "route53", &["AWS_ENDPOINT_URL", "https://"]));
    cases.push(unusable("a plugin without file", "no-such-plugin", &["no bundled plugin has that name", "cloudflare"]));
    cases.push(Case {
        what: "a plugin without environment",
        body: body(json!({"dns_challenge": "cloudflare"})),
        status: 500,
        code: "plugin_refused",
        words: &["cloudflare", "CF_DNS_API_TOKEN", "_acme-challenge.refused.site.test"],
    });
    assert!(cases.len() >= 40, "{} cases", cases.len());
    let mut failed = Vec::new();
    for Case { what, body, status, code, words } in &cases {
        // What was left of the first refusal would change the second.
        for _ in 0..2 {
            let answer =
                site.ask(post(&site, "/api/v1/certificate").bearer_auth(&site.bearer).json(body)).await.unwrap();
            failed.extend(answer.differs(*status, code, words).map(|difference| format!("{what}: {difference}")));
        }
        assert_eq!(site.api.request(Method::GET, "/health").send().await.unwrap().status(), 200, "after {what}");
    }
    assert!(failed.is_empty(), "{}", failed.join("\n"));
    assert_eq!(site.known_domains().await.unwrap(), Vec::<String>::new());
    site.assert_sound(DOMAIN).await.unwrap();
    site.assert_discreet(&["cf-secret-token"]).unwrap();
}

fn unusable(what: &'static str, provider: &str, words: &'static [&'static str]) -> Case {
    Case { what, body: body(json!({"dns_challenge": provider})), status: 500, code: "plugin_unusable", words }
}

async fn site(folder: &tempfile::TempDir, plugins: &[plugin_files::BrokenPlugin]) -> (Site, Pebble) {
    let no_roots = folder.path().join("no-roots.pem");
    std::fs::write(&no_roots, "no certificate\n").unwrap();
    let closed = format!("https://127.0.0.1:{}/dir", ports::free_tcp().unwrap());
    let mut common = "  plugins:\n    - { name: no-such-plugin, kind: dns-provider }\n".to_owned();
    common.extend(plugins.iter().map(plugin_files::BrokenPlugin::entry));
    let issuer = |name: &str, more: &str| format!("  {name}:\n    ca_dir_url: {closed}\n{more}");
    let stranger = Pebble::start(PebbleOptions::new(([127, 0, 0, 1], 9).into()));
    let stranger = stranger.await.unwrap();
    let issuers = [
        issuer("silent", ""),
        issuer("rootless", "    dns_challenge: pdns\n    ca_root_file: /nowhere.pem\n"),
        issuer("noroots", &format!("    dns_challenge: pdns\n    ca_root_file: {}\n", no_roots.display())),
        issuer("gone", "    dns_challenge: pdns\n"),
        format!("  stranger:\n    ca_dir_url: {}\n    dns_challenge: pdns\n", stranger.directory_url),
    ];
    let env = vec![("AWS_ENDPOINT_URL".to_owned(), "not an address".to_owned())];
    let storage = format!("  embedded:\n    path: {}/store.redb\n", folder.path().display());
    let compiled_before = Some(plugin_component("test/misbehaving.wasm"));
    let options =
        SiteOptions { common, issuers: issuers.concat(), env, storage, compiled_before, ..SiteOptions::default() };
    let site = Site::start(options).await.unwrap();
    (site, stranger)
}

/// A request, and what is said of it: status, code and words.
type Door = (&'static str, RequestBuilder, u16, &'static str, &'static [&'static str]);

fn bodies_and_paths(site: &Site) -> Vec<Door> {
    let certificate = || post(site, "/api/v1/certificate").bearer_auth(&site.bearer);
    let request = |method: &str, path: &str| site.api.request(method.parse().unwrap(), path).bearer_auth(&site.bearer);
    let known = format!("/api/v1/certificate/pebble/{DOMAIN}");
    let change = request("PUT", "/api/v1/certificate").json(&params(DOMAIN));
    vec![
        ("half a body", certificate().body("{\"domain\": "), 400, "invalid_json", &["ends too early", "column"]),
        ("a list", certificate().body("[]"), 400, "invalid_json", &["not a JSON object"]),
        ("no body", certificate().body(""), 400, "invalid_json", &["empty"]),
        ("a number for a name", certificate().body("{\"domain\": 5}"), 400, "invalid_json", &["domain", "expected"]),
        ("words", certificate().body("{domain}"), 400, "invalid_json", &["line 1"]),
        ("a huge body", certificate().body("x".repeat(3 << 20)), 413, "body_too_large", &["too large"]),
        ("a wrong method", request("PATCH", "/api/v1/certificate"), 405, "method_not_allowed", &["Allow"]),
        ("a wrong path", request("GET", "/api/v1/certificates"), 404, "path_not_found", &["/swagger/"]),
        ("a path with dots", request("GET", "/api/v1/certificate/%2e%2e/%2e%2e"), 404, "path_not_found", &[]),
        ("no such certificate to read", request("GET", &known), 404, "certificate_not_found", &[DOMAIN]),
        ("no such certificate to remove", request("DELETE", &known), 404, "certificate_not_found", &[DOMAIN]),
        ("no such certificate to change", change, 404, "certificate_not_found", &[DOMAIN]),
    ]
}

fn credentials_and_tokens(site: &Site, reader: &str) -> Vec<Door> {
    let order = || post(site, "/api/v1/certificate").json(&params(DOMAIN));
    let keyed = |body: Value| post(site, "/api/v1/token").header("X-API-Key", API_KEY).json(&body);
    let guess = post(site, "/api/v1/token").header("X-API-Key", "guess").json(&json!({}));
    let unkeyed = post(site, "/api/v1/token").json(&json!({}));
    let unknown = keyed(json!({"username": "x", "scope": ["creat"]}));
    let soon = keyed(json!({"username": "x", "scope": ["read"], "duration": "soon"}));
    let slash = keyed(json!({"username": "a/b", "scope": ["read"]}));
    vec![
        ("no credential", order(), 401, "unauthorized", &[]),
        ("garbage as credential", order().bearer_auth("garbage"), 401, "unauthorized", &[]),
        ("garbage in base64", order().bearer_auth("Z2FyYmFnZTpnYXJiYWdl"), 401, "unauthorized", &[]),
        ("a token that only reads", order().bearer_auth(reader), 403, "missing_scope", &["create"]),
        ("an unknown scope", unknown, 400, "invalid_request", &["scope", "creat"]),
        ("no scope", keyed(json!({"username": "x"})), 400, "invalid_request", &["scope", "required"]),
        ("a bad duration", soon, 400, "invalid_request", &["duration"]),
        ("an owner with a slash", slash, 400, "invalid_request", &["username"]),
        ("a wrong API key", guess, 401, "unauthorized", &[]),
        ("no API key", unkeyed, 401, "unauthorized", &[]),
    ]
}

#[tokio::test]
async fn what_is_no_request_is_refused_at_the_door() {
    let site = Site::start(SiteOptions::default()).await.unwrap();
    let reader =
        TokenParams { username: "reader".to_owned(), scope: vec!["read".to_owned()], ..TokenParams::default() };
    let reader = site.api.create_token(&reader).await.unwrap().token;
    let mut cases = bodies_and_paths(&site);
    cases.extend(credentials_and_tokens(&site, &reader));
    let mut failed = Vec::new();
    for (what, request, status, code, words) in cases {
        let answer = site.ask(request).await.unwrap();
        failed.extend(answer.differs(status, code, words).map(|difference| format!("{what}: {difference}")));
    }
    assert!(failed.is_empty(), "{}", failed.join("\n"));
    site.assert_sound(DOMAIN).await.unwrap();
    let again = site.order(&params(DOMAIN)).await.unwrap();
    again.assert_refusal(409, "certificate_exists", &[DOMAIN, "PUT"]);
    site.assert_discreet(&[&reader]).unwrap();
}

fn post(site: &Site, path: &str) -> RequestBuilder {
    site.api.request(Method::POST, path)
}

fn pem(der: &[u8]) -> String {
    let text = BASE64_STANDARD.encode(der);
    let lines: Vec<&str> = text.as_bytes().chunks(64).map(|line| std::str::from_utf8(line).unwrap()).collect();
    format!("-----BEGIN CERTIFICATE REQUEST-----\n{}\n-----END CERTIFICATE REQUEST-----\n", lines.join("\n"))
}
