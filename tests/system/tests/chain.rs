//! The whole chain: request, order, plugin, DNS, validation, certificate, store.

use std::time::Duration;

use acme_manager_api::CertificateParams;
use acme_manager_harness::{
    ChallTestSrv, CloudflareMock, Moto, Pebble, PebbleOptions, PowerDns, Server, ServerOptions, certs::Request, dns,
    ports,
};
use acme_manager_system_tests::installation::{
    ISSUER, Installation, OWNER, PATIENCE, Plan, Propagation, ZONE, check, config_yaml, embedded_yaml, issuer_yaml,
    order, pdns_variables, until,
};
use anyhow::{Context, ensure};
use serde_json::Value;

const SEVERAL: [&str; 3] = ["example.test", "*.example.test", "www.example.test"];

/// Three names in one certificate, two of them proven at one DNS name; then one by a client's own request.
async fn issue_several(with: &Installation) -> anyhow::Result<()> {
    let params = CertificateParams {
        san: "*.example.test,www.example.test".to_owned(),
        bundle: true,
        labels: "team=web".to_owned(),
        ..order(ZONE)
    };
    let made = with.create(&params).await?;
    with.check(&made, &SEVERAL, &made.key).await?;
    assert_eq!(made.metadata.owner, OWNER);
    let placed = with.server.process.log().matches("TXT value placed").count();
    ensure!((2..=3).contains(&placed), "{placed} values were placed for three names");
    with.until_clean(ZONE).await?;
    with.until_clean("www.example.test").await?;

    let names = ["own.example.test", "other.example.test"];
    let request = Request::new(&names)?;
    let params = CertificateParams {
        csr: request.base64(),
        san: names[1].to_owned(),
        name: "by-name".to_owned(),
        ..order(names[0])
    };
    let named = with.create(&params).await?;
    with.check(&named, &names, &request.key_pem).await?;
    assert_eq!(named.key, "", "the server cannot know this key");
    assert_eq!(named.metadata.name, "by-name");
    let api = with.server.api();
    let read = api.certificate(&with.bearer, "by-name").await?;
    assert!(read == named, "{read:?} is not {named:?}");
    let read = api.certificate(&with.bearer, &format!("{ISSUER}/{ZONE}")).await?;
    assert!(read == made, "{read:?} is not {made:?}");
    let list = api.metadata(&with.bearer).await?;
    let listed: Vec<&Value> = list.as_array().context("a list")?.iter().collect();
    assert_eq!(listed.len(), 2);
    for certificate in [&made, &named] {
        let wanted = serde_json::to_value(&certificate.metadata)?;
        assert!(listed.contains(&&wanted), "{wanted} is not in {list}");
    }
    with.until_clean(names[0]).await
}

#[tokio::test]
async fn strict_pebble_pdns_and_openbao() -> anyhow::Result<()> {
    let with = Plan::vault().strict().start().await?;
    issue_several(&with).await?;
    let bao = with.bao()?;
    let path = format!("certificates/{OWNER}/{ISSUER}/{ZONE}");
    let secret = bao.kv_get(&path).await?.context("the certificate is not where it belongs")?;
    let mut fields: Vec<&str> = secret["data"].as_object().context("fields")?.keys().map(String::as_str).collect();
    fields.sort_unstable();
    let mut wanted = [
        "domain", "issuer", "bundle", "san", "days", "renewal_days", "renewal_date", "dns_challenge", "http_challenge",
        "expires", "fingerprint", "owner", "csr", "labels", "encryption", "serial", "key_type", "updated_at", "profile",
        "renewal_count", "name", "cert", "ca_issuer", "url",
        // The one addition: a key that the server made.
        "key",
    ];
    wanted.sort_unstable();
    assert_eq!(fields, wanted);
    let named = bao.kv_get(&format!("certificates/{OWNER}/by-name")).await?.context("no named certificate")?;
    assert!(named["data"].get("key").is_none(), "a key that the server never had");
    let tokens = bao.kv_list(&format!("tokens/{OWNER}")).await?;
    assert_eq!(tokens.len(), 1);
    let token = bao.kv_get(&format!("tokens/{OWNER}/{}", tokens[0])).await?.context("no token")?;
    assert_eq!(token["data"]["username"], OWNER);
    assert!(token["data"].get("token").is_none(), "the credential is stored");
    assert!(!token.to_string().contains(&with.bearer));
    assert!(!with.server.process.log().contains(&with.bearer), "the credential is in the log");
    Ok(())
}

