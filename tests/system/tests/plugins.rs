//! A plugin that misbehaves in every way, under the server: what the caller is told, and that nobody else notices.

#![expect(clippy::unwrap_used, reason = "a test ends where its set-up breaks")]

use std::{fs, time::Instant};

use acme_manager_api::CertificateParams;
use acme_manager_system_tests::site::{Answer, Site, SiteOptions, params, plugin_component};
use sha2::{Digest, Sha256};

const TOKEN: &str = "s3cr3t/t0ken+value";

/// A behaviour of the component, what else its entry says, and what the caller is told.
struct Case {
    name: &'static str,
    behaviour: &'static str,
    more: &'static str,
    code: &'static str,
    words: &'static [&'static str],
}

const fn case(
    name: &'static str,
    behaviour: &'static str,
    more: &'static str,
    code: &'static str,
    words: &'static [&'static str],
) -> Case {
    Case { name, behaviour, more, code, words }
}

const FAILED: &str = "plugin_failed";
const REFUSED: &str = "plugin_refused";

const CASES: &[Case] = &[
    case("loops", "loop", "      fuel: 100000000\n", FAILED, &["100000000", "`common.plugins[].fuel`"]),
    case(
        "loops-on",
        "loop",
        "      fuel: 18446744073709551615\n      timeout: 2\n",
        FAILED,
        &["within 2 s", "`common.plugins[].timeout`"],
    ),
    case("hoards", "alloc", "      memory_mb: 16\n", FAILED, &["16 MiB", "`common.plugins[].memory_mb`"]),
    case("recurses", "recurse", "", FAILED, &["crashed"]),
    case("sleeps", "sleep 600000", "      timeout: 2\n", FAILED, &["within 2 s", "`common.plugins[].timeout`"]),
    case("panics", "panic", "", FAILED, &["crashed"]),
    case("exits", "exit 1", "", FAILED, &["exit(1)"]),
    case("holds", "handles 1000000", "", FAILED, &["exceeded a bound"]),
    case("tells", "secrets-in-error", "", REFUSED, &["[redacted] failed"]),
    case("returns-much", "huge 5000000", "", FAILED, &["exceeded a bound", "too much data"]),
    case("complains-much", "huge-error 5000000", "", FAILED, &["exceeded a bound", "too much data"]),
    case("hands-over", "secrets-in-handle", "", FAILED, &["the handle contains the value of a secret"]),
    case("strays", "get https://elsewhere.test/", "", REFUSED, &["elsewhere.test", "allowed_hosts"]),
    case("asks-the-cloud", "get http://169.254.169.254/", "", REFUSED, &["169.254.169.254", "allowed_hosts"]),
    case(
        "looks-around",
        "get http://localhost:1/",
        "      allowed_hosts: ['http://localhost:1']\n",
        REFUSED,
        &["localhost", "no public address", "allowed_cidrs"],
    ),
];

/// Behaviours that do no harm to the caller: the values are never placed, so it is the CA that says no.
const HARMLESS: &[Case] = &[
    case("floods", "log-flood 5000", "", "ca_validation_failed", &[]),
    case("gossips", "secrets-in-log", "", "ca_validation_failed", &[]),
    case("sockets", "socket", "", "ca_validation_failed", &[]),
];

#[tokio::test]
async fn each_misbehaviour_ends_at_its_limit_and_troubles_nobody() {
    let data = tempfile::tempdir().unwrap();
    let site = site(&data).await;
    let order = |case: &'static Case| {
        let order =
            CertificateParams { dns_challenge: case.name.to_owned(), ..params(&format!("{}.site.test", case.name)) };
        let site = &site;
        async move { site.order(&order).await.unwrap() }
    };
    let all = || CASES.iter().chain(HARMLESS);
    let bad = async {
        let answers = futures::future::join_all(all().map(order)).await;
        (answers, Instant::now())
    };
    let good = async {
        good_orders(&site).await;
        Instant::now()
    };
    let ((answers, bad_ended), good_ended) = tokio::join!(bad, good);
    // Those that sleep and loop are tried five times with pauses, far longer than five good orders take.
    assert!(good_ended < bad_ended, "good orders waited for the misbehaving ones");

    let mut failed = Vec::new();
    for (case, answer) in all().zip(&answers) {
        let told: String = answer.error.chars().take(300).collect();
        eprintln!("{} after {:?}: {} {told}", case.name, answer.took, answer.code);
        failed.extend(judge(case, answer));
    }
    assert!(failed.is_empty(), "{}", failed.join("\n"));
    let domains = site.known_domains().await.unwrap();
    assert!(all().all(|case| !domains.contains(&format!("{}.site.test", case.name))), "{domains:?}");
    // What was left of the misbehaving orders would refuse these.
    for name in ["loops.site.test", "strays.site.test", "gossips.site.test"] {
        site.assert_sound(name).await.unwrap();
    }
    let percent: String = TOKEN.bytes().map(|byte| format!("%{byte:02X}")).collect();
    site.assert_discreet(&[TOKEN, "s3cr3t%2Ft0ken%2Bvalue", &percent]).unwrap();
    let log = site.server.process.log();
    let lines = log.lines().filter(|line| line.contains("floods")).count();
    assert!(lines < 2_000, "the flood has {lines} lines in the log");
}

fn judge(case: &Case, answer: &Answer) -> Option<String> {
    let difference = answer.differs(500, case.code, case.words);
    let long = (answer.error.len() > 8_192).then(|| "a text without end".to_owned());
    difference.or(long).map(|what| format!("{}: {what}", case.name))
}

/// Good orders, one after the other.
async fn good_orders(site: &Site) {
    for _ in 0..5 {
        let answer = site.order(&params(&site.name())).await.unwrap();
        assert_eq!(answer.status, 201, "a good order beside: {}", answer.body);
    }
}

async fn site(data: &tempfile::TempDir) -> Site {
    let path = plugin_component("test/misbehaving.wasm");
    let checksum = hex::encode(Sha256::digest(fs::read(&path).unwrap()));
    let entry = |case: &Case| {
        let Case { name, behaviour, more, .. } = case;
        format!(
            "    - name: {name}\n      path: {}\n      checksum: '{checksum}'\n      env:\n        \
             TOKEN: '{TOKEN}'\n        REGION: eu\n        MISBEHAVE: '{behaviour}'\n{more}",
            path.display()
        )
    };
    let mut common = "  plugins:\n".to_owned();
    common.extend(CASES.iter().chain(HARMLESS).map(entry));
    let storage = format!("  embedded:\n    path: {}/store.redb\n", data.path().display());
    Site::start(SiteOptions { common, storage, compiled_before: Some(path), ..SiteOptions::default() }).await.unwrap()
}