#[tokio::test]
async fn strict_pebble_pdns_and_the_embedded_store() -> anyhow::Result<()> {
    let dns = PowerDns::start_on(ports::loopback_address(), &[ZONE]).await?;
    let with = Plan::embedded().strict().propagation(Propagation::Resolvers).start_on(dns).await?;
    issue_several(&with).await?;
    let file = std::fs::read(with.server.directory().join("store.redb"))?;
    for plain in ["BEGIN CERTIFICATE", "PRIVATE KEY", "tokenHash", with.bearer.as_str()] {
        ensure!(!file.windows(plain.len()).any(|part| part == plain.as_bytes()), "{plain:?} is legible in the file");
    }
    Ok(())
}

#[tokio::test]
async fn authoritative_servers_on_port_53_are_asked() -> anyhow::Result<()> {
    let dns = PowerDns::start_on(ports::loopback_address(), &[ZONE]).await?;
    let with = Plan::embedded().propagation(Propagation::Authoritative).start_on(dns).await?;
    let params = CertificateParams { san: "*.example.test".to_owned(), ..order(ZONE) };
    let made = with.create(&params).await?;
    with.check(&made, &["*.example.test", ZONE], &made.key).await?;
    with.until_clean(ZONE).await
}

#[tokio::test]
async fn a_value_waits_for_the_authoritative_servers() -> anyhow::Result<()> {
    const UNSEEN: Duration = Duration::from_secs(4);
    // The provider writes to one server; the zone's name servers, which the resolver names, are another.
    let written = PowerDns::start(&[ZONE]).await?;
    let asked = PowerDns::start_on(ports::loopback_address(), &[ZONE]).await?;
    let pebble = Pebble::start(PebbleOptions::new(asked.dns)).await?;
    let mut options = ServerOptions::new(config_yaml("", &issuer_yaml(&pebble, "pdns"), &embedded_yaml()))
        .env("ACME_MANAGER_DNS_RESOLVERS", asked.dns.to_string());
    for (name, value) in pdns_variables(&written) {
        options = options.env(name, value);
    }
    let mut server = Server::start(options).await?;
    server.wait_ready().await?;
    let (api, bearer) = (server.api(), server.api().bearer(OWNER).await?);
    let mut request = tokio::task::JoinSet::new();
    request.spawn(async move { api.create_certificate(&bearer, &order(ZONE)).await });
    let name = "_acme-challenge.example.test";
    let placed = || async {
        let values = dns::txt(written.dns, name).await?;
        ensure!(!values.is_empty(), "nothing is placed yet");
        Ok(values)
    };
    let values = until(PATIENCE, placed).await?;
    // Time in which nothing may happen.
    tokio::time::sleep(UNSEEN).await;
    ensure!(request.try_join_next().is_none(), "the request ended before the value was visible");
    ensure!(!pebble.process.log().contains("/chalZ/"), "the CA was told of a value that it cannot see");
    asked.set_txt(ZONE, name, &[values[0].as_str()]).await?;
    let made = request.join_next().await.context("one request")???;
    check(&pebble, &made, &[ZONE], &made.key).await?;
    ensure!(dns::txt(written.dns, name).await?.is_empty(), "the value was left");
    Ok(())
}

/// A server with one provider whose records a pebble-challtestsrv shows to the CA.
async fn serve_with(provider: &str, common: &str, variables: &[(&str, &str)]) -> anyhow::Result<(Pebble, Server)> {
    let variable = |name: &str| variables.iter().find(|(known, _)| *known == name).map(|(_, value)| *value);
    let resolver = variable("ACME_MANAGER_DNS_RESOLVERS").context("no resolver")?;
    let pebble = Pebble::start(PebbleOptions { strict: true, ..PebbleOptions::new(resolver.parse()?) }).await?;
    let mut options = ServerOptions::new(config_yaml(common, &issuer_yaml(&pebble, provider), &embedded_yaml()));
    for (name, value) in variables {
        options = options.env(name, *value);
    }
    let mut server = Server::start(options).await?;
    server.wait_ready().await?;
    Ok((pebble, server))
}

async fn issue_apex_and_wildcard(pebble: &Pebble, server: &Server) -> anyhow::Result<()> {
    let bearer = server.api().bearer(OWNER).await?;
    let params = CertificateParams { san: "*.example.test".to_owned(), ..order(ZONE) };
    let made = server.api().create_certificate(&bearer, &params).await?;
    check(pebble, &made, &["*.example.test", ZONE], &made.key).await
}

#[tokio::test]
async fn route53_through_amazons_sdk() -> anyhow::Result<()> {
    let mut moto = Moto::start().await?;
    let dns = ChallTestSrv::start().await?;
    let zone = moto.create_hosted_zone(ZONE).await?;
    moto.publish_to(&dns, &zone);
    let resolver = dns.dns.to_string();
    let variables = [
        ("AWS_ENDPOINT_URL", moto.endpoint_url.as_str()),
        ("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE"),
        ("AWS_SECRET_ACCESS_KEY", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"),
        ("AWS_REGION", "us-east-1"),
        ("ACME_MANAGER_DNS_RESOLVERS", &resolver),
        // The copy from moto to the name server takes a moment.
        ("ACME_MANAGER_DNS_PROPAGATIONWAIT", "2"),
    ];
    let (pebble, server) = serve_with("route53", "", &variables).await?;
    issue_apex_and_wildcard(&pebble, &server).await?;
    let left = moto.txt(&zone, "_acme-challenge.example.test").await?;
    ensure!(left.is_empty(), "left in the zone: {left:?}");
    ensure!(!server.process.log().contains("wJalrXUtnFEMI"), "the secret key is in the log");
    Ok(())
}

#[tokio::test]
async fn cloudflare_by_token_and_by_global_key() -> anyhow::Result<()> {
    let (token, key) = ("v1.0-an-api-token-of-forty-characters-0001", "c2547eb745079dac9320b638f5e225cf483cc5cfdda41");
    let dns = ChallTestSrv::start().await?;
    let resolver = dns.dns.to_string();
    let base = [("ACME_MANAGER_DNS_RESOLVERS", resolver.as_str()), ("ACME_MANAGER_DNS_PROPAGATIONDISABLEANS", "true")];
    let by_token = CloudflareMock::start(ZONE, token).await?;
    let by_key = CloudflareMock::start_with_global_key(ZONE, "ops@example.org", key).await?;
    let token_variables = vec![("CF_DNS_API_TOKEN", token)];
    let key_variables = vec![("CLOUDFLARE_EMAIL", "ops@example.org"), ("CLOUDFLARE_API_KEY", key)];
    for (mock, mut variables) in [(by_token, token_variables), (by_key, key_variables)] {
        mock.publish_to(&dns);
        mock.add_record("TXT", "_acme-challenge.example.test", "\"a value of another hand\"");
        variables.push(("CLOUDFLARE_BASE_URL", &mock.base_url));
        variables.extend(base);
        let (pebble, server) = serve_with("cloudflare", "", &variables).await?;
        issue_apex_and_wildcard(&pebble, &server).await?;
        mock.assert_clean();
        assert_eq!(mock.txt("_acme-challenge.example.test"), ["a value of another hand"]);
        let log = server.process.log();
        ensure!(!log.contains(token) && !log.contains(key), "a credential is in the log");
    }
    Ok(())
}

#[tokio::test]
async fn a_custom_plugin_by_path_and_checksum() -> anyhow::Result<()> {
    let dns = ChallTestSrv::start().await?;
    let component = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/plugins/challtestsrv.wasm");
    let bytes = std::fs::read(&component).context("run `cargo xtask plugins`")?;
    use sha2::Digest;
    let digest = hex::encode(sha2::Sha256::digest(&bytes));
    let (url, path) = (&dns.management_url, component.canonicalize()?);
    let (host, path) = (url.trim_start_matches("http://"), path.display());
    let plugin = |digest: &str| {
        format!(
            "  plugins:\n  - name: challtestsrv\n    path: {path}\n    checksum: {digest}\n    env:\n      CHALLTESTSRV_URL: {url}\n\
             \x20   allowed_hosts: ['http://{host}']\n    allowed_cidrs: ['127.0.0.0/8']\n"
        )
    };
    let resolver = dns.dns.to_string();
    let variables =
        [("ACME_MANAGER_DNS_RESOLVERS", resolver.as_str()), ("ACME_MANAGER_DNS_PROPAGATIONDISABLEANS", "true")];
    let (pebble, server) = serve_with("challtestsrv", &plugin(&digest), &variables).await?;
    issue_apex_and_wildcard(&pebble, &server).await?;
    ensure!(dns::txt(dns.dns, "_acme-challenge.example.test").await?.is_empty(), "a value is left");

    let other = hex::encode(sha2::Sha256::digest(b"other bytes"));
    let (_pebble, server) = serve_with("challtestsrv", &plugin(&other), &variables).await?;
    let bearer = server.api().bearer(OWNER).await?;
    let refused = server.api().create_certificate(&bearer, &order(ZONE)).await;
    let error = format!("{:#}", refused.err().context("a plugin with another checksum was used")?);
    ensure!(error.contains("challtestsrv"), "{error}");
    Ok(())
}
